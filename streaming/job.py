"""The whole graph of a job on one page.

Kafka -> intake (Java: parses, dead letters) -> SQL (Flink, from the definition) -> changelog
-> kernel (Java: tiles, state, rows) -> store. The uids of source, intake and kernel never change,
those of the SQL change with the data fingerprint: an edited query starts empty, all else continues.
"""

from pyflink.datastream import DataStream, StreamExecutionEnvironment
from pyflink.java_gateway import get_gateway

from feature_platform.engines.job_spec import JobSpec
from streaming.sql import environment, sampling, table_environment

UNSAMPLED = "__all_events"


def serve(spec: str, job_id: str, restore_path: str) -> str:
    """Build the graph of a job spec; with an id, submit it.

    Args:
        spec: The job spec, JSON.
        job_id: Id that the job is going to have; empty to submit nothing.
        restore_path: Savepoint or checkpoint to start from; empty for none.

    Returns:
        The id under which the cluster has accepted it; empty if it was not asked to.
    """
    parsed = JobSpec.parse(spec)
    env = environment(parsed, job_id, restore_path)
    build(env, parsed, spec)
    if not job_id:
        env._generate_stream_graph(clear_transformations=True)  # noqa: SLF001 - checks the graph
        return ""
    return str(env.execute_async(parsed.name).get_job_id())


def build(env: StreamExecutionEnvironment, spec: JobSpec, spec_json: str) -> None:
    """Add the graph to an environment."""
    jvm = get_gateway().jvm
    java = jvm.io.featureplatform.kernel.flink
    # Uids hold an operator's number in the graph; Flink counts over all graphs of a JVM.
    jvm.org.apache.flink.table.planner.plan.nodes.exec.ExecNodeContext.resetIdCounter()
    events = DataStream(java.intake.Intake.attach(env._j_stream_execution_environment, spec_json))  # noqa: SLF001 - the bridge to Java
    tables = table_environment(env, spec)
    java.sql.SqlFunctions.register(tables._j_tenv)  # noqa: SLF001
    view = spec.job.source.name
    if spec.sample:
        tables.create_temporary_view(UNSAMPLED, events)
        tables.create_temporary_view(view, tables.sql_query(sampling(spec, UNSAMPLED)))
    else:
        tables.create_temporary_view(view, events)
    changelog = tables.to_changelog_stream(tables.sql_query(spec.job.sql))
    java.tiles.Kernel.attach(changelog._j_data_stream, spec_json)  # noqa: SLF001
