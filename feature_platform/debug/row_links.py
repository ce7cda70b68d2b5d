"""The last places of the chain: the stored rows, and what is served."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from feature_platform.checks.judge import TRIES, AsOf
from feature_platform.checks.scope import Scope
from feature_platform.checks.tiles import Difference, compare, conservation, decoded
from feature_platform.clock import to_iso
from feature_platform.debug.account import Account
from feature_platform.debug.diagnosis import diagnose
from feature_platform.debug.report import Link, State, TileLine, ValueLine
from feature_platform.errors import CorruptRowError
from feature_platform.lineage.as_of import KnownTiles, known_tiles
from feature_platform.lineage.tile_values import values_of
from feature_platform.plan.snapshot import Snapshot
from feature_platform.rows.codec import decode_items, decode_row
from feature_platform.rows.partials import Row
from feature_platform.rows.undo import HEAD, RowKey
from feature_platform.store.base import UNDO_LEVEL, StoredRow, TileKey, written_by
from feature_platform.tiles.layout import LayoutColumn
from feature_platform.words import counted

DETAILS_MAX = 12
KNOWN_STATES = ("same", "behind", "younger", "present only", "differs")
"""Of a served value; any other text says why there is none."""
TILES_MAX = 400
"""Tiles that are shown: those that differ, and the newest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsFound:
    """What is stored of the entity, beside what its events say."""

    link: Link
    tiles: tuple[TileLine, ...] = ()
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """Tiles that were read, and how they compare."""

    tiles: KnownTiles
    readable: Mapping[TileKey, Row]
    unreadable: Sequence[str]
    compared: int
    differences: Sequence[Difference]


def rows_link(
    snapshot: Snapshot,
    rows: AsOf | None,
    scope: Scope,
    account: Account,
    stored: Sequence[StoredRow],
    columns: Sequence[str] | None,
) -> RowsFound:
    """Compare rows as of the newest cut with what the events up to it say.

    Args:
        snapshot: What is deployed.
        rows: Reads rows as of the cut; None: there is no cut yet.
        scope: What may be judged.
        account: The events up to the cut.
        stored: All rows of the entity, as they are now.
        columns: Stored columns to be looked at alone; None: all.
    """
    if rows is None:
        summary = "no cut yet: no row is final"
        return RowsFound(link=Link(place="rows", state="unknown", summary=summary))
    seen = _settled(snapshot, rows, scope, account)
    if isinstance(seen, CorruptRowError):
        summary = f"its rows cannot be read: {seen}"
        link = Link(place="rows", state="wrong", summary=summary, next_step=_repair(snapshot))
        return RowsFound(link=link)
    unreadable, found = seen.unreadable, seen.differences
    chosen = [each for each in found if columns is None or each.column in columns]
    sums, unconserved = conservation(account.entity, seen.readable, scope)
    lines = _tile_lines(snapshot, scope, seen.tiles, account.payloads, stored, chosen)
    cut = rows.cut
    as_of = f"as of cut {cut.attempt}/{cut.checkpoint_id} of {to_iso(cut.recorded_ms)}"
    if unreadable or chosen:
        told = [*unreadable, *diagnose(snapshot, account, chosen, found)]
        link = Link(
            place="rows",
            state="wrong",
            summary=told[0],
            details=(*told[1:DETAILS_MAX], as_of, *unconserved[:DETAILS_MAX]),
            next_step=_repair(snapshot),
        )
    else:
        left = len(found) - len(chosen)
        details = [f"{counted(left, 'difference')} in other columns"] if left else []
        state: State = "note" if left or not seen.compared else "fine"
        what = f"{counted(seen.compared, 'tile')} and {counted(sums, 'sum')} agree with the events"
        if not seen.compared:
            what = "no tile of it is kept and certain to have all its events"
        link = Link(place="rows", state=state, summary=f"{what}, {as_of}", details=tuple(details))
    return RowsFound(link=link, tiles=lines, differences=tuple(chosen))


def asking_for_state(link: Link) -> Link:
    """Return what was found at the rows, with how to see whether the job holds it, too."""
    if link.state != "wrong":
        return link
    more = "--live shows whether the job holds the same"
    return replace(link, next_step=f"{link.next_step}; {more}")


def _repair(snapshot: Snapshot) -> str:
    name = snapshot.featureset
    return f"fp check {name} says how many others are wrong; fp check {name} --repair corrects them"


def _settled(
    snapshot: Snapshot, rows: AsOf, scope: Scope, account: Account
) -> _Seen | CorruptRowError:
    """Compare what is read; again while it differs, for a read may meet a write half way."""
    for left in reversed(range(TRIES)):
        tiles = known_tiles(rows.read(account.entity))
        if isinstance(tiles, CorruptRowError):
            if left:
                continue
            return tiles
        readable, unreadable = decoded(account.entity, tiles.tiles, snapshot)
        number, found = compare(account.entity, tiles, readable, account.payloads, scope)
        if not left or not (unreadable or found):
            return _Seen(
                tiles=tiles,
                readable=readable,
                unreadable=unreadable,
                compared=number,
                differences=found,
            )
    raise AssertionError  # the last try returns


