"""What a change costs: time without new rows, rows read per request, bytes kept per entity. Pure.

All three are estimates for people who decide; each says what it rests on.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

from feature_platform.plan.compare import Kind
from feature_platform.plan.snapshot import Snapshot
from feature_platform.tiles.cover import cover
from feature_platform.tiles.grid import Grid, format_duration
from feature_platform.tiles.layout import COUNTERS, Layout, LayoutColumn, completes
from feature_platform.tiles.size import head_bytes_max, holds_texts

DOWNTIME_DEFAULT_MS = 10_000
"""Stop with savepoint, submit, restore, first flush: what it takes on a laptop."""

INSTANTS = 48
"""How many instants of a tile of the longest level are asked how many rows they need."""

GOLDEN = (5**0.5 - 1) / 2
"""Multiples of this share of a span fall evenly into the tiles of every level."""

GROWTH_TOLD = 2
"""A cost that grows by more than this factor is explained."""

KEY_BYTES = 12
TILE_BYTES = 8
"""Of a tile: its level, start, lengths, and `_events`."""
COUNTER_BYTES = 4
"""Of a counter: its id, and a number of some thousands."""
FEATURE_BYTES = 8
ORDER_BYTES = 11
"""Of one item of FIRST, LAST or LAST_N: its time, partition and offset."""
ITEM_BYTES = {"int": 5, "real": 8, "text": 16}
"""Of its value."""

Window = tuple[int, tuple[int, ...]]
"""Its length in milliseconds, and the levels that it may be read from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What a change costs; `..._before` are 0 where nothing was deployed."""

    downtime_ms: int
    """How long no new rows are written; readers are answered all the time."""
    downtime_basis: str
    rows_before: int
    rows_after: int
    """Most rows that a request for all windows of an entity reads."""
    bytes_before: int
    bytes_after: int
    """Of an entity with something in every tile."""
    head_bytes_max: int = 0
    """What its head may take if its texts are as long as they can be; 0 if there are none."""
    kept_ms: int = 0
    """How long rows are kept at most."""
    growth: tuple[str, ...] = ()
    """Why rows or bytes grow by much, and what would be cheaper."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Downtime:
    """An estimate and what it rests on."""

    ms: int
    basis: str


WITHOUT_STOP: dict[Kind, str] = {
    "new": "no job is running yet",
    "metadata": "the job keeps running",
    "rebuild": "the old job runs until the new one has its first checkpoint",
    "return": "the current job runs until the earlier one has caught up",
    "sweep": "the job keeps running",
}
"""Changes that keep nobody waiting, and why."""

WITH_START: frozenset[Kind] = frozenset(
    {"forward", "rollback", "start", "restart", "recover", "repair"}
)
"""Changes whose new job begins when no other runs."""


def stop_and_start(measured_ms: int | None) -> Downtime:
    """Estimate an upgrade from a savepoint by the last one of the feature set."""
    if measured_ms is None:
        return Downtime(ms=DOWNTIME_DEFAULT_MS, basis="default; no upgrade measured yet")
    return Downtime(ms=measured_ms, basis="measured at its last upgrade")


def costs_of(
    kind: Kind, before: Snapshot | None, after: Snapshot, measured_ms: int | None
) -> Costs | None:
    """Compare what is deployed with what is going to be; None if no job is touched.

    Args:
        kind: Which change it is.
        before: What is deployed; None if nothing is.
        after: What is going to be.
        measured_ms: How long the last upgrade stopped the rows; None if that is not known.
    """
    if kind not in WITH_START and kind not in WITHOUT_STOP:
        return None
    downtime = (
        Downtime(ms=0, basis=WITHOUT_STOP[kind])
        if kind in WITHOUT_STOP
        else stop_and_start(measured_ms)
    )
    costs = Costs(
        downtime_ms=downtime.ms,
        downtime_basis=downtime.basis,
        rows_before=rows_per_request(before) if before else 0,
        rows_after=rows_per_request(after),
        bytes_before=bytes_per_entity(before.layout) if before else 0,
        bytes_after=bytes_per_entity(after.layout),
        head_bytes_max=_head_bytes_max(after.layout),
        kept_ms=max(after.layout.retention_ms, default=0),
    )
    return replace(costs, growth=_growth(costs, before, after)) if before else costs


