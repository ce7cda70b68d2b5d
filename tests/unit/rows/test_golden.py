"""Golden rows: bytes that the kernel wrote, decoded here and written again byte by byte."""

import json
from pathlib import Path
from typing import Any

import pytest

from feature_platform.rows.codec import decode_head, decode_items, decode_row
from feature_platform.rows.encode import encode_head_of, encode_tile
from feature_platform.rows.partials import Item, Row
from feature_platform.rows.row_pb2 import (
    FeaturesCombined,
    FeaturesCombinedCompatible,
    FeaturesCombinedLazy,
    HeadRow,
    TileRow,
)
from feature_platform.testing.reference_rows import encode_decoded, encode_head, encode_items

FOLDER = Path(__file__).parents[2] / "golden" / "rows"


def _cases(name: str) -> list[Any]:
    lines = (FOLDER / name).read_text().splitlines()
    return [pytest.param(case, id=case["name"]) for case in map(json.loads, lines)]


def _encode_tile(tile: dict[str, Any]) -> bytes:
    features = {
        int(feature_id): encode_items(feature["carrier"], _items(feature))
        for feature_id, feature in tile["features"].items()
    }
    counters = {int(counter_id): value for counter_id, value in tile["counters"].items()}
    return encode_decoded(Row(counters=counters, features=features))


def _items(feature: dict[str, Any]) -> tuple[Item, ...]:
    return tuple(
        Item(time_ms, partition, offset, float(value) if feature["carrier"] == "real" else value)
        for time_ms, partition, offset, value in feature["items"]
    )


def _expect(tile: dict[str, Any], row: Row) -> None:
    assert {int(key): value for key, value in tile["counters"].items()} == row.counters
    assert {int(key) for key in tile["features"]} == set(row.features)
    for key, feature in tile["features"].items():
        assert _items(feature) == decode_items(row.features[int(key)], feature["carrier"])


@pytest.mark.parametrize("case", _cases("tiles.jsonl"))
def test_a_golden_tile(case: dict[str, Any]) -> None:
    """A tile's bytes decode to what they stand for, and that is written as the same bytes."""
    payload = bytes.fromhex(case["hex"])

    assert case["hex"] == _encode_tile(case["tile"]).hex()
    _expect(case["tile"], decode_row(payload))


@pytest.mark.parametrize("case", _cases("heads.jsonl"))
def test_a_golden_head(case: dict[str, Any]) -> None:
    """A head's bytes decode to its tiles, and these are written as the same bytes."""
    payload = bytes.fromhex(case["hex"])
    tiles = case["head"]["tiles"]
    encoded = {(tile["level"], tile["start_ms"]): _encode_tile(tile["tile"]) for tile in tiles}

    decoded = decode_head(payload)

    assert case["hex"] == encode_head(encoded).hex()
    assert [(tile["level"], tile["start_ms"]) for tile in tiles] == [key[:2] for key in decoded]
    for tile, (_, _, row) in zip(tiles, decoded, strict=True):
        _expect(tile["tile"], row)


@pytest.mark.parametrize("case", [*_cases("tiles.jsonl"), *_cases("heads.jsonl")])
def test_what_a_repair_encodes_is_what_the_kernel_writes(case: dict[str, Any]) -> None:
    """A row that is taken apart and put together again has the same bytes."""
    payload = bytes.fromhex(case["hex"])
    if "tile" in case:
        assert encode_tile(decode_row(payload)) == payload
    else:
        tiles = {key[:2]: encode_tile(key[2]) for key in decode_head(payload)}
        assert encode_head_of(tiles) == payload


@pytest.mark.parametrize("case", [*_cases("tiles.jsonl"), *_cases("heads.jsonl")])
def test_the_protobuf_library_reads_golden_rows(case: dict[str, Any]) -> None:
    """Golden bytes are protobuf of the published messages and hold nothing unknown to them."""
    payload = bytes.fromhex(case["hex"])
    message = TileRow.FromString(payload) if "tile" in case else HeadRow.FromString(payload)

    assert len(payload) == message.ByteSize()


@pytest.mark.parametrize("case", _cases("tiles.jsonl"))
def test_the_three_readings_of_features_are_the_same_bytes(case: dict[str, Any]) -> None:
    """A map, a list of entries, a list of encoded entries: written again, all give equal bytes."""
    features = decode_row(bytes.fromhex(case["hex"])).features
    payload = encode_decoded(Row(counters={}, features=features))

    lazy = FeaturesCombinedLazy.FromString(payload)
    compatible = FeaturesCombinedCompatible.FromString(payload)
    combined = FeaturesCombined.FromString(payload)

    assert payload == lazy.SerializeToString()
    assert payload == compatible.SerializeToString()
    assert set(features) == set(combined.features)
    if len(features) <= 1:  # of more, a map's order is the library's own
        assert payload == combined.SerializeToString()
    assert combined == FeaturesCombined.FromString(lazy.SerializeToString())
