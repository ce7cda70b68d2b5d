"""What a child that runs Spark is asked: a request is a file of JSON; `backfill` does it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, ClassVar, Literal, get_args

from feature_platform.engines.event_rows_request import EventRowsTask
from feature_platform.engines.job_spec import NOWHERE, JobSpec, job_spec
from feature_platform.engines.labels_request import LabelsTask
from feature_platform.plan.job_source import JobSource
from feature_platform.plan.snapshot import Snapshot
from feature_platform.settings import KafkaSettings, Settings, SparkSettings

SLICES = 1_000_000
"""How many slices the CRC-32 of their key divides entities into; a share is some of them."""

Place = tuple[str, int, int]
"""An entity, and event times `[start_ms, end_ms)`."""

AsOf = Literal["event", "known"]
"""Whether events count that happened before an instant, or that were appended by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveTask:
    """Bring a source's event log up to the topic's ends of now."""

    what: ClassVar = "archive"
    source: JobSource
    kafka: KafkaSettings
    records_max: int
    """Of one commit."""
    accept_gap: bool
    """Continue although Kafka has lost offsets that are not archived."""

    def to_json(self) -> dict[str, Any]:
        """Return the form that is in a request."""
        return {
            "source": self.source.to_json(),
            "kafka": self.kafka.model_dump(),
            "records_max": self.records_max,
            "accept_gap": self.accept_gap,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "ArchiveTask":
        """Read what `to_json` wrote."""
        source, kafka = JobSource.from_json(data["source"]), data["kafka"]
        return cls(**{**data, "source": source, "kafka": KafkaSettings.model_validate(kafka)})


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureLogTask:
    """Bring the archived feature log of a list up to its topic's ends of now."""

    what: ClassVar = "feature_log"
    name: str
    """The list."""
    topic: str
    kafka: KafkaSettings
    records_max: int
    """Of one commit."""
    accept_gap: bool
    """As in `ArchiveTask`."""

    def to_json(self) -> dict[str, Any]:
        """Return the form that is in a request."""
        return {
            "name": self.name,
            "topic": self.topic,
            "kafka": self.kafka.model_dump(),
            "records_max": self.records_max,
            "accept_gap": self.accept_gap,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "FeatureLogTask":
        """Read what `to_json` wrote."""
        return cls(**{**data, "kafka": KafkaSettings.model_validate(data["kafka"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class TilesTask:
    """Compute the rows of a generation from all events, and write them."""

    what: ClassVar = "tiles"
    job: JobSpec
    attempt: int
    """The writer's number, in every timestamp."""
    until: Mapping[str, int]
    """First offset that does not count any more, by "topic/partition"."""
    accept_unreadable: bool
    """Leave out what `read_by` can read and the source of the job cannot."""
    read_by: JobSource | None
    """The source of the deployed version; None: the same."""

    def to_json(self) -> dict[str, Any]:
        """Return the form that is in a request."""
        return {
            "job": self.job.to_json(),
            "attempt": self.attempt,
            "until": dict(self.until),
            "accept_unreadable": self.accept_unreadable,
            "read_by": self.read_by.to_json() if self.read_by else None,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "TilesTask":
        """Read what `to_json` wrote."""
        read_by = JobSource.from_json(data["read_by"]) if data["read_by"] else None
        return cls(**{**data, "job": JobSpec.from_json(data["job"]), "read_by": read_by})


@dataclass(frozen=True, slots=True, kw_only=True)
class TileSelection:
    """Which tiles are recomputed."""

    days: tuple[str, ...] | None = None
    """Archived files that may hold events of these dates alone; None: all."""
    whole_log: bool = False
    """Report damage in files of all dates."""
    span: tuple[int, int] | None = None
    """Events of these times `[start, end)` alone; None: all."""
    slices: int | None = SLICES
    """Only entities of this many slices, the first ones; None: about `entities_max` entities."""
    slices_of: int = SLICES
    entities_max: int = 0
    entities: tuple[str, ...] | None = None
    """These alone; None: all."""
    buckets_ms: tuple[int, ...] = ()
    """Events are counted by buckets of these lengths."""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "TileSelection":
        """Read what `asdict` made of it."""
        lists = {name: tuple(each) for name, each in data.items() if isinstance(each, list)}
        return cls(**{**data, **lists})


@dataclass(frozen=True, slots=True, kw_only=True)
class RecountTask:
    """Recompute tiles, and report them."""

    what: ClassVar = "recount"
    job: JobSpec
    until: Mapping[str, int]
    """As in `TilesTask`."""
    wanted: TileSelection
    archived_only: bool = False
    """All events are in the event log: Kafka is not asked."""

    def to_json(self) -> dict[str, Any]:
        """Return the form that is in a request."""
        return {
            "job": self.job.to_json(),
            "until": dict(self.until),
            "wanted": asdict(self.wanted),
            "archived_only": self.archived_only,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "RecountTask":
        """Read what `to_json` wrote."""
        job, wanted = JobSpec.from_json(data["job"]), TileSelection.from_json(data["wanted"])
        return cls(**{**data, "job": job, "wanted": wanted})


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsTask:
    """Report which events count for entities in event times."""

    what: ClassVar = "events"
    job: JobSpec
    until: Mapping[str, int]
    """As in `TilesTask`."""
    places: Sequence[Place]

    def to_json(self) -> dict[str, Any]:
        """Return the form that is in a request."""
        places = [list(place) for place in self.places]
        return {"job": self.job.to_json(), "until": dict(self.until), "places": places}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "EventsTask":
        """Read what `to_json` wrote."""
        places = tuple((entity, start_ms, end_ms) for entity, start_ms, end_ms in data["places"])
        return cls(job=JobSpec.from_json(data["job"]), until=data["until"], places=places)


@dataclass(frozen=True, slots=True, kw_only=True)
class AsOfPart:
    """The questions about one feature set."""

    job: JobSpec
    until: Mapping[str, int]
    """As in `TilesTask`; empty: all that is archived."""
    plan: Mapping[str, Any]
    """What is asked, for the kernel's `AsOfPlan`."""
    questions: str
    """Address of a Parquet file of `row`, `entity` and `instant`."""
    answers: str
    """Address of the folder that gets the answers, in files by number of row."""
    rows: int
    """How many rows the spine has; each asks at most once."""
    latest_ms: int
    """The newest instant that is asked about; what came to be known later is not read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AsOfTask:
    """Say what features were at instants."""

    what: ClassVar = "as_of"
    parts: tuple[AsOfPart, ...]
    as_of: AsOf
    lag_ms: int = 0
    """With `known`: how much earlier than the instant they must have been appended."""

    def to_json(self) -> dict[str, Any]:
        """Return the form that is in a request."""
        parts = [
            {each.name: getattr(part, each.name) for each in fields(part)}
            | {"job": part.job.to_json(), "until": dict(part.until), "plan": dict(part.plan)}
            for part in self.parts
        ]
        return {"parts": parts, "as_of": self.as_of, "lag_ms": self.lag_ms}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "AsOfTask":
        """Read what `to_json` wrote."""
        parts = tuple(
            AsOfPart(**{**part, "job": JobSpec.from_json(part["job"])}) for part in data["parts"]
        )
        return cls(parts=parts, as_of=data["as_of"], lag_ms=data["lag_ms"])


@dataclass(frozen=True, slots=True, kw_only=True)
class StatesTask:
    """Say what rows of entities can have held when they were read; see `StateRows.java`."""

    what: ClassVar = "states"
    job: JobSpec
    plan: Mapping[str, Any]
    """What is asked, for the kernel's `AsOfPlan`."""
    chain: Mapping[int, Sequence[int]]
    """Of each partition, its position at each cut, which ascend."""
    questions: str
    """Address of a Parquet file of `row`, `entity`, `instant`, `lower`, `upper` and `known`."""
    answers: str
    """Address of the folder that gets the answers."""
    rows: int
    """How many questions there are."""
    first_ms: int
    """The instant of the first question."""
    last_ms: int
    """That of the last one."""
    events_max: int
    """Of one question, events that may have been in the row and are listed one by one."""
    open_ms: int
    """See `StateRows.Limits`."""

    def to_json(self) -> dict[str, Any]:
        """Return the form that is in a request."""
        plain = {each.name: getattr(self, each.name) for each in fields(self)}
        chain = {str(part): list(positions) for part, positions in self.chain.items()}
        return plain | {"job": self.job.to_json(), "plan": dict(self.plan), "chain": chain}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "StatesTask":
        """Read what `to_json` wrote."""
        chain = {int(part): tuple(positions) for part, positions in data["chain"].items()}
        return cls(**{**data, "job": JobSpec.from_json(data["job"]), "chain": chain})


Task = (
    ArchiveTask
    | FeatureLogTask
    | TilesTask
    | RecountTask
    | EventsTask
    | AsOfTask
    | LabelsTask
    | EventRowsTask
    | StatesTask
)
KINDS: Mapping[str, type[Task]] = {kind.what: kind for kind in get_args(Task)}


@dataclass(frozen=True, slots=True, kw_only=True)
class SparkRequest:
    """A task, and what it is done with."""

    task: Task
    log: str
    """The folder of all event logs, as `Settings.event_log_folder` names it."""
    spark: SparkSettings
    jars: tuple[str, ...]
    project: str = ""
    """Address of the project's folder, which relative paths of a history are in."""

    @property
    def password_env(self) -> str:
        """The variable that holds the password of the store; empty if none is asked."""
        task = self.task
        if isinstance(task, TilesTask | RecountTask | EventsTask):
            return task.job.store.password_env
        return ""

    def text(self) -> str:
        """Return it as JSON text."""
        return json.dumps(
            {
                "what": self.task.what,
                "task": self.task.to_json(),
                "log": self.log,
                "spark": self.spark.model_dump(),
                "jars": list(self.jars),
                "project": self.project,
            },
            indent=1,
        )

    @classmethod
    def parse(cls, text: str) -> "SparkRequest":
        """Read what `text` wrote."""
        data = json.loads(text)
        return cls(
            task=KINDS[data["what"]].from_json(data["task"]),
            log=data["log"],
            spark=SparkSettings.model_validate(data["spark"]),
            jars=tuple(data["jars"]),
            project=data.get("project", ""),
        )


def recount_spec(deployed: Snapshot, settings: Settings) -> JobSpec:
    """Return the job spec of the deployed version, with the sources that read events before."""
    spec = job_spec(deployed, settings, NOWHERE)
    return replace(spec, earlier_sources=deployed.earlier_sources)
