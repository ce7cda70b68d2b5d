"""How tiles of an entity are kept in memory, as two byte strings: its head's and its closed ones.

Byte strings can be appended to each other and counted; what is in them is a form's business. With
the compiled core they are compact tiles of all columns, without it the rows as they were read.
"""

import struct
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self

import numpy as np

from feature_platform.errors import CorruptRowError
from feature_platform.rows.wire import Ints
from feature_platform.serving.adding import Adder, Addition, Windows, add_up, fits
from feature_platform.serving.compact import (
    KEY_BITS,
    TILE_BYTES_MIN,
    CompactTiles,
    Decoding,
    Slots,
    decode_compactly,
)
from feature_platform.serving.compiled import Core, content_address
from feature_platform.serving.merged import Merged
from feature_platform.serving.read_plan import ReadPlan
from feature_platform.serving.tiles import decode_tiles, merge_tiles
from feature_platform.store.base import HEAD_LEVEL, StoredRow, TileKey
from feature_platform.tiles.layout import EVENTS_ID, Layout

NEVER_MS = np.iinfo(np.int64).min
NO_ADDRESS = np.iinfo(np.int64).max
_FRAME = struct.Struct("<qqqQ")
"""Before each payload that is kept as it is: level, start, write timestamp, bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pieces:
    """What is kept of many entities: the sequences have an entry for each."""

    heads: Sequence[bytes]
    """Tiles of its head."""
    closed: Sequence[bytes]
    """Closed tiles; what the head also holds does not count."""
    newest_ms: Sequence[int] | Ints
    """Start of the newest tile of the finest level in its head; `NEVER_MS` without one."""
    spans: Ints | None = None
    """Where they are in memory, if somebody knows: lines of addresses and sizes of all heads, then
    of all closed tiles."""
    owner: object = None
    """Keeps that memory."""


class Form(Protocol):
    """Turns rows into pieces, and pieces into merged tiles."""

    def keep(self, rows: Sequence[Sequence[StoredRow]]) -> Pieces:
        """Decode the rows of many entities.

        Raises:
            CorruptRowError: One is malformed.
        """
        ...

    def events(self, pieces: Pieces) -> tuple[Ints, Ints]:
        """Return how many events heads and closed tiles count: by entity and level, lifetime last.

        Raises:
            CorruptRowError: These are no pieces of this form.
        """
        ...

    def without(self, piece: bytes, keys: Container[TileKey]) -> bytes:
        """Return a piece without the tiles of these keys."""
        ...

    def takes(self, plan: ReadPlan) -> bool:
        """Return whether pieces can answer a plan; one of very many windows is left to rows."""
        ...

    def merge(self, plan: ReadPlan, pieces: Pieces) -> Merged:
        """Merge the tiles of all entities over the windows of a plan.

        Raises:
            CorruptRowError: One is malformed.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactForm:
    """Compact tiles, which hold all columns of the layout; see `native/tiles.c`."""

    core: Core
    layout: Layout
    slots: Slots
    decoding: Decoding = field(init=False)
    census: Addition = field(init=False)
    """Of no windows: events are counted by level."""

    def __post_init__(self) -> None:
        """Lay out how rows are decoded, and events counted."""
        object.__setattr__(self, "decoding", Decoding.of(self.layout, self.slots))
        census = Addition.of(self.layout.grid, self.slots, Windows.of({}))
        object.__setattr__(self, "census", census)

    @classmethod
    def of(cls, core: Core, layout: Layout) -> Self | None:
        """Lay it out; None if the layout is more than the core takes."""
        slots = Slots.of(layout.columns)
        return cls(core=core, layout=layout, slots=slots) if fits(layout, slots, 0) else None

    def keep(self, rows: Sequence[Sequence[StoredRow]]) -> Pieces:
        """Decode the rows of many entities; see `Form`."""
        tiles = decode_compactly(self.core, self.decoding, rows)
        if tiles is None:
            decode_tiles(self.layout, rows, [EVENTS_ID], [], [])  # names what is malformed
            msg = "a row has a start that no tile has"
            raise CorruptRowError(msg)
        arena = tiles.content(0, tiles.size)
        return Pieces(
            heads=_cut(arena, tiles.head_starts, tiles.head_stops),
            closed=_cut(arena, tiles.closed_starts, tiles.closed_stops),
            newest_ms=tiles.newest_ms.tolist(),
        )

    def events(self, pieces: Pieces) -> tuple[Ints, Ints]:
        """Return how many events are counted, by level; see `Form`."""
        return Adder(self.core, self.census, _compact(pieces)).census(EVENTS_ID)

    def without(self, piece: bytes, keys: Container[TileKey]) -> bytes:
        """Return a piece without the tiles of these keys."""
        spans = compact_spans(piece, self.slots)
        return b"".join(piece[start:stop] for key, start, stop in spans if key not in keys)

    def takes(self, plan: ReadPlan) -> bool:
        """Return whether the core adds up all columns over the windows of a plan."""
        return fits(self.layout, self.slots, len(plan.covers))

    def merge(self, plan: ReadPlan, pieces: Pieces) -> Merged:
        """Merge the tiles of all entities over the windows of a plan; see `Form`."""
        return add_up(self.core, plan, self.slots, _compact(pieces))


def _cut(arena: bytes, starts: Ints, stops: Ints) -> list[bytes]:
    return [arena[start:stop] for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)]


