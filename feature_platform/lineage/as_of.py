"""Rows as they were at an epoch, however much was written since: what undo rows are there for.

A sweep writes them back, comparisons read them. Undo rows are kept for the undo time: of an epoch
that is older, only rows are known that have not been written since.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from feature_platform.errors import CorruptRowError
from feature_platform.registry.base import Attempt
from feature_platform.registry.history import History, history, holds
from feature_platform.rows.codec import split_head
from feature_platform.rows.undo import RowKey, UndoKey, decode_undo, undo_key
from feature_platform.store.base import HEAD_LEVEL, UNDO_LEVEL, StoredRow, TileKey, written_by

Undo = Mapping[UndoKey, Mapping[RowKey, bytes | None]]


_HEAD = (HEAD_LEVEL, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownTiles:
    """What is known of an entity's tiles as of a history."""

    tiles: Mapping[TileKey, bytes]
    """Those of its head and those in rows, encoded."""
    unknown: frozenset[TileKey] = frozenset()
    """Rows that were written since, and nothing says any more what they were; (-1, 0): the head."""

    def knows(self, key: TileKey) -> bool:
        """Return whether it is known what a tile was, or that it was not there."""
        return key in self.tiles or not {key, _HEAD} & self.unknown


def tiles_as_of(
    attempts: Sequence[Attempt], line: History, stored: Iterable[StoredRow], *, undo_gone: bool
) -> KnownTiles:
    """Return all tiles of an entity as of a history, those in its head and those in rows.

    Args:
        attempts: All of the generation.
        line: The history of a cut's epoch; everything written by it and before counts.
        stored: Every row of the entity, undo rows included, in any order.
        undo_gone: Undo rows may have expired: only rows whose writing is of the line are known.

    Raises:
        CorruptRowError: A row is malformed, or no undo row says what it was.
    """
    stored = tuple(stored)
    undo = decoded_undo(stored)
    tiles: dict[TileKey, bytes] = {}
    unknown: set[TileKey] = set()
    for row in stored:
        key = RowKey(row.level, row.start_ms)
        if row.level == UNDO_LEVEL:
            continue
        if undo_gone and not is_of_line(attempts, line, row.written):
            unknown.add(key)
            continue
        payload = value_as_of(attempts, line, undo, key, row)
        if payload is None:
            continue
        if row.level == HEAD_LEVEL:
            tiles |= encoded_tiles(payload)
        else:
            tiles[row.level, row.start_ms] = payload
    return KnownTiles(tiles=tiles, unknown=frozenset(unknown))


def is_of_line(attempts: Iterable[Attempt], line: History, written: int) -> bool:
    """Return whether a write is certainly of a history, by its timestamp alone.

    Such a row has not been written since, so it is as it was; of others it is not known.
    """
    writer, flush = written_by(written)
    known = next((item for item in attempts if item.attempt == writer), None)
    checkpoint_id = known.checkpoint_id_at_most(flush) if known else None
    return checkpoint_id is not None and holds(line, (writer, checkpoint_id))


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


def encoded_tiles(head: bytes) -> dict[TileKey, bytes]:
    """Return the rows of a head's tiles, still encoded.

    Raises:
        CorruptRowError: The head is malformed.
    """
    return {(level, start_ms): row for level, start_ms, row in split_head(head)}


def value_as_of(
    attempts: Sequence[Attempt], line: History, undo: Undo, key: RowKey, row: StoredRow
) -> bytes | None:
    """Return a row's payload as of a history: the oldest undo entry between it and its writer.

    A row without one is as it was, if its writer is in the history.

    Args:
        attempts: All of the generation.
        line: The history; all epochs off it came later, or are dead.
        undo: The entity's undo rows.
        key: The row's place.
        row: How it is now.

    Raises:
        CorruptRowError: Its writer is off the line, and no undo row says what it was before.
    """
    writer, _ = written_by(row.written)
    of_writer = history(attempts, writer)
    between = [
        flush
        for flush, before in undo.items()
        if key in before
        and holds(of_writer, (flush.attempt, flush.checkpoint_id))
        and not holds(line, (flush.attempt, flush.checkpoint_id))
    ]
    if between:
        return undo[min(between)][key]
    if writer not in line:
        msg = (
            f"row {tuple(key)} was written by the abandoned attempt {writer}, and no undo row has "
            "its earlier value: undo rows have expired or were lost. To start over: fp delete, "
            "then fp apply"
        )
        raise CorruptRowError(msg)
    return row.payload
