"""Decodes rows of the store: counters of many rows at once, features lazily, heads into tiles.

Only the kernel writes rows; `testing.reference_rows` holds a plain encoder of the same bytes.
`row_pb2.py` is generated from `row.proto` by `protoc` of grpcio-tools 1.71 (protobuf 5.29):
`python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. feature_platform/rows/row.proto`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from feature_platform.errors import CorruptRowError
from feature_platform.rows.partials import Item, Row, Scalar
from feature_platform.rows.row_pb2 import FeatureValue
from feature_platform.rows.wire import (
    LENGTH,
    VARINT,
    Bytes,
    Ints,
    Mask,
    Spans,
    WireFields,
    check,
    join,
    read_fields,
    read_packed,
    zigzag,
)
from feature_platform.tiles.layout import Carrier

ID_MAX = 0xFFFFFFFF
LEVEL_MAX = 63
START_MS_MAX = 1 << 53


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Decoded tile rows: counters as flat arrays, features still encoded."""

    count: int
    buffer: Bytes
    counter_rows: Ints
    """Row that a counter belongs to; ascending."""
    counter_ids: Ints
    """Ascending within a row."""
    counters: Ints
    feature_rows: Ints
    feature_ids: Ints
    feature_spans: Spans

    def counter_matrix(self, ids: Sequence[int]) -> Ints:
        """Return a line per id with each row's counter in it; 0 where there is none."""
        values = np.zeros((len(ids), self.count), dtype=np.int64)
        cells, chosen = self._cells(ids)
        values.ravel()[cells] = self.counters[chosen]
        return values

    def counter_presence(self, ids: Sequence[int]) -> Mask:
        """Return where the matrix of these ids holds a counter that is there, if only as 0."""
        present = np.zeros((len(ids), self.count), dtype=np.bool_)
        cells, _ = self._cells(ids)
        present.ravel()[cells] = True
        return present

    def _cells(self, ids: Sequence[int]) -> tuple[Ints, Ints | slice]:
        """Return the places in a flat matrix of these ids, and the counters that go there."""
        lines = np.full(max(ids, default=0) + 2, -1, dtype=np.int64)
        lines[list(ids)] = np.arange(len(ids)) * self.count
        found = lines.take(self.counter_ids, mode="clip")
        if len(found) and found.min() >= 0:
            return found + self.counter_rows, slice(None)
        wanted = np.flatnonzero(found >= 0)
        return found[wanted] + self.counter_rows[wanted], wanted

    def encoded_features(self, feature_id: int) -> Iterator[tuple[int, bytes]]:
        """Yield row and encoded `FeatureValue` of one feature."""
        mask = self.feature_ids == feature_id
        spans = self.feature_spans[mask]
        for row, start, stop in zip(
            self.feature_rows[mask].tolist(),
            spans.starts.tolist(),
            spans.stops.tolist(),
            strict=True,
        ):
            yield row, self.buffer[start:stop].tobytes()


@dataclass(frozen=True, slots=True, kw_only=True)
class Heads:
    """Decoded heads: their tiles, flat, still with encoded rows."""

    buffer: Bytes
    heads: Ints
    """Head that a tile belongs to; ascending."""
    levels: Ints
    starts_ms: Ints
    spans: Spans
    """Where the tiles' rows are in the buffer."""


