"""The shipped fake: tiles in a dict, with the store's rules for write timestamps and expiry."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from feature_platform.clock import Clock
from feature_platform.errors import StoreUnavailableError
from feature_platform.store.base import (
    READ_TIMEOUT_S,
    UNDO_LEVEL,
    Outcome,
    Requests,
    RowWrite,
    StoredRow,
    StoredUndo,
    TileKey,
    UndoPage,
    check_read,
    checked_identifier,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cell:
    payload: bytes | None
    """None if the row was deleted."""
    written: int
    expires_s: int
    """Second of the expiry; 0 for never."""

    def rank(self) -> tuple[int, bool, bool, int, bytes]:
        """Order cells as the store does: time, deleted, any expiry, later expiry, larger value."""
        deleted = self.payload is None
        return self.written, deleted, self.expires_s > 0, self.expires_s, self.payload or b""


class MemoryTiles:
    """Tiles of one process. Mutable; for tests and notebooks."""

    def __init__(self, clock: Clock) -> None:
        """Start without tables; the clock decides what has expired."""
        self._clock = clock
        self._tables: dict[str, dict[str, dict[TileKey, _Cell]]] = {}

    @property
    def tables(self) -> frozenset[str]:
        """The tables there are."""
        return frozenset(self._tables)

    def read_tiles(
        self, table: str, requests: Requests, *, timeout_s: float = READ_TIMEOUT_S
    ) -> list[Outcome]:
        """Read some rows of many entities; see `TileReader`."""
        check_read(requests, timeout_s)
        return [
            [
                row
                for row in self.read_entity(table, entity)
                if (row.level, row.start_ms) in set(keys)
            ]
            for entity, keys in requests
        ]

    async def aread_tiles(
        self, table: str, requests: Requests, *, timeout_s: float = READ_TIMEOUT_S
    ) -> list[Outcome]:
        """Do what `read_tiles` does: nothing blocks here."""
        return self.read_tiles(table, requests, timeout_s=timeout_s)

    def read_entity(self, table: str, entity: str) -> list[StoredRow]:
        """Read every row of an entity; see `TileReader`."""
        now_s = self._clock.now_ms() // 1000
        cells = sorted(self._partitions(table).get(entity, {}).items())
        return [
            StoredRow(level=level, start_ms=start_ms, payload=cell.payload, written=cell.written)
            for (level, start_ms), cell in cells
            if cell.payload is not None and (not cell.expires_s or cell.expires_s > now_s)
        ]

    def undo_pages(self, table: str) -> Iterator[UndoPage]:
        """Yield all undo rows, an entity at a time; see `UndoReader`."""
        entities = sorted(self._partitions(table))
        for number, entity in enumerate(entities, 1):
            rows = [row for row in self.read_entity(table, entity) if row.level == UNDO_LEVEL]
            yield UndoPage(
                rows=tuple(
                    StoredUndo(entity=entity, start=row.start_ms, payload=row.payload)
                    for row in rows
                ),
                done=number / len(entities),
            )

    def some_entities(self, table: str, most: int) -> list[str]:
        """Return keys of some entities; see `EntityReader`."""
        return list(self._partitions(table))[:most]

    def entities(self, table: str) -> Iterator[str]:
        """Yield the keys of all entities; see `EntityReader`."""
        yield from list(self._partitions(table))

    def write(self, table: str, entity: str, rows: Sequence[RowWrite], *, written: int) -> None:
        """Write or delete rows; the largest timestamp wins, row by row; see `TileWriter`."""
        cells = self._partitions(table).setdefault(entity, {})
        now_s = self._clock.now_ms() // 1000
        for row in rows:
            expires_s = now_s + row.ttl_s if row.ttl_s else 0
            cell = _Cell(payload=row.payload, written=written, expires_s=expires_s)
            present = cells.get((row.level, row.start_ms))
            if present is None or cell.rank() > present.rank():
                cells[row.level, row.start_ms] = cell

    def create_table(self, table: str) -> None:
        """Create the table if it is missing; see `TileTables`."""
        self._tables.setdefault(checked_identifier(table), {})

    def drop_table(self, table: str) -> None:
        """Drop the table, if it is there; see `TileTables`."""
        self._tables.pop(checked_identifier(table), None)

    def _partitions(self, table: str) -> dict[str, dict[TileKey, _Cell]]:
        checked_identifier(table)
        if table not in self._tables:
            msg = f"table {table} does not exist in this store; create it first"
            raise StoreUnavailableError(msg)
        return self._tables[table]
