"""What the benchmark of training sets works on: an event log, spines, and a definition.

Entities come from a Zipf law, so that the most frequent one has an eighth of all events and of all
rows of a spine.
"""

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.rig import HERE, TOPIC, say
from bench.workload import ACTIONS, Workload, record_columns
from feature_platform.definition.feature_list import FeatureList, ListedFeature
from feature_platform.definition.loading import load_project
from feature_platform.event_log.commits import LogCommit, LogFile, commit_path, data_path
from feature_platform.plan.snapshot import Snapshot
from feature_platform.testing.deployed import snapshot_of

NAME = "post_history"
FILE_EVENTS = 500_000
DAY_MS = 86_400_000
SPAN_MS = 10 * DAY_MS
END_MS = 1_790_000_000_000 // DAY_MS * DAY_MS
START_MS = END_MS - SPAN_MS
WINDOWS = {"30m": 1_800_000, "2h": 7_200_000, "1d": DAY_MS, "5d": 5 * DAY_MS}
BATCH_ROWS = 1_000_000
FILTERS = {
    **{each: f"action = '{each}'" for each in ACTIONS},
    **{f"long_{each}": f"action = '{each}' AND watch_ms > 30000" for each in ACTIONS},
    "all": "watch_ms >= 0",
    "brief": "watch_ms < 5000",
}
COLUMNS = {
    f"{name}_{what}": (f"{call}", condition)
    for name, condition in FILTERS.items()
    for what, call in (("count", "COUNT(*)"), ("watched", "SUM(watch_ms)"))
}
"""By stored column, its aggregate and which events it is about."""
NAMES = [f"{column}_{window}" for column in COLUMNS for window in (*WINDOWS, "lifetime")]
"""Of the hundred features."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """A project with an event log and spines."""

    folder: Path

    @property
    def snapshot(self) -> Snapshot:
        """The feature set, as if it were deployed."""
        project = load_project(self.folder / "featuresets").checked()
        return snapshot_of(project.featuresets[NAME])

    @property
    def wanted(self) -> FeatureList:
        """A list of its hundred features."""
        features = tuple(ListedFeature(name=f"{NAME}.{name}", shown_as=name) for name in NAMES)
        return FeatureList(name="bench", version=1, features=features)

    @property
    def events(self) -> list[str]:
        """The files of the log."""
        return [str(path) for path in sorted(self.log.glob("data/*/*.parquet"))]

    @property
    def log(self) -> Path:
        """The folder of the source's log."""
        return self.folder / ".fp" / "event_log" / TOPIC / TOPIC

    def spine(self, rows: int) -> Path:
        """Return a spine of a number of rows; it is drawn if it is not there."""
        path = self.folder / f"spine-{rows}.parquet"
        if not path.exists():
            say(f"drawing a spine of {rows:,} rows")
            _write_spine(path, rows)
        return path


def make(folder: Path, events: int) -> Data:
    """Write definition and event log, unless the folder has as many events."""
    data, said = Data(folder=folder), folder / "events.json"
    if said.exists() and json.loads(said.read_text()) == events:
        return data
    for part in ("featuresets", ".fp"):
        shutil.rmtree(folder / part, ignore_errors=True)
    for path in folder.glob("spine-*"):
        path.unlink()
    sources = HERE / "project" / "featuresets" / "sources"
    shutil.copytree(sources, folder / "featuresets" / "sources")
    (folder / "featuresets" / f"{NAME}.yaml").write_text(definition())
    say(f"drawing {events:,} events")
    _write_log(data.log, events)
    said.write_text(json.dumps(events))
    return data


def definition() -> str:
    """Return the feature set: sums and counts, which prefix sums in SQL can answer, too."""
    columns = [
        f"         {call} FILTER (WHERE {condition}) AS {name}"
        for name, (call, condition) in COLUMNS.items()
    ]
    served = f"{{windows: [{', '.join(WINDOWS)}], lifetime: true}}"
    return "\n".join(
        [
            f"featureset: {NAME}",
            "entity: post_id",
            f"source: {TOPIC}",
            "sql: |",
            "  SELECT post_id,",
            ",\n".join(columns),
            f"  FROM {TOPIC}",
            "  GROUP BY post_id",
            "features:",
            *(f"  {name}: {served}" for name in COLUMNS),
            "",
        ]
    )


def _write_log(folder: Path, count: int) -> None:
    """Write an event log of one commit, in the order of event times, without late events."""
    files = list(_log_files(folder, count))
    (folder / "commits").mkdir()
    commit = LogCommit(number=0, at_ms=END_MS, spans={0: (0, count)}, added=tuple(files))
    (folder / commit_path(0)).write_bytes(commit.to_bytes())


def _log_files(folder: Path, count: int) -> Iterator[LogFile]:
    workload = Workload(7)
    for first in range(0, count, FILE_EVENTS):
        size = min(FILE_EVENTS, count - first)
        offsets = np.arange(first, first + size, dtype=np.int64)
        times = START_MS + offsets * SPAN_MS // count
        table = pa.table(
            {
                **record_columns(workload, first, times),
                "event_time": pa.array(times),
                "reason": pa.nulls(size, pa.string()),
            }
        )
        workload.drawn.clear()
        date = datetime.fromtimestamp(times[0] / 1000, UTC).date()
        path = data_path(f"date={date}", 0, "00000000", first // FILE_EVENTS)
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, folder / path, compression="zstd")
        yield LogFile(path=path, records=size, bytes=(folder / path).stat().st_size)


def _write_spine(path: Path, rows: int) -> None:
    """Write rows of any order: a key, an instant and a label."""
    workload, random = Workload(8), np.random.default_rng(9)
    schema = pa.schema({"row": pa.int64(), "post_id": pa.int64(), "at": pa.int64()})
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for first in range(0, rows, BATCH_ROWS):
            size = min(BATCH_ROWS, rows - first)
            numbers = np.arange(first, first + size, dtype=np.int64)
            instants = random.integers(START_MS + 1, END_MS - SPAN_MS // 1_000, size)
            posts = workload.draw(size).posts
            workload.drawn.clear()
            writer.write_table(pa.table([numbers, posts, instants], schema=schema))


def differing(ours: Path, files: Sequence[str], theirs: Path) -> list[str]:
    """Return the columns in which two answers differ; those of theirs are in any order."""
    order = np.argsort(pq.read_table(theirs, columns=["row"])["row"].to_numpy())
    wrong = []
    for name in ("row", "post_id", "at", *NAMES):
        parts = [pq.read_table(ours / file, columns=[name])[name].to_numpy() for file in files]
        found = pq.read_table(theirs, columns=[name])[name].to_numpy()[order]
        if not np.array_equal(np.concatenate(parts), found):
            wrong.append(name)
    return wrong
