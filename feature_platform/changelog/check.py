"""Compares what logged commands add up to with the stored rows, byte for byte."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from feature_platform.changelog.olap import Olap
from feature_platform.changelog.sums import Commands, Counting, Since, Sums, tile_of
from feature_platform.changelog.tables import literal, table_name
from feature_platform.lineage.as_of import encoded_tiles
from feature_platform.lineage.tile_values import name_tile, values_of
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.base import Attempt
from feature_platform.registry.history import history
from feature_platform.rows.codec import decode_row
from feature_platform.rows.undo import HEAD, RowKey
from feature_platform.store.base import UNDO_LEVEL, StoredRow, TileKey, written_by

State = Literal["equal", "different", "not judged"]
DIFFERENCES_MAX = 20
"""Of one entity, which are named."""


class Rows(Protocol):
    """Reads rows."""

    def read_entity(self, table: str, entity: str) -> list[StoredRow]:
        """Return all rows of an entity."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What was found of an entity."""

    entity: str
    state: State
    tiles: int = 0
    """That were compared."""
    why: str = ""
    """Why it was not judged."""
    differences: tuple[str, ...] = ()


def entities(olap: Olap, snapshot: Snapshot, most: int) -> list[str]:
    """Return some entities of which commands are loaded, by the hash of their keys."""
    table = table_name(snapshot.featureset, snapshot.generation)
    rows = olap.run(
        f"SELECT hex(entity) FROM (SELECT DISTINCT entity FROM {table} WHERE kind IN"
        f" ('+I', '+U', '-U', '-D')) ORDER BY cityHash64(entity) LIMIT {most}"
    )
    return [bytes.fromhex(row[0]).decode() for row in rows]


def has_commands(olap: Olap, snapshot: Snapshot) -> bool:
    """Return whether anything of the generation was loaded."""
    table = table_name(snapshot.featureset, snapshot.generation)
    return bool(
        olap.run(
            "SELECT 1 FROM system.tables WHERE database = currentDatabase()"
            f" AND name = {literal(table)}"
        )
    )


def compare(
    olap: Olap, snapshot: Snapshot, attempts: list[Attempt], rows: Rows, entity: str
) -> Compared:
    """Compare one entity: its stored tiles with the sums of the commands that they hold.

    Raises:
        OlapError: ClickHouse does not answer.
        StoreUnavailableError: The store does not.
        CorruptRowError: A row is malformed.
    """
    table = table_name(snapshot.featureset, snapshot.generation)
    commands = Commands(olap, table, snapshot.layout)
    line = history(attempts, attempts[-1].attempt if attempts else 0)
    since = commands.since(entity, line)
    if since is None:
        return Compared(entity=entity, state="not judged", why="its commands are not logged")
    stored = [row for row in rows.read_entity(snapshot.table, entity) if row.level != UNDO_LEVEL]
    head = next((row for row in stored if (row.level, row.start_ms) == HEAD), None)
    if head is None:
        return Compared(entity=entity, state="not judged", why="it has no row")
    writer, flush = written_by(head.written)
    if writer not in line:
        why = f"its head is of attempt {writer}, which was abandoned: the next event corrects it"
        return Compared(entity=entity, state="not judged", why=why)
    counting = Counting(line=line, upto_flush=flush if writer == max(line) else 0)
    sums = commands.sums(entity, counting)
    encoded = encoded_tiles([{RowKey(row.level, row.start_ms): row.payload for row in stored}])[0]
    return _compared(snapshot, entity, encoded, sums, since)


def _compared(
    snapshot: Snapshot, entity: str, encoded: dict[TileKey, bytes], sums: Sums, since: Since
) -> Compared:
    layout, differences, tiles = snapshot.layout, list[str](), 0
    from_ms = since.at_ms + snapshot.job.source.max_future_ms
    for key, payload in sorted(encoded.items()):
        level, start_ms = key
        if not since.whole and (level == layout.grid.lifetime_level or start_ms < from_ms):
            continue
        tiles += 1
        made = tile_of(layout, sums, level, start_ms)
        if made != payload:
            differences += _differences(snapshot, key, payload, made)
    if not tiles:
        why = "none of its tiles began after its commands were logged"
        return Compared(entity=entity, state="not judged", why=why)
    return Compared(
        entity=entity,
        state="different" if differences else "equal",
        tiles=tiles,
        differences=tuple(differences[:DIFFERENCES_MAX]),
    )


def _differences(
    snapshot: Snapshot, key: TileKey, stored: bytes, made: bytes | None
) -> Iterator[str]:
    layout, where = snapshot.layout, name_tile(snapshot.layout.grid, key)
    if made is None:
        yield f"{where}: is stored, and no command of it was logged"
        return
    lifetime = layout.grid.lifetime_level
    left, right = (
        values_of(decode_row(each), layout.columns, key[0], lifetime) for each in (stored, made)
    )
    names = [name for name in sorted(left | right) if left.get(name) != right.get(name)]
    for name in names:
        yield (
            f"{where}: {name} is {_spelled(left.get(name))} in the row, and the commands add up to "
            f"{_spelled(right.get(name))}"
        )
    if not names:
        yield f"{where}: the same values in other bytes"


def _spelled(partial: int | bytes | None) -> str:
    if isinstance(partial, bytes):
        return f"items {partial.hex()}"
    return "nothing" if partial is None else str(partial)
