"""What rows of entities can have held when they were read, for the match rate; in Spark.

What runs for an event, or for a question, is the kernel's Java (`StateRows`).
"""

import json
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from backfill.as_of import event_partials, java_frame, readable_log
from backfill.event_log import GLOBS
from backfill.recount import as_read
from feature_platform.engines.spark_facts import StatesTold
from feature_platform.engines.spark_request import StatesTask

QUESTIONS = "row BIGINT, entity STRING, instant BIGINT, lower INT, upper INT, known BIGINT"


def states(session: SparkSession, log_folder: str, task: StatesTask) -> StatesTold:
    """Write the answers to all questions about a feature set.

    Raises:
        EventLogError: The log is damaged or holds nothing.
    """
    archived = readable_log(session, log_folder, task.job.job.source)
    raw = archived.records(archived.positions)
    questions = session.read.option(GLOBS, "false").schema(QUESTIONS).parquet(task.questions)
    found = told(session, raw, questions, task)
    found.repartition(1).sortWithinPartitions("row", "partition").write.mode("overwrite").parquet(
        task.answers
    )
    return StatesTold(archived=archived.positions, complete_ms=archived.log.complete_ms)


def told(
    session: SparkSession, raw: DataFrame, questions: DataFrame, task: StatesTask
) -> DataFrame:
    """Answer questions; see `StateRows.java`.

    Args:
        session: As `open_session` opens it, with the kernel's jar.
        raw: Records as `event_log.records` returns them.
        questions: As `QUESTIONS` has them.
        task: What is asked.
    """
    java: Any = session._jvm  # noqa: SLF001 - the bridge to Java
    kernel, job = java.io.featureplatform.kernel.spark, task.job.job
    parsed = as_read(session, raw, task.job)
    asked = kernel.AsOfRows.asked(java_frame(parsed), job.entity, java_frame(questions), task.rows)
    partials = event_partials(session, DataFrame(asked, session), job)
    limits = kernel.StateRows.Limits(task.events_max, task.open_ms, task.first_ms, task.last_ms)
    made = kernel.StateRows.of(
        java_frame(partials),
        java_frame(questions),
        json.dumps(job.to_json()),
        json.dumps(dict(task.plan)),
        json.dumps({str(part): list(each) for part, each in task.chain.items()}),
        limits,
    )
    return DataFrame(made, session)
