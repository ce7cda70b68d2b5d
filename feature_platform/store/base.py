"""The ports to stored tiles: a reader for serving and checks, a writer, and who may change tables.

Everything above this folder is handed a port; only `cql.py` knows a driver. A row is addressed by
table, entity, level and start; level -1 is an entity's head, levels from 0 are closed tiles.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from feature_platform.errors import CallerError, LimitExceededError, StoreDownError, WorldError

HEAD_LEVEL = -1
UNDO_LEVEL = -2
FLUSH_BITS = 30
ATTEMPT_BITS = 20
LAST_EXPIRY_S = 2_147_385_600
"""2038-01-18T00:00:00Z: Cassandra before 5.0, and 5.0 unless its compatibility mode is off, refuses
rows that would expire later than the day after. The kernel and we give such rows no TTL at all."""
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,62}")

TileKey = tuple[int, int]
"""Level and start in milliseconds of a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRow:
    """A row as the store keeps it."""

    level: int
    start_ms: int
    payload: bytes
    written: int
    """The write timestamp: attempt and flush, see `written_by`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowWrite:
    """A row to be written; `ttl_s` 0 means kept permanently."""

    level: int
    start_ms: int
    payload: bytes | None
    """None deletes the row, whoever wrote it with a timestamp that is not larger."""
    ttl_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredUndo:
    """An undo row as the store keeps it: what an entity's rows were before a flush."""

    entity: str
    start: int
    """Attempt, checkpoint id and sequence of the flush; see `rows.undo`."""
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoPage:
    """One step of a walk over all undo rows of a table."""

    rows: tuple[StoredUndo, ...]
    """All undo rows of some entities: an entity is never on two pages."""
    done: float
    """How much of the table has been walked: 1.0 on the last page."""


KEYS_PER_READ_MAX = 100
"""Keys of one entity that one read takes: ScyllaDB refuses more clustering keys in one query."""


READ_TIMEOUT_S = 20.0
"""Of a read that names none."""
Requests = Sequence[tuple[str, Sequence[TileKey]]]
"""Entities, and the keys wanted of each."""
Outcome = list[StoredRow] | WorldError
"""The rows that were read of an entity, or why there are none to go by."""


class TileReader(Protocol):
    """Reads rows; never changes anything."""

    def read_tiles(
        self, table: str, requests: Requests, *, timeout_s: float = READ_TIMEOUT_S
    ) -> list[Outcome]:
        """Read some rows of many entities, concurrently and bounded; failures are answers.

        Args:
            table: The generation's table.
            requests: For each entity the keys wanted, `KEYS_PER_READ_MAX` at most: whoever needs
                more decides which are read first. Absent rows are left out of the answer.
            timeout_s: For all of them together; what has not come by then has failed.

        Returns:
            For each request, in order, its rows by (level, start), or why it failed. Blocks.

        Raises:
            LimitExceededError: More keys of an entity are asked for.
            StoreUnavailableError: The table cannot be read at all, or `timeout_s` is not positive.
        """
        ...

    async def aread_tiles(
        self, table: str, requests: Requests, *, timeout_s: float = READ_TIMEOUT_S
    ) -> list[Outcome]:
        """Do what `read_tiles` does on an event loop; if cancelled, nothing more is asked."""
        ...

    def read_entity(self, table: str, entity: str) -> list[StoredRow]:
        """Read every row of an entity, by (level, start).

        Raises:
            StoreUnavailableError: The store did not answer.
        """
        ...


class UndoReader(Protocol):
    """Walks the undo rows of a table; needs the administrator's patience, not its role."""

    def undo_pages(self, table: str) -> Iterator[UndoPage]:
        """Yield all undo rows that have not expired, some entities at a time. Blocks.

        Raises:
            StoreUnavailableError: The store did not answer; the walk must begin again.
        """
        ...


class EntityReader(Protocol):
    """Finds entities without knowing their keys; for looking around, not for serving."""

    def some_entities(self, table: str, most: int) -> list[str]:
        """Return keys of some entities that have rows, in no particular order, the same each time.

        Raises:
            StoreUnavailableError: The store did not answer.
        """
        ...

    def entities(self, table: str) -> Iterator[str]:
        """Yield the keys of all entities that have rows, each once; reads the whole table.

        Raises:
            StoreUnavailableError: The store did not answer; the walk must begin again.
        """
        ...


class TileWriter(Protocol):
    """Writes rows the way the kernel does; for sweeps, repair tools and tests."""

    def write(self, table: str, entity: str, rows: Sequence[RowWrite], *, written: int) -> None:
        """Write or delete rows of an entity in one batch; returns when a quorum has them.

        Args:
            table: The generation's table.
            entity: Partition key.
            rows: What to write.
            written: The timestamp of every cell; a row with a larger one stays as it is.

        Raises:
            StoreUnavailableError: Unknown whether they were written; the call may be repeated.
        """
        ...


class TileTables(Protocol):
    """Creates and drops the tables of generations; needs the administrator's role."""

    def create_table(self, table: str) -> None:
        """Create the table if it is missing."""
        ...

    def drop_table(self, table: str) -> None:
        """Drop the table and all its rows, if it is there."""
        ...


def checked_identifier(name: str) -> str:
    """Return the name if it may be in CQL unquoted; nothing unchecked ever does.

    Raises:
        CallerError: It is not lower-case letters, digits and underscores, or it is too long.
    """
    if not _IDENTIFIER.fullmatch(name):
        msg = (
            f"{name!r} is not a valid name in the store; use a lower-case letter, then lower-case "
            "letters, digits and underscores, at most 63 characters"
        )
        raise CallerError(msg)
    return name


def write_timestamp(attempt: int, flush: int) -> int:
    """Return the timestamp of a write: a later attempt always wins, then a later flush.

    Raises:
        CallerError: A number has run out: it would stand for another attempt or flush.
    """
    if not (0 <= attempt < 1 << ATTEMPT_BITS and 0 <= flush < 1 << FLUSH_BITS):
        msg = (
            f"attempt {attempt}, flush {flush}: an attempt must be below {1 << ATTEMPT_BITS} and "
            f"a flush below {1 << FLUSH_BITS}; a new generation (`on_change: rebuild`) begins at 1"
        )
        raise CallerError(msg)
    return attempt << FLUSH_BITS | flush


def written_by(written: int) -> tuple[int, int]:
    """Return the attempt and the flush that wrote a row."""
    return written >> FLUSH_BITS, written & ((1 << FLUSH_BITS) - 1)


def check_read(requests: Requests, timeout_s: float) -> None:
    """Refuse a read that no store can answer; see `TileReader.read_tiles`.

    Raises:
        LimitExceededError: More keys of an entity are asked for than a store takes.
        StoreDownError: `timeout_s` is not positive.
    """
    most = max((len(keys) for _, keys in requests), default=0)
    if most > KEYS_PER_READ_MAX:
        msg = f"{most} keys of one entity in a read; {KEYS_PER_READ_MAX} are the most: divide it"
        raise LimitExceededError(msg)
    if timeout_s <= 0:
        msg = f"a read was given {timeout_s} s: pass a later deadline"
        raise StoreDownError(msg)
