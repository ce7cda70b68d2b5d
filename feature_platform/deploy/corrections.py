"""What a repair writes of one entity: only what its events surely say; all else stays. Pure.

A tile's columns are taken from the recomputation where they are certain to be whole, and stay as
they are elsewhere: a column that counts since an upgrade must not get another entity's history,
nor a tile that an earlier version let expire come back. Of rows that cannot be read nothing can
stay; they become what is recomputed.
"""

from collections.abc import Mapping
from typing import TypeVar

from feature_platform.deploy.sweep import kept_write
from feature_platform.errors import CorruptRowError
from feature_platform.lineage.as_of import encoded_tiles
from feature_platform.plan.expected import Expected
from feature_platform.rows.codec import decode_row
from feature_platform.rows.encode import encode_head_of, encode_tile
from feature_platform.rows.partials import Row
from feature_platform.rows.undo import HEAD, RowKey
from feature_platform.store.base import RowWrite, TileKey
from feature_platform.tiles.grid import Grid
from feature_platform.tiles.layout import EVENTS_ID, Layout

T = TypeVar("T")
Held = Mapping[RowKey, bytes | None]
"""An entity's rows as they should be by their writers; None: nobody knows, or it is malformed."""


def corrections(
    held: Held, recomputed: Mapping[RowKey, bytes], expected: Expected, now_ms: int
) -> list[RowWrite]:
    """Return what is to be written or deleted so that an entity's rows are right.

    Args:
        held: Its rows in the store.
        recomputed: Its rows as all events make them.
        expected: Which columns of which tiles are whole.
        now_ms: The present.
    """
    layout = expected.snapshot.layout
    right = _rows(_corrected(held, recomputed, expected, now_ms), _head_tiles(held), layout)
    wanted = {
        key: kept_write(key, right[key], layout, now_ms) if key in right else _deleted(key)
        for key in sorted(held.keys() | right.keys())
        if key not in held or held[key] is None or held[key] != right.get(key)
    }
    return [write for key, write in wanted.items() if key in held or write.payload is not None]


def _deleted(key: RowKey) -> RowWrite:
    return RowWrite(level=key.level, start_ms=key.start_ms, payload=None)


def unreadable(held: Held) -> bool:
    """Return whether some of an entity's rows say nothing."""
    return any(payload is None for payload in held.values()) or _head_tiles(held) is None


def _corrected(
    held: Held, recomputed: Mapping[RowKey, bytes], expected: Expected, now_ms: int
) -> dict[TileKey, bytes]:
    """Return an entity's tiles as they must be, wherever they are kept."""
    head, right = _head_tiles(held), _tiles(recomputed)
    stored = {(key.level, key.start_ms): row for key, row in held.items() if key != HEAD}
    stored |= head or {}
    of_head = _of_head(recomputed).keys()
    found: dict[TileKey, bytes] = {}
    for key in stored.keys() | right.keys():
        if not _is_tile(expected.snapshot.layout.grid, *key):
            continue
        was_in_head = key not in stored and head is None and key in of_head
        is_lost = was_in_head or (key in stored and stored[key] is None)
        judged = {column.id for column in expected.columns(*key, now_ms)}
        tile = right.get(key) if is_lost else _merged(stored.get(key), right.get(key), judged)
        if tile is not None:
            found[key] = tile
    return found


def _is_tile(grid: Grid, level: int, start_ms: int) -> bool:
    if level == grid.lifetime_level:
        return start_ms == 0
    return 0 <= level < grid.lifetime_level and start_ms % grid.levels_ms[level] == 0


def _merged(stored: bytes | None, right: bytes | None, judged: set[int]) -> bytes | None:
    """Return a tile whose judged columns are right and whose others are as stored; None: none."""
    if stored == right:
        return stored
    before = _decoded(stored)
    if before is None:
        return right  # a row that cannot be read
    if not judged:
        return stored
    now = decode_row(right) if right is not None else _NOTHING
    row = Row(
        counters=_chosen(before.counters, now.counters, judged),
        features=_chosen(before.features, now.features, judged),
    )
    if row == now and right is not None:
        return right
    is_there = right is not None if EVENTS_ID in judged else stored is not None
    return encode_tile(row) if is_there or row.counters or row.features else None


def _chosen(before: Mapping[int, T], now: Mapping[int, T], judged: set[int]) -> dict[int, T]:
    kept = {key: value for key, value in before.items() if key not in judged}
    return kept | {key: value for key, value in now.items() if key in judged}


def _decoded(payload: bytes | None) -> Row | None:
    if payload is None:
        return _NOTHING
    try:
        return decode_row(payload)
    except CorruptRowError:
        return None


def _head_tiles(held: Held) -> dict[TileKey, bytes] | None:
    """Return the tiles of the head; None if nobody knows them."""
    if HEAD not in held:
        return {}
    payload = held[HEAD]
    try:
        return None if payload is None else _of_head({HEAD: payload})
    except CorruptRowError:
        return None


def _of_head(rows: Mapping[RowKey, bytes]) -> dict[TileKey, bytes]:
    """Return the tiles of the head among rows; none if there is no head."""
    return _tiles({key: payload for key, payload in rows.items() if key == HEAD})


def _tiles(rows: Mapping[RowKey, bytes]) -> dict[TileKey, bytes]:
    (tiles,) = encoded_tiles([rows])
    return tiles


def _rows(
    tiles: Mapping[TileKey, bytes], was_head: Mapping[TileKey, bytes] | None, layout: Layout
) -> dict[RowKey, bytes]:
    """Put tiles where the kernel puts them: the newest of each level into the head."""
    grid, used = layout.grid, layout.used_levels
    newest_ms = max((start for level, start in tiles if level in used[:1]), default=None)

    def is_head(level: int, start_ms: int) -> bool:
        if level == grid.lifetime_level:
            return True
        if level not in used:  # of a layout of before: it stays where it is
            return (level, start_ms) in (was_head or {})
        return newest_ms is not None and start_ms >= grid.head_oldest_ms(newest_ms, level)

    head = {key: row for key, row in tiles.items() if is_head(*key)}
    rows = {RowKey(*key): row for key, row in tiles.items() if key not in head}
    return rows | ({HEAD: encode_head_of(head)} if head else {})


_NOTHING = Row(counters={}, features={})
