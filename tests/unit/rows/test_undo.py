"""Undo rows: their keys and their payloads, as the kernel writes them."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_platform.errors import CorruptRowError
from feature_platform.rows.row_pb2 import UndoEntry, UndoRow
from feature_platform.rows.undo import (
    HEAD_LEVEL,
    RowKey,
    UndoKey,
    decode_undo,
    encode_undo,
    undo_key,
)

GOLDEN = Path(__file__).parents[2] / "golden" / "rows" / "undo.jsonl"
CASES = [
    pytest.param(case, id=case["name"]) for case in map(json.loads, GOLDEN.read_text().splitlines())
]
KEYS = st.builds(RowKey, st.integers(-1, 6), st.integers(-(1 << 53), 1 << 53))


@pytest.mark.parametrize("case", CASES)
def test_golden_undo_rows(case: dict[str, Any]) -> None:
    """Bytes that the kernel wrote decode to their entries, and these are written as the same."""
    rows = {
        RowKey(entry["level"], entry["start_ms"]): None
        if entry["row"] is None
        else bytes.fromhex(entry["row"])
        for entry in case["entries"]
    }
    payload = bytes.fromhex(case["hex"])

    assert rows == decode_undo(payload)
    assert payload == encode_undo(rows)
    assert case["start"] == UndoKey(case["attempt"], case["checkpoint_id"], case["sequence"]).start


@given(st.dictionaries(KEYS, st.none() | st.binary(max_size=40), max_size=5))
def test_what_is_written_is_read(rows: dict[RowKey, bytes | None]) -> None:
    """An empty payload and no row at all stay different."""
    assert rows == decode_undo(encode_undo(rows))


@given(
    *(
        st.builds(
            UndoKey,
            st.integers(0, (1 << 20) - 1),
            st.integers(0, (1 << 27) - 1),
            st.integers(0, (1 << 16) - 1),
        )
        for _ in range(2)
    )
)
def test_keys_sort_as_epochs_do(one: UndoKey, other: UndoKey) -> None:
    """The store sorts by `start`: by attempt, then checkpoint id, then sequence."""
    assert (one < other) == (one.start < other.start)
    assert one == undo_key(one.start)


@pytest.mark.parametrize(
    "payload",
    [
        b"\x0a",
        UndoRow(entries=[UndoEntry(), UndoEntry()]).SerializeToString(),
        UndoRow(entries=[UndoEntry(), UndoEntry(level=HEAD_LEVEL)]).SerializeToString(),
    ],
)
def test_bad_undo_rows_are_refused(payload: bytes) -> None:
    """What is cut off, or names a row twice or out of order, was not written by the kernel."""
    with pytest.raises(CorruptRowError):
        decode_undo(payload)
