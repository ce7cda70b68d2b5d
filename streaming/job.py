"""The whole graph of a job on one page.

Kafka -> intake (Java: parses, dead letters) -> SQL (Flink, from the definition) -> changelog
-> kernel (Java: tiles, state, rows) -> store. The uids of source, intake and kernel never change,
those of the SQL change with the data fingerprint: an edited query starts empty, all else goes on.
"""

import json
from typing import Any

from pyflink.datastream import DataStream, StreamExecutionEnvironment
from pyflink.java_gateway import get_gateway

from streaming.sql import environment, sampling, table_environment

UNSAMPLED = "__all_events"


def submit(spec_json: str) -> None:
    """Build the graph of a job spec and submit it; returns when the cluster has accepted it."""
    spec: dict[str, Any] = json.loads(spec_json)
    env = environment(spec)
    build(env, spec, spec_json)
    env.execute_async(f"{spec['featureset']}_g{spec['generation']}")


def build(env: StreamExecutionEnvironment, spec: dict[str, Any], spec_json: str) -> None:
    """Add the graph to an environment."""
    java = get_gateway().jvm.io.featureplatform.kernel.flink
    events = DataStream(java.Intake.attach(env._j_stream_execution_environment, spec_json))  # noqa: SLF001 - the bridge to Java
    tables = table_environment(env, spec)
    java.SqlFunctions.register(tables._j_tenv)  # noqa: SLF001
    view = spec["source"]["name"]
    if "sample" in spec:
        tables.create_temporary_view(UNSAMPLED, events)
        tables.create_temporary_view(view, tables.sql_query(sampling(spec, UNSAMPLED)))
    else:
        tables.create_temporary_view(view, events)
    changelog = tables.to_changelog_stream(tables.sql_query(spec["sql"]))
    java.Kernel.attach(changelog._j_data_stream, spec_json)  # noqa: SLF001