def _tile_lines(
    snapshot: Snapshot,
    scope: Scope,
    known: KnownTiles,
    expected: Mapping[TileKey, bytes],
    stored: Sequence[StoredRow],
    found: Sequence[Difference],
) -> tuple[TileLine, ...]:
    grid = snapshot.layout.grid
    written = {
        RowKey(row.level, row.start_ms): written_by(row.written)
        for row in stored
        if row.level != UNDO_LEVEL
    }
    differing = {each.key for each in found}
    kept = [key for key in {*known.tiles, *expected} if key in known.tiles or scope.columns(key)]
    chosen = sorted(kept, key=lambda key: (key not in differing, -key[1]))[:TILES_MAX]
    lines: list[TileLine] = []
    for key in sorted(chosen):
        level, start_ms = key
        own = written.get(RowKey(level, start_ms))
        place = "row" if own else "head" if key in known.tiles else "missing"
        writer = own or (written.get(HEAD) if place == "head" else None)
        lines.append(
            TileLine(
                level=grid.level_name(level) if level <= grid.lifetime_level else str(level),
                start_ms=start_ms,
                length_ms=grid.levels_ms[level] if level < grid.lifetime_level else 0,
                place=place,
                writer=f"{writer[0]}/{writer[1]}" if writer else "",
                stored=_values(snapshot, key, known.tiles.get(key)),
                expected=_values(snapshot, key, expected.get(key)),
                differs=key in differing,
            )
        )
    return tuple(lines)


def _values(snapshot: Snapshot, key: TileKey, payload: bytes | None) -> dict[str, Any]:
    if payload is None:
        return {}
    layout = snapshot.layout
    try:
        row = decode_row(payload)
    except CorruptRowError as error:
        return {"unreadable": str(error)}
    held = values_of(row, layout.columns, key[0], layout.grid.lifetime_level)
    return {name: _readable(layout.column(name), value) for name, value in held.items()}


def _readable(column: LayoutColumn, value: int | bytes) -> object:
    """Return what is kept as bytes, such as the items of LAST_N, as values with their events."""
    if isinstance(value, int):
        return value
    try:
        items = decode_items(value, column.carrier)
    except CorruptRowError as error:
        return f"unreadable: {error}"
    return [f"{item.value} ({item.partition}/{item.offset})" for item in items]


def served_link(
    values: Sequence[ValueLine], rows_state: str, behind: int, since_ms: Mapping[str, int]
) -> Link:
    """Judge served values beside what the events say.

    Args:
        values: With what the events say.
        rows_state: What was found at the rows.
        behind: How many events are not written yet.
        since_ms: Names that hold what counted before, with since when they count as defined now.
    """
    failed = next((each for each in values if each.state not in KNOWN_STATES), None)
    if failed:
        summary = f"nothing was served: {failed.state}"
        return Link(place="served", state="unknown", summary=summary)
    different = [each for each in values if each.state == "differs"]
    late = [each for each in values if each.state == "behind"]
    younger = [_told_younger(each, since_ms) for each in values if each.state == "younger"]
    if different:
        first = different[0]
        cause = (
            " (its rows are wrong already)"
            if rows_state == "wrong"
            else ": the rows are right, so the reader puts them together wrongly, or reads others"
        )
        return Link(
            place="served",
            state="wrong",
            summary=f"{first.name} is served as {first.served}, its events say {first.recomputed}"
            f"{cause}",
            details=tuple(
                f"{each.name}: served {each.served}, recomputed {each.recomputed}"
                for each in different[1:DETAILS_MAX]
            ),
        )
    if younger:
        return Link(
            place="served",
            state="note",
            summary=younger[0],
            details=(*younger[1:], "what was counted before is said at definition"),
        )
    if late:
        return Link(
            place="served",
            state="note",
            summary=f"{counted(len(late), 'value')} without the newest events: "
            f"{counted(behind, 'event')} of it are not written yet",
        )
    summary = f"{counted(len(values), 'value')} served as the events say"
    if rows_state == "wrong":
        summary += "; none of them reads what is wrong in the rows now: --at shows when one did"
    return Link(place="served", state="fine", summary=summary)


def _told_younger(value: ValueLine, since_ms: Mapping[str, int]) -> str:
    return (
        f"{value.name} is served as {value.served}; by the definition of now all its events give "
        f"{value.recomputed}, but it counts so only since {to_iso(since_ms[value.name])}"
    )
