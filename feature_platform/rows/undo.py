"""Undo rows: what an entity's rows were before an epoch wrote them.

The kernel writes them and reads them back; here they are read by the sweep of a rollback and
written by its tests.
"""

from collections.abc import Mapping
from typing import NamedTuple

from google.protobuf.message import DecodeError

from feature_platform.errors import CorruptRowError
from feature_platform.rows.row_pb2 import UndoEntry, UndoRow

UNDO_LEVEL = -2
"""Level of the undo rows in a generation's table."""
HEAD_LEVEL = -1
"""Level of the head, which is a row like any other here; its start is 0."""
ATTEMPT_BITS, CHECKPOINT_ID_BITS, SEQUENCE_BITS = 20, 27, 16


class RowKey(NamedTuple):
    """One row of an entity: its head or a closed tile."""

    level: int
    start_ms: int


HEAD = RowKey(HEAD_LEVEL, 0)


class UndoKey(NamedTuple):
    """Which flush an undo row was written before: ascending as the rows are in the store."""

    attempt: int
    checkpoint_id: int
    sequence: int

    @property
    def start(self) -> int:
        """Return the clustering key `start` of this undo row."""
        return (
            self.attempt << CHECKPOINT_ID_BITS | self.checkpoint_id
        ) << SEQUENCE_BITS | self.sequence


def undo_key(start: int) -> UndoKey:
    """Return what an undo row's clustering key `start` stands for."""
    epoch, sequence = divmod(start, 1 << SEQUENCE_BITS)
    attempt, checkpoint_id = divmod(epoch, 1 << CHECKPOINT_ID_BITS)
    return UndoKey(attempt, checkpoint_id, sequence)


def decode_undo(payload: bytes) -> dict[RowKey, bytes | None]:
    """Return each row's payload as it was before; None where there was no row.

    Raises:
        CorruptRowError: It is malformed, or its entries do not ascend.
    """
    try:
        message = UndoRow.FromString(payload)
    except DecodeError as error:
        msg = f"an undo row of {len(payload)} bytes is not a valid UndoRow: {error}"
        raise CorruptRowError(msg) from error
    keys = [RowKey(entry.level, entry.start_ms) for entry in message.entries]
    if keys != sorted(set(keys)):
        msg = f"an undo row's entries do not ascend: {keys}"
        raise CorruptRowError(msg)
    return {
        key: entry.row if entry.HasField("row") else None
        for key, entry in zip(keys, message.entries, strict=True)
    }


def encode_undo(rows: Mapping[RowKey, bytes | None]) -> bytes:
    """Return the canonical payload: entries ascending; None stands for a row that was not there."""
    message = UndoRow(
        entries=[
            UndoEntry(level=level, start_ms=start_ms, row=row)
            for (level, start_ms), row in sorted(rows.items())
        ]
    )
    return message.SerializeToString(deterministic=True)
