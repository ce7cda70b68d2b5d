"""Statistics of a day's events equal what plain Python counts; one test is from end to end."""

import json
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from backfill.event_rows import event_rows
from feature_platform.definition.loading import load_project
from feature_platform.definition.model import FeatureSet
from feature_platform.engines.event_rows_request import EventRowsTask
from feature_platform.event_log.commits import Log, LogFile
from feature_platform.event_log.dates import DAY_MS, first_ms_of, reading
from feature_platform.feature_log.read import ArrowFolder
from feature_platform.paths import file_uri
from feature_platform.plan.job_source import JobSource
from feature_platform.statistics import event_days
from feature_platform.statistics.column import ColumnStatistics
from feature_platform.statistics.event_days import EventDays
from feature_platform.statistics.kept import KeptStatistics
from feature_platform.statistics.sketches import short
from feature_platform.statistics.unmatched import DEAD_LETTERS, EVENTS
from feature_platform.testing import Mix, Oracle, RawEvent, generate_events
from feature_platform.testing.deployed import snapshot_of
from feature_platform.testing.expressions import evaluate, is_true
from feature_platform.testing.reference_events import Accepted, DeadLetter, judge
from tests.integration.everything import EVERYTHING, SOURCE
from tests.integration.records import write_records

NAME = "everything"
DATE = "2026-02-28"
START_MS = first_ms_of(DATE)
MIX = Mix(
    count=12_000,
    entities=60,
    end_ms=START_MS + DAY_MS * 3 // 2,
    span_ms=2 * DAY_MS,
    partitions=3,
    extreme=0.05,
)


class Reader:
    """Answers in the Spark of this process, from records in a file."""

    def __init__(self, spark: SparkSession, records: Path) -> None:
        """Read a file."""
        self.spark, self.records = spark, records
        self.tasks: list[EventRowsTask] = []

    def write(self, task: EventRowsTask, name: str) -> None:
        """Write the rows of all records."""
        assert name == NAME
        again = EventRowsTask.from_json(json.loads(json.dumps(task.to_json())))
        raw = self.spark.read.parquet(str(self.records)).drop("readable")
        event_rows(self.spark, raw, again).write.parquet(task.rows)
        self.tasks.append(again)


@pytest.fixture(scope="module", name="featureset")
def _featureset(tmp_path_factory: pytest.TempPathFactory) -> FeatureSet:
    folder = tmp_path_factory.mktemp("featuresets")
    (folder / "sources").mkdir()
    (folder / "sources" / f"{NAME}.yaml").write_text(SOURCE.format(name=NAME))
    text = EVERYTHING.format(name=NAME).replace("'view'", "'veiw'", 1)
    assert "'veiw'" in text
    (folder / f"{NAME}.yaml").write_text(text)
    return load_project(folder).checked().featuresets[NAME]


@pytest.fixture(scope="module", name="raw")
def _raw(featureset: FeatureSet) -> list[RawEvent]:
    return list(generate_events(featureset.source, featureset.entity, MIX, seed=7))


def days_of(
    folder: Path, featureset: FeatureSet, records: int, reader: Reader
) -> tuple[EventDays, list[str]]:
    """Return a log of one file with some records of the day; what is said of it comes later."""
    path = f"data/date={DATE}/one.parquet"
    ours = reading(JobSource.of(featureset.source, featureset.reads))
    log = Log(
        next_number=1,
        files={path: LogFile(path=path, records=records, bytes=1)},
        readings={path: ours},
    )
    days = EventDays(
        featureset, ArrowFolder(file_uri(folder)), log, Log(), reader, folder / "scratch"
    )
    return days, []


def counted_by_hand(
    featureset: FeatureSet, raw: list[RawEvent]
) -> tuple[list[Accepted], Mapping[str, list[Any]], int]:
    """Return the day's rows after WHERE, what each feature takes of them, and all its events."""
    oracle = Oracle(featureset, snapshot_of(featureset).layout, raw)
    rows = [row for rows in oracle.rows.values() for row in rows]
    day = [row for row in rows if START_MS <= row.time_ms < START_MS + DAY_MS]
    taken: dict[str, list[Any]] = {}
    for name, call in oracle._calls.items():
        matched = [row for row in day if is_true(call.condition, row.columns)]
        taken[name] = [
            None if call.star else evaluate(call.argument, row.columns) for row in matched
        ]
    judged = [
        judge(oracle.featureset.source, featureset.entity, event, featureset.sum_scales)
        for event in raw
    ]
    events = [each for each in judged if not isinstance(each, DeadLetter)]
    return day, taken, sum(START_MS <= each.time_ms < START_MS + DAY_MS for each in events)