def decode_heads(payloads: list[bytes]) -> Heads:
    """Split `HeadRow` payloads into tiles.

    Raises:
        CorruptRowError: One is malformed; the message says which.
    """
    buffer, spans = join(payloads)
    owners, tiles, _ = read_fields(buffer, spans, "a head").select(1, LENGTH, "a head's tile")
    fields = read_fields(buffer, tiles, "a tile")
    levels = np.zeros(len(tiles), dtype=np.int64)
    starts_ms = np.zeros(len(tiles), dtype=np.int64)
    rows = Spans(starts=tiles.stops.copy(), stops=tiles.stops.copy())
    for number, target, what in ((1, levels, "a tile's level"), (2, starts_ms, "a tile's start")):
        places, _, varints = fields.select(number, VARINT, what)
        _refuse_twice(places, owners[places], what)
        target[places] = zigzag(varints)
    places, pieces, _ = fields.select(3, LENGTH, "a tile's row")
    _refuse_twice(places, owners[places], "a tile's row")
    rows.starts[places] = pieces.starts
    rows.stops[places] = pieces.stops
    check((levels < 0) | (levels > LEVEL_MAX), owners, "a tile's level is out of range")
    beyond = (starts_ms < -START_MS_MAX) | (starts_ms > START_MS_MAX)
    check(beyond, owners, "a tile's start is out of range")
    return Heads(buffer=buffer, heads=owners, levels=levels, starts_ms=starts_ms, spans=rows)


def decode_rows(buffer: Bytes, spans: Spans) -> Rows:
    """Decode the tile rows that are in these spans of a joined buffer.

    Raises:
        CorruptRowError: One is malformed; the message says which.
    """
    fields = read_fields(buffer, spans, "a row")
    owners, ids, per_row = _packed(buffer, fields, 2, "counter ids")
    counter_owners, counters, counters_per_row = _packed(buffer, fields, 3, "counters")
    if not np.array_equal(owners, counter_owners) or not np.array_equal(per_row, counters_per_row):
        msg = "a row of the batch has counters and counter ids that differ in number"
        raise CorruptRowError(msg)
    _refuse_disorder(ids, np.cumsum(per_row), owners, "counter ids")
    feature_rows, entries, _ = fields.select(1, LENGTH, "a feature")
    feature_ids, values = _entries(buffer, feature_rows, entries)
    return Rows(
        count=len(spans),
        buffer=buffer,
        counter_rows=np.repeat(owners, per_row),
        counter_ids=ids.astype(np.int64),
        counters=zigzag(counters),
        feature_rows=feature_rows,
        feature_ids=feature_ids,
        feature_spans=values,
    )


def _packed(
    buffer: Bytes, fields: WireFields, number: int, what: str
) -> tuple[Ints, NDArray[np.unsignedinteger[Any]], Ints]:
    messages, spans, _ = fields.select(number, LENGTH, what)
    _refuse_twice(messages, messages, what)
    values, counts = read_packed(buffer, spans, messages, what)
    filled = counts > 0
    return messages[filled], values, counts[filled]


def _refuse_disorder(
    ids: NDArray[np.unsignedinteger[Any]], lasts: Ints, owners: Ints, what: str
) -> None:
    if not len(ids):
        return
    disorder = ids[1:] <= ids[:-1]
    disorder[lasts[:-1] - 1] = False
    beyond = ids[lasts - 1] > ID_MAX
    if disorder.any() or beyond.any():
        place = beyond.argmax()
        if disorder.any():
            place = np.searchsorted(lasts, disorder.argmax(), side="right")
        msg = f"row {int(owners[place])} of the batch: {what} do not ascend below 2^32"
        raise CorruptRowError(msg)


def _entries(buffer: Bytes, owners: Ints, entries: Spans) -> tuple[Ints, Spans]:
    fields = read_fields(buffer, entries, "a feature")
    keys, _, ids = fields.select(1, VARINT, "a feature's id")
    places, values, _ = fields.select(2, LENGTH, "a feature's value")
    everyone = np.arange(len(entries))
    for found, what in ((keys, "id"), (places, "value")):
        _refuse_twice(found, owners[found], f"a feature's {what}")
        if len(found) < len(entries):
            check(~np.isin(everyone, found), owners, f"a feature has no {what}")
    check(ids > np.uint64(ID_MAX), owners, "a feature id is out of range")
    feature_ids = ids.astype(np.int64)
    disorder = (np.diff(feature_ids) <= 0) & (np.diff(owners) == 0)
    check(disorder, owners[:-1], "feature ids do not ascend")
    return feature_ids, values


def _refuse_twice(places: Ints, owners: Ints, what: str) -> None:
    check(np.diff(places) == 0, owners[:-1], f"{what}: duplicate")


