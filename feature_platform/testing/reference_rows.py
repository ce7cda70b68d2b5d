"""A plain encoder of the store's rows: the canonical bytes, written to be checked by eye."""

import struct
from collections.abc import Iterable, Mapping

from feature_platform.rows.partials import Item, Partial, Row
from feature_platform.tiles.layout import ADDITIVE, Carrier, Layout

_LENGTH_DELIMITED = 2
_VARINT = 0
_MORE = 0x80


def encode_row(layout: Layout, partials: Mapping[int, Partial]) -> bytes:
    """Encode one `TileRow` from partials by column id; partials of nothing are left out."""
    columns = {column.id: column for column in layout.columns}
    counters: dict[int, int] = {}
    features: dict[int, bytes] = {}
    for column_id, partial in partials.items():
        column = columns[column_id]
        if isinstance(partial, tuple) and partial:
            features[column_id] = encode_items(column.carrier, partial)
        elif isinstance(partial, int) and (partial != 0 or column.kind not in ADDITIVE):
            counters[column_id] = partial
    return encode_decoded(Row(counters=counters, features=features))


def encode_decoded(row: Row) -> bytes:
    """Encode a `TileRow` that was decoded before, or put together by hand."""
    entries = (
        _field(1, _varint(1 << 3 | _VARINT) + _varint(feature_id) + _field(2, value, always=True))
        for feature_id, value in sorted(row.features.items())
    )
    counters = sorted(row.counters.items())
    ids = _field(2, b"".join(_varint(counter_id) for counter_id, _ in counters))
    values = _field(3, b"".join(_sint(value) for _, value in counters))
    return b"".join(entries) + ids + values


def encode_items(carrier: Carrier, items: Iterable[Item]) -> bytes:
    """Encode one `FeatureValue` from items, newest first."""
    items = tuple(items)
    values = [item.value for item in items]
    return b"".join(
        (
            _field(1, _differences([item.time_ms for item in items])),
            _field(2, b"".join(_varint(item.partition) for item in items)),
            _field(3, _differences([item.offset for item in items])),
            _values(carrier, values),
        )
    )


def encode_head(tiles: Mapping[tuple[int, int], bytes]) -> bytes:
    """Encode a `HeadRow` from encoded tile rows by level and start."""
    return b"".join(
        _field(1, _tile(level, start_ms, row), always=True)
        for (level, start_ms), row in sorted(tiles.items())
    )


def _tile(level: int, start_ms: int, row: bytes) -> bytes:
    return _sint_field(1, level) + _sint_field(2, start_ms) + _field(3, row)


def _values(carrier: Carrier, values: list[int | float | str]) -> bytes:
    match carrier:
        case "int":
            return _field(4, b"".join(_sint(int(value)) for value in values))
        case "real":
            return _field(5, b"".join(struct.pack("<d", value) for value in values))
        case "text":
            return b"".join(_field(6, str(value).encode(), always=True) for value in values)


def _differences(numbers: list[int]) -> bytes:
    before = [0, *numbers][: len(numbers)]
    return b"".join(
        _sint(number - earlier) for number, earlier in zip(numbers, before, strict=True)
    )


def _field(number: int, content: bytes, *, always: bool = False) -> bytes:
    if not content and not always:
        return b""
    return _varint(number << 3 | _LENGTH_DELIMITED) + _varint(len(content)) + content


def _sint_field(number: int, value: int) -> bytes:
    return _varint(number << 3 | _VARINT) + _sint(value) if value else b""


def _sint(value: int) -> bytes:
    return _varint(2 * value if value >= 0 else -2 * value - 1)


def _varint(value: int) -> bytes:
    written = bytearray()
    while value >= _MORE:
        written.append(value % _MORE + _MORE)
        value //= _MORE
    written.append(value)
    return bytes(written)
