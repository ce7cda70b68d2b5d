"""What is served, value by value, beside what the events say. Pure.

A feature whose definition was changed in place keeps what it has counted: where a served value
reaches back to before that, the definition of today alone cannot recompute it from the events.
"""

from collections.abc import Collection, Mapping
from typing import Any

from feature_platform.debug.account import Account
from feature_platform.debug.behind import behind
from feature_platform.debug.report import ValueLine
from feature_platform.definition.served import NO_WINDOW_MS
from feature_platform.plan.snapshot import Snapshot
from feature_platform.tiles.cover import Mode, cover


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
    late = behind(whole, as_of_cut, values_of, full, served, judged) if judged else set()

    lifetimes = {
        name
        for each in whole.oracle.featureset.features
        for name, window_ms in each.served.items()
        if window_ms == NO_WINDOW_MS
    }

    def state_of(name: str) -> str:
        if at_ms is not None and name in lifetimes:
            return "present only"
        if name not in differing:
            return "same"
        if name in mixed:
            return "younger"
        return "behind" if name in late else "differs"

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
