"""Settings of the two environments: what keeps a job exact, and its SQL fast and upgradable."""

from typing import Any

from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.table import EnvironmentSettings, StreamTableEnvironment

CHECKPOINT_GRACE_MS = 120_000
"""A checkpoint may take as long as the store is waited for, and this much longer."""


def environment(spec: dict[str, Any]) -> StreamExecutionEnvironment:
    """Return the environment of a job; the kernel refuses to run under other checkpointing."""
    settings = spec["settings"]
    options = {
        "execution.runtime-mode": "STREAMING",
        "execution.checkpointing.interval": f"{settings['checkpoint_interval_ms']} ms",
        "execution.checkpointing.timeout": f"{settings['store_retry_ms'] + CHECKPOINT_GRACE_MS} ms",
        "execution.checkpointing.mode": "EXACTLY_ONCE",
        "execution.checkpointing.unaligned.enabled": "false",
        "execution.checkpointing.aligned-checkpoint-timeout": "0 ms",
        "execution.checkpointing.max-concurrent-checkpoints": "1",
        "execution.checkpointing.externalized-checkpoint-retention": (
            "DELETE_ON_CANCELLATION" if spec.get("trial") else "RETAIN_ON_CANCELLATION"
        ),
        "parallelism.default": str(settings["parallelism"]),
        "pipeline.max-parallelism": str(settings["max_parallelism"]),
        "pipeline.object-reuse": "true",
        "pipeline.generic-types": "false",
    }
    configuration = Configuration()
    for key, value in options.items():
        configuration.set_string(key, value)
    return StreamExecutionEnvironment.get_execution_environment(configuration)


def sampling(spec: dict[str, Any], view: str) -> str:
    """Return the query that lets a trial's share of the entities through, by hash of their key."""
    entity, limit = spec["entity"], spec["sample"]
    return f"SELECT * FROM `{view}` WHERE MD5(CAST(`{entity}` AS STRING)) < '{limit}'"


def table_environment(
    env: StreamExecutionEnvironment, spec: dict[str, Any]
) -> StreamTableEnvironment:
    """Return the SQL environment.

    Its operators' uids hold the data fingerprint: a changed query never meets another's state.
    """
    settings = spec["settings"]
    tables = StreamTableEnvironment.create(env, EnvironmentSettings.in_streaming_mode())
    options = {
        "table.local-time-zone": "UTC",
        "table.exec.uid.generation": "ALWAYS",
        "table.exec.uid.format": f"sql-{spec['data_fingerprint']}-<id>_<transformation>",
        "table.exec.state.ttl": f"{settings['sql_state_ttl_ms']} ms",
        "table.exec.mini-batch.enabled": str(settings["mini_batch_ms"] > 0).lower(),
        "table.exec.mini-batch.allow-latency": f"{settings['mini_batch_ms']} ms",
        "table.exec.mini-batch.size": str(settings["mini_batch_size"]),
    }
    for key, value in options.items():
        tables.get_config().set(key, value)
    return tables
