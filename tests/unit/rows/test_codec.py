"""Decoding: what was encoded comes back, and no bytes ever do anything but decode or be refused."""

import contextlib
import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from feature_platform.errors import CorruptRowError
from feature_platform.rows.codec import (
    decode_head,
    decode_heads,
    decode_items,
    decode_row,
    decode_rows,
)
from feature_platform.rows.partials import Item, Row
from feature_platform.rows.row_pb2 import FeatureValue, HeadRow, TileRow
from feature_platform.rows.wire import join
from feature_platform.testing.reference_rows import encode_decoded, encode_head, encode_items
from feature_platform.tiles.layout import Carrier

IDS = st.integers(0, 2**32 - 1) | st.integers(0, 300)
LONGS = st.integers(-(2**63), 2**63 - 1) | st.integers(-70, 70)
ROWS = st.builds(
    lambda counters, features: Row(counters=counters, features=features),
    st.dictionaries(IDS, LONGS, max_size=8),
    st.dictionaries(IDS, st.binary(max_size=12), max_size=3),
)
ORDERS = st.tuples(st.integers(0, 2**53), st.integers(0, 1000), st.integers(0, 2**62))


def _sorted(row: Row) -> Row:
    return Row(
        counters=dict(sorted(row.counters.items())), features=dict(sorted(row.features.items()))
    )


@given(rows=st.lists(ROWS, max_size=20))
def test_rows_come_back(rows: list[Row]) -> None:
    """Rows decoded together are the rows that were encoded one by one."""
    payloads = [encode_decoded(row) for row in rows]

    assert [_sorted(row) for row in rows] == [decode_row(payload) for payload in payloads]
    decoded = decode_rows(*join(payloads))
    expected = [[row.counters.get(key, 0) for row in rows] for key in (7, 3)]
    assert expected == decoded.counter_matrix([7, 3]).tolist()
    present = [[key in row.counters for row in rows] for key in (7, 3)]
    assert present == decoded.counter_presence([7, 3]).tolist()


@given(rows=st.lists(ROWS, max_size=5))
def test_encoded_features_are_found_by_id(rows: list[Row]) -> None:
    """Asking for one feature gives its bytes for the rows that have it."""
    decoded = decode_rows(*join([encode_decoded(row) for row in rows]))

    for feature_id in {feature_id for row in rows for feature_id in row.features}:
        expected = [
            (index, row.features[feature_id])
            for index, row in enumerate(rows)
            if feature_id in row.features
        ]
        assert expected == list(decoded.encoded_features(feature_id))


@given(
    heads=st.lists(
        st.dictionaries(
            st.tuples(st.integers(0, 6), st.integers(0, 2**45)),
            ROWS.map(encode_decoded),
            max_size=6,
        ),
        max_size=5,
    )
)
def test_heads_come_back(heads: list[dict[tuple[int, int], bytes]]) -> None:
    """Tiles of a head come back in order, whatever their rows hold."""
    payloads = [encode_head(head) for head in heads]
    decoded = decode_heads(payloads)

    tiles = [
        (index, level, start_ms, row)
        for index, head in enumerate(heads)
        for (level, start_ms), row in sorted(head.items())
    ]
    pieces = [
        decoded.buffer[start:stop].tobytes()
        for start, stop in zip(decoded.spans.starts, decoded.spans.stops, strict=True)
    ]
    assert tiles == list(
        zip(
            decoded.heads.tolist(),
            decoded.levels.tolist(),
            decoded.starts_ms.tolist(),
            pieces,
            strict=True,
        )
    )
    for payload, head in zip(payloads, heads, strict=True):
        assert tuple((*key, decode_row(row)) for key, row in sorted(head.items())) == decode_head(
            payload
        )


@pytest.mark.parametrize(
    ("carrier", "values"),
    [
        ("int", st.integers(-(2**63), 2**63 - 1)),
        ("real", st.floats(allow_nan=False)),
        ("text", st.text(max_size=5)),
    ],
)
def test_items_come_back(carrier: Carrier, values: st.SearchStrategy[int | float | str]) -> None:
    """Items of every carrier come back in their order."""

    @given(st.lists(st.tuples(ORDERS, values), max_size=5, unique_by=lambda entry: entry[0]))
    def check(entries: list[tuple[tuple[int, int, int], int | float | str]]) -> None:
        items = tuple(Item(*order, value) for order, value in sorted(entries, reverse=True))
        assert items == decode_items(encode_items(carrier, items), carrier)

    check()


