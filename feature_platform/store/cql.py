"""Tiles in Cassandra or ScyllaDB: prepared statements, LOCAL_QUORUM, a bounded number in flight."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from feature_platform.errors import StoreUnavailableError, WorldError
from feature_platform.store.base import (
    UNDO_LEVEL,
    RowWrite,
    StoredRow,
    StoredUndo,
    TileKey,
    UndoPage,
    check_keys,
    checked_identifier,
)
from feature_platform.store.batches import ENTITIES_PER_READ, Batch, batches
from feature_platform.store.concurrently import Row, is_timeout
from feature_platform.store.connect import Connection
from feature_platform.store.schema import tiles_table, writer_grant

TOKEN_MIN, TOKENS = -(2**63), 2**64
"""The ring of Murmur3Partitioner, of Cassandra and ScyllaDB alike."""
SCAN_RANGES = 256
"""Pieces that a walk over a whole table is made of: each is read in one query, page by page."""

_COLUMNS = "level, start, payload, WRITETIME(payload)"


class CqlTiles:
    """Reads and writes tiles; as `fp_admin` it also makes and drops their tables."""

    def __init__(
        self,
        connection: Connection,
        *,
        in_flight_max: int = 512,
        entities_per_read: int = ENTITIES_PER_READ,
    ) -> None:
        """Use a connection that the caller closes.

        Args:
            connection: A role's.
            in_flight_max: Queries at a time.
            entities_per_read: Of one query.
        """
        self._connection = connection
        self._in_flight_max = in_flight_max
        self._entities_per_read = entities_per_read

    def read_tiles(
        self, table: str, requests: Sequence[tuple[str, Sequence[TileKey]]]
    ) -> list[list[StoredRow] | WorldError]:
        """Read some rows of many entities; see `TileReader`."""
        check_keys(requests)
        rows: list[list[StoredRow]] = [[] for _ in requests]
        errors: dict[int, WorldError] = {}
        asked = batches(requests, self._connection.owner(), self._entities_per_read)
        failed = self._read(table, asked, rows, errors)
        # What is wrong with one entity is not the others': each is asked for on its own.
        self._read(table, [alone for batch in failed for alone in batch.divided()], rows, errors)
        return [errors.get(place, found) for place, found in enumerate(rows)]

    def _read(
        self,
        table: str,
        asked: Sequence[Batch],
        rows: list[list[StoredRow]],
        errors: dict[int, WorldError],
    ) -> list[Batch]:
        """Read entities into their places; return batches that failed and may be divided."""
        statement = (
            f"SELECT entity, {_COLUMNS} FROM {self._table(table)} "
            f"WHERE entity IN ? AND (level, start) IN ?"
        )
        outcomes = self._connection.run_many(
            statement,
            [(next(iter(batch.places)), (list(batch.places), batch.keys)) for batch in asked],
            in_flight_max=self._in_flight_max,
        )
        failed: list[Batch] = []
        for batch, outcome in zip(asked, outcomes, strict=True):
            if isinstance(outcome, StoreUnavailableError):
                errors |= dict.fromkeys(batch.places.values(), outcome)
                if len(batch.places) > 1 and not is_timeout(outcome.__cause__):
                    failed.append(batch)
                continue
            for place in batch.places.values():
                errors.pop(place, None)
            for entity, *row in outcome:
                rows[batch.places[entity]].append(_row(row))
        return failed

    def read_entity(self, table: str, entity: str) -> list[StoredRow]:
        """Read every row of an entity; see `TileReader`."""
        statement = f"SELECT {_COLUMNS} FROM {self._table(table)} WHERE entity = ?"
        return _rows(self._connection.run(statement, (entity,)))

    def some_entities(self, table: str, most: int) -> list[str]:
        """Return keys of some entities; see `EntityReader`."""
        statement = f"SELECT DISTINCT entity FROM {self._table(table)} LIMIT {int(most)}"
        return [row[0] for row in self._connection.run(statement)]

    def entities(self, table: str) -> Iterator[str]:
        """Yield the keys of all entities, by ranges of the ring; see `EntityReader`."""
        statement = (
            f"SELECT DISTINCT entity FROM {self._table(table)} WHERE token(entity) >= ? "
            f"AND token(entity) <= ?"
        )
        for tokens in _ranges():
            yield from (row[0] for row in self._connection.run(statement, tokens))

    def write(self, table: str, entity: str, rows: Sequence[RowWrite], *, written: int) -> None:
        """Write or delete rows of an entity in one batch; see `TileWriter`."""
        name = self._table(table)
        insert = f"INSERT INTO {name} (entity, level, start, payload) VALUES (?, ?, ?, ?)"
        delete = (
            f"DELETE FROM {name} USING TIMESTAMP ? WHERE entity = ? AND level = ? AND start = ?"
        )
        batch: list[tuple[str, Sequence[object]]] = []
        for row in rows:
            key = (entity, row.level, row.start_ms)
            if row.payload is None:
                batch.append((delete, (written, *key)))
            elif row.ttl_s:
                values = (*key, row.payload, written, row.ttl_s)
                batch.append((f"{insert} USING TIMESTAMP ? AND TTL ?", values))
            else:
                batch.append((f"{insert} USING TIMESTAMP ?", (*key, row.payload, written)))
        self._connection.run_batch(batch)

    def undo_pages(self, table: str) -> Iterator[UndoPage]:
        """Yield all undo rows, by ranges of the ring; see `UndoReader`."""
        # The level narrows what is read of each partition; it cannot be narrowed by an index.
        statement = (
            f"SELECT entity, start, payload FROM {self._table(table)} WHERE token(entity) >= ? "
            f"AND token(entity) <= ? AND level = {UNDO_LEVEL} ALLOW FILTERING"
        )
        for number, tokens in enumerate(_ranges(), 1):
            rows = self._connection.run(statement, tokens)
            yield UndoPage(
                rows=tuple(
                    StoredUndo(entity=entity, start=start, payload=payload)
                    for entity, start, payload in rows
                ),
                done=number / SCAN_RANGES,
            )

    def create_table(self, table: str) -> None:
        """Create the table if it is missing and let the job write it; see `TileTables`."""
        self._connection.run_ddl(tiles_table(self._connection.keyspace, table))
        self._connection.run_ddl(writer_grant(self._connection.keyspace, table))

    def drop_table(self, table: str) -> None:
        """Drop the table, if it is there; see `TileTables`."""
        self._connection.run_ddl(f"DROP TABLE IF EXISTS {self._table(table)}")

    def _table(self, table: str) -> str:
        return f"{self._connection.keyspace}.{checked_identifier(table)}"


def _ranges() -> Iterator[tuple[int, int]]:
    """Yield first and last token of the ring's pieces."""
    starts = [TOKEN_MIN + number * (TOKENS // SCAN_RANGES) for number in range(SCAN_RANGES)]
    for first, after in pairwise([*starts, TOKEN_MIN + TOKENS]):
        yield first, after - 1


def _rows(rows: Sequence[Row]) -> list[StoredRow]:
    return list(map(_row, rows))


def _row(row: Sequence[Any]) -> StoredRow:
    level, start_ms, payload, written = row
    return StoredRow(level=level, start_ms=start_ms, payload=payload, written=written)
