"""Explains a stored tile that differs from its events. Pure.

Each explanation is tried on the entity's own events, and named only if it gives exactly what is
stored.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from feature_platform.checks.tiles import Difference, features_of
from feature_platform.clock import to_iso
from feature_platform.debug.account import Account, EventAccount
from feature_platform.errors import CorruptRowError
from feature_platform.lineage.tile_values import name_tile
from feature_platform.plan.snapshot import Snapshot
from feature_platform.rows.codec import decode_items
from feature_platform.rows.partials import Partial, zero
from feature_platform.store.base import TileKey
from feature_platform.testing.reference_events import Accepted
from feature_platform.tiles.layout import COUNTERS, EVENTS_COLUMN, LayoutColumn
from feature_platform.words import counted

EVENTS_MAX = 2_000
"""Of a tile: with more of them, single events are not tried one by one."""
NAMED_MAX = 3
_UNEXPLAINED = "no single event, other FILTER or other column explains it"
_MIXED = "the ids of the two are mixed up"
VALUES_MAX = 20
"""Different values of a field, of which each is tried as a FILTER."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tile:
    """A tile that differs, with its events."""

    difference: Difference
    column: LayoutColumn
    events: Sequence[EventAccount]

    @property
    def rows(self) -> list[Accepted]:
        """What is aggregated of its events."""
        return [each.row for each in self.events if each.row]

    @property
    def stored(self) -> Partial:
        """What is stored, as the reference counts it."""
        held = self.difference.stored
        if isinstance(held, bytes):
            return decode_items(held, self.column.carrier)
        return zero(self.column.kind) if held is None else held


def diagnose(
    snapshot: Snapshot,
    account: Account,
    differences: Sequence[Difference],
    every: Sequence[Difference],
) -> list[str]:
    """Explain what differs, a line for each column that does.

    Args:
        snapshot: What is deployed.
        account: The events up to the cut that rows were compared at.
        differences: Of the columns that are asked about.
        every: Of all columns: one event may explain all of them.
    """
    lines: list[str] = []
    one_event = _of_all(snapshot, account, every)
    by_column: dict[str, list[Difference]] = {}
    for each in differences:
        by_column.setdefault(each.column, []).append(each)
    for column, found in by_column.items():
        line = _explained(snapshot, account, column, _telling(found), every, one_event)
        lines.append(f"{line}{_of_one_length(snapshot, found) if _UNEXPLAINED in line else ''}")
    return sorted(lines, key=lambda line: _MIXED not in line)  # it explains the others


def _of_all(snapshot: Snapshot, account: Account, every: Sequence[Difference]) -> str:
    columns = {each.name: each for each in snapshot.layout.columns}
    tiles = [
        _tile(snapshot, account, columns[each.column], each)
        for each in every
        if each.column in columns
    ]
    try:
        return _one_event(account, tiles) if tiles else ""
    except CorruptRowError:
        return ""


def _telling(found: Sequence[Difference]) -> list[Difference]:
    """Return the differences of the level that has most of them, the finest of several."""
    by_level = Counter(each.key[0] for each in found)
    level = min(by_level, key=lambda each: (-by_level[each], each))
    return sorted((each for each in found if each.key[0] == level), key=lambda each: each.key[1])


def _explained(
    snapshot: Snapshot,
    account: Account,
    name: str,
    found: Sequence[Difference],
    every: Sequence[Difference],
    one_event: str,
) -> str:
    column = next((each for each in snapshot.layout.columns if each.name == name), None)
    first, grid = found[0], snapshot.layout.grid
    what = features_of(snapshot, name)
    if column is None:
        return f"{what}: {name_tile(grid, first.key)} has other bytes for the same values"
    tiles = [_tile(snapshot, account, column, each) for each in found]
    first_tile = tiles[0]
    try:
        stored, expected = first_tile.stored, account.oracle.partial(name, first_tile.rows)
        why = _swapped(snapshot, account, tiles, every) or _why(snapshot, account, tiles, one_event)
    except CorruptRowError as error:
        return f"{what}: {name_tile(grid, first.key)} cannot be read: {error}"
    where = name_tile(grid, first.key)
    if len(found) > 1:
        where = f"{counted(len(found), 'tile')} from {to_iso(first.key[1])} on; {where}"
    return (
        f"{what}: {where}: stored {_spell(stored)}, its "
        f"{counted(len(first_tile.events), 'event')} say {_spell(expected)}; {why}"
    )


