"""Builds a training set: questions for Spark, its answers, and values by serving's own code.

1. The spine is read once: each row's instant and keys become a question to each feature set.
2. Spark answers the questions of each feature set from the event log.
3. The spine is read again, beside the answers, and written with the features.

All is done in a folder beside the one that is asked for, which gets its name when all of it is
there. A build that was interrupted continues after the last feature set that was answered.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from feature_platform.clock import WaitingClock
from feature_platform.definition.fingerprint import digest
from feature_platform.engines.spark_facts import AsOfAnswered, LogSpan
from feature_platform.engines.spark_request import AsOf, AsOfPart, AsOfTask, recount_spec
from feature_platform.errors import CallerError
from feature_platform.paths import file_uri
from feature_platform.settings import Settings
from feature_platform.training.asked import AskedList, AskedPart
from feature_platform.training.labels import LabelledSpine
from feature_platform.training.manifest import (
    FeatureColumn,
    Manifest,
    UsedFeatureSet,
    UsedLabels,
)
from feature_platform.training.rows import CODES, STATUSES, SpineColumns, questions
from feature_platform.training.seconds import timed
from feature_platform.training.spine import Spine
from feature_platform.training.training_set import STATUS, TrainingSet, publish
from feature_platform.training.write import Written, write_rows

QUESTION = pa.schema([("row", pa.int64()), ("entity", pa.string()), ("instant", pa.int64())])
Report = Callable[[str], None]


class Answerer(Protocol):
    """Answers questions from the event log; `engines.spark.SparkAnswerer` is one."""

    def answer(self, task: AsOfTask, name: str, again: str) -> Iterator[LogSpan | AsOfAnswered]:
        """Yield, of each feature set, what its log can answer, and that all is answered.

        Args:
            task: What is asked.
            name: Of the list, for messages.
            again: The command that continues where this ended.

        Raises:
            EventLogError: The log is damaged or empty.
            SparkFailedError: Spark failed.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """What is built."""

    asked: AskedList
    columns: SpineColumns
    out: Path
    as_of: AsOf
    serving_lag_ms: int = 0
    edge_ms: int = 0

    @property
    def work(self) -> Path:
        """The folder in which it is under way."""
        return self.out.with_name(f"{self.out.name}.part")

    def check(self, schema: pa.Schema) -> None:
        """Check that it fits a spine.

        Raises:
            CallerError: It does not.
        """
        if self.out.exists():
            msg = f"{self.out} exists already; choose another --out, or delete it"
            raise CallerError(msg)
        if self.serving_lag_ms < 0 or (self.serving_lag_ms and self.as_of != "known"):
            msg = (
                f"serving lag {self.serving_lag_ms} ms: it is 0 or more, and only what was known "
                "at an instant has one: --as-of known"
            )
            raise CallerError(msg)
        self.columns.check(schema)
        taken = {STATUS, *(feature.column for feature in self.asked.of.features)}
        both = sorted(taken.intersection(schema.names))
        if both:
            msg = (
                f"the spine and the training set both have a column {both[0]!r}; rename the spine's"
            )
            raise CallerError(msg)


