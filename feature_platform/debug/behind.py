"""Which served values are of a state that rows have passed since the newest cut. Pure."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from feature_platform.debug.account import Account, until
from feature_platform.testing.reference_events import RawEvent

STATES_MAX = 200
"""Between the cut and all events, that are compared with what is served."""
RECOUNTED_MAX = 500_000
"""Events that are counted again for all of these states together: of a busy entity they are few."""
ONE_WAY = frozenset({"count", "min", "max"})
"""Aggregates that no event takes back to where they were."""

Values = Mapping[str, Any]


def behind(
    whole: Account,
    as_of_cut: Account,
    values_of: Callable[[Account], Values],
    full: Values,
    served: Values,
    differing: Collection[str],
) -> set[str]:
    """Return the names whose value is that of such a state.

    If more events came since the cut than states are compared, also those whose value may be.

    Args:
        whole: All events.
        as_of_cut: Those up to the cut.
        values_of: Returns what a state is served as.
        full: What all events are served as.
        served: What is served.
        differing: The names whose value is not that of all events.
    """
    kept = {id(each) for each in as_of_cut.events}
    later = sorted(
        (each.record.event for each in whole.events if id(each) not in kept),
        key=lambda event: event.timestamp_ms,
    )
    states = min(STATES_MAX, max(1, RECOUNTED_MAX // max(1, len(whole.events))), len(later))
    found: set[str] = set()
    ends: dict[int, int] = {}
    for each in as_of_cut.events:
        _pass(ends, each.record.event)
    for number in range(states):
        state = as_of_cut if not number else until(whole, ends)
        values = values_of(state)
        found |= {name for name in differing if values[name] == served[name]}
        if len(found) == len(differing):
            return found
        _pass(ends, later[number])
    if states < len(later):
        first = values_of(as_of_cut)
        one_way = _one_way(whole)
        found |= {
            name
            for name in differing
            if name not in one_way or _is_between(first[name], served[name], full[name])
        }
    return found


def _pass(ends: dict[int, int], event: RawEvent) -> None:
    """Let an event be before the end of its partition."""
    ends[event.partition] = max(ends.get(event.partition, 0), event.offset + 1)


def _one_way(whole: Account) -> set[str]:
    features = whole.oracle.featureset.features
    return {name for each in features if each.aggregate in ONE_WAY for name in each.served_names}


def _is_between(first: Any, value: Any, last: Any) -> bool:  # noqa: ANN401 (a served value)
    """Return whether a value may come between two; None comes before all others."""
    if value is None or first is None:
        return first is None
    return bool(min(first, last) <= value <= max(first, last))
