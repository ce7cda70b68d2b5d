"""The `features:` of a feature set: what is asked of each aggregate, checked against the query."""

from dataclasses import dataclass
from itertools import pairwise

from feature_platform.definition.aggregates import (
    FIXED_POINT,
    PROPERTIES,
    SUMMED,
    value_type_of,
)
from feature_platform.definition.expression import AggregateCall, Query
from feature_platform.definition.fields import Fields
from feature_platform.definition.names import check_name
from feature_platform.definition.problems import Place, Problems, did_you_mean
from feature_platform.definition.served import served_names
from feature_platform.definition.yaml_tree import Mapping, Node, Scalar, Spot, describe
from feature_platform.tiles.grid import Grid, format_duration

KEYS = ("windows", "lifetime", "latest", "scale", "description")
FEATURES_MAX = 1_000
WINDOWS_MAX = 20
COVER_TILES_MAX = 200
"""A window is answered from at most this many tiles; every reader reads them on every request."""
SCALE_MAX = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureEntry:
    """What one entry under `features:` asks for."""

    windows_ms: tuple[int, ...] = ()
    lifetime: bool = False
    latest: bool = False
    scale: int | None = None
    description: str = ""


def read_features(
    fields: Fields, names: dict[str, Spot] | None, query: Query | None, grid: Grid
) -> dict[str, FeatureEntry]:
    """Check `features:`; without a query only its form.

    Args:
        fields: The feature set's fields.
        names: The query's aggregates and where they are, or None if it cannot be read.
        query: The checked query, or None if it has mistakes.
        grid: Its grid.

    Returns:
        What is asked, by feature.
    """
    mapping = fields.submapping("features", example="{views: {windows: [30m], lifetime: true}}")
    if mapping is None:
        return {}
    if not 1 <= len(mapping.entries) <= FEATURES_MAX:
        msg = f"a feature set has 1 to {FEATURES_MAX} features, this one has {len(mapping.entries)}"
        fields.problems.add(fields.key("features"), msg)
        return {}
    asks: dict[str, FeatureEntry] = {}
    calls = {call.name: call for call in query.calls} if query else {}
    for key, node in mapping.entries:
        before = len(fields.problems.found)
        ask = _read_ask(key, node, fields.problems, grid)
        if names is not None and key.text not in names:
            hint = did_you_mean(key.text, names) or "; add it there, or remove this entry"
            msg = f"`{key.text}` is not a column of the query{hint}"
            fields.problems.add(key, msg)
        elif key.text in calls and ask is not None and len(fields.problems.found) == before:
            _check_fits(calls[key.text], ask, key, node, fields.problems)
        asks[key.text] = ask or FeatureEntry()
    for name, spot in (names or {}).items():
        if name not in asks:
            latest = name in calls and calls[name].aggregate in PROPERTIES
            like = "latest" if latest else "{windows: [30m], lifetime: true}"
            msg = f"`{name}` has no entry under `features:`; add `{name}: {like}`"
            fields.problems.add(spot, msg)
    _check_served_names(mapping, asks, fields.problems)
    return asks


