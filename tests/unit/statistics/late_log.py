"""An event log of events that came late, as the archive writes one."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from feature_platform.event_log.commits import LogCommit, LogFile, commit_path
from feature_platform.feature_log.read import ArrowFolder

DAY_MS = 86_400_000
FIRST_MS = 20_000 * DAY_MS
DATE = "2024-10-04"
"""The day that begins at FIRST_MS."""

Event = tuple[int, int]
"""Event time and lateness."""


def archive(folder: Path, events: Sequence[Event]) -> None:
    """Archive events of source `posts`, a file for each day, and in each a record that is none."""
    days: dict[str, list[dict[str, int | None]]] = {}
    for time, late in events:
        row: dict[str, int | None] = {"event_time": time, "timestamp": time + late}
        days.setdefault(_date(time), []).append(row)
    root = folder / "posts" / "posts"
    schema = pa.schema([("event_time", pa.int64()), ("timestamp", pa.int64())])
    files = ArrowFolder(root.as_uri())
    added = []
    for date, rows in days.items():
        path = f"data/date={date}/00000000000000000000-a-0.parquet"
        whole = [*rows, {"event_time": None, "timestamp": FIRST_MS}]
        files.write(path, pa.Table.from_pylist(whole, schema))
        added.append(LogFile(path=path, records=len(whole), bytes=1))
    _commit(root, added)


def _commit(root: Path, added: Sequence[LogFile]) -> None:
    spans: Mapping[int, tuple[int, int]] = {0: (0, sum(each.records for each in added))}
    commit = LogCommit(number=0, at_ms=0, spans=spans, added=tuple(added))
    (root / "commits").mkdir(parents=True, exist_ok=True)
    (root / commit_path(0)).write_bytes(commit.to_bytes())


def _date(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).date().isoformat()