def _growth(costs: Costs, before: Snapshot, after: Snapshot) -> tuple[str, ...]:
    """Say what makes a feature set much dearer, and what would be cheaper."""
    told = []
    if costs.bytes_after > GROWTH_TOLD * costs.bytes_before:
        longer = _kept_longer(before, after)
        why = (
            f"{longer}; all features in a tile are kept equally long"
            if longer
            else "more data is stored"
        )
        told.append(
            f"large increase because {why}. To reduce it, move the long windows to a feature set "
            "of their own with a coarser grid, such as [1h, 1d]"
        )
    if costs.rows_after > GROWTH_TOLD * costs.rows_before:
        told.append(
            "many more rows because the windows' covers add up. To reduce it, use a coarser grid, "
            "or prepare(..., edge=...) where a window may start a little earlier"
        )
    return tuple(told)


def _kept_longer(before: Snapshot, after: Snapshot) -> str:
    """Say which tiles are kept longer, for which windows; empty if none are."""
    old, new = before.layout, after.layout
    if old.grid != new.grid:
        return ""
    reach = [_longest_ms(after, level) for level in new.used_levels]
    for level, window_ms in zip(new.used_levels, reach, strict=True):
        was_ms = _longest_ms(before, level)
        if window_ms > was_ms:
            was = f", was {format_duration(was_ms)}" if was_ms else ", were not kept"
            return (
                f"tiles of {new.grid.level_name(level)} are kept for the longest window that uses "
                f"them, {format_duration(window_ms)}{was}"
            )
    return ""


def _longest_ms(snapshot: Snapshot, level: int) -> int:
    """Return the longest window whose cover may use a level."""
    grid = snapshot.layout.grid
    windows = {window for feature in snapshot.features for window in feature.windows_ms}
    return max((item for item in windows if level in grid.levels_for_window(item)), default=0)


def _head_bytes_max(layout: Layout) -> int:
    return head_bytes_max(layout.grid, layout.columns) if holds_texts(layout.columns) else 0


def rows_per_request(snapshot: Snapshot) -> int:
    """Return how many rows a request for all features of an entity reads at most, its head too.

    The union of all covers is larger or smaller depending on where the present lies in the tiles;
    this is the largest of some instants, spread over one tile of the longest level.
    """
    windows = {
        (window_ms, window_levels(snapshot.layout, feature.columns[0], window_ms))
        for feature in snapshot.features
        for window_ms in feature.windows_ms
    }
    return rows_of_windows(snapshot.layout.grid, windows)


def rows_of_windows(grid: Grid, windows: Collection[Window]) -> int:
    """Return how many rows some windows together read of an entity at most, its head too."""
    span_ms = grid.levels_ms[-1]
    instants = [number * int(span_ms * GOLDEN) % span_ms for number in range(INSTANTS)]
    start_ms = _zero_ms(windows, span_ms)
    return 1 + max(
        len(
            {
                tile
                for window_ms, levels in windows
                for tile in cover(grid, levels, window_ms, start_ms + at_ms, "now").tiles
            }
        )
        for at_ms in instants
    )


def window_levels(layout: Layout, column: str, window_ms: int) -> tuple[int, ...]:
    """Return the levels whose tiles a window of a stored column may be read from."""
    stored = layout.column(column).levels
    return tuple(level for level in layout.grid.levels_for_window(window_ms) if level in stored)


def _zero_ms(windows: Collection[Window], span_ms: int) -> int:
    """Return a multiple of the span that no window reaches behind."""
    longest_ms = max((window_ms for window_ms, _ in windows), default=0)
    return -(-longest_ms // span_ms) * span_ms


def bytes_per_entity(layout: Layout) -> int:
    """Return how many bytes an entity with something in every tile takes, before compression.

    For each level: (tiles in the head + closed tiles kept) x (tile + its columns), and a key for
    each row; the lifetime once. A column is a counter, or n items of a typical length.
    """
    total = KEY_BYTES + _tile_bytes([column for column in layout.columns if column.lifetime])
    for level in layout.used_levels:
        tile = _tile_bytes([column for column in layout.columns if level in column.levels])
        closed = -(-layout.retention_ms[level] // layout.grid.levels_ms[level])
        total += layout.grid.depth[level] * tile + closed * (KEY_BYTES + tile)
    return total


def _tile_bytes(columns: list[LayoutColumn]) -> int:
    return TILE_BYTES + sum(_column_bytes(column) for column in columns)


def _column_bytes(column: LayoutColumn) -> int:
    if completes(column.name):
        return 0  # hardly a tile has it
    if column.kind in COUNTERS:
        return COUNTER_BYTES
    return FEATURE_BYTES + max(column.n, 1) * (ORDER_BYTES + ITEM_BYTES[column.carrier])
