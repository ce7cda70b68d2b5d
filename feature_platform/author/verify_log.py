"""Drawn events as an archived event log: Spark reads them as it reads real ones."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from feature_platform.event_log.commits import LogCommit, LogFile, commit_path, data_path
from feature_platform.event_log.dates import reading
from feature_platform.plan.job_source import JobSource
from feature_platform.testing import RawEvent

_SCHEMA = pa.schema(
    {
        "key": pa.binary(),
        "value": pa.binary(),
        "partition": pa.int32(),
        "offset": pa.int64(),
        "timestamp": pa.int64(),
    }
)
_TOKEN = "verified"  # noqa: S105 - of a file's name


def write_log(root: Path, source: JobSource, events: Sequence[RawEvent], at_ms: int) -> None:
    """Write events as the only commit of a source's log.

    Args:
        root: The folder of all event logs.
        source: Whose they are.
        events: All of its topic, offsets from 0 on.
        at_ms: When they were archived.
    """
    folder = root / source.name / source.topic
    date = datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat()
    path = data_path(f"date={date}", 0, _TOKEN, 0)
    file = folder / path
    file.parent.mkdir(parents=True)
    rows = [
        {
            "key": None,
            "value": each.value,
            "partition": each.partition,
            "offset": each.offset,
            "timestamp": each.timestamp_ms,
        }
        for each in events
    ]
    parquet.write_table(pa.Table.from_pylist(rows, _SCHEMA), file)
    commit = LogCommit(
        number=0,
        at_ms=at_ms,
        spans={part: (0, end) for part, end in ends_of(events).items()},
        added=(LogFile(path=path, records=len(events), bytes=file.stat().st_size),),
        reading=reading(source),
    )
    target = folder / commit_path(0)
    target.parent.mkdir(parents=True)
    target.write_bytes(commit.to_bytes())


def ends_of(events: Sequence[RawEvent]) -> dict[int, int]:
    """Return the offset behind the last event of each partition."""
    ends: dict[int, int] = {}
    for each in events:
        ends[each.partition] = max(ends.get(each.partition, 0), each.offset + 1)
    return ends
