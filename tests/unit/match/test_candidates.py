"""Which states a row can have been in."""

from feature_platform.match.bounds import Bounds
from feature_platform.match.candidates import STATES_MAX, Possible, states
from feature_platform.match.states import Event, Open

MINUTE_MS = 60_000


def event(offset: int, appended_ms: int, time_ms: int = 0, partition: int = 0) -> Event:
    """Return an event."""
    return Event(
        partition=partition, offset=offset, appended_ms=appended_ms, time_ms=time_ms, line=0
    )


def possible(*events: Event, lower: int = 0, upper: int = 100) -> Possible:
    """Return what a row can have held of events."""
    opened = Open(whole=0, events=events, more=False)
    both = [{f"t/{part}": bound for part in range(3)} for bound in (lower, upper)]
    return Possible.of(opened, Bounds(lower=both[0], upper=both[1], replays=False), "t")


def test_offsets_divide_events() -> None:
    """Before the lower bound sure, before the upper one possible, else impossible."""
    events = [event(offset, offset) for offset in range(4)]

    found = possible(*events, lower=1, upper=3)

    assert (found.sure, found.maybe, found.beyond) == (
        (events[0],),
        (events[1], events[2]),
        (events[3],),
    )
    assert found.known(3) == tuple(events)


def test_all_that_was_known_comes_first_then_older_states() -> None:
    """Each state once."""
    a, b, c = event(0, 10), event(1, 20), event(2, 30)

    found = states(possible(a, b, c), 20, MINUTE_MS)

    assert found.each == ((a, b), (a, b, c), (a,), ())
    assert found.whole


def test_events_of_another_tile_may_be_counted_sooner() -> None:
    """Flink SQL counts those of a tile in their order, and tiles in any."""
    a, b = event(0, 10, 0), event(1, 20, MINUTE_MS)

    found = states(possible(a, b), 30, MINUTE_MS)

    assert {frozenset(each) for each in found.each} == {
        frozenset(each) for each in ((), (a,), (b,), (a, b))
    }
    assert found.whole


def test_not_all_of_very_many_states_are_tried() -> None:
    """Then the row is undecided, not wrong."""
    events = [event(0, number, number * MINUTE_MS) for number in range(30)]

    found = states(possible(*events), 100, MINUTE_MS)

    assert len(found.each) <= STATES_MAX
    assert not found.whole
