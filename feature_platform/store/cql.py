"""Tiles in Cassandra or ScyllaDB: prepared statements, LOCAL_QUORUM, a bounded number in flight."""

import time
from collections.abc import Iterator, Sequence

from feature_platform.store.base import (
    READ_TIMEOUT_S,
    UNDO_LEVEL,
    Outcome,
    Requests,
    RowWrite,
    StoredRow,
    StoredUndo,
    UndoPage,
    check_read,
    checked_identifier,
)
from feature_platform.store.batches import ENTITIES_PER_READ, Answers, Batch, batches
from feature_platform.store.concurrently import Row, Runs
from feature_platform.store.connect import Connection
from feature_platform.store.schema import tiles_table, writer_grant

TOKEN_MIN, TOKEN_MAX, TOKENS = -(2**63), 2**63 - 1, 2**64
"""The ring of Murmur3Partitioner, of Cassandra and ScyllaDB alike."""
SCAN_RANGES = 256
"""Pieces of the ring that a walk over a whole table begins with: each is read in one query."""
QUICK_S, FEW_ROWS = 0.1, 1_000
"""A piece that took less, and had fewer rows, is followed by one of twice its size."""

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
        self, table: str, requests: Requests, *, timeout_s: float = READ_TIMEOUT_S
    ) -> list[Outcome]:
        """Read some rows of many entities; see `TileReader`."""
        run = self._connection.run_many
        until_s = time.monotonic() + timeout_s
        answers, asked = self._begin(requests, timeout_s)
        while asked:
            asked = answers.put(asked, run(self._runs(table, asked, until_s)))
        return answers.outcomes()

    async def aread_tiles(
        self, table: str, requests: Requests, *, timeout_s: float = READ_TIMEOUT_S
    ) -> list[Outcome]:
        """Do what `read_tiles` does on an event loop; see `TileReader`."""
        run = self._connection.arun_many
        until_s = time.monotonic() + timeout_s
        answers, asked = self._begin(requests, timeout_s)
        while asked:
            asked = answers.put(asked, await run(self._runs(table, asked, until_s)))
        return answers.outcomes()

    def _begin(self, requests: Requests, timeout_s: float) -> tuple[Answers, list[Batch]]:
        check_read(requests, timeout_s)
        asked = batches(requests, self._connection.owner(), self._entities_per_read)
        return Answers(len(requests)), asked

    def _runs(self, table: str, asked: Sequence[Batch], until_s: float) -> Runs:
        return Runs(
            statement=(
                f"SELECT entity, {_COLUMNS} FROM {self._table(table)} "
                f"WHERE entity IN ? AND (level, start) IN ?"
            ),
            values=[(batch.key, (list(batch.places), batch.keys)) for batch in asked],
            in_flight_max=self._in_flight_max,
            timeout_s=until_s - time.monotonic(),
        )

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
        for rows, _ in self._walk(statement):
            yield from (row[0] for row in rows)

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
        for rows, done in self._walk(statement):
            yield UndoPage(
                rows=tuple(
                    StoredUndo(entity=entity, start=start, payload=payload)
                    for entity, start, payload in rows
                ),
                done=done,
            )

    def _walk(self, statement: str) -> Iterator[tuple[list[Row], float]]:
        """Run a statement over the ring, piece by piece; yield rows, and how much is done."""
        first, size = TOKEN_MIN, TOKENS // SCAN_RANGES
        while first <= TOKEN_MAX:
            last, began_s = min(first + size - 1, TOKEN_MAX), time.monotonic()
            rows = self._connection.run(statement, (first, last))
            is_quick = time.monotonic() - began_s < QUICK_S and len(rows) < FEW_ROWS
            yield rows, (last + 1 - TOKEN_MIN) / TOKENS
            size = size * 2 if is_quick else max(size // 2, TOKENS // SCAN_RANGES)
            first = last + 1

    def create_table(self, table: str) -> None:
        """Create the table if it is missing and let the job write it; see `TileTables`."""
        self._connection.run_ddl(tiles_table(self._connection.keyspace, table))
        self._connection.run_ddl(writer_grant(self._connection.keyspace, table))

    def drop_table(self, table: str) -> None:
        """Drop the table, if it is there; see `TileTables`."""
        self._connection.run_ddl(f"DROP TABLE IF EXISTS {self._table(table)}")

    def _table(self, table: str) -> str:
        return f"{self._connection.keyspace}.{checked_identifier(table)}"


def _rows(rows: Sequence[Row]) -> list[StoredRow]:
    return [
        StoredRow(level=level, start_ms=start_ms, payload=payload, written=written)
        for level, start_ms, payload, written in rows
    ]