def assert_same(column: ColumnStatistics, values: list[Any]) -> None:
    """Check a column against the values that a feature takes."""
    assert column.rows == len(values), column.name
    if column.kind == "event":
        return
    known = [each for each in values if each is not None]
    assert column.nulls == len(values) - len(known), column.name
    zeros = sum(not each for each in known)
    assert column.zeros == zeros, column.name
    different = len(set(known))
    assert column.distinct == pytest.approx(different, rel=0.06, abs=1), column.name
    if column.kind == "number" and known:
        assert column.finite == len(known), column.name
        mean = float(sum(Fraction(float(each)) for each in known) / len(known))
        most = max(abs(float(each)) for each in known)
        assert column.mean == pytest.approx(mean, rel=1e-9, abs=most * 1e-9), column.name
        assert column.numbers.get_min_value() == float(min(known)), column.name
        assert column.numbers.get_max_value() == float(max(known)), column.name
    if column.kind == "text":
        assert dict(column.top[:3]) == pytest.approx(
            dict(sorted(Counter(known).items(), key=lambda each: (-each[1], each[0]))[:3])
        ), column.name


def test_a_day_equals_plain_python(
    spark: SparkSession, featureset: FeatureSet, raw: list[RawEvent], tmp_path: Path
) -> None:
    """Every aggregate and type over late, repeated, odd and unreadable events."""
    write_records(tmp_path / "records.parquet", raw)
    reader = Reader(spark, tmp_path / "records.parquet")
    days, said = days_of(tmp_path, featureset, len(raw), reader)
    found = KeptStatistics(days, said.append).day(DATE).shown()
    rows, taken, events = counted_by_hand(featureset, raw)

    assert len(rows) > 1_000
    assert len(taken) == len(featureset.features)
    for name, values in taken.items():
        assert_same(found[name], values)
        assert found[name].seen == len(rows)
    assert (found[EVENTS].rows, found[EVENTS].seen) == (len(rows), events)
    assert events > len(rows)
    letters = found[DEAD_LETTERS]
    assert (letters.rows, letters.seen) == (len(raw) - events, len(raw))  # all are in its file
    actions = Counter(row.columns["action"] for row in rows)
    assert found["(action)"].nulls == actions.pop(None)
    assert dict(found["(action)"].top) == {
        short(str(action)): rows for action, rows in actions.items()
    }
    assert (found["views"].kind, found["views"].rows) == ("event", 0)
    assert not [*(tmp_path / "scratch").glob("events-*")]
    kept, _ = days_of(tmp_path, featureset, len(raw), reader)
    again = KeptStatistics(kept, said.append).day(DATE).shown()
    assert {name: each.measures() for name, each in again.items()} == {
        name: each.measures() for name, each in found.items()
    }
    assert len(reader.tasks) == 1


def test_a_large_day_is_sampled(
    spark: SparkSession,
    featureset: FeatureSet,
    raw: list[RawEvent],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One of some records, chosen by their places: the shares stay about the same."""
    monkeypatch.setattr(event_days, "EVENTS_MAX", len(raw) // 4)
    write_records(tmp_path / "records.parquet", raw)
    reader = Reader(spark, tmp_path / "records.parquet")
    days, said = days_of(tmp_path, featureset, len(raw), reader)
    day = KeptStatistics(days, said.append).day(DATE)
    rows, taken, _ = counted_by_hand(featureset, raw)

    assert day.sample == 4
    found = day.shown()
    assert found["events"].rows == pytest.approx(len(rows) / 4, rel=0.1)
    share = len(taken["recent_actions"]) / len(rows)
    assert found["recent_actions"].measures()["matched"] == pytest.approx(share, abs=0.05)
    assert DEAD_LETTERS not in found


def test_a_day_without_events_has_every_line(
    spark: SparkSession, featureset: FeatureSet, tmp_path: Path
) -> None:
    """No event of the day among its records: each feature is there, with no row."""
    early = [RawEvent(partition=0, offset=0, timestamp_ms=START_MS, value=b"{")]
    write_records(tmp_path / "records.parquet", early)
    reader = Reader(spark, tmp_path / "records.parquet")
    days, said = days_of(tmp_path, featureset, 1, reader)
    found = KeptStatistics(days, said.append).day(DATE).shown()

    assert {found[each.name].rows for each in featureset.features} == {0}
    assert (found[DEAD_LETTERS].rows, found[EVENTS].seen) == (1, 0)
