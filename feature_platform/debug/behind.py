"""Which served values are of a state that rows have passed since the newest cut. Pure."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from feature_platform.debug.account import Account, until
from feature_platform.debug.states import is_between, one_way_names, states_between, states_max

STATES_MAX = 200
"""Between the cut and all events, that are compared with what is served."""

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

    If there are more states since the cut than are compared, also those whose value may be.

    Args:
        whole: All events.
        as_of_cut: Those up to the cut.
        values_of: Returns what a state is served as.
        full: What all events are served as.
        served: What is served.
        differing: The names whose value is not that of all events.
    """
    kept = {id(each) for each in as_of_cut.events}
    later = [each.record.event for each in whole.events if id(each) not in kept]
    ends: dict[int, int] = {}
    for each in as_of_cut.events:
        event = each.record.event
        ends[event.partition] = max(ends.get(event.partition, 0), event.offset + 1)
    states = states_between(ends, later, states_max(whole, STATES_MAX))
    if states is None:
        first, one_way = values_of(as_of_cut), one_way_names(whole)
        return {
            name
            for name in differing
            if name not in one_way or is_between(first[name], served[name], full[name])
        }
    found: set[str] = set()
    for state in states:
        values = values_of(until(whole, state))
        found |= {name for name in differing if values[name] == served[name]}
        if len(found) == len(differing):
            break
    return found
