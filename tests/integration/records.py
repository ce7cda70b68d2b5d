"""Raw records in files, as the event log holds them."""

from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from feature_platform.testing import RawEvent

SCHEMA = pa.schema(
    {
        "key": pa.binary(),
        "value": pa.binary(),
        "partition": pa.int32(),
        "offset": pa.int64(),
        "timestamp": pa.int64(),
        "readable": pa.bool_(),
    }
)


def fields(event: RawEvent) -> dict[str, Any]:
    """Return what every file of records has of one."""
    return {
        "key": None,
        "value": event.value,
        "partition": event.partition,
        "offset": event.offset,
        "timestamp": event.timestamp_ms,
    }


def write_records(path: Path, events: list[RawEvent]) -> None:
    """Write events as the event log holds them."""
    lines = [{**fields(event), "readable": True} for event in events]
    parquet.write_table(pa.Table.from_pylist(lines, SCHEMA), path)
