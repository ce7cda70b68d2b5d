"""Tiles in Cassandra or ScyllaDB: prepared statements, LOCAL_QUORUM, a bounded number in flight."""

from collections.abc import Sequence

from feature_platform.errors import StoreUnavailableError, WorldError
from feature_platform.store.base import RowWrite, StoredRow, TileKey, checked_identifier
from feature_platform.store.connect import Connection, Row
from feature_platform.store.schema import tiles_table, writer_grant

KEYS_PER_QUERY_MAX = 100
"""ScyllaDB refuses more clustering keys in one IN."""

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
        parts = [
            (number, (entity, keys[first : first + KEYS_PER_QUERY_MAX]))
            for number, (entity, keys) in enumerate(requests)
            for first in range(0, len(keys), KEYS_PER_QUERY_MAX)
        ]
        values = [value for _, value in parts]
        outcomes = self._connection.run_many(statement, values, in_flight_max=self._in_flight_max)
        answers: list[list[StoredRow] | WorldError] = [[] for _ in requests]
        for (number, _), outcome in zip(parts, outcomes, strict=True):
            answers[number] = _joined(answers[number], outcome)
        return answers

    def read_entity(self, table: str, entity: str) -> list[StoredRow]:
        """Read every row of an entity; see `TileReader`."""
        statement = f"SELECT {_COLUMNS} FROM {self._table(table)} WHERE entity = ?"
        return _rows(self._connection.run(statement, (entity,)))

    def write(self, table: str, entity: str, rows: Sequence[RowWrite], *, written: int) -> None:
        """Write an entity's rows in one batch; see `TileWriter`."""
        insert = (
            f"INSERT INTO {self._table(table)} (entity, level, start, payload) VALUES (?, ?, ?, ?)"
        )
        statements = {
            False: f"{insert} USING TIMESTAMP ?",
            True: f"{insert} USING TIMESTAMP ? AND TTL ?",
        }
        batch: list[tuple[str, Sequence[object]]] = [
            (
                statements[row.ttl_s > 0],
                (
                    entity,
                    row.level,
                    row.start_ms,
                    row.payload,
                    written,
                    *([row.ttl_s] if row.ttl_s else []),
                ),
            )
            for row in rows
        ]
        self._connection.run_batch(batch)

    def create_table(self, table: str) -> None:
        """Create the table if it is missing and let the job write it; see `TileTables`."""
        self._connection.run_ddl(tiles_table(self._connection.keyspace, table))
        self._connection.run_ddl(writer_grant(self._connection.keyspace, table))

    def drop_table(self, table: str) -> None:
        """Drop the table, if it is there; see `TileTables`."""
        self._connection.run_ddl(f"DROP TABLE IF EXISTS {self._table(table)}")

    def _table(self, table: str) -> str:
        return f"{self._connection.keyspace}.{checked_identifier(table)}"


def _joined(
    so_far: list[StoredRow] | WorldError, outcome: list[Row] | StoreUnavailableError
) -> list[StoredRow] | WorldError:
    if isinstance(so_far, WorldError):
        return so_far
    if isinstance(outcome, WorldError):
        return outcome
    return sorted(so_far + _rows(outcome), key=_key) if so_far else _rows(outcome)


def _key(row: StoredRow) -> TileKey:
    return row.level, row.start_ms


def _rows(rows: Sequence[Row]) -> list[StoredRow]:
    return [
        StoredRow(level=level, start_ms=start_ms, payload=payload, written=written)
        for level, start_ms, payload, written in rows
    ]
