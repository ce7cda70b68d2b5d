"""The job spec: what a job computes (the snapshot's), where (the settings') and from when.

The kernel's `JobSpec` reads the same names; `tests/golden/job_spec.json` pins both to each other.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from feature_platform.broker.security import FLINK_KAFKA, java_properties
from feature_platform.plan.job import JobDefinition, JobSettings
from feature_platform.plan.snapshot import EarlierSource, Snapshot
from feature_platform.registry.base import Epoch
from feature_platform.settings import KafkaSettings, Settings, password_variable
from feature_platform.transport import StoreTls


@dataclass(frozen=True, slots=True, kw_only=True)
class StartFields:
    """What a job restarts from."""

    start: Literal["earliest", "savepoint", "store"]
    end_offsets: Mapping[str, int]
    """The topic's end offsets now, by "topic/partition"."""
    offsets: Mapping[str, int] = field(default_factory=dict)
    """First offsets to read, where a cut says them; the state of a savepoint says its own."""
    restore_point: Epoch = (0, 0)
    """Of `store` the cut; of `savepoint` (0, 0) for what its state says, else a sweep."""
    restored: Epoch = (0, 0)
    """With a sweep as restore point: the epoch of the savepoint that it went back to."""
    dirty_since_ms: int = 0
    """Since when rows may hold what an abandoned attempt wrote; of `store`."""
    clean: bool = False
    """Whether the restore point is the last thing that any writer did."""
    accepted_ms: int = 0
    """When a person accepted that rows may be wrong; what goes wrong later is not accepted."""
    letters: Mapping[str, int] = field(default_factory=dict)
    """How many events were refused before, by reason, where a cut says so."""

    def to_json(self) -> dict[str, Any]:
        """Return the form that is in the job spec."""
        return {
            "from": self.start,
            "offsets": dict(self.offsets),
            "r_attempt": self.restore_point[0],
            "r_label": self.restore_point[1],
            "restored_attempt": self.restored[0],
            "restored_label": self.restored[1],
            "dirty_since_ms": self.dirty_since_ms,
            "end_offsets": dict(self.end_offsets),
            "clean": self.clean,
            "accepted_ms": self.accepted_ms,
            "letters": dict(self.letters),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "StartFields":
        """Read what `to_json` wrote."""
        return cls(
            start=data["from"],
            offsets=data["offsets"],
            restore_point=(data["r_attempt"], data["r_label"]),
            restored=(data["restored_attempt"], data["restored_label"]),
            dirty_since_ms=data["dirty_since_ms"],
            end_offsets=data["end_offsets"],
            clean=data["clean"],
            accepted_ms=data["accepted_ms"],
            letters=data["letters"],
        )


NOWHERE = StartFields(start="earliest", end_offsets={})
"""Of what is not submitted to Flink: a graph that is only built, a backfill, a recomputation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLimits:
    """What the settings say of every job; each is one of the spec's `settings`."""

    flush_changes_max: int
    max_parallelism: int
    mini_batch_ms: int
    """0: the SQL takes events one by one."""
    mini_batch_size: int
    reads_in_flight_max: int
    reads_in_flight_min: int
    read_latency_target_ms: int
    """0: reads in flight stay at their most."""
    writes_in_flight_max: int
    store_retry_ms: int
    undo_ttl_ms: int

    @classmethod
    def of(cls, settings: Settings) -> "JobLimits":
        """Take them from the settings."""
        flink, store = settings.flink, settings.store
        return cls(
            flush_changes_max=flink.flush_changes_max,
            max_parallelism=flink.max_parallelism,
            mini_batch_ms=flink.mini_batch_ms,
            mini_batch_size=flink.mini_batch_size,
            reads_in_flight_max=store.reads_in_flight_max,
            reads_in_flight_min=store.reads_in_flight_min,
            read_latency_target_ms=store.read_latency_target_ms,
            writes_in_flight_max=store.writes_in_flight_max,
            store_retry_ms=store.retry_ms,
            undo_ttl_ms=store.undo_ttl_ms,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaAccess:
    """Where Kafka is. No secret is in it."""

    bootstrap: str
    properties: Mapping[str, str]
    """Of Flink's clients."""
    settings: KafkaSettings
    """Of other clients, for Spark."""

    @classmethod
    def of(cls, kafka: KafkaSettings) -> "KafkaAccess":
        """Take it from the settings."""
        return cls(
            bootstrap=kafka.bootstrap,
            properties=java_properties(kafka, FLINK_KAFKA),
            settings=kafka,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the form that is in the job spec."""
        return {
            "bootstrap": self.bootstrap,
            "properties": dict(self.properties),
            "settings": self.settings.model_dump(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "KafkaAccess":
        """Read what `to_json` wrote."""
        return cls(**{**data, "settings": KafkaSettings.model_validate(data["settings"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """What the kernel's `StoreTls` reads: paths of files, never what is in them."""

    ca_file: str
    certificate_file: str
    key_file: str
    check_host_name: bool

    @classmethod
    def of(cls, tls: StoreTls) -> "TlsFiles | None":
        """Take them from the settings; None if connections are not encrypted."""
        if not tls.enabled:
            return None
        return cls(
            ca_file=tls.ca_file,
            certificate_file=tls.certificate_file,
            key_file=tls.key,
            check_host_name=tls.check_host_name,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreAccess:
    """Where a job's rows are, and who writes them."""

    contact_points: tuple[str, ...]
    """`host:port` each."""
    local_dc: str
    keyspace: str
    table: str
    user: str
    password_env: str
    """The environment variable that holds the password."""
    tls: TlsFiles | None

    def to_json(self) -> dict[str, Any]:
        """Return the form that is in the job spec."""
        return asdict(self) | {"contact_points": list(self.contact_points)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "StoreAccess":
        """Read what `to_json` wrote."""
        points, tls = tuple(data["contact_points"]), data["tls"]
        return cls(**{**data, "contact_points": points, "tls": TlsFiles(**tls) if tls else None})


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """What a deployer hands to `streaming/main.py`, and to `backfill` for the same rows."""

    job: JobDefinition
    generation: int
    deployment: str
    """The id that claims attempts."""
    limits: JobLimits
    kafka: KafkaAccess
    store: StoreAccess
    start: StartFields
    earlier_sources: tuple[EarlierSource, ...] = ()
    """Sources by which events were read before; recomputing reads them so, too."""
    changelog_topic: str = ""
    """Where commands are logged, of those entities that the registry names."""
    trial: bool = False
    """Nothing is kept of it once it ends."""
    sample: str = ""
    """Only entities whose key's MD5 sorts below this text; empty for all."""
    bench_without_undo: bool = False
    """A benchmark asks what undo rows cost."""

    @property
    def name(self) -> str:
        """What the job is called in Flink."""
        return f"{self.job.featureset}_g{self.generation}"

    def to_json(self) -> dict[str, Any]:
        """Return the form that the kernel reads: the definition's parts are beside the others."""
        job = self.job.to_json()
        return job | {
            "generation": self.generation,
            "deployment": self.deployment,
            "settings": job["settings"] | asdict(self.limits),
            "kafka": self.kafka.to_json(),
            "store": self.store.to_json(),
            "start": self.start.to_json(),
            "earlier_sources": [each.to_json() for each in self.earlier_sources],
            "changelog_topic": self.changelog_topic,
            "trial": self.trial,
            "sample": self.sample,
            "bench_without_undo": self.bench_without_undo,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "JobSpec":
        """Read what `to_json` wrote."""
        settings = data["settings"]
        ours = {name: settings[name] for name in _names(JobSettings)}
        job = {name: data[name] for name in _names(JobDefinition)} | {"settings": ours}
        return cls(
            job=JobDefinition.from_json(job),
            generation=data["generation"],
            deployment=data["deployment"],
            limits=JobLimits(**{name: settings[name] for name in _names(JobLimits)}),
            kafka=KafkaAccess.from_json(data["kafka"]),
            store=StoreAccess.from_json(data["store"]),
            start=StartFields.from_json(data["start"]),
            earlier_sources=tuple(map(EarlierSource.from_json, data["earlier_sources"])),
            changelog_topic=data["changelog_topic"],
            trial=data["trial"],
            sample=data["sample"],
            bench_without_undo=data["bench_without_undo"],
        )

    def text(self) -> str:
        """Return it as JSON text."""
        return json.dumps(self.to_json())

    @classmethod
    def parse(cls, text: str) -> "JobSpec":
        """Read what `text` wrote."""
        return cls.from_json(json.loads(text))


def _names(kind: type[JobSettings | JobDefinition | JobLimits]) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind))


def job_spec(snapshot: Snapshot, settings: Settings, start: StartFields) -> JobSpec:
    """Return the job spec of a snapshot.

    Args:
        snapshot: What to run; its `deployment` is the id that claims attempts.
        settings: Where Kafka and the store are, and the limits of a job.
        start: What it restarts from.
    """
    store = settings.store
    return JobSpec(
        job=snapshot.job,
        generation=snapshot.generation,
        deployment=snapshot.deployment,
        limits=JobLimits.of(settings),
        kafka=KafkaAccess.of(settings.kafka),
        store=StoreAccess(
            contact_points=tuple(store.contact_points),
            local_dc=store.local_dc,
            keyspace=store.keyspace,
            table=snapshot.table,
            user="fp_job",
            password_env=password_variable("job"),
            tls=TlsFiles.of(store.tls),
        ),
        changelog_topic=settings.changelog.topic(snapshot.job.featureset),
        start=start,
    )
