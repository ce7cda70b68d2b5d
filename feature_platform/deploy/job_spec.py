"""The job spec: what a job computes (the snapshot's), where (the settings') and from when."""

from collections.abc import Mapping
from typing import Any

from feature_platform.plan.snapshot import Snapshot
from feature_platform.plan.stages import Start
from feature_platform.settings import Settings, password_variable


def job_spec(
    snapshot: Snapshot, settings: Settings, *, start: Start, end_offsets: Mapping[str, int]
) -> dict[str, Any]:
    """Return what the deployer hands to `streaming/main.py`.

    Args:
        snapshot: What to run; its `deployment` is the id that claims attempts.
        settings: Where Kafka and the store are, and the limits of a job.
        start: From the beginning of the topic, or from the state of a savepoint or checkpoint.
        end_offsets: The topic's end offsets now, by "topic/partition".
    """
    job = dict(snapshot.job)
    flink, store = settings.flink, settings.store
    return job | {
        "generation": snapshot.generation,
        "deployment": snapshot.deployment,
        # The uids of the SQL's operators hold it: state of another query is never met.
        "data_fingerprint": job["sql_fingerprint"],
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
        },
        "kafka": {
            "bootstrap": settings.kafka.bootstrap,
            "properties": dict(settings.kafka.properties),
        },
        "store": {
            "contact_points": [f"{store.host}:{store.port}"],
            "local_dc": store.local_dc,
            "keyspace": store.keyspace,
            "table": snapshot.table,
            "user": "fp_job",
            "password_env": password_variable("job"),
        },
        "start": {
            "from": "earliest" if start == "earliest" else "savepoint",
            "offsets": {},
            "r_attempt": 0,
            "r_label": 0,
            "end_offsets": dict(end_offsets),
        },
    }
