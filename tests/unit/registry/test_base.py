"""When a cut is complete; the registries' own promises are in tests/contract."""

import pytest

from feature_platform.registry.base import (
    BASE_UNKNOWN,
    Attempt,
    CutPart,
    complete_cuts,
    is_complete,
    parts_of,
)
from feature_platform.registry.cql_rows import attempt_of


def part(
    name: str, of: int = 1, checkpoint_id: int = 1, attempt: int = 1, **positions: int
) -> CutPart:
    """Make a part of a cut."""
    return CutPart(
        attempt=attempt,
        checkpoint_id=checkpoint_id,
        part=name,
        of=of,
        positions=positions,
        recorded_ms=checkpoint_id,
    )


@pytest.mark.parametrize(
    ("parts", "complete"),
    [
        ([], False),
        ([part("kernel-0")], False),
        ([part("intake-0")], False),
        ([part("kernel-0"), part("intake-0")], True),
        ([part("kernel-0", 2), part("intake-0")], False),
        ([part("kernel-0", 2), part("kernel-1", 2), part("intake-0")], True),
        ([part("kernel-0"), part("intake-0", 2)], False),
    ],
)
def test_all_subtasks_of_both_operators_make_a_cut(parts: list[CutPart], *, complete: bool) -> None:
    """Parallelism is each operator's own."""
    assert is_complete(parts) is complete


def test_positions_are_joined_and_the_last_record_dates_it() -> None:
    """A cut is of the moment when its last part was recorded."""
    parts = [
        part("kernel-0", checkpoint_id=4),
        part("intake-0", 2, checkpoint_id=4, a=1),
        part("intake-1", 2, checkpoint_id=4, b=2),
    ]
    (cut,) = complete_cuts(parts)
    assert (cut.positions, cut.recorded_ms) == ({"a": 1, "b": 2}, 4)


def test_incomplete_cuts_are_left_out() -> None:
    """The others keep their order."""
    parts = [
        part("kernel-0", checkpoint_id=9),
        part("kernel-0", checkpoint_id=8),
        part("intake-0", checkpoint_id=8),
        part("intake-0", checkpoint_id=7),
        part("kernel-0", checkpoint_id=6),
        part("intake-0", checkpoint_id=6),
    ]
    assert [cut.checkpoint_id for cut in complete_cuts(parts)] == [8, 6]


def test_a_cut_can_be_taken_apart() -> None:
    """For writers that have no subtasks."""
    (cut,) = complete_cuts(
        [part("kernel-0", checkpoint_id=4), part("intake-0", checkpoint_id=4, a=1)]
    )
    assert list(complete_cuts(parts_of(cut))) == [cut]


def test_the_farthest_position_of_a_partition_counts() -> None:
    """After a rescale the subtask that a partition has left still names where it was."""
    parts = [
        part("kernel-0"),
        part("intake-0", 2, a=7, b=9),
        part("intake-1", 2, b=4),
    ]
    (cut,) = complete_cuts(parts)
    assert cut.positions == {"a": 7, "b": 9}


def test_a_flush_number_gives_its_checkpoint_id_at_most() -> None:
    """The first is one above the base; an attempt recorded without a base gives none."""
    row = (3, "x/3", "job", "stream", 2, 7, "{}", 1)
    attempt = attempt_of((*row, 7, 1, True))
    assert [attempt.checkpoint_id_at_most(flush) for flush in (0, 1023, 1024, 2048)] == [
        8,
        8,
        9,
        10,
    ]
    old: Attempt = attempt_of((*row, None, None, None))
    assert (old.base_checkpoint_id, old.checkpoint_id_at_most(0)) == (BASE_UNKNOWN, None)
