"""Finds the entities of a batch in which nothing is wrong, all at once: of most nothing is.

It says of them what `checks.tiles` would, from arrays instead of row by row. Of an entity that
might have something wrong it says nothing: `checks.tiles` looks at it, and words it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from feature_platform.checks.counts import Counts
from feature_platform.checks.scope import Scope
from feature_platform.errors import CorruptRowError
from feature_platform.rows.codec import decode_rows
from feature_platform.rows.wire import Ints, Mask, join
from feature_platform.store.base import TileKey
from feature_platform.tiles.layout import ADDITIVE, COUNTERS, LayoutColumn

Encoded = Mapping[TileKey, bytes]

OWNER_BITS = 46
"""Numbers of tiles are smaller than half of two to this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clean:
    """What was found of entities in which nothing is wrong."""

    entities: frozenset[int]
    """Their places in the batch."""
    rows: int
    compared: int
    sums: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tiles:
    """All stored tiles of a batch."""

    owners: Ints
    """Place of a tile's entity in the batch."""
    levels: Ints
    starts_ms: Ints
    values: Mapping[int, Ints]
    """By id of a counter, its value in each tile; 0 where there is none."""
    present: Mapping[int, Mask]


def clean(
    stored: Sequence[Encoded], expected: Sequence[Encoded], scope: Scope, counts: Counts
) -> Clean:
    """Return the entities in which nothing is wrong; their events are added up.

    Args:
        stored: Each entity's tiles as of the cut, all of which are known.
        expected: Each entity's tiles as recomputed.
        scope: What may be judged.
        counts: Where events are added up.
    """
    nothing = Clean(entities=frozenset(), rows=0, compared=0, sums=0)
    try:
        tiles = _decoded(stored, scope)
    except CorruptRowError:
        return nothing
    judged = _judged(scope, tiles.levels, tiles.starts_ms)
    suspects = _misplaced(scope, tiles) | _different(stored, expected, scope)
    sums = np.zeros(len(stored), dtype=np.int64)
    for owners, wrong in _conservation(scope, tiles, len(stored)):
        sums += np.bincount(owners, minlength=len(stored))
        suspects |= set(owners[wrong].tolist())
    found = np.ones(len(stored), dtype=np.bool_)
    found[list(suspects)] = False
    mine = found[tiles.owners]
    events = tiles.values[scope.snapshot.layout.columns[0].id]
    counts.add_arrays(tiles.levels[mine], tiles.starts_ms[mine], events[mine])
    return Clean(
        entities=frozenset(np.flatnonzero(found).tolist()),
        rows=int(mine.sum()),
        compared=int((mine & judged).sum()),
        sums=int(sums[found].sum()),
    )


def _decoded(stored: Sequence[Encoded], scope: Scope) -> _Tiles:
    lengths = [len(tiles) for tiles in stored]
    keys = np.fromiter(
        chain.from_iterable(chain.from_iterable(stored)), dtype=np.int64, count=2 * sum(lengths)
    ).reshape(-1, 2)
    rows = decode_rows(*join([row for tiles in stored for row in tiles.values()]))
    ids = [column.id for column in scope.snapshot.layout.columns if column.kind in COUNTERS]
    return _Tiles(
        owners=np.repeat(np.arange(len(stored)), lengths),
        levels=keys[:, 0],
        starts_ms=keys[:, 1],
        values=dict(zip(ids, rows.counter_matrix(ids), strict=True)),
        present=dict(zip(ids, rows.counter_presence(ids), strict=True)),
    )


def _misplaced(scope: Scope, tiles: _Tiles) -> set[int]:
    """Return entities with tiles that are nowhere in the grid."""
    grid = scope.snapshot.layout.grid
    lengths = np.array([*grid.levels_ms, 1])
    outside = (tiles.levels < 0) | (tiles.levels > grid.lifetime_level)
    inside = np.where(outside, grid.lifetime_level, tiles.levels)
    wrong = outside | (tiles.starts_ms % lengths[inside] != 0)
    return set(tiles.owners[wrong].tolist())


def _different(stored: Sequence[Encoded], expected: Sequence[Encoded], scope: Scope) -> set[int]:
    """Return entities with tiles that may be judged and are not the same bytes."""
    pairs = zip(stored, expected, strict=True)
    return {
        place
        for place, (left, right) in enumerate(pairs)
        if any(scope.columns(key) for key, _ in left.items() ^ right.items())
    }


