"""Point-in-time values for training sets: a definition's own query over single events, in Spark.

What runs for an event, or for a row of the spine, is the kernel's Java.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from backfill.archived_log import ArchivedLog
from backfill.event_log import GLOBS
from backfill.recount import as_read
from backfill.tiles import register_functions
from feature_platform.engines.spark_facts import AsOfAnswered, LogSpan
from feature_platform.engines.spark_request import AsOfPart, AsOfTask
from feature_platform.errors import EventLogError
from feature_platform.plan.job import JobDefinition
from feature_platform.plan.job_source import JobSource

ROWS_PER_FILE = 250_000
QUESTIONS = "row BIGINT, entity STRING, instant BIGINT"
_HIDDEN = "`__ts`, `__partition`, `__offset`, `__appended`"
_INNER = re.compile(r"'(?:[^'\\]|\\.)*'|^( *)`__offset`$(?=\n *FROM )", re.MULTILINE | re.DOTALL)
"""A constant, which may hold anything; or the last hidden column of an inner SELECT."""

Tell = Callable[[LogSpan | AsOfAnswered], None]


def answer(session: SparkSession, log_folder: str, task: AsOfTask, tell: Tell) -> None:
    """Answer the questions of each feature set; see `engines.spark.SparkAnswerer`.

    Raises:
        EventLogError: A log is damaged or holds nothing.
    """
    time = "event_time" if task.as_of == "event" else "timestamp"
    logs: dict[str, ArchivedLog] = {}
    for part in task.parts:
        source = part.job.job.source
        place = f"{source.name}/{source.topic}"
        if place not in logs:
            logs[place] = readable_log(session, log_folder, source)
        archived = logs[place]
        until = part.until or archived.positions
        name = part.job.job.featureset
        begins_ms, ends_ms = archived.span(time, until)
        begins_ms = max(begins_ms, archived.log.complete_ms)  # a gap was accepted before it
        tell(LogSpan(featureset=name, offsets=until, begins_ms=begins_ms, ends_ms=ends_ms))
        raw = archived.records(until)
        reader = session.read.option(GLOBS, "false").schema(QUESTIONS)
        questions = reader.parquet(part.questions)
        found = answers(session, raw, questions, part, task)
        write_answers(session, found, part.rows, part.answers)
        tell(AsOfAnswered(featureset=name))


def answers(
    session: SparkSession,
    raw: DataFrame,
    questions: DataFrame,
    part: AsOfPart,
    task: AsOfTask,
) -> DataFrame:
    """Answer questions about one feature set.

    Args:
        session: As `open_session` opens it, with the kernel's jar.
        raw: Records as `event_log.records` returns them.
        questions: `row`, `entity` and `instant` (epoch milliseconds).
        part: What is asked.
        task: What counts at an instant.

    Returns:
        `row`, `known` (whether the entity had any event), `counters` and a column for each slot of
        an item; see `AsOfRows.java`.
    """
    java: Any = session._jvm  # noqa: SLF001 - the bridge to Java
    kernel, job = java.io.featureplatform.kernel.spark, part.job.job
    if task.as_of == "known":
        raw = raw.where(f.col("timestamp") <= part.latest_ms - task.lag_ms)
    parsed = as_read(session, raw, part.job)
    if task.as_of == "event":
        parsed = parsed.where(f.col("__ts") < part.latest_ms)
    asked = kernel.AsOfRows.asked(java_frame(parsed), job.entity, java_frame(questions), part.rows)
    each = event_partials(session, DataFrame(asked, session), job)
    at = f.col("__ts") if task.as_of == "event" else f.col("__appended") + task.lag_ms
    made = kernel.AsOfRows.of(
        java_frame(each.withColumn("__at", at)),
        java_frame(questions),
        json.dumps(job.to_json()),
        json.dumps(part.plan),
        task.as_of == "known",
    )
    return DataFrame(made, session)


def event_query(sql: str) -> str:
    """Return a rendered query (`definition.render`) grouped by single events.

    The hidden columns of an event go through its inner SELECTs; the record's timestamp joins them.
    """
    outer = sql.rindex("\nGROUP BY ")
    text = _INNER.sub(_with_appended, sql[:outer])
    tile = " AS `__tile`,\n"
    head, rest = text.split(tile, 1)
    return f"{head}{tile}  {_HIDDEN},\n{rest}{sql[outer:]}, {_HIDDEN}"


def _with_appended(found: re.Match[str]) -> str:
    if found[1] is None:
        return found[0]
    return f"{found[1]}`__offset`,\n{found[1]}`__appended`"


def event_partials(session: SparkSession, parsed: DataFrame, job: JobDefinition) -> DataFrame:
    """Return the partials of each event by itself; see `EventPartials.java`."""
    register_functions(session)
    parsed.createOrReplaceTempView(job.source.name)
    java: Any = session._jvm  # noqa: SLF001
    query = session.sql(event_query(job.spark_sql))
    return DataFrame(
        java.io.featureplatform.kernel.spark.EventPartials.of(java_frame(query)), session
    )


def write_answers(session: SparkSession, found: DataFrame, rows: int, folder: str) -> None:
    """Write answers in files that follow each other by number of row.

    Args:
        session: The session of the answers.
        found: Answers, each with its `row`.
        rows: How many rows may have one.
        folder: The address of the folder.
    """
    each = min(ROWS_PER_FILE, max(1, -(-rows // session.sparkContext.defaultParallelism)))
    number = max(1, -(-rows // each))
    (
        found.repartitionById(number, f.expr(f"CAST(row DIV {each} AS INT)"))
        .sortWithinPartitions("row")
        .write.mode("overwrite")
        .option("compression", "lz4_raw")
        .option("parquet.enable.dictionary", "false")  # hardly a row is as another
        .parquet(folder)
    )


def readable_log(session: SparkSession, folder: str, source: JobSource) -> ArchivedLog:
    """Return what is archived of a source.

    Raises:
        EventLogError: It is damaged, or nothing is.
    """
    archived = ArchivedLog(session, folder, source)
    if archived.is_empty:
        msg = f"the event log of source {source.name} is empty: run fp archive {source.name} first"
        raise EventLogError(msg)
    archived.refuse_damage()
    return archived


def java_frame(frame: DataFrame) -> Any:  # noqa: ANN401 - a Java object
    """Return a frame as Java has it."""
    return frame._jdf  # noqa: SLF001 - the bridge to Java
