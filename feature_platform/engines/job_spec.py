"""The job spec: what a job computes (the snapshot's), where (the settings') and from when."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from feature_platform.broker.security import FLINK_KAFKA, java_properties
from feature_platform.definition.fingerprint import digest
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.base import Epoch
from feature_platform.settings import Settings, password_variable
from feature_platform.transport import StoreTls


@dataclass(frozen=True, slots=True, kw_only=True)
class StartFields:
    """What a job restarts from; the kernel's `JobSpec` reads the same names."""

    start: Literal["earliest", "savepoint", "store"]
    end_offsets: Mapping[str, int]
    """The topic's end offsets now, by "topic/partition"."""
    offsets: Mapping[str, int] = field(default_factory=dict)
    """First offsets to read, where a cut says them; the state of a savepoint says its own."""
    r: Epoch = (0, 0)
    """R: of `store` the cut; of `savepoint` (0, 0) for what its state says, else a sweep."""
    restored: Epoch = (0, 0)
    """With R of a sweep: the savepoint's own epoch, which that R stands for."""
    dirty_since_ms: int = 0
    """Since when rows may hold what an abandoned attempt wrote; of `store`."""
    clean: bool = False
    """Whether R is the last thing that any writer did."""
    accepted_ms: int = 0
    """When a person accepted that rows may be wrong; what goes wrong later is not accepted."""
    letters: Mapping[str, int] = field(default_factory=dict)
    """How many events were refused before, by reason, where a cut says so."""

    def to_json(self) -> dict[str, Any]:
        """Return the form that is in the job spec."""
        return {
            "from": self.start,
            "offsets": dict(self.offsets),
            "r_attempt": self.r[0],
            "r_label": self.r[1],
            "restored_attempt": self.restored[0],
            "restored_label": self.restored[1],
            "dirty_since_ms": self.dirty_since_ms,
            "end_offsets": dict(self.end_offsets),
            "clean": self.clean,
            "accepted_ms": self.accepted_ms,
            "letters": dict(self.letters),
        }


NOWHERE = StartFields(start="earliest", end_offsets={})
"""Of a graph that is built and not submitted."""


def job_spec(snapshot: Snapshot, settings: Settings, start: StartFields) -> dict[str, Any]:
    """Return what the deployer hands to `streaming/main.py`.

    Args:
        snapshot: What to run; its `deployment` is the id that claims attempts.
        settings: Where Kafka and the store are, and the limits of a job.
        start: What it restarts from.
    """
    job = dict(snapshot.job)
    flink, store = settings.flink, settings.store
    return job | {
        "generation": snapshot.generation,
        "deployment": snapshot.deployment,
        "data_fingerprint": sql_state_key(job),
        "settings": job["settings"]
        | {
            "flush_changes_max": flink.flush_changes_max,
            "max_parallelism": flink.max_parallelism,
            "mini_batch_ms": flink.mini_batch_ms,
            "mini_batch_size": flink.mini_batch_size,
            "reads_in_flight_max": store.reads_in_flight_max,
            "reads_in_flight_min": store.reads_in_flight_min,
            "read_latency_target_ms": store.read_latency_target_ms,
            "writes_in_flight_max": store.writes_in_flight_max,
            "store_retry_ms": store.retry_ms,
            "undo_ttl_ms": store.undo_ttl_ms,
        },
        "kafka": {
            "bootstrap": settings.kafka.bootstrap,
            "properties": java_properties(settings.kafka, FLINK_KAFKA),
            "settings": settings.kafka.model_dump(),  # of other clients, for Spark
        },
        "store": {
            "contact_points": store.contact_points,
            "local_dc": store.local_dc,
            "keyspace": store.keyspace,
            "table": snapshot.table,
            "user": "fp_job",
            "password_env": password_variable("job"),
            "tls": _tls(store.tls),
        },
        "start": start.to_json(),
    }


def _tls(tls: StoreTls) -> dict[str, Any] | None:
    """Return what the kernel's `StoreTls` reads: paths of files, never what is in them."""
    if not tls.enabled:
        return None
    return {
        "ca_file": tls.ca_file,
        "certificate_file": tls.certificate_file,
        "key_file": tls.key,
        "check_host_name": tls.check_host_name,
    }


def sql_state_key(job: Mapping[str, Any]) -> str:
    """Return what is in the uids of the SQL's operators: state of another query is never met.

    Nor is it where a column starts over under another id, or at more levels: the SQL would continue
    with a minute's maximum or last items, and what happened before would be in what counts from
    now on. Without state it begins with the next event.
    """
    columns = [
        [column["id"], column["levels"], column["lifetime"]] for column in job["layout"]["columns"]
    ]
    return digest([job["sql_fingerprint"], columns])