def decode_row(payload: bytes) -> Row:
    """Decode one tile row, features still encoded.

    Raises:
        CorruptRowError: It is malformed.
    """
    return decode_each([payload])[0]


def decode_each(payloads: list[bytes]) -> list[Row]:
    """Decode tile rows, features still encoded; many at once are much cheaper than one by one.

    Raises:
        CorruptRowError: One is malformed; the message says which.
    """
    rows = decode_rows(*join(payloads))
    found = [Row(counters={}, features={}) for _ in payloads]
    counters = (rows.counter_rows, rows.counter_ids, rows.counters)
    for row, counter_id, value in zip(*(each.tolist() for each in counters), strict=True):
        found[row].counters[counter_id] = value
    spans = (rows.feature_spans.starts, rows.feature_spans.stops)
    features = (rows.feature_rows, rows.feature_ids, *spans)
    for row, feature_id, start, stop in zip(*(each.tolist() for each in features), strict=True):
        found[row].features[feature_id] = rows.buffer[start:stop].tobytes()
    return found


def decode_head(payload: bytes) -> tuple[tuple[int, int, Row], ...]:
    """Decode one head into level, start and row of each tile.

    Raises:
        CorruptRowError: It is malformed.
    """
    tiles = split_head(payload)
    rows = decode_each([row for _, _, row in tiles])
    return tuple((*tile[:2], row) for tile, row in zip(tiles, rows, strict=True))


def split_head(payload: bytes) -> list[tuple[int, int, bytes]]:
    """Split one head into level, start and encoded row of each tile.

    Raises:
        CorruptRowError: The head is malformed; its rows are not looked at.
    """
    (tiles,) = split_heads([payload])
    return tiles


def split_heads(payloads: list[bytes]) -> list[list[tuple[int, int, bytes]]]:
    """Split heads, each into level, start and encoded row of each of its tiles.

    Raises:
        CorruptRowError: One is malformed; the message says which. Rows are not looked at.
    """
    heads = decode_heads(payloads)
    whole = heads.buffer.tobytes()
    places = (heads.heads, heads.levels, heads.starts_ms, heads.spans.starts, heads.spans.stops)
    found: list[list[tuple[int, int, bytes]]] = [[] for _ in payloads]
    for head, level, start_ms, start, stop in zip(*(each.tolist() for each in places), strict=True):
        found[head].append((level, start_ms, whole[start:stop]))
    return found


def decode_items(payload: bytes, carrier: Carrier) -> tuple[Item, ...]:
    """Decode one `FeatureValue` into its items, newest first.

    Raises:
        CorruptRowError: It is malformed, or holds another carrier's values.
    """
    try:
        value = FeatureValue.FromString(payload)
    except DecodeError as error:
        msg = f"a feature's value of {len(payload)} bytes is not a valid FeatureValue: {error}"
        raise CorruptRowError(msg) from error
    values = _carried(value, carrier)
    lengths = {len(value.times_ms), len(value.partitions), len(value.offsets), len(values)}
    if len(lengths) > 1:
        msg = f"a feature's value has lists of different lengths, {sorted(lengths)}, for {carrier}"
        raise CorruptRowError(msg)
    items: list[Item] = []
    time_ms = offset = 0
    for time_step, partition, offset_step, item in zip(
        value.times_ms, value.partitions, value.offsets, values, strict=True
    ):
        time_ms += time_step
        offset += offset_step
        items.append(Item(time_ms, partition, offset, item))
    return tuple(items)


def _carried(value: FeatureValue, carrier: Carrier) -> Sequence[Scalar]:
    match carrier:
        case "int":
            return list(value.integers)
        case "real":
            return list(value.reals)
        case "text":
            return _texts(value)


def _texts(value: FeatureValue) -> list[str]:
    try:
        return [text.decode() for text in value.texts]
    except UnicodeDecodeError as error:
        msg = f"a feature's text is not UTF-8: {error}"
        raise CorruptRowError(msg) from error
