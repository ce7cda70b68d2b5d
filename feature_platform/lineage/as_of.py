"""Rows as they were at an epoch, however much was written since: what undo rows are there for.

A sweep writes them back, comparisons read them. Undo rows are kept for the undo time: of an epoch
that is older, only rows are known that have not been written since.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

from feature_platform.errors import CorruptRowError
from feature_platform.registry.base import Attempt
from feature_platform.registry.history import History, history, holds
from feature_platform.rows.codec import split_heads
from feature_platform.rows.undo import HEAD, RowKey, UndoKey, decode_undo, undo_key
from feature_platform.store.base import UNDO_LEVEL, StoredRow, TileKey, written_by

Undo = Mapping[UndoKey, Mapping[RowKey, bytes | None]]
Before = Mapping[RowKey, Sequence[tuple[UndoKey, bytes | None]]]
"""What rows were before flushes that a history does not hold; None: not there."""


class Past:
    """A history of a generation, as rows are judged by it (mutable: remembers other histories)."""

    def __init__(self, attempts: Sequence[Attempt], line: History) -> None:
        """Take a history.

        Args:
            attempts: All of the generation.
            line: The history; all epochs off it came later, or are dead.
        """
        self._attempts, self._line = attempts, line
        self._by_number = {item.attempt: item for item in attempts}
        self._of_writers: dict[int, History] = {}

    def before(self, undo: Undo) -> Before:
        """Return what an entity's undo rows say of flushes off the history."""
        found: dict[RowKey, list[tuple[UndoKey, bytes | None]]] = {}
        for flush, rows in undo.items():
            if not holds(self._line, (flush.attempt, flush.checkpoint_id)):
                for key, payload in rows.items():
                    found.setdefault(key, []).append((flush, payload))
        return found

    def value(self, before: Before, key: RowKey, row: StoredRow) -> bytes | None:
        """Return a row's payload as of the history: of the oldest undo entry since then.

        A row without one is as it was, if its writer is in the history.

        Args:
            before: The entity's, as of this history.
            key: The row's place.
            row: How it is now.

        Raises:
            CorruptRowError: Its writer is off the line, and no undo row says what it was before.
        """
        writer, _ = written_by(row.written)
        entries = before.get(key)
        if entries:
            of_writer = self._of_writer(writer)
            between = [
                entry
                for entry in entries
                if holds(of_writer, (entry[0].attempt, entry[0].checkpoint_id))
            ]
            if between:
                return min(between, key=itemgetter(0))[1]
        if writer not in self._line:
            self._of_writer(writer)  # a writer that is unknown is another error
            msg = (
                f"row {tuple(key)} was written by the abandoned attempt {writer}, and no undo row "
                "has its earlier value: undo rows have expired or were lost. To start over: fp "
                "delete, then fp apply"
            )
            raise CorruptRowError(msg)
        return row.payload

    def is_certain(self, written: int) -> bool:
        """Return whether a write is certainly of the history, by its timestamp alone.

        Such a row has not been written since, so it is as it was; of others it is not known.
        """
        writer, flush = written_by(written)
        known = self._by_number.get(writer)
        checkpoint_id = known.checkpoint_id_at_most(flush) if known else None
        return checkpoint_id is not None and holds(self._line, (writer, checkpoint_id))

    def _of_writer(self, writer: int) -> History:
        if writer not in self._of_writers:
            self._of_writers[writer] = history(self._attempts, writer)
        return self._of_writers[writer]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRows:
    """What is known of an entity's rows as of a history."""

    rows: Mapping[RowKey, bytes]
    """Its head and those of closed tiles."""
    unknown: frozenset[TileKey] = frozenset()
    """Rows that were written since, and nothing says any more what they were; (-1, 0): the head."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownTiles:
    """What is known of an entity's tiles as of a history."""

    tiles: Mapping[TileKey, bytes]
    """Those of its head and those in rows, encoded."""
    unknown: frozenset[TileKey] = frozenset()
    """As of its rows."""

    def knows(self, key: TileKey) -> bool:
        """Return whether it is known what a tile was, or that it was not there."""
        return key in self.tiles or not {key, HEAD} & self.unknown


def rows_as_of(past: Past, stored: Iterable[StoredRow], *, undo_gone: bool) -> KnownRows:
    """Return an entity's rows as of a history.

    Args:
        past: The history of a cut's epoch; everything written by it and before counts.
        stored: Every row of the entity, undo rows included, in any order.
        undo_gone: Undo rows may have expired: only rows whose writing is of the line are known.

    Raises:
        CorruptRowError: An undo row is malformed, or none says what a row was.
    """
    stored = tuple(stored)
    before = past.before(decoded_undo(stored))
    rows: dict[RowKey, bytes] = {}
    unknown: set[TileKey] = set()
    for row in stored:
        if row.level == UNDO_LEVEL:
            continue
        key = RowKey(row.level, row.start_ms)
        if undo_gone and not past.is_certain(row.written):
            unknown.add(key)
            continue
        payload = past.value(before, key, row)
        if payload is not None:
            rows[key] = payload
    return KnownRows(rows=rows, unknown=frozenset(unknown))


def tiles_as_of(past: Past, stored: Iterable[StoredRow], *, undo_gone: bool) -> KnownTiles:
    """Return all tiles of an entity as of a history, those in its head and those in rows.

    Args:
        past: As of `rows_as_of`.
        stored: As of `rows_as_of`.
        undo_gone: As of `rows_as_of`.

    Raises:
        CorruptRowError: A row is malformed, or no undo row says what it was.
    """
    return _split(rows_as_of(past, stored, undo_gone=undo_gone))


def known_tiles(known: KnownRows | CorruptRowError) -> KnownTiles | CorruptRowError:
    """Return the tiles of rows that were read, or why they cannot be read."""
    if isinstance(known, CorruptRowError):
        return known
    try:
        return _split(known)
    except CorruptRowError as error:
        return error


def _split(known: KnownRows) -> KnownTiles:
    (tiles,) = encoded_tiles([known.rows])
    return KnownTiles(tiles=tiles, unknown=known.unknown)


def decoded_undo(stored: Iterable[StoredRow]) -> Undo:
    """Return the undo rows among an entity's rows.

    Raises:
        CorruptRowError: One is malformed.
    """
    return {
        undo_key(row.start_ms): decode_undo(row.payload)
        for row in stored
        if row.level == UNDO_LEVEL
    }


def encoded_tiles(entities: Sequence[Mapping[RowKey, bytes]]) -> list[dict[TileKey, bytes]]:
    """Return each entity's tiles, those of its head and those in rows, still encoded.

    Raises:
        CorruptRowError: A head is malformed.
    """
    heads = [rows[HEAD] for rows in entities if HEAD in rows]
    split = iter(split_heads(heads))
    found: list[dict[TileKey, bytes]] = []
    for rows in entities:
        tiles: dict[TileKey, bytes] = {key: row for key, row in rows.items() if key != HEAD}
        if HEAD in rows:
            tiles |= {(level, start_ms): row for level, start_ms, row in next(split)}
        found.append(tiles)
    return found
