"""Writes blocks of logged commands as the kernel does, for tests and benchmarks."""

import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from feature_platform.rows.partials import Partial
from feature_platform.testing.reference_rows import encode_items
from feature_platform.tiles.layout import COUNTERS, Layout

_FIXED = struct.Struct("<iqqiqqb")
_MORE = 0x80
_LONG = struct.Struct("<q")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A row of a block: a command, or a marker."""

    seq: int
    kind: int
    entity: str = ""
    tile_ms: int = 0
    values: Mapping[int, Partial] = field(default_factory=dict)
    """By column id; those that are not named are NULL."""
    attempt: int = 1
    checkpoint_id: int = 1
    flush: int = 1
    subtask: int = 0
    at_ms: int = 1_796_246_400_000


def encode_block(layout: Layout, changes: Iterable[Change]) -> bytes:
    """Return the value of a record."""
    return b"".join(_row(layout, each) for each in changes)


def block_headers(
    layout: Layout, featureset: str, generation: int, fingerprint: str = "f"
) -> Sequence[tuple[str, bytes]]:
    """Return the headers of a record."""
    columns = [
        [column.name, column.id, "int" if column.kind in COUNTERS else "bytes"]
        for column in layout.columns
    ]
    texts = {
        "format": "1",
        "featureset": featureset,
        "generation": str(generation),
        "fingerprint": fingerprint,
        "columns": json.dumps(columns),
    }
    return [(name, text.encode()) for name, text in texts.items()]


def _row(layout: Layout, change: Change) -> bytes:
    parts = [
        _FIXED.pack(
            change.attempt,
            change.checkpoint_id,
            change.flush,
            change.subtask,
            change.seq,
            change.at_ms,
            change.kind,
        ),
        _text(change.entity.encode()),
        _LONG.pack(change.tile_ms),
    ]
    for column in layout.columns:
        value = change.values.get(column.id)
        if value is None:
            parts.append(b"\1")
        elif isinstance(value, tuple):
            parts.append(b"\0" + _text(encode_items(column.carrier, value)))
        else:
            parts.append(b"\0" + _LONG.pack(value))
    return b"".join(parts)


def _text(content: bytes) -> bytes:
    length, prefix = len(content), bytearray()
    while length >= _MORE:
        prefix.append(length % _MORE | _MORE)
        length >>= 7
    prefix.append(length)
    return bytes(prefix) + content
