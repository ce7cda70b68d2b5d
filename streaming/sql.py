"""Settings of the two environments: what keeps a job exact, and its SQL fast and upgradable."""

from typing import Any

from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.java_gateway import get_gateway
from pyflink.table import EnvironmentSettings, StreamTableEnvironment

PYFLINK = "/flink-python-"
CHECKPOINT_GRACE_MS = 120_000
"""A checkpoint may take as long as the store is waited for, and this much longer."""


def environment(spec: dict[str, Any], job_id: str, restore_path: str) -> StreamExecutionEnvironment:
    """Return the environment of a job; the kernel refuses to run under other checkpointing.

    Args:
        spec: The job spec.
        job_id: Id of the job; empty for a random one.
        restore_path: What it starts from; state of operators that are gone is left behind.
    """
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
    if job_id:
        options["$internal.pipeline.job-id"] = job_id
    if restore_path:
        options["execution.state-recovery.path"] = restore_path
        options["execution.state-recovery.ignore-unclaimed-state"] = "true"
    configuration = Configuration()
    for key, value in options.items():
        configuration.set_string(key, value)
    env = StreamExecutionEnvironment.get_execution_environment(configuration)
    _leave_python_behind(env)
    return env


def _leave_python_behind(env: StreamExecutionEnvironment) -> None:
    """Ship the kernel only: `flink run` adds 43 MB of PyFlink, and no Python runs in the job."""
    jars = get_gateway().jvm.org.apache.flink.configuration.PipelineOptions.JARS
    shipped = env._j_stream_execution_environment.getConfiguration().get(jars)  # noqa: SLF001 - read only in Java
    kernel = Configuration()
    kernel.set_string("pipeline.jars", ";".join(jar for jar in shipped if PYFLINK not in jar))
    env.configure(kernel)


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
