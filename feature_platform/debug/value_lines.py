"""What is served, value by value, beside what the events say. Pure.

A feature whose definition was changed in place keeps what it has counted: where a served value
reaches back to before that, the definition of today alone cannot recompute it from the events.
"""

from collections.abc import Callable, Collection, Mapping
from itertools import islice
from typing import Any

from feature_platform.debug.account import Account, until
from feature_platform.debug.report import ValueLine
from feature_platform.definition.served import NO_WINDOW_MS
from feature_platform.plan.snapshot import Snapshot
from feature_platform.tiles.cover import Mode, cover

STATES_MAX = 200
"""How many states between the cut and all events are compared with what is served."""


def value_lines(
    served: Mapping[str, Any] | str,
    whole: Account,
    as_of_cut: Account,
    instant_ms: int,
    at_ms: int | None,
    mixed: Collection[str],
) -> tuple[ValueLine, ...]:
    """Return a line for each served value.

    Args:
        served: Values by served name; a text: why there are none.
        whole: All events of the entity.
        as_of_cut: Those up to the newest cut.
        instant_ms: For when it was served.
        at_ms: The same for a past instant; None: the present.
        mixed: Names that hold what counted before they had their present meaning.
    """
    if isinstance(served, str):
        return (ValueLine(name="all", served=None, recomputed=None, state=served),)

    def values_of(state: Account) -> dict[str, Any]:
        return dict(state.oracle.served(state.entity, instant_ms, at_ms=at_ms))

    full = values_of(whole)
    differing = {name for name, value in served.items() if full[name] != value}
    judged = differing - {*mixed}
    between = _between(whole, as_of_cut, values_of, served, judged) if judged else set()

    def state_of(name: str) -> str:
        if name not in differing:
            return "same"
        if name in mixed:
            return "younger"
        return "behind" if name in between else "differs"

    return tuple(
        ValueLine(name=name, served=value, recomputed=full[name], state=state_of(name))
        for name, value in served.items()
    )


def mixed_names(snapshot: Snapshot, instant_ms: int, mode: Mode) -> dict[str, int]:
    """Return the served names that hold what counted before they had their present meaning.

    Returns:
        By name, since when it counts as it is defined now.
    """
    grid = snapshot.layout.grid
    found: dict[str, int] = {}
    for feature in snapshot.features:
        for name, window_ms in feature.served.items():
            since_ms = feature.from_ms(name)
            lo_ms = 0
            if window_ms != NO_WINDOW_MS:
                levels = grid.levels_for_window(window_ms)
                lo_ms = cover(grid, levels, window_ms, instant_ms, mode).lo_ms
            if since_ms and lo_ms < since_ms + snapshot.max_future_ms:
                found[name] = since_ms
    return found


def _between(
    whole: Account,
    as_of_cut: Account,
    values_of: Callable[[Account], dict[str, Any]],
    served: Mapping[str, Any],
    differing: set[str],
) -> set[str]:
    """Return the names whose value is that of a state that rows have passed since the cut."""
    kept = {id(each) for each in as_of_cut.events}
    later = sorted(
        (each for each in whole.events if id(each) not in kept),
        key=lambda each: each.record.event.timestamp_ms,
    )
    found: set[str] = set()
    for number in islice(range(len(later)), STATES_MAX):
        ends: dict[int, int] = {}
        for each in later[:number]:
            event = each.record.event
            ends[event.partition] = max(ends.get(event.partition, 0), event.offset + 1)
        state = values_of(until(whole, _joined(as_of_cut, ends)))
        found |= {name for name in differing if state[name] == served[name]}
        if found == differing:
            break
    return found


def _joined(as_of_cut: Account, ends: Mapping[int, int]) -> dict[int, int]:
    """Return the positions of the cut's events, and of some beyond them."""
    found = dict(ends)
    for each in as_of_cut.events:
        event = each.record.event
        found[event.partition] = max(found.get(event.partition, 0), event.offset + 1)
    return found