def _compact(pieces: Pieces) -> CompactTiles:
    """Return the pieces of many entities where they are, or brought together."""
    if pieces.spans is not None:
        return _in_place(pieces, pieces.spans)
    count = len(pieces.heads)
    parts = [*pieces.heads, *pieces.closed]
    bounds = np.zeros(2 * count + 1, dtype=np.int64)
    np.cumsum(np.fromiter(map(len, parts), dtype=np.int64, count=2 * count), out=bounds[1:])
    arena = b"".join(parts)
    return CompactTiles(
        begin=content_address(arena),
        size=len(arena),
        owner=arena,
        head_starts=bounds[:count],
        head_stops=bounds[1 : count + 1],
        closed_starts=bounds[count:-1],
        closed_stops=bounds[count + 1 :],
        newest_ms=np.array(pieces.newest_ms, dtype=np.int64),
        tiles=len(arena) // TILE_BYTES_MIN,
    )


def _in_place(pieces: Pieces, spans: Ints) -> CompactTiles:
    heads, head_bytes, closed, closed_bytes = spans
    begin = int(min(heads.min(initial=NO_ADDRESS), closed.min(initial=NO_ADDRESS)))
    head_starts, closed_starts = heads - begin, closed - begin
    head_stops, closed_stops = head_starts + head_bytes, closed_starts + closed_bytes
    return CompactTiles(
        begin=begin,
        size=int(max(head_stops.max(initial=0), closed_stops.max(initial=0))),
        owner=pieces.owner,
        head_starts=head_starts,
        head_stops=head_stops,
        closed_starts=closed_starts,
        closed_stops=closed_stops,
        newest_ms=np.asarray(pieces.newest_ms, dtype=np.int64),
        tiles=int(head_bytes.sum() + closed_bytes.sum()) // TILE_BYTES_MIN,
    )


def compact_spans(piece: bytes, slots: Slots) -> Iterator[tuple[TileKey, int, int]]:
    """Yield key, start and stop of each compact tile; `native/tiles.c` describes the form."""
    width, at = 1 if slots.count < 1 << 8 else 2, 0
    while at < len(piece):
        start, key = at, int.from_bytes(piece[at : at + 8], "little", signed=True)
        form, at = piece[at + 8], at + TILE_BYTES_MIN
        lists = 0
        for width_class in range(4):
            if form & 8 << width_class:
                lists += int.from_bytes(piece[at : at + width], "little") * (
                    width + (1 << width_class)
                )
                at += width
        base = (form & 7) - 1
        at += lists + (slots.additive << base if base >= 0 else 0)
        if form & 1 << 7:
            at += 4 + int.from_bytes(piece[at : at + 4], "little")
        yield (key & (1 << KEY_BITS) - 1, key >> KEY_BITS), start, at


@dataclass(frozen=True, slots=True)
class RowsForm:
    """Rows as they were read, one after another: for where the compiled core is missing."""

    layout: Layout

    def keep(self, rows: Sequence[Sequence[StoredRow]]) -> Pieces:
        """Check the rows of many entities; see `Form`."""
        decode_tiles(self.layout, rows, [EVENTS_ID], [], [])
        heads = [[row for row in found if row.level == HEAD_LEVEL] for found in rows]
        newest_ms = self._newest_ms(heads)
        levels, grid = len(self.layout.grid.levels_ms), self.layout.grid
        closed = [
            [
                row
                for row in found
                if 0 <= row.level < levels
                and (newest == NEVER_MS or row.start_ms < grid.head_oldest_ms(newest, row.level))
            ]
            for found, newest in zip(rows, newest_ms, strict=True)
        ]
        return Pieces(
            heads=[_framed(found) for found in heads],
            closed=[_framed(found) for found in closed],
            newest_ms=newest_ms,
        )

    def _newest_ms(self, heads: Sequence[Sequence[StoredRow]]) -> list[int]:
        tiles = decode_tiles(self.layout, heads, [], [], [])
        newest = np.full(len(heads), NEVER_MS)
        finest = tiles.of_level(min(self.layout.used_levels, default=-1))
        np.maximum.at(newest, tiles.entities[finest], tiles.starts_ms[finest])
        return [int(each) for each in newest]

    def events(self, pieces: Pieces) -> tuple[Ints, Ints]:
        """Return how many events are counted, by level; see `Form`."""
        return self._events(pieces.heads), self._events(pieces.closed)

    def _events(self, pieces: Sequence[bytes]) -> Ints:
        rows = [list(_rows(piece)) for piece in pieces]
        tiles = decode_tiles(self.layout, rows, [EVENTS_ID], [], [])
        levels = self.layout.grid.lifetime_level + 1
        sums = np.zeros((len(pieces), levels), dtype=np.int64)
        ours = tiles.levels < levels
        places = (tiles.entities[ours], tiles.levels[ours])
        np.add.at(sums, places, tiles.counters[EVENTS_ID][ours])
        return sums

    def without(self, piece: bytes, keys: Container[TileKey]) -> bytes:
        """Return a piece without the tiles of these keys."""
        return _framed([row for row in _rows(piece) if (row.level, row.start_ms) not in keys])

    def takes(self, plan: ReadPlan) -> bool:  # noqa: ARG002 (a form's)
        """Return that numpy takes any number of windows."""
        return True

    def merge(self, plan: ReadPlan, pieces: Pieces) -> Merged:
        """Merge the tiles of all entities over the windows of a plan; see `Form`."""
        both = zip(pieces.heads, pieces.closed, strict=True)
        return merge_tiles(plan, [list(_rows(head + closed)) for head, closed in both])


def _framed(rows: Sequence[StoredRow]) -> bytes:
    return b"".join(
        _FRAME.pack(row.level, row.start_ms, row.written, len(row.payload)) + row.payload
        for row in rows
    )


def _rows(piece: bytes) -> Iterator[StoredRow]:
    at = 0
    while at < len(piece):
        level, start_ms, written, size = _FRAME.unpack_from(piece, at)
        at += _FRAME.size + size
        payload = piece[at - size : at]
        yield StoredRow(level=level, start_ms=start_ms, payload=payload, written=written)