def _spell(value: Partial) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(str(item.value) for item in value)}]" if value else "nothing"
    return "nothing" if value is None else str(value)


def _tile(
    snapshot: Snapshot, account: Account, column: LayoutColumn, difference: Difference
) -> _Tile:
    level, start_ms = difference.key
    grid = snapshot.layout.grid
    events = account.counted
    if level < grid.lifetime_level:
        events = account.counted_within(start_ms, start_ms + grid.levels_ms[level])
    return _Tile(difference=difference, column=column, events=events)


def _why(snapshot: Snapshot, account: Account, tiles: Sequence[_Tile], one_event: str) -> str:
    """Return the first explanation that fits exactly."""
    of_other = _other_column(snapshot, account, tiles)
    is_sure = len(tiles) > 1  # in a single tile two columns are often equal
    found = (
        (of_other if is_sure else "")
        or _other_filter(snapshot, account, tiles)
        or one_event
        or _one_event(account, tiles)
        or of_other
    )
    if found:
        return found
    if not tiles[0].events:
        return "no event of this entity is in the tile: somebody else has written it"
    if tiles[0].stored in {None, (), 0}:
        return "the tile's events were not counted, or its row was lost"
    return _UNEXPLAINED


def _of_one_length(snapshot: Snapshot, found: Sequence[Difference]) -> str:
    """Say so where no tile of another length differs."""
    levels = {each.key[0] for each in found}
    if len(levels) > 1 or levels == {snapshot.layout.grid.lifetime_level}:
        return ""
    length = snapshot.layout.grid.level_name(min(levels))
    return (
        f"; only {length} tiles differ and none of another length, so the events seem to be "
        "counted, and the row changed by something else"
    )


def _swapped(
    snapshot: Snapshot, account: Account, tiles: Sequence[_Tile], every: Sequence[Difference]
) -> str:
    """Explain it by an id: what one column counts is stored under that of another, wrong as well.

    Two columns that are equal by chance do not both differ from their events.
    """
    mine, columns = tiles[0].column, {each.name: each for each in snapshot.layout.columns}
    others: dict[str, dict[TileKey, Difference]] = {}
    for each in every:
        if each.column in columns and each.column != mine.name:
            others.setdefault(each.column, {})[each.key] = each
    for name, found in others.items():
        other = columns[name]
        if _family(other) != _family(mine):
            continue
        if held := _holds(snapshot, account, tiles, other):
            return held
        theirs = [found.get(tile.difference.key) for tile in tiles]
        if all(
            each is not None
            and _tile(snapshot, account, other, each).stored
            == account.oracle.partial(mine.name, tile.rows)
            for each, tile in zip(theirs, tiles, strict=True)
        ):
            return (
                f"what it counts is stored under id {other.id}, which the registry gives to "
                f"{other.name}: {_MIXED}"
            )
    return ""


def _holds(
    snapshot: Snapshot, account: Account, tiles: Sequence[_Tile], other: LayoutColumn
) -> str:
    """Say so if tiles hold what another column counts, and that is not nothing."""
    mine = tiles[0].column
    if _is_nothing(tiles) or any(
        account.oracle.partial(other.name, tile.rows) != tile.stored for tile in tiles
    ):
        return ""
    return (
        f"it holds exactly what {features_of(snapshot, other.name)} counts, under id {mine.id}, "
        f"which the registry gives to {mine.name}; {other.name} has {other.id}: {_MIXED}"
    )


