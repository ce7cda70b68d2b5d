"""Archived records as the reference reads them."""

from collections.abc import Iterator

import pyarrow as pa

from feature_platform.feature_log.read import ArrowFolder
from feature_platform.testing.reference_events import RawEvent

BATCH_ROWS = 65_536
COLUMNS = ["value", "partition", "offset", "timestamp"]


def batches(folder: ArrowFolder, path: str) -> Iterator[pa.RecordBatch]:
    """Yield the records of a file of an event log, some at a time.

    Raises:
        EventLogError: It is missing, or none.
    """
    with folder.parquet(path) as opened:
        yield from opened.iter_batches(BATCH_ROWS, columns=COLUMNS)


def raw_events(batch: pa.RecordBatch) -> Iterator[RawEvent]:
    """Yield the records of a batch."""
    for row in batch.to_pylist():
        yield RawEvent(
            value=row["value"],
            partition=row["partition"],
            offset=row["offset"],
            timestamp_ms=row["timestamp"],
        )
