"""Which attempts are recovered, since when rows may be dirty, and which cuts are alive."""

from dataclasses import replace

from feature_platform.lineage.attempts import (
    dirty_since_ms,
    last_unclean_end_ms,
    left_to_recover,
    line_of,
    may_have_left,
    newest_cut,
    passed_by,
    recovered_at,
)
from feature_platform.registry.base import Attempt, Cut, Epoch
from feature_platform.registry.history import holds


def attempt(
    number: int, r: Epoch = (0, 0), *, end: int = 0, dirty_ms: int = 0, clean: bool = False
) -> Attempt:
    """Make an attempt that was claimed at 100 times its number, with events up to `end`."""
    return Attempt(
        attempt=number,
        execution=f"x/{number}",
        deployment="d",
        kind="stream",
        restore_point=r,
        end_offsets={"t/0": end},
        claimed_ms=number * 100,
        dirty_since_ms=dirty_ms,
        clean=clean,
    )


def cut(number: int, checkpoint_id: int, position: int, *, at_ms: int = 0) -> Cut:
    """Make a cut."""
    return Cut(
        attempt=number, checkpoint_id=checkpoint_id, positions={"t/0": position}, recorded_ms=at_ms
    )


def test_the_first_attempt_is_recovered() -> None:
    """There was nothing before it, however much is in the topic."""
    assert left_to_recover(attempt(1, end=99), []) == 0


def test_an_attempt_is_recovered_once_a_cut_is_past_its_ends() -> None:
    """Only a cut of its own counts, and only where every partition has come so far."""
    second = attempt(2, (1, 3), end=50)
    assert left_to_recover(second, []) == 50
    assert left_to_recover(second, [cut(1, 3, 50)]) == 50
    assert left_to_recover(second, [cut(2, 4, 20), cut(1, 3, 10)]) == 30
    assert left_to_recover(second, [cut(2, 5, 50), cut(2, 4, 20)]) == 0


def test_a_partition_that_the_cut_does_not_know_is_to_be_counted_from_its_beginning() -> None:
    """It came into being between the cut and the start."""
    assert not recovered_at(attempt(2, (1, 3), end=1), {"t/1": 5})


def test_a_clean_stop_is_no_unclean_end() -> None:
    """A zombie can be about only where a task did not end by itself."""
    assert last_unclean_end_ms([attempt(1)]) == 0
    assert last_unclean_end_ms([attempt(1), attempt(2, (1, 1), clean=True)]) == 0
    crashed = [attempt(1), attempt(2, (1, 1)), attempt(3, (2, 2), clean=True)]
    assert last_unclean_end_ms(crashed) == 200


def test_a_recovered_attempt_dates_its_cuts_itself() -> None:
    """Nothing that a dead attempt has written is left then."""
    attempts = [attempt(1), attempt(2, (1, 3), end=50, dirty_ms=70)]
    assert dirty_since_ms(cut(1, 4, 9, at_ms=150), attempts) == 150
    assert dirty_since_ms(cut(2, 4, 50, at_ms=250), attempts) == 250


def test_the_age_of_a_chain_of_unrecovered_attempts_is_that_of_its_first() -> None:
    """Each has completed checkpoints, and none has come to the event that the first one wrote."""
    attempts = [
        attempt(1),
        attempt(2, (1, 3), end=50, dirty_ms=130),
        attempt(3, (2, 4), end=60, dirty_ms=130),
    ]
    assert dirty_since_ms(cut(2, 4, 20, at_ms=250), attempts) == 130
    assert dirty_since_ms(cut(3, 5, 30, at_ms=350), attempts) == 130
    assert dirty_since_ms(cut(3, 6, 60, at_ms=360), attempts) == 360


def test_the_cut_of_an_aborted_checkpoint_that_a_start_has_passed_by_is_abandoned() -> None:
    """Attempt 1 recorded 5 and crashed; 2 restored 4: cut 5 holds what 2 counts again."""
    attempts = [attempt(1), attempt(2, (1, 4))]
    cuts = [cut(1, 5, 50), cut(1, 4, 40)]
    assert newest_cut(cuts, attempts) == cuts[1]
    assert newest_cut(cuts, attempts[:1]) == cuts[0]
    assert newest_cut([], []) is None


def test_without_a_cut_the_empty_table_is_one() -> None:
    """As old as the first start."""
    found = newest_cut([], [attempt(1), attempt(2)])
    assert found == Cut(attempt=0, checkpoint_id=0, positions={}, recorded_ms=100)


def test_nothing_before_a_sweep_can_be_gone_back_to() -> None:
    """It writes without undo rows; its own cut can, and those after it."""
    sweep = replace(attempt(2, (1, 4)), kind="sweep")
    attempts = [attempt(1), sweep, attempt(3, (2, 1))]
    before = [cut(1, 4, 40)]
    assert newest_cut(before, attempts) is None
    assert newest_cut([], attempts) is None
    assert newest_cut([cut(2, 1, 40), *before], attempts) == cut(2, 1, 40)
    assert newest_cut([cut(3, 1, 50), *before], attempts) == cut(3, 1, 50)


def test_a_cut_of_a_dead_attempt_is_dead_although_it_is_the_newest() -> None:
    """Attempt 3 was started from an older epoch than attempt 2's."""
    attempts = [attempt(1), attempt(2, (1, 4)), attempt(3, (1, 4))]
    cuts = [cut(2, 9, 90), cut(1, 4, 40)]
    assert newest_cut(cuts, attempts) == cuts[1]
    assert not holds(line_of(attempts), (2, 9))


def test_a_savepoint_is_passed_by_once_another_attempt_was_claimed() -> None:
    """Whatever that has written since stands in the rows."""
    assert not passed_by([attempt(1)], (1, 4))
    assert passed_by([attempt(1), attempt(2, (1, 4))], (1, 4))
    assert not passed_by([], (0, 0))


def test_what_may_be_wrong_names_the_attempts() -> None:
    """The cut's own, all after it, and dead ones before it if they are young enough."""
    attempts = [
        attempt(1),
        attempt(2, (1, 4), end=50, dirty_ms=140),
        attempt(3, (1, 4), end=50, dirty_ms=140),
        attempt(4, (3, 5), end=90, dirty_ms=140),
    ]
    assert may_have_left(attempts, cut(3, 5, 20, at_ms=310)) == [2, 3, 4]
    assert may_have_left(attempts, cut(3, 6, 50, at_ms=350)) == [3, 4]