@dataclass(slots=True, kw_only=True)
class _Work:
    """The folder in which a build is under way (mutable: it remembers what is done)."""

    folder: Path
    spans: dict[str, LogSpan] = field(default_factory=dict)
    answered: set[str] = field(default_factory=set)

    def questions(self, kind: str) -> Path:
        return self.folder / f"questions-{kind}.parquet"

    def answers(self, featureset: str) -> Path:
        return self.folder / f"answers-{featureset}"

    def begin(self, identity: str) -> None:
        """Continue what an earlier run of the same has done; delete anything else."""
        state = self._state()
        if state.get("identity") != identity:
            for path in self.folder.glob("answers-*"):
                shutil.rmtree(path)
            self._save(identity)
            return
        self.spans = {name: LogSpan(**span) for name, span in state["spans"].items()}
        self.answered = set(state["answered"])

    def take(self, fact: LogSpan | AsOfAnswered, identity: str) -> None:
        """Remember a fact."""
        if isinstance(fact, LogSpan):
            self.spans[fact.featureset] = fact
        else:
            self.answered.add(fact.featureset)
        self._save(identity)

    def _state(self) -> dict[str, Any]:
        path = self.folder / "state.json"
        try:
            state: dict[str, Any] = json.loads(path.read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return state

    def _save(self, identity: str) -> None:
        spans = {name: asdict(span) for name, span in self.spans.items()}
        state = {"identity": identity, "spans": spans, "answered": sorted(self.answered)}
        part = self.folder / "state.json.part"
        part.write_text(json.dumps(state))
        part.replace(self.folder / "state.json")


def build(
    settings: Settings,
    request: BuildRequest,
    spine: Spine,
    answerer: Answerer,
    clock: WaitingClock,
    report: Report = lambda _: None,
) -> TrainingSet:
    """Build a training set, or continue an interrupted build of the same.

    Args:
        settings: Where the event log is.
        request: What is built.
        spine: Its rows.
        answerer: Who reads the event log.
        clock: For how long each step took.
        report: Called with what is being done.

    Raises:
        CallerError: The request does not fit the spine, or the folder exists.
        EventLogError: An event log is damaged or empty.
        SparkFailedError: Spark failed; run it again to continue.
    """
    request.check(spine.schema)
    work = _Work(folder=request.work)
    work.folder.mkdir(parents=True, exist_ok=True)
    seconds: dict[str, float] = {}
    with timed(seconds, "questions", clock):
        report("reading the spine")
        asked = _ask(request, spine, work)
    identity = digest([_identity(request), asked.rows, asked.content])
    work.begin(identity)
    with timed(seconds, "answers", clock):
        _answer(settings, request, work, answerer, asked, identity, report)
    with timed(seconds, "values", clock):
        report("writing features")
        written = write_rows(request, spine, work.spans, work.answers, work.folder / "set")
    labels = spine.used() if isinstance(spine, LabelledSpine) else None
    return _publish(request, work, written, seconds, clock.now_ms(), labels)


def _identity(request: BuildRequest) -> list[Any]:
    """Return what answers depend on beside the spine's rows."""
    parts = [
        [
            part.featureset,
            part.group.snapshot.generation,
            part.group.snapshot.data_fingerprint,
            [list(slot) for slot in part.slots],
            dict(part.plan),
        ]
        for part in request.asked.parts
    ]
    return [parts, request.as_of, request.serving_lag_ms]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What a spine asks."""

    rows: int
    latest_ms: int
    """The newest instant."""
    content: str
    """A digest of all keys and instants."""


def _ask(request: BuildRequest, spine: Spine, work: _Work) -> _Asked:
    """Write the questions of each kind of entity."""
    kinds, hashed = request.asked.kinds, blake2b(digest_size=16)
    first = latest_ms = 0
    with ExitStack() as stack:
        writers = {
            kind.entity: stack.enter_context(
                parquet.ParquetWriter(work.questions(kind.entity), QUESTION)
            )
            for kind in kinds
        }
        for batch in spine.batches():
            asked = questions(batch, request.columns, kinds)
            good = np.flatnonzero(asked.codes == CODES["ok"])
            hashed.update(asked.codes.tobytes() + asked.instants_ms.tobytes())
            for kind, writer in writers.items():
                keys = pa.array(asked.keys[kind], pa.string()).take(pa.array(good))
                hashed.update("\0".join(asked.keys[kind]).encode("utf-8", "surrogatepass"))
                instants = pa.array(asked.instants_ms[good])
                arrays = [pa.array(first + good), keys, instants]
                writer.write_batch(pa.record_batch(arrays, schema=QUESTION))
            first += len(batch)
            latest_ms = max(latest_ms, int(asked.instants_ms.max(initial=0)))
    return _Asked(rows=first, latest_ms=latest_ms, content=hashed.hexdigest())


def _answer(
    settings: Settings,
    request: BuildRequest,
    work: _Work,
    answerer: Answerer,
    asked: _Asked,
    identity: str,
    report: Report,
) -> None:
    """Have every feature set answered that no earlier run has had answered."""
    left = [part for part in request.asked.parts if part.featureset not in work.answered]
    if not left:
        return
    known = {topic: span.offsets for span in work.spans.values() for topic in _topics(span)}
    task = AsOfTask(
        parts=tuple(_part(settings, work, part, known, asked) for part in left),
        as_of=request.as_of,
        lag_ms=request.serving_lag_ms,
    )
    name = request.asked.of.name
    report(f"asking the event log about {', '.join(part.featureset for part in left)}")
    for fact in answerer.answer(task, name, f"fp training-set {name}"):
        work.take(fact, identity)
        if isinstance(fact, AsOfAnswered):
            report(f"{fact.featureset}: answered")


def _topics(span: LogSpan) -> set[str]:
    return {position.rpartition("/")[0] for position in span.offsets}


def _part(
    settings: Settings,
    work: _Work,
    part: AskedPart,
    known: Mapping[str, Mapping[str, int]],
    asked: _Asked,
) -> AsOfPart:
    snapshot = part.group.snapshot
    return AsOfPart(
        job=recount_spec(snapshot, settings),
        until=known.get(snapshot.topic, {}),
        plan=part.plan,
        questions=file_uri(work.questions(snapshot.entity).resolve()),
        answers=file_uri(work.answers(part.featureset).resolve()),
        rows=asked.rows,
        latest_ms=asked.latest_ms,
    )


def _publish(
    request: BuildRequest,
    work: _Work,
    written: Written,
    seconds: Mapping[str, float],
    now_ms: int,
    labels: UsedLabels | None,
) -> TrainingSet:
    """Write the manifest, and give the folder its name."""
    asked, columns = request.asked, request.columns
    windows = {
        position: each.window_ms
        for part in asked.parts
        for position, each in zip(part.group.positions, part.group.wanted, strict=True)
    }
    manifest = Manifest(
        list=asked.of.name,
        list_version=asked.of.version,
        as_of=request.as_of,
        serving_lag_ms=request.serving_lag_ms,
        edge_ms=request.edge_ms,
        instant=columns.instant,
        keys={kind.entity: columns.keys[kind.entity] for kind in asked.kinds},
        time_zone=columns.time_zone if written.naive else "",
        features=tuple(
            FeatureColumn(
                column=feature.column,
                feature=feature.name,
                type=asked.types[position],
                window_ms=windows[position],
            )
            for position, feature in enumerate(asked.of.features)
        ),
        featuresets=tuple(_used(part, work.spans[part.featureset]) for part in asked.parts),
        rows=int(written.status.sum()),
        status={
            status: int(count)
            for status, count in zip(STATUSES, written.status, strict=True)
            if count
        },
        files=written.files,
        seconds=dict(seconds),
        made_ms=now_ms,
        labels=labels,
    )
    return publish(work.folder, manifest, request.out)


def _used(part: AskedPart, span: LogSpan) -> UsedFeatureSet:
    snapshot = part.group.snapshot
    return UsedFeatureSet(
        featureset=part.featureset,
        generation=snapshot.generation,
        data_fingerprint=snapshot.data_fingerprint,
        entity=snapshot.entity,
        source=snapshot.source,
        offsets=dict(span.offsets),
        begins_ms=span.begins_ms,
        ends_ms=span.ends_ms,
    )
