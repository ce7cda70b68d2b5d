"""Judges the tiles of one entity: against recomputed ones, and against each other. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from feature_platform.checks.scope import Scope
from feature_platform.errors import CorruptRowError
from feature_platform.lineage.as_of import KnownTiles
from feature_platform.lineage.tile_values import name_tile, spell, values_of
from feature_platform.plan.snapshot import Snapshot
from feature_platform.rows.codec import decode_each, decode_items, decode_row
from feature_platform.rows.partials import Partial, Row, merge_all, zero
from feature_platform.store.base import TileKey
from feature_platform.tiles.grid import floor_ms
from feature_platform.tiles.layout import COUNTERS, EVENTS_COLUMN, EVENTS_ID, LayoutColumn

Encoded = Mapping[TileKey, bytes]
Decoded = Mapping[TileKey, Row]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A tile that is not what its events say."""

    entity: str
    key: TileKey
    column: str
    stored: int | bytes | None
    expected: int | bytes | None


def decoded(
    entity: str, encoded: Encoded, snapshot: Snapshot
) -> tuple[dict[TileKey, Row], list[str]]:
    """Decode all tiles; return those that can be read, and what is wrong with the others."""
    grid, wrong = snapshot.layout.grid, list[str]()
    for level, start_ms in encoded:
        if not 0 <= level <= grid.lifetime_level:
            wrong.append(f"entity {entity!r} has a row of level {level}, which is not in its grid")
        elif level < grid.lifetime_level and start_ms % grid.levels_ms[level]:
            where = name_tile(grid, (level, start_ms))
            wrong.append(f"entity {entity!r}, {where}: starts inside a tile")
    try:
        return dict(zip(encoded, decode_each(list(encoded.values())), strict=True)), wrong
    except CorruptRowError:
        return _one_by_one(entity, encoded, snapshot, wrong)


def _one_by_one(
    entity: str, encoded: Encoded, snapshot: Snapshot, wrong: list[str]
) -> tuple[dict[TileKey, Row], list[str]]:
    tiles: dict[TileKey, Row] = {}
    for key, payload in encoded.items():
        try:
            tiles[key] = decode_row(payload)
        except CorruptRowError as error:
            wrong.append(f"entity {entity!r}, {name_tile(snapshot.layout.grid, key)}: {error}")
    return tiles, wrong


def compare(
    entity: str, known: KnownTiles, tiles: Decoded, expected: Encoded, scope: Scope
) -> tuple[int, list[Difference]]:
    """Compare what is stored of an entity with what was recomputed.

    Args:
        entity: Its key.
        known: Its tiles as of a cut; those of which nothing is known are not judged.
        tiles: The same, decoded.
        expected: Its tiles as recomputed from the events up to the same cut.
        scope: What may be judged.

    Returns:
        How many tiles were compared, and what differs.
    """
    compared, found, stored = 0, list[Difference](), known.tiles
    for key in sorted(stored.keys() | expected.keys()):
        columns = scope.columns(key)
        if not columns or not known.knows(key) or (key in stored and key not in tiles):
            continue
        compared += 1
        if stored.get(key) != expected.get(key):
            found += _differences(entity, key, stored, tiles, expected, columns, scope)
    return compared, found


def _differences(
    entity: str,
    key: TileKey,
    stored: Encoded,
    tiles: Decoded,
    expected: Encoded,
    columns: tuple[LayoutColumn, ...],
    scope: Scope,
) -> Iterator[Difference]:
    lifetime = scope.snapshot.layout.grid.lifetime_level
    wanted = decode_row(expected[key]) if key in expected else _NOTHING
    held = tiles.get(key, _NOTHING)
    left, right = (values_of(row, columns, key[0], lifetime) for row in (held, wanted))
    for name in sorted(left.keys() | right.keys()):
        if left.get(name) != right.get(name):
            yield Difference(
                entity=entity,
                key=key,
                column=name,
                stored=left.get(name),
                expected=right.get(name),
            )
    judged = {column.id for column in columns}
    is_all = {*held.counters, *held.features, *wanted.counters, *wanted.features} <= judged
    if left == right and is_all and key in expected:
        yield Difference(
            entity=entity,
            key=key,
            column="same values, different bytes",
            stored=stored.get(key),
            expected=expected[key],
        )