def _family(column: LayoutColumn) -> tuple[bool, str]:
    """Return what columns have in common whose stored values can be taken for each other's."""
    return column.kind in COUNTERS, column.carrier


def _is_nothing(tiles: Sequence[_Tile]) -> bool:
    """Return whether all that is stored is what many columns hold."""
    return all(tile.stored in {None, (), 0} for tile in tiles)


def _one_event(account: Account, tiles: Sequence[_Tile]) -> str:
    """Explain all that differs by one event that was not counted, or was counted twice."""
    smallest = min(tiles, key=lambda tile: len(tile.events))
    if len(smallest.events) > EVENTS_MAX:
        return ""
    additive = [tile for tile in tiles if tile.column.kind in {"count", "sum"}]
    lost = [each for each in smallest.events if _explains(account, tiles, each, times=0)]
    if lost:
        return f"as if {_named(lost)} had not been counted"
    doubled = [
        each for each in smallest.events if additive and _explains(account, additive, each, times=2)
    ]
    return f"as if {_named(doubled)} had been counted twice" if doubled else ""


def _explains(account: Account, tiles: Sequence[_Tile], event: EventAccount, *, times: int) -> bool:
    """Return whether all tiles are as if an event had been counted `times` times."""
    for tile in tiles:
        others = [row for row in tile.rows if row is not event.row]
        rows = [*others, *([event.row] * times if event.row else ())]
        if (
            len(others) == len(tile.rows)
            or account.oracle.partial(tile.column.name, rows) != tile.stored
        ):
            return False
    return True


def _other_column(snapshot: Snapshot, account: Account, tiles: Sequence[_Tile]) -> str:
    """Explain it by the values of another column, which itself is right."""
    mine = tiles[0].column
    others = (
        each
        for each in snapshot.layout.columns
        if each.name not in {mine.name, EVENTS_COLUMN} and _family(each) == _family(mine)
    )
    return next(filter(None, (_holds(snapshot, account, tiles, each) for each in others)), "")


def _other_filter(snapshot: Snapshot, account: Account, tiles: Sequence[_Tile]) -> str:  # noqa: ARG001
    """Explain it by another FILTER than the one that is deployed."""
    name = tiles[0].column.name
    if name == EVENTS_COLUMN or len(tiles) < 2 or sum(len(tile.events) for tile in tiles) < 3:  # noqa: PLR2004 (fewer fit by chance)
        return ""
    for words, chosen in _conditions(account):
        if all(
            account.oracle.unfiltered(name, [row for row in tile.rows if chosen(row)])
            == tile.stored
            for tile in tiles
        ):
            return f"exactly as if it counted {words}: what runs has another FILTER than this"
    return ""


def _conditions(account: Account) -> Iterator[tuple[str, Callable[[Accepted], bool]]]:
    """Yield conditions on single fields that differ between the events."""
    yield "all events", lambda _: True
    rows = [each.row for each in account.counted if each.row]
    names = rows[0].columns if rows else {}
    for name in names:
        values = {row.columns[name] for row in rows}
        if not 1 < len(values) <= VALUES_MAX:
            continue
        for value in sorted(values, key=repr):
            yield f"only events with {name} = {value!r}", _is(name, value)
            yield f"all events but those with {name} = {value!r}", _is_not(name, value)


def _is(name: str, value: object) -> Callable[[Accepted], bool]:
    return lambda row: row.columns[name] == value


def _is_not(name: str, value: object) -> Callable[[Accepted], bool]:
    return lambda row: row.columns[name] != value


def _named(events: Sequence[EventAccount]) -> str:
    """Name events; any of several may be meant."""
    shown = [f"{each.place} of {to_iso(each.time_ms)}" for each in events[:NAMED_MAX]]
    more = f" or {len(events) - NAMED_MAX:,} more" if len(events) > NAMED_MAX else ""
    return f"event {' or '.join(shown)}{more}"
