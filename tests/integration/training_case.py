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
from tests.integration.records import fields

HOUR_MS = 3_600_000
END_MS = 1_772_366_400_000
"""2026-03-01T12:00Z"""
MIX = Mix(count=4_000, entities=40, end_ms=END_MS, span_ms=60 * HOUR_MS, partitions=4)
NOBODY = "404"
"""An entity that has no events."""
COLUMNS = {"post_id": "post", "action": "what", "user_id": "user"}
"""By kind of entity, the spine's column."""
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
        """A list of all that the feature set serves."""
        return everything([self])


def everything(of: Sequence[Case]) -> FeatureList:
    """Return a list of all that feature sets serve; of several, the set's name is before each."""
    features = tuple(
        ListedFeature(
            name=f"{each.snapshot.featureset}.{name}",
            shown_as=f"{prefix}{name}",
        )
        for each in of
        for prefix in ("" if len(of) == 1 else f"{each.snapshot.featureset}_",)
        for feature in each.snapshot.features
        for name in feature.served_names
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
    """Make a feature set, and a log of events of its source, which has its name."""
    (made,) = cases(folder, {name: (name, definition)}, seed, mix)
    return made


def cases(
    folder: Path, definitions: Mapping[str, tuple[str, str]], seed: int, mix: Mix = MIX
) -> list[Case]:
    """Make feature sets, and a log of events for each of their sources.

    Args:
        folder: Where definitions and logs go.
        definitions: By name of a feature set, that of its source, and its text, in which `{name}`
            and `{source}` stand for both.
        seed: Of the events.
        mix: What they are like.
    """
    featuresets = folder / "featuresets"
    (featuresets / "sources").mkdir(parents=True)
    for name, (source, text) in definitions.items():
        (featuresets / "sources" / f"{source}.yaml").write_text(SOURCE.format(name=source))
        (featuresets / f"{name}.yaml").write_text(text.format(name=name, source=source))
    project = load_project(featuresets).checked()
    found: list[Case] = []
    for number, source in enumerate(sorted({source for source, _ in definitions.values()})):
        topic = project.sources[source]
        raw = list(generate_events(topic, "post_id", mix, seed=seed + number))
        of_source = [name for name, (its, _) in definitions.items() if its == source]
        made = [case_of(project.featuresets[name], raw, folder / "log") for name in of_source]
        write_log(folder / "log" / source / source, raw, event_times(made))
        found += made
    return found


def case_of(featureset: FeatureSet, raw: list[RawEvent], log: Path) -> Case:
    """Return a feature set with its events, which are in a folder of event logs."""
    snapshot = snapshot_of(featureset)
    oracle = Oracle(featureset, snapshot.layout, raw)
    return Case(featureset=featureset, snapshot=snapshot, raw=raw, oracle=oracle, log=log)


def event_times(of: Sequence[Case]) -> dict[tuple[int, int], int]:
    """Return the event times of all events that count for one of the feature sets of a source."""
    return {
        (row.partition, row.offset): row.time_ms
        for each in of
        for rows in each.oracle.rows.values()
        for row in rows
    }


def write_log(
    folder: Path,
    raw: Sequence[RawEvent],
    times: Mapping[tuple[int, int], int],
    commit_number: int = 0,
) -> None:
    """Write a commit of an event log, its records in any order.

    Args:
        folder: The source's.
        raw: Records, of each partition those that follow what is archived.
        times: Event times by partition and offset; others have none.
        commit_number: Of the commit.
    """
    lines = [
        fields(event) | {"event_time": times.get((event.partition, event.offset)), "reason": None}
        for event in raw
    ]
    random.Random(1).shuffle(lines)  # noqa: S311
    files = []
    for number in range(3):
        path = f"data/date=2026-03-01/{commit_number:020d}-0000000{number}-0.parquet"
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        part = lines[number::3]
        parquet.write_table(pa.Table.from_pylist(part, LOG_SCHEMA), folder / path)
        files.append(LogFile(path=path, records=len(part), bytes=(folder / path).stat().st_size))
    offsets: dict[int, list[int]] = {}
    for event in raw:
        offsets.setdefault(event.partition, []).append(event.offset)
    spans = {part: (min(own), max(own) + 1) for part, own in offsets.items()}
    commit = LogCommit(number=commit_number, at_ms=END_MS, spans=spans, added=tuple(files))
    (folder / "commits").mkdir(exist_ok=True)
    (folder / commit_path(commit_number)).write_bytes(commit.to_bytes())


def spine(of: Case | Sequence[Case], count: int, seed: int, lag_ms: int = 0) -> pa.Table:
    """Draw rows: any instant, those at events and edges, duplicates, unknown and wrong ones."""
    chance = random.Random(seed)  # noqa: S311
    every = [of] if isinstance(of, Case) else list(of)
    kinds = {each.featureset.entity: each for each in every}
    rows: list[dict[str, Any]] = []
    while len(rows) < count:
        keys = {
            kind: chance.choice([*each.oracle.entities, NOBODY]) for kind, each in kinds.items()
        }
        instant: int | None = chance.randint(END_MS - 60 * HOUR_MS, END_MS)
        about = chance.choice(every)
        own = about.oracle.rows.get(keys[about.featureset.entity])
        if own and chance.random() < 0.7:
            event = chance.choice(own)
            window_ms = chance.choice((0, 60_000, 300_000, 1_800_000, 7_200_000, 86_400_000))
            arrived_ms = about.arrived_ms[event.partition, event.offset] + lag_ms
            base_ms = chance.choice((event.time_ms, floor_ms(event.time_ms, 60_000), arrived_ms))
            instant = base_ms + window_ms + chance.choice((-1, 0, 1, 60_000))
        if chance.random() < 0.05:
            instant = chance.choice((None, 1, END_MS + 10 * HOUR_MS))
        named = {COLUMNS[kind]: key for kind, key in keys.items()}
        rows.append({**named, "at": instant, "label": len(rows)})
        if chance.random() < 0.1:
            rows.append(dict(rows[chance.randrange(len(rows))]))
    rows.append({**dict.fromkeys(map(COLUMNS.__getitem__, kinds)), "at": END_MS, "label": -1})
    texts = {COLUMNS[kind]: pa.string() for kind in kinds}
    schema = pa.schema({"label": pa.int64(), **texts, "at": pa.timestamp("ms")})
    return pa.Table.from_pylist(rows, schema)