def _judged(scope: Scope, levels: Ints, starts_ms: Ints) -> Mask:
    """Return for each tile whether any of its columns may be judged."""
    found = np.zeros(len(levels), dtype=np.bool_)
    for level in scope.expected.levels:
        here = levels == level
        found[here] = scope.mask(level, starts_ms[here], None)
    return found


def _conservation(scope: Scope, tiles: _Tiles, count: int) -> Iterator[tuple[Ints, Mask]]:
    """Yield the entity of each sum that may be compared, and whether it is wrong."""
    layout = scope.snapshot.layout
    pairs: dict[tuple[int, int], list[LayoutColumn]] = {}
    for column in layout.columns:
        for pair in zip(column.levels, column.levels[1:], strict=False):
            pairs.setdefault(pair, []).append(column)
    for (finer, coarser), columns in pairs.items():
        yield from _between(scope, tiles, finer, coarser, columns)
    for column in layout.columns:
        if column.lifetime and column.levels and scope.columns((layout.grid.lifetime_level, 0)):
            yield _lifetime(scope, tiles, column, count)


def _between(
    scope: Scope, tiles: _Tiles, finer: int, coarser: int, columns: Sequence[LayoutColumn]
) -> Iterator[tuple[Ints, Mask]]:
    length_ms = scope.snapshot.layout.grid.levels_ms[coarser]
    below, above = (np.flatnonzero(tiles.levels == level) for level in (finer, coarser))
    both = np.concatenate([below, above])
    half = 1 << (OWNER_BITS - 1)
    numbers = (tiles.owners[both] << OWNER_BITS) + tiles.starts_ms[both] // length_ms + half
    groups, places = np.unique(numbers, return_inverse=True)
    owners = groups >> OWNER_BITS
    starts_ms = ((groups & ((1 << OWNER_BITS) - 1)) - half) * length_ms
    of_below, of_above = places[: len(below)], places[len(below) :]
    for column in columns:
        mask = scope.mask(coarser, starts_ms, column) & scope.mask(finer, starts_ms, column)
        merged = _merged(tiles, column, below, of_below, len(groups))
        held = _merged(tiles, column, above, of_above, len(groups))
        yield owners[mask], (_unlike(merged, held))[mask]


def _lifetime(scope: Scope, tiles: _Tiles, column: LayoutColumn, count: int) -> tuple[Ints, Mask]:
    """Compare lifetime where all its events are in tiles of the column's last level."""
    layout = scope.snapshot.layout
    level, last = layout.grid.lifetime_level, column.levels[-1]
    events = layout.columns[0]
    below, above = (np.flatnonzero(tiles.levels == each) for each in (last, level))
    of_below, of_above = tiles.owners[below], tiles.owners[above]
    is_whole = column in scope.columns((level, 0)) and not scope.expected.whole_from_ms(
        column, last
    )
    kept, _ = _merged(tiles, events, below, of_below, count)
    total, _ = _merged(tiles, events, above, of_above, count)
    exists = np.bincount(of_above, minlength=count) > 0
    mask = exists & (kept >= total) & is_whole
    merged = _merged(tiles, column, below, of_below, count)
    held = _merged(tiles, column, above, of_above, count)
    return np.flatnonzero(mask), _unlike(merged, held)[mask]


def _merged(
    tiles: _Tiles, column: LayoutColumn, chosen: Ints, groups: Ints, count: int
) -> tuple[Ints, Mask]:
    """Merge a column of some tiles by group; with it, whether there is anything to merge."""
    values, present = tiles.values[column.id][chosen], tiles.present[column.id][chosen]
    if column.kind in ADDITIVE:
        merged = np.zeros(count, dtype=np.int64)
        np.add.at(merged, groups, values)
        return merged, np.ones(count, dtype=np.bool_)
    limits = np.iinfo(np.int64)
    smallest = column.kind == "min"
    merged = np.full(count, limits.max if smallest else limits.min)
    merge = np.minimum if smallest else np.maximum
    merge.at(merged, groups[present], values[present])
    return merged, np.bincount(groups[present], minlength=count) > 0


def _unlike(left: tuple[Ints, Mask], right: tuple[Ints, Mask]) -> Mask:
    (values, present), (others, also) = left, right
    wrong: NDArray[np.bool_] = (present != also) | (present & (values != others))
    return wrong
