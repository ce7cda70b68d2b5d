"""The tiles that were read of many entities, decoded together, each exactly once. Hot path.

By numpy alone: what is served where the compiled core is missing, and what the core must equal.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from feature_platform.rows.codec import Rows, decode_heads, decode_rows
from feature_platform.rows.partials import LONG_MAX
from feature_platform.rows.wire import Ints, Mask, join
from feature_platform.serving.read_plan import ReadPlan
from feature_platform.store.base import HEAD_LEVEL, StoredRow
from feature_platform.tiles.cover import Cover
from feature_platform.tiles.layout import ADDITIVE, COUNTERS, Layout, LayoutColumn

_NEVER = np.iinfo(np.int64).min
_LEVELS = 64
_Cell = TypeVar("_Cell", np.int64, np.bool_)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiles:
    """Tiles of all entities; those of one entity are together."""

    entity_count: int
    entities: Ints
    """Entity of each tile, ascending."""
    levels: Ints
    starts_ms: Ints
    counters: dict[int, Ints]
    """By counter id: the counter of each tile, 0 where there is none."""
    present: dict[int, Mask]
    """By id of a minimum or maximum: which tiles have one."""
    features: dict[int, dict[int, bytes]]
    """By feature id: encoded value by tile."""

    def members(self, answer: Cover) -> Ints:
        """Return the tiles that belong to a cover."""
        keys = np.sort(np.array([_key(*tile) for tile in answer.tiles], dtype=np.int64))
        mine = self.starts_ms * _LEVELS + self.levels
        places = np.minimum(np.searchsorted(keys, mine), len(keys) - 1)
        return np.flatnonzero(keys[places] == mine) if len(keys) else np.zeros(0, dtype=np.int64)

    def of_level(self, level: int) -> Ints:
        """Return the tiles of one level."""
        return np.flatnonzero(self.levels == level)


def _key(level: int, start_ms: int) -> int:
    return start_ms * _LEVELS + level


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedTiles:
    """Tiles, merged by numpy when they are asked for."""

    tiles: Tiles
    members: Mapping[int, Ints]
    """By window, its tiles."""

    @property
    def entity_count(self) -> int:
        """How many entities there are."""
        return self.tiles.entity_count

    def total(self, column: LayoutColumn, window_ms: int) -> Ints:
        """Add up per entity, as int64 wraps: differences of running sums are exact for all that."""
        return self._total(window_ms, column.id)

    def totals(self, lines: Sequence[tuple[int, int]]) -> Ints:
        """Return sums of many counters: a row for each entity, a column for each line."""
        sums = np.empty((self.entity_count, len(lines)), dtype=np.int64)
        for place, (window_ms, counter) in enumerate(lines):
            sums[:, place] = self._total(window_ms, counter)
        return sums

    def _total(self, window_ms: int, counter: int) -> Ints:
        tiles, members = self.tiles, self.members[window_ms]
        running = np.zeros(len(members) + 1, dtype=np.int64)
        np.cumsum(tiles.counters[counter][members], out=running[1:])
        bounds = np.searchsorted(tiles.entities[members], np.arange(tiles.entity_count + 1))
        return np.diff(running[bounds])

    def extreme(self, column: LayoutColumn, window_ms: int) -> tuple[Ints, Mask]:
        """Return the minimum or maximum for each entity, and where there is one."""
        tiles, members = self.tiles, self.members[window_ms]
        members = members[tiles.present[column.id][members]]
        owners = tiles.entities[members]
        smallest = column.kind == "min"
        merged = np.full(tiles.entity_count, LONG_MAX if smallest else -LONG_MAX - 1)
        merge: Callable[..., None] = np.minimum.at if smallest else np.maximum.at
        merge(merged, owners, tiles.counters[column.id][members])
        return merged, np.bincount(owners, minlength=tiles.entity_count) > 0

    def encoded(self, column: LayoutColumn, window_ms: int) -> Iterator[tuple[int, bytes]]:
        """Yield entity and encoded value of a feature, tile by tile, by ascending entity."""
        members, encoded = self.members[window_ms], self.tiles.features[column.id]
        owners = self.tiles.entities[members]
        for tile, entity in zip(members.tolist(), owners.tolist(), strict=True):
            if tile in encoded:
                yield entity, encoded[tile]


def merge_tiles(plan: ReadPlan, rows: Sequence[Sequence[StoredRow]]) -> MergedTiles:
    """Decode what was read and find the tiles of each window.

    Raises:
        CorruptRowError: A row is malformed.
    """
    layout, columns = plan.group.snapshot.layout, plan.columns()
    counter_ids = [key for key, column in columns.items() if column.kind in COUNTERS]
    extreme_ids = [key for key in counter_ids if columns[key].kind not in ADDITIVE]
    feature_ids = [key for key, column in columns.items() if column.kind not in COUNTERS]
    tiles = decode_tiles(layout, rows, counter_ids, extreme_ids, feature_ids)
    members = {window_ms: tiles.members(answer) for window_ms, answer in plan.covers.items()}
    members[0] = tiles.of_level(layout.grid.lifetime_level)
    return MergedTiles(tiles=tiles, members=members)


def decode_tiles(
    layout: Layout,
    rows: Sequence[Sequence[StoredRow]],
    counter_ids: Sequence[int],
    extreme_ids: Sequence[int],
    feature_ids: Sequence[int],
) -> Tiles:
    """Decode the rows of many entities.

    1. Heads are split into their tiles.
    2. Rows of their own that a head holds again are left out, as after a replay: the head wins.
    3. All are decoded together and brought into the order of entities.

    Args:
        layout: What the rows hold.
        rows: For each entity the rows that were read.
        counter_ids: Counters wanted.
        extreme_ids: Minima and maxima among them.
        feature_ids: Features wanted.

    Raises:
        CorruptRowError: A row is malformed.
    """
    flat = [(entity, row) for entity, found in enumerate(rows) for row in found]
    head_entities = _ints([entity for entity, row in flat if row.level == HEAD_LEVEL])
    heads = decode_heads([row.payload for _, row in flat if row.level == HEAD_LEVEL])
    owners = head_entities[heads.heads]
    oldest_ms = _oldest(layout, len(rows), owners, heads.levels, heads.starts_ms)
    closed = [
        (entity, row)
        for entity, row in flat
        if 0 <= row.level < len(layout.grid.levels_ms)
        and (row.start_ms < oldest_ms[entity, row.level] or oldest_ms[entity, row.level] == _NEVER)
    ]
    own = decode_rows(*join([row.payload for _, row in closed]))
    parts = (decode_rows(heads.buffer, heads.spans), own)
    entities = np.concatenate([owners, _ints([entity for entity, _ in closed])])
    order = np.argsort(entities, kind="stable")
    return Tiles(
        entity_count=len(rows),
        entities=entities[order],
        levels=np.concatenate([heads.levels, _ints([row.level for _, row in closed])])[order],
        starts_ms=np.concatenate([heads.starts_ms, _ints([row.start_ms for _, row in closed])])[
            order
        ],
        counters=_lines(counter_ids, [part.counter_matrix(counter_ids) for part in parts], order),
        present=_lines(extreme_ids, [part.counter_presence(extreme_ids) for part in parts], order),
        features={feature: _features(parts, feature, order) for feature in feature_ids},
    )


def _oldest(layout: Layout, count: int, owners: Ints, levels: Ints, starts_ms: Ints) -> Ints:
    """Return by entity and level the start of its head's oldest slot; never without a head."""
    grid = layout.grid
    oldest = np.full((count, len(grid.levels_ms)), _NEVER)
    if not layout.used_levels:
        return oldest
    finest = levels == layout.used_levels[0]
    newest = np.full(count, _NEVER)
    np.maximum.at(newest, owners[finest], starts_ms[finest])
    known = newest != _NEVER
    for level, (length_ms, depth) in enumerate(zip(grid.levels_ms, grid.depth, strict=True)):
        floor = newest[known] - newest[known] % length_ms
        oldest[known, level] = floor - (depth - 1) * length_ms
    return oldest


def _lines(
    ids: Sequence[int], parts: list[NDArray[_Cell]], order: Ints
) -> dict[int, NDArray[_Cell]]:
    """Return the parts' lines by id, their tiles in the new order."""
    return dict(zip(ids, np.concatenate(parts, axis=1)[:, order], strict=True))


def _features(parts: tuple[Rows, Rows], feature_id: int, order: Ints) -> dict[int, bytes]:
    """Return the encoded values of a feature by place in the new order."""
    places = np.empty_like(order)
    places[order] = np.arange(len(order))
    found: dict[int, bytes] = {}
    offset = 0
    for part in parts:
        for row, value in part.encoded_features(feature_id):
            found[int(places[offset + row])] = value
        offset += part.count
    return found


def _ints(values: list[int]) -> Ints:
    return np.array(values, dtype=np.int64)
