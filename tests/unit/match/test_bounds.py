"""Between which offsets a row was, by the attempts and cuts of its job."""

import pytest

from feature_platform.match.bounds import (
    CLOCKS_MS,
    Bounds,
    Timeline,
    above,
    below,
    chain_of,
)
from feature_platform.registry.base import FLUSHES_PER_CHECKPOINT, Attempt, Cut, Epoch

P = "t/0"


def attempt(number: int, start: Epoch, end: int, base: int = 0) -> Attempt:
    """Return a start of a job."""
    return Attempt(
        attempt=number,
        execution="e",
        deployment="d",
        kind="stream",
        restore_point=start,
        end_offsets={P: end},
        claimed_ms=0,
        base_checkpoint_id=base,
    )


def cut(number: int, checkpoint_id: int, position: int, recorded_ms: int) -> Cut:
    """Return a cut of one partition."""
    return Cut(
        attempt=number,
        checkpoint_id=checkpoint_id,
        positions={P: position},
        recorded_ms=recorded_ms,
    )


CRASHED = Timeline(
    [attempt(1, (0, 0), 0), attempt(2, (1, 1), 35, base=1)],
    [
        cut(1, 1, 10, 10_000),
        cut(1, 2, 20, 20_000),
        cut(2, 2, 30, 40_000),
        cut(2, 3, 40, 50_000),
    ],
)
"""The first attempt dies beyond its second cut, the second begins at its first one."""


@pytest.mark.parametrize(
    ("read_ms", "written", "expected"),
    [
        (10_500, (1, FLUSHES_PER_CHECKPOINT), Bounds(lower={}, upper={P: 20}, replays=False)),
        (
            10_000 + CLOCKS_MS,
            (1, FLUSHES_PER_CHECKPOINT),
            Bounds(lower={P: 10}, upper={P: 20}, replays=False),
        ),
        (30_000, (1, 1), Bounds(lower={P: 20}, upper={P: 10}, replays=False)),
        (
            30_000,
            (1, 2 * FLUSHES_PER_CHECKPOINT),
            Bounds(lower={P: 20}, upper={P: 35}, replays=False),
        ),
        (35_000, (2, 5), Bounds(lower={P: 10}, upper={P: 30}, replays=True)),
        (45_000, (2, FLUSHES_PER_CHECKPOINT), Bounds(lower={P: 30}, upper={P: 40}, replays=True)),
        (55_000, (2, FLUSHES_PER_CHECKPOINT), Bounds(lower={P: 40}, upper={P: 40}, replays=False)),
        (55_000, (2, 9 * FLUSHES_PER_CHECKPOINT), None),
        (30_000, None, Bounds(lower={P: 20}, upper={P: 30}, replays=False)),
        (55_000, None, None),
    ],
)
def test_bounds(read_ms: int, written: Epoch | None, expected: Bounds | None) -> None:
    """By the newest cut before the read, and the next one of the writer."""
    assert expected == CRASHED.bounds(read_ms, read_ms, written)


def test_a_chain_leaves_out_what_goes_back() -> None:
    """Positions that do not ascend in all partitions; others are found by place."""
    chain = chain_of([{"a": 1}, {"a": 3, "b": 1}, {"a": 2, "b": 2}, {"a": 4, "b": 2}])

    assert chain == [{}, {"a": 1}, {"a": 3, "b": 1}, {"a": 4, "b": 2}]
    assert [below(chain, {"a": number, "b": 1}) for number in range(5)] == [0, 1, 1, 2, 2]
    assert [above(chain, {"a": number}) for number in range(6)] == [0, 1, 2, 2, 3, 4]
