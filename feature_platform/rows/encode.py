"""Encodes tile rows and heads that are put together from what rows hold: for repairs alone.

The kernel writes all other rows. That the bytes are the same is tested with its golden rows.
"""

from collections.abc import Mapping

from google.protobuf.message import DecodeError

from feature_platform.errors import CorruptRowError
from feature_platform.rows.partials import Row
from feature_platform.rows.row_pb2 import (
    FeatureEntry,
    FeaturesCombinedCompatible,
    FeatureValue,
    HeadRow,
    Tile,
    TileRow,
)


def encode_tile(row: Row) -> bytes:
    """Return the canonical payload of a tile.

    Raises:
        CorruptRowError: One of its features is malformed.
    """
    try:
        entries = [
            FeatureEntry(key=key, value=FeatureValue.FromString(value))
            for key, value in sorted(row.features.items())
        ]
    except DecodeError as error:
        msg = f"a feature's value is not a valid FeatureValue: {error}"
        raise CorruptRowError(msg) from error
    ordered = sorted(row.counters.items())
    counters = TileRow(
        counter_ids=[key for key, _ in ordered], counters=[value for _, value in ordered]
    )
    features = FeaturesCombinedCompatible(features=entries)  # a map would be in any order
    return features.SerializeToString() + counters.SerializeToString()


def encode_head_of(tiles: Mapping[tuple[int, int], bytes]) -> bytes:
    """Return the canonical payload of a head from encoded tiles by level and start."""
    message = HeadRow(
        tiles=[
            Tile(level=level, start_ms=start_ms, row=row)
            for (level, start_ms), row in sorted(tiles.items())
        ]
    )
    return message.SerializeToString()