def conservation(entity: str, tiles: Decoded, scope: Scope) -> tuple[int, list[str]]:
    """Merge the tiles of each level and compare with those of the next that a column has.

    Lifetime is compared where its events are all in tiles that are still kept.

    Returns:
        How many sums were compared, and what differs.
    """
    compared, wrong = 0, list[str]()
    layout = scope.snapshot.layout
    for column in layout.columns:
        above = zip(column.levels, column.levels[1:], strict=False)
        for finer, coarser in above:
            length_ms = layout.grid.levels_ms[coarser]
            sums = _merged(tiles, column, finer, length_ms)
            starts = {start for level, start in tiles if level == coarser} | sums.keys()
            for key in ((coarser, start) for start in sorted(starts)):
                if column in scope.columns(key) and column in scope.columns((finer, key[1])):
                    compared += 1
                    wrong += _unequal(entity, key, column, sums, tiles, scope)
        if column.lifetime and column.levels and _has_all(tiles, column, scope):
            compared += 1
            kept = [row for (level, _), row in tiles.items() if level == column.levels[-1]]
            total = merge_all(column.kind, column.n, (_partial(row, column) for row in kept))
            key = (layout.grid.lifetime_level, 0)
            wrong += _unequal(entity, key, column, {0: total}, tiles, scope)
    return compared, wrong


def _has_all(tiles: Decoded, column: LayoutColumn, scope: Scope) -> bool:
    """Return whether all events that lifetime counts are in tiles of the column's last level."""
    lifetime = (scope.snapshot.layout.grid.lifetime_level, 0)
    if lifetime not in tiles or column not in scope.columns(lifetime):
        return False
    last = column.levels[-1]
    if scope.expected.whole_from_ms(column, last):
        return False
    kept = sum(row.counters.get(EVENTS_ID, 0) for (level, _), row in tiles.items() if level == last)
    total = tiles[lifetime].counters.get(EVENTS_ID, 0)
    return kept >= total


def _merged(tiles: Decoded, column: LayoutColumn, level: int, length_ms: int) -> dict[int, Partial]:
    groups: dict[int, list[Partial]] = {}
    for (found, start_ms), row in tiles.items():
        if found == level:
            groups.setdefault(floor_ms(start_ms, length_ms), []).append(_partial(row, column))
    return {start: merge_all(column.kind, column.n, parts) for start, parts in groups.items()}


def _unequal(
    entity: str,
    key: TileKey,
    column: LayoutColumn,
    sums: Mapping[int, Partial],
    tiles: Decoded,
    scope: Scope,
) -> Iterator[str]:
    below = sums.get(key[1], zero(column.kind))
    held = _partial(tiles.get(key, _NOTHING), column)
    if below != held:
        grid = scope.snapshot.layout.grid
        yield (
            f"{features_of(scope.snapshot, column.name)} of {entity!r}, {name_tile(grid, key)} "
            f"has {held}, the tiles below it add up to {below}"
        )


def _partial(row: Row, column: LayoutColumn) -> Partial:
    if column.kind in COUNTERS:
        nothing = zero(column.kind)
        return row.counters.get(column.id, nothing if isinstance(nothing, int) else None)
    payload = row.features.get(column.id)
    return decode_items(payload, column.carrier) if payload is not None else ()


def features_of(snapshot: Snapshot, column: str) -> str:
    """Name the features that are computed from a column."""
    if column == EVENTS_COLUMN:
        return "the event count"
    names = [feature.name for feature in snapshot.features if column in feature.columns]
    return ", ".join(names) if names else column


def describe(difference: Difference, snapshot: Snapshot, events: str) -> str:
    """Say what is wrong with a tile, and which events it should hold."""
    what = features_of(snapshot, difference.column)
    where = name_tile(snapshot.layout.grid, difference.key)
    return (
        f"{what} of {difference.entity!r}, {where}: stored {spell(difference.stored)}, "
        f"recomputed {spell(difference.expected)}; {events}"
    )


_NOTHING = Row(counters={}, features={})
