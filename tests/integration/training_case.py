"""A feature set with a log of its events on the disk, and spines to ask about it."""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet
from pyspark.sql import SparkSession

from backfill.as_of import answer
from feature_platform.definition.feature_list import FeatureList, ListedFeature
from feature_platform.definition.loading import load_project
from feature_platform.definition.model import FeatureSet
from feature_platform.engines.spark_facts import AsOfAnswered, LogSpan
from feature_platform.engines.spark_request import AsOfTask
from feature_platform.errors import SparkFailedError
from feature_platform.event_log.commits import LogCommit, LogFile, commit_path
from feature_platform.plan.snapshot import Snapshot
from feature_platform.testing import Mix, Oracle, RawEvent, generate_events
from feature_platform.testing.deployed import snapshot_of
from feature_platform.testing.reference_training import TrainingOracle
from feature_platform.tiles.grid import floor_ms
from tests.integration.everything import SOURCE

HOUR_MS = 3_600_000
END_MS = 1_772_366_400_000
"""2026-03-01T12:00Z"""
MIX = Mix(count=4_000, entities=40, end_ms=END_MS, span_ms=60 * HOUR_MS, partitions=4)
LOG_SCHEMA = pa.schema(
    {
        "key": pa.binary(),
        "value": pa.binary(),
        "partition": pa.int32(),
        "offset": pa.int64(),
        "timestamp": pa.int64(),
        "event_time": pa.int64(),
        "reason": pa.string(),
    }
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A feature set, its events in a log on the disk, and the oracle."""

    featureset: FeatureSet
    snapshot: Snapshot
    raw: list[RawEvent]
    oracle: Oracle
    log: Path

    @cached_property
    def arrived_ms(self) -> Mapping[tuple[int, int], int]:
        """When each event was appended, by partition and offset."""
        return {(event.partition, event.offset): event.timestamp_ms for event in self.raw}

    @property
    def training(self) -> TrainingOracle:
        """What rows must be."""
        return TrainingOracle(self.oracle, self.raw)

    @property
    def everything(self) -> FeatureList:
        """A list of all that the feature set serves; every other one has a default."""
        names = [name for feature in self.snapshot.features for name in feature.served_names]
        features = tuple(
            ListedFeature(name=f"{self.snapshot.featureset}.{name}", shown_as=name)
            for name in names
        )
        return FeatureList(name="all", version=3, features=features)


class InProcess:
    """Answers in this process's Spark; may be told to die after some feature sets."""

    def __init__(self, session: SparkSession, log: Path, dies_after: int = 1_000) -> None:
        """Use a session and a log."""
        self.session, self.log, self.left = session, log, dies_after
        self.asked: list[str] = []

    def answer(self, task: AsOfTask, name: str, again: str) -> Iterator[LogSpan | AsOfAnswered]:
        """Answer, after the task has been through its JSON."""
        assert (name, again) == ("all", "fp training-set all")
        self.asked += [part.job.job.featureset for part in task.parts]
        facts: list[LogSpan | AsOfAnswered] = []
        told = AsOfTask.from_json(json.loads(json.dumps(task.to_json())))
        answer(self.session, str(self.log), told, facts.append)
        for fact in facts:
            if isinstance(fact, AsOfAnswered):
                self.left -= 1
                if self.left < 0:
                    msg = "killed"
                    raise SparkFailedError(msg)
            yield fact


def case(folder: Path, name: str, definition: str, seed: int, mix: Mix = MIX) -> Case:
    """Make a feature set, and a log of events of its source."""
    featuresets = folder / "featuresets"
    (featuresets / "sources").mkdir(parents=True)
    (featuresets / "sources" / f"{name}.yaml").write_text(SOURCE.format(name=name))
    (featuresets / f"{name}.yaml").write_text(definition.format(name=name))
    featureset = load_project(featuresets).checked().featuresets[name]
    raw = list(generate_events(featureset.source, featureset.entity, mix, seed=seed))
    snapshot = snapshot_of(featureset)
    oracle = Oracle(featureset, snapshot.layout, raw)
    write_log(folder / "log" / name / name, raw, oracle)
    return Case(
        featureset=featureset, snapshot=snapshot, raw=raw, oracle=oracle, log=folder / "log"
    )


def write_log(folder: Path, raw: Sequence[RawEvent], oracle: Oracle) -> None:
    """Write an event log of one commit, its records in any order."""
    times = {
        (row.partition, row.offset): row.time_ms for rows in oracle.rows.values() for row in rows
    }
    lines = [
        {
            "key": None,
            "value": event.value,
            "partition": event.partition,
            "offset": event.offset,
            "timestamp": event.timestamp_ms,
            "event_time": times.get((event.partition, event.offset)),
            "reason": None,
        }
        for event in raw
    ]
    random.Random(1).shuffle(lines)  # noqa: S311
    files = []
    for number in range(3):
        path = f"data/date=2026-03-01/{0:020d}-0000000{number}-0.parquet"
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        part = lines[number::3]
        parquet.write_table(pa.Table.from_pylist(part, LOG_SCHEMA), folder / path)
        files.append(LogFile(path=path, records=len(part), bytes=(folder / path).stat().st_size))
    ends: dict[int, int] = {}
    for event in raw:
        ends[event.partition] = max(ends.get(event.partition, 0), event.offset + 1)
    spans = {part: (0, end) for part, end in ends.items()}
    commit = LogCommit(number=0, at_ms=END_MS, spans=spans, added=tuple(files))
    (folder / "commits").mkdir()
    (folder / commit_path(0)).write_bytes(commit.to_bytes())


def spine(each: Case, count: int, seed: int, lag_ms: int = 0) -> pa.Table:
    """Draw rows: any instant, those at events and edges, duplicates, unknown and wrong ones."""
    chance = random.Random(seed)  # noqa: S311
    entities = [*each.oracle.entities, "nobody"]
    rows: list[dict[str, Any]] = []
    while len(rows) < count:
        entity = chance.choice(entities)
        instant: int | None = chance.randint(END_MS - 60 * HOUR_MS, END_MS)
        if each.oracle.rows.get(entity) and chance.random() < 0.7:
            event = chance.choice(each.oracle.rows[entity])
            window_ms = chance.choice((0, 60_000, 300_000, 1_800_000, 7_200_000, 86_400_000))
            arrived_ms = each.arrived_ms[event.partition, event.offset] + lag_ms
            base_ms = chance.choice((event.time_ms, floor_ms(event.time_ms, 60_000), arrived_ms))
            instant = base_ms + window_ms + chance.choice((-1, 0, 1, 60_000))
        if chance.random() < 0.05:
            instant = chance.choice((None, 1, END_MS + 10 * HOUR_MS))
        rows.append({"post": entity, "at": instant, "label": len(rows)})
        if chance.random() < 0.1:
            rows.append(dict(rows[chance.randrange(len(rows))]))
    rows.append({"post": None, "at": END_MS, "label": -1})
    schema = pa.schema({"label": pa.int64(), "post": pa.string(), "at": pa.timestamp("ms")})
    return pa.Table.from_pylist(rows, schema)