def cover_tiles_max(grid: Grid, window_ms: int) -> int:
    """Return the most tiles that a cover of a window can have.

    One for the front, the whole tiles of the longest level that fits, and at the tail edge fewer of
    each finer level than make up one of the next.
    """
    lengths = [grid.levels_ms[level] for level in grid.levels_for_window(window_ms)]
    edges = sum(coarser // finer - 1 for finer, coarser in pairwise(lengths))
    return 1 + window_ms // lengths[-1] + edges


def _read_ask(key: Scalar, node: Node, problems: Problems, grid: Grid) -> FeatureEntry | None:
    check_name(key.text, "feature", key, problems)
    if isinstance(node, Scalar) and node.text == "latest":
        return FeatureEntry(latest=True)
    if not isinstance(node, Mapping):
        msg = f"`{key.text}` is `latest` or a mapping such as {{windows: [30m, 1d]}}"
        problems.add(node, f"{msg}, not {describe(node)}")
        return None
    fields = Fields(node, KEYS, problems, within=f" of feature `{key.text}`")
    windows = fields.durations("windows", WINDOWS_MAX) or ()
    good: list[int] = []
    for window, place in windows:
        if window in good:
            problems.add(place, f"window {format_duration(window)} is listed twice; keep one")
        elif _check_window(key.text, window, place, grid, problems):
            good.append(window)
    return FeatureEntry(
        windows_ms=tuple(sorted(good)),
        lifetime=fields.boolean("lifetime"),
        latest=fields.boolean("latest"),
        scale=fields.integer("scale", 0, SCALE_MAX),
        description=fields.text("description"),
    )


def _check_window(name: str, window: int, place: Place, grid: Grid, problems: Problems) -> bool:
    finest = grid.levels_ms[0]
    shown, level = format_duration(window), format_duration(finest)
    if window < finest or window % finest:
        msg = f"window {shown} of `{name}` must be a multiple of the finest tile, {level}"
        problems.add(place, f"{msg}; change it, or the `grid`")
        return False
    tiles = cover_tiles_max(grid, window)
    if tiles > COVER_TILES_MAX:
        msg = (
            f"window {shown} of `{name}` is too long for the grid: it needs up to {tiles} tiles, "
            f"the limit is {COVER_TILES_MAX}; shorten it, or add a level to `grid`, longer than "
            f"{format_duration(grid.levels_ms[-1])} or between two others"
        )
        problems.add(place, msg)
        return False
    return True


def _check_fits(
    call: AggregateCall, ask: FeatureEntry, key: Scalar, node: Node, problems: Problems
) -> None:
    """Check that an entry asks what its aggregate can answer."""
    if call.aggregate in PROPERTIES:
        if not ask.latest or ask.windows_ms or ask.lifetime:
            msg = f"`{key.text}` is a property (FIRST_VALUE, LAST_VALUE, LAST_N); write `latest`"
            problems.add(node, msg)
    elif ask.latest:
        msg = f"`{key.text}` is an aggregate over time; `latest` is for properties"
        problems.add(node, f"{msg}; write lifetime: true or windows: [30m]")
    elif not ask.windows_ms and not ask.lifetime:
        msg = f"`{key.text}` serves nothing; add windows: [30m] or lifetime: true"
        problems.add(node, msg)
    _check_scale(call, ask, key, node, problems)


def _check_scale(
    call: AggregateCall, ask: FeatureEntry, key: Scalar, node: Node, problems: Problems
) -> None:
    kind = value_type_of(call)
    fixed = call.aggregate in SUMMED and kind.name in FIXED_POINT
    if fixed and ask.scale is None:
        msg = (
            f"`{key.text}` sums {kind} and needs a `scale`, the number of digits to keep after the "
            "decimal point (0 to 9), such as {windows: [1d], scale: 2}: sums are exact integers"
        )
        problems.add(node, msg)
    elif not fixed and ask.scale is not None:
        msg = (
            f"`{key.text}` has a `scale`, which applies only to SUM and AVG of DOUBLE and DECIMAL; "
            "remove it"
        )
        problems.add(node, msg)


def _check_served_names(
    mapping: Mapping, asks: dict[str, FeatureEntry], problems: Problems
) -> None:
    taken: dict[str, str] = {}
    for key, _ in mapping.entries:
        ask = asks.get(key.text, FeatureEntry())
        for served in served_names(
            key.text, ask.windows_ms, lifetime=ask.lifetime, latest=ask.latest
        ):
            other = taken.setdefault(served, key.text)
            if other != key.text:
                msg = (
                    f"`{key.text}` and `{other}` are both served as `{served}`; rename one of them"
                )
                problems.add(key, msg)