@given(row=ROWS)
def test_the_canonical_bytes_are_protobuf(row: Row) -> None:
    """The protobuf library reads the canonical bytes as the same message."""
    plain = Row(counters=row.counters, features=dict.fromkeys(row.features, b""))

    message = TileRow.FromString(encode_decoded(plain))

    assert row.counters == dict(zip(message.counter_ids, message.counters, strict=True))
    assert set(row.features) == set(message.features)


@given(payload=st.binary(max_size=60))
@example(b"\x12\x01\x80\x1a\x00")
@example(b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f")
def test_any_bytes_decode_or_are_refused(payload: bytes) -> None:
    """Bytes of any kind give a value or `CorruptRowError`, nothing else."""
    for decode in (decode_row, decode_head, lambda data: decode_items(data, "text")):
        with contextlib.suppress(CorruptRowError):
            decode(payload)


@given(row=ROWS, seed=st.integers(0, 2**32))
def test_a_damaged_row_decodes_or_is_refused(row: Row, seed: int) -> None:
    """Flipping, cutting and inserting bytes of a good row never does anything else either."""
    chance = random.Random(seed)  # noqa: S311 - for damage, not for secrets
    payload = bytearray(encode_decoded(row) + b"\x00")
    place = chance.randrange(len(payload))
    payload[place : place + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
    for damaged in (bytes(payload), encode_head({(1, 60_000): bytes(payload)})):
        for decode in (decode_row, decode_head):
            with contextlib.suppress(CorruptRowError):
                decode(damaged)


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        (b"\x12\x01\x01\x1a\x02\x01", "a row is cut off"),
        (b"\x12\x01\x81\x1a\x01\x02", "counter ids end inside a number"),
        (b"\x12\x02\x01\x02\x1a\x01\x02", "differ in number"),
        (b"\x12\x01\x01", "differ in number"),
        (b"\x12\x02\x02\x01\x1a\x02\x02\x02", "counter ids do not ascend"),
        (b"\x12\x01\x01\x12\x01\x02\x1a\x01\x02", "counter ids: duplicate"),
        (b"\x10\x01", "counter ids has a wrong wire type"),
        (b"\x0a\x02\x08\x01", "a feature has no value"),
        (b"\x0a\x02\x12\x00", "a feature has no id"),
        (b"\x03", "unknown wire type"),
        (b"\x02\x00", "field of number 0"),
        (b"\x12\x0b" + b"\x80" * 10 + b"\x01\x1a\x01\x02", "a number too long"),
        (b"\x80" * 11, "a number is longer than 10 bytes"),
        (b"\x80", "ends inside a number"),
    ],
)
def test_what_is_wrong_is_said(payload: bytes, problem: str) -> None:
    """The message names the row of the batch and the problem."""
    with pytest.raises(CorruptRowError, match=problem):
        decode_rows(*join([b"", payload]))


@pytest.mark.parametrize(
    ("value", "carrier", "problem"),
    [
        (b"\xff", "int", "is not a valid FeatureValue"),
        (FeatureValue(times_ms=[1]).SerializeToString(), "int", "different lengths"),
        (
            FeatureValue(
                times_ms=[1], partitions=[1], offsets=[1], texts=[b"\xff"]
            ).SerializeToString(),
            "text",
            "not UTF-8",
        ),
    ],
)
def test_bad_items_are_refused(value: bytes, carrier: Carrier, problem: str) -> None:
    """A feature's value must be one, have even lists, and hold text where text is expected."""
    with pytest.raises(CorruptRowError, match=problem):
        decode_items(value, carrier)


def test_unknown_fields_are_skipped() -> None:
    """A row of a newer writer with fields unknown here still gives the known ones."""
    newer = b"\x12\x01\x05\x1a\x01\x02" + b"\x20\x07" + b"\x2a\x01x" + b"\x31" + bytes(8)

    assert Row(counters={5: 1}, features={}) == decode_row(newer)


def test_a_head_says_what_is_wrong_with_it() -> None:
    """Levels and starts out of range are refused."""
    for tile, problem in (
        ({"level": -1}, "level is out of range"),
        ({"level": 64}, "level is out of range"),
        ({"start_ms": -(2**63)}, "start is out of range"),
        ({"start_ms": 2**60}, "start is out of range"),
    ):
        head = HeadRow(tiles=[tile]).SerializeToString()
        with pytest.raises(CorruptRowError, match=problem):
            decode_heads([head])
