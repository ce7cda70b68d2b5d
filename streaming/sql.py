"""Settings of the two environments: what keeps a job exact, and its SQL fast and upgradable."""

from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.java_gateway import get_gateway
from pyflink.table import EnvironmentSettings, StreamTableEnvironment

from feature_platform.engines.job_spec import JobSpec

PYFLINK = "/flink-python-"
CHECKPOINT_GRACE_MS = 120_000
"""A checkpoint may take as long as the store is waited for, and this much longer."""


def environment(spec: JobSpec, job_id: str, restore_path: str) -> StreamExecutionEnvironment:
    """Return the environment of a job; the kernel refuses to run under other checkpointing.

    Args:
        spec: The job spec.
        job_id: Id of the job; empty for a random one.
        restore_path: What it starts from; state of operators that are gone is left behind.
    """
    settings, limits = spec.job.settings, spec.limits
    options = {
        "execution.runtime-mode": "STREAMING",
        "execution.checkpointing.interval": f"{settings.checkpoint_interval_ms} ms",
        "execution.checkpointing.timeout": f"{limits.store_retry_ms + CHECKPOINT_GRACE_MS} ms",
        "execution.checkpointing.mode": "EXACTLY_ONCE",
        "execution.checkpointing.unaligned.enabled": "false",
        "execution.checkpointing.aligned-checkpoint-timeout": "0 ms",
        "execution.checkpointing.max-concurrent-checkpoints": "1",
        "execution.checkpointing.externalized-checkpoint-retention": (
            "DELETE_ON_CANCELLATION" if spec.trial else "RETAIN_ON_CANCELLATION"
        ),
        "parallelism.default": str(settings.parallelism),
        "pipeline.max-parallelism": str(limits.max_parallelism),
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


def sampling(spec: JobSpec, view: str) -> str:
    """Return the query that lets a trial's share of the entities through, by hash of their key."""
    entity, limit = spec.job.entity, spec.sample
    return f"SELECT * FROM `{view}` WHERE MD5(CAST(`{entity}` AS STRING)) < '{limit}'"


def table_environment(env: StreamExecutionEnvironment, spec: JobSpec) -> StreamTableEnvironment:
    """Return the SQL environment.

    Its operators' uids hold the key of its state: a changed query never meets another's.
    """
    limits = spec.limits
    tables = StreamTableEnvironment.create(env, EnvironmentSettings.in_streaming_mode())
    options = {
        "table.local-time-zone": "UTC",
        "table.exec.uid.generation": "ALWAYS",
        "table.exec.uid.format": f"sql-{spec.job.sql_state_key}-<id>_<transformation>",
        "table.exec.state.ttl": f"{spec.job.settings.sql_state_ttl_ms} ms",
        "table.exec.mini-batch.enabled": str(limits.mini_batch_ms > 0).lower(),
        "table.exec.mini-batch.allow-latency": f"{limits.mini_batch_ms} ms",
        "table.exec.mini-batch.size": str(limits.mini_batch_size),
    }
    for key, value in options.items():
        tables.get_config().set(key, value)
    return tables
