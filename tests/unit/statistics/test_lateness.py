"""How late events came, by day, compared with a plain count."""

import itertools
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_platform.errors import CallerError
from feature_platform.event_log.commits import LogCommit, LogFile, commit_path
from feature_platform.feature_log.read import ArrowFolder
from feature_platform.statistics.lateness import LATE_MS, Lateness
from tests.unit.debug.debug_case import featureset

DAY_MS = 86_400_000
FIRST_MS = 20_000 * DAY_MS
DATE = "2024-10-04"

Event = tuple[int, int]
"""Event time and lateness."""


def log_of(folder: Path, events: list[Event]) -> Lateness:
    """Archive events of one day, and a record that is none."""
    root = folder / "posts" / "posts"
    path = f"data/date={DATE}/00000000000000000000-a-0.parquet"
    rows: list[dict[str, int | None]] = [
        {"event_time": time, "timestamp": time + late} for time, late in events
    ]
    rows.append({"event_time": None, "timestamp": FIRST_MS})
    schema = pa.schema([("event_time", pa.int64()), ("timestamp", pa.int64())])
    files = ArrowFolder(root.as_uri())
    files.write(path, pa.Table.from_pylist(rows, schema))
    file = LogFile(path=path, records=len(rows), bytes=1)
    commit = LogCommit(number=0, at_ms=0, spans={0: (0, len(rows))}, added=(file,))
    (root / "commits").mkdir(parents=True, exist_ok=True)
    (root / commit_path(0)).write_bytes(commit.to_bytes())
    return Lateness(folder.as_uri(), "posts", "posts")


times = st.integers(FIRST_MS, FIRST_MS + DAY_MS - 1)
lates = st.integers(-5_000, 3 * DAY_MS)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(times, lates), min_size=1, max_size=30))
def test_it_is_a_plain_count(tmp_path_factory: pytest.TempPathFactory, events: list[Event]) -> None:
    """Bars, early ones, and the tiles that had ended or were gone."""
    made = log_of(tmp_path_factory.mktemp("log"), events).day(DATE, [featureset()])
    assert made.events == len(events)
    assert made.early == sum(late < -1_000 for _, late in events)
    edges = [-(10**12), *LATE_MS, 10**15]
    expected = [
        sum(low < late <= high for _, late in events) for low, high in itertools.pairwise(edges)
    ]
    assert list(made.bars) == expected
    (minute, *_) = made.levels
    assert minute.level == "1m"
    ends = [(time // 60_000 + 1) * 60_000 for time, _ in events]
    came = [time + late for time, late in events]
    assert minute.ended == sum(at >= end for at, end in zip(came, ends, strict=True))
    assert minute.gone <= minute.ended
    assert made.measures["max"] == max(late for _, late in events)


def test_days_that_are_not_there(tmp_path: Path) -> None:
    """It says which are, or how to archive some."""
    with pytest.raises(CallerError, match="run fp archive posts first"):
        Lateness(tmp_path.as_uri(), "posts", "posts")
    made = log_of(tmp_path, [(FIRST_MS, 0)])
    with pytest.raises(CallerError, match="there is 2024-10-04 to 2024-10-04"):
        made.day("2024-10-05", [])
