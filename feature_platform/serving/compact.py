"""Compact tiles: what was read of many entities, decoded by the compiled core into few bytes.

`native/tiles.c` describes the form. All tiles are in one arena, those of an entity in two pieces:
its head's and its closed ones. So entries can be kept: a newer head replaces the first piece, a
newly closed tile is appended to the second, and what both hold counts once, whenever it is asked.
"""

import ctypes
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from feature_platform.rows.wire import Bytes, Ints, join
from feature_platform.serving.compiled import FULL, Core, Decode, address
from feature_platform.store.base import StoredRow
from feature_platform.tiles.grid import Grid
from feature_platform.tiles.layout import ADDITIVE, COUNTERS, Layout, LayoutColumn

SLOTS_MAX = 65_535
KEY_BITS = 6
"""Of a tile's key that hold its level."""
TILE_BYTES_MIN = 9
"""Key and form of a compact tile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """Which counters and features compact tiles hold, and where."""

    slot_by_id: NDArray[np.int32]
    """Of counters; -1 for one that is not held. Sums come first, then minima and maxima."""
    line_by_id: NDArray[np.int32]
    """Of features."""
    additive: int
    count: int
    smallest: NDArray[np.uint8]
    """By slot, whether it is a minimum."""

    @classmethod
    def of(cls, columns: Iterable[LayoutColumn]) -> "Slots":
        """Give every column its place."""
        ordered = sorted(columns, key=lambda column: column.id)
        additive = [column for column in ordered if column.kind in ADDITIVE]
        extremes = [
            column for column in ordered if column.kind in COUNTERS and column.kind not in ADDITIVE
        ]
        counters = [*additive, *extremes]
        return cls(
            slot_by_id=_by_id(counters),
            line_by_id=_by_id([column for column in ordered if column.kind not in COUNTERS]),
            additive=len(additive),
            count=len(counters),
            smallest=np.array([column.kind == "min" for column in counters], dtype=np.uint8),
        )


def _by_id(columns: Sequence[LayoutColumn]) -> NDArray[np.int32]:
    places = np.full(max((column.id + 1 for column in columns), default=0), -1, dtype=np.int32)
    places[[column.id for column in columns]] = np.arange(len(columns), dtype=np.int32)
    return places


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactTiles:
    """Tiles of many entities. The arrays have an entry for each entity."""

    begin: int
    """Address that places count from."""
    size: int
    """How far from there they go."""
    owner: object
    """Keeps that memory."""
    head_starts: Ints
    """Where its head's tiles are."""
    head_stops: Ints
    closed_starts: Ints
    """Where its closed tiles are."""
    closed_stops: Ints
    newest_ms: Ints
    """Start of the head's newest tile of the finest level, which says what else the head holds."""
    tiles: int
    """How many there are, at most."""

    @property
    def entity_count(self) -> int:
        """How many entities there are."""
        return len(self.newest_ms)

    def content(self, start: int, stop: int) -> bytes:
        """Return what is between two places."""
        return ctypes.string_at(self.begin + start, stop - start)


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """A grid as the core takes it."""

    length_ms: Ints
    back_ms: Ints
    """How much older a head's oldest slot is than its newest."""
    lifetime: int

    @classmethod
    def of(cls, grid: Grid) -> "Levels":
        """Turn a grid into arrays."""
        steps = zip(grid.levels_ms, grid.depth, strict=True)
        return cls(
            length_ms=np.array(grid.levels_ms, dtype=np.int64),
            back_ms=np.array([(depth - 1) * length for length, depth in steps], dtype=np.int64),
            lifetime=grid.lifetime_level,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """How rows of a layout are decoded: what is the same for all of them."""

    slots: Slots
    levels: Levels
    """The request points to what these two own."""
    request: Decode
    """What of a request is the same."""

    @classmethod
    def of(cls, layout: Layout, slots: Slots) -> "Decoding":
        """Lay it out.

        Args:
            layout: What the rows hold.
            slots: What of it is wanted.
        """
        levels = Levels.of(layout.grid)
        request = Decode(
            level_ms=address(levels.length_ms),
            level_back_ms=address(levels.back_ms),
            levels=levels.lifetime,
            finest=min(layout.used_levels, default=-1),
            slot_by_id=address(slots.slot_by_id),
            line_by_id=address(slots.line_by_id),
            counter_ids=len(slots.slot_by_id),
            feature_ids=len(slots.line_by_id),
            additive=slots.additive,
            slots=slots.count,
        )
        return cls(slots=slots, levels=levels, request=request)


def decode_compactly(
    core: Core, decoding: Decoding, rows: Sequence[Sequence[StoredRow]]
) -> CompactTiles | None:
    """Decode the rows of many entities, as `serving.tiles.decode_tiles` does.

    Args:
        core: The compiled core.
        decoding: How.
        rows: For each entity the rows that were read.

    Returns:
        The tiles; None where the core does not take the rows, malformed ones for instance.
    """
    flat = list(chain.from_iterable(rows))
    buffer, spans = join([row.payload for row in flat])
    levels = np.fromiter(map(attrgetter("level"), flat), dtype=np.int64, count=len(flat))
    starts_ms = np.fromiter(map(attrgetter("start_ms"), flat), dtype=np.int64, count=len(flat))
    places = np.cumsum([0, *map(len, rows)], dtype=np.int64)
    room = int((spans.stops - spans.starts).max(initial=0))
    numbers, row_slots = np.empty(room, dtype=np.uint64), np.empty(room, dtype=np.int32)
    pieces = np.zeros((5, len(rows)), dtype=np.int64)
    request = Decode.from_buffer_copy(decoding.request)
    request.buffer, request.buffer_bytes = address(buffer), len(buffer)
    request.row_starts, request.row_stops = address(spans.starts), address(spans.stops)
    request.row_levels, request.row_starts_ms = address(levels), address(starts_ms)
    request.entity_rows, request.entities = address(places), len(rows)
    request.numbers, request.row_slots = address(numbers), address(row_slots)
    request.room = room
    line, line_bytes = address(pieces), pieces.strides[0]
    request.head_starts, request.head_stops = line, line + line_bytes
    request.closed_starts, request.closed_stops = line + 2 * line_bytes, line + 3 * line_bytes
    request.newest_ms = line + 4 * line_bytes
    arena = _decoded(core, request, 2 * len(buffer) + 32 * len(flat))
    if arena is None:
        return None
    return CompactTiles(
        begin=address(arena),
        size=len(arena),
        owner=arena,
        head_starts=pieces[0],
        head_stops=pieces[1],
        closed_starts=pieces[2],
        closed_stops=pieces[3],
        newest_ms=pieces[4],
        tiles=request.tiles,
    )


def _decoded(core: Core, request: Decode, room: int) -> Bytes | None:
    """Decode with more and more room; an arena that is too large costs nothing but addresses."""
    while True:
        arena = np.empty(room, dtype=np.uint8)
        request.arena, request.arena_bytes = address(arena), room
        outcome = core.decode(ctypes.byref(request))
        if outcome != FULL:
            return arena[: request.used] if outcome >= 0 else None
        room *= 2
