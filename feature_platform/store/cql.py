"""Tiles in Cassandra or ScyllaDB: prepared statements, LOCAL_QUORUM, a bounded number in flight."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

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
from feature_platform.store.connect import Connection, Row
from feature_platform.store.schema import tiles_table, writer_grant

TOKEN_MIN, TOKENS = -(2**63), 2**64
"""The ring of Murmur3Partitioner, of Cassandra and ScyllaDB alike."""
SCAN_RANGES = 256
"""Pieces that a walk over a whole table is made of: each is read in one query, page by page."""

_COLUMNS = "level, start, payload, WRITETIME(payload)"


class CqlTiles:
    """Reads and writes tiles; as `fp_admin` it also makes and drops their tables."""

    def __init__(self, connection: Connection, *, in_flight_max: int = 512) -> None:
        """Use a connection that the caller closes."""
        self._connection = connection
        self._in_flight_max = in_flight_max

    def read_tiles(
        self, table: str, requests: Sequence[tuple[str, Sequence[TileKey]]]
    ) -> list[list[StoredRow] | WorldError]:
        """Read some rows of many entities; see `TileReader`."""
        statement = (
            f"SELECT {_COLUMNS} FROM {self._table(table)} WHERE entity = ? AND (level, start) IN ?"
        )
        check_keys(requests)
        asked = [request for request in requests if request[1]]
        outcomes = iter(
            self._connection.run_many(statement, asked, in_flight_max=self._in_flight_max)
        )
        return [_answer(next(outcomes)) if keys else [] for _, keys in requests]

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


def _answer(outcome: list[Row] | StoreUnavailableError) -> list[StoredRow] | WorldError:
    return outcome if isinstance(outcome, WorldError) else _rows(outcome)


def _rows(rows: Sequence[Row]) -> list[StoredRow]:
    return [
        StoredRow(level=level, start_ms=start_ms, payload=payload, written=written)
        for level, start_ms, payload, written in rows
    ]
