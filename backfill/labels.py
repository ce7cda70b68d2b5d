"""Labels: which events followed each row, and what they add up to; in Spark.

A row's events are those of its keys from its instant on, for as long as labels are asked to look
ahead. Rows and events meet by key and by bucket of time, one bucket as long as that: a row looks
into two of them at most, so that what is compared does not grow with the length of the log.
"""

import json
from collections.abc import Callable
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from backfill.as_of import readable_log, write_answers
from backfill.event_log import GLOBS
from backfill.tiles import register_functions
from feature_platform.engines.labels_request import KEY, LabelsTask
from feature_platform.engines.spark_facts import AsOfAnswered, LogSpan
from feature_platform.event_log.dates import dates_between
from feature_platform.plan.job_source import JobSource

Tell = Callable[[LogSpan | AsOfAnswered], None]


def label(session: SparkSession, log_folder: str, task: LabelsTask, tell: Tell) -> None:
    """Compute the labels of all rows; see `engines.spark.SparkAnswerer`.

    Raises:
        EventLogError: The source's log is damaged or holds nothing.
    """
    name = task.source.name
    archived = readable_log(session, log_folder, task.source)
    until = task.until or archived.positions
    begins_ms, _ = archived.span("event_time", until)
    _, ends_ms = archived.span("timestamp", until)
    begins_ms = max(begins_ms, archived.log.complete_ms)
    tell(LogSpan(featureset=name, offsets=until, begins_ms=begins_ms, ends_ms=ends_ms))
    keys = "".join(f", {KEY}{number} STRING" for number in range(len(task.keys)))
    schema = f"row BIGINT, instant BIGINT, request STRING{keys}"
    questions = session.read.option(GLOBS, "false").schema(schema).parquet(task.questions)
    dates = dates_between(task.first_ms, task.last_ms + task.within_ms - 1)
    found = labels(session, archived.records(until, dates=dates), questions, task)
    write_answers(session, found, task.rows, task.answers)
    tell(AsOfAnswered(featureset=name))


def labels(
    session: SparkSession, raw: DataFrame, questions: DataFrame, task: LabelsTask
) -> DataFrame:
    """Compute labels.

    Args:
        session: As `open_session` opens it, with the kernel's jar.
        raw: Records as `event_log.records` returns them.
        questions: `row`, `instant` (epoch milliseconds), `request` and the keys.
        task: What is asked.

    Returns:
        A row for each question: `row`, `events`, how many there were, and `v0` and so on.
    """
    register_functions(session)
    parsed = _events(session, raw, task.source)
    chosen = parsed.where(task.where) if task.where else parsed
    joined = _joined(questions, chosen, task)
    numbered = [f.expr(text).alias(f"__a{at}") for at, text in enumerate(task.aggregates)]
    grouped = joined.groupBy("__row").agg(f.count("__ts").alias("__events"), *numbered)
    values = [f.expr(text).alias(f"v{at}") for at, text in enumerate(task.values)]
    return grouped.select(f.col("__row").alias("row"), f.col("__events").alias("events"), *values)


def _events(session: SparkSession, raw: DataFrame, source: JobSource) -> DataFrame:
    """Parse records; those that are no events of the source are left out.

    Labels need no entity, so the parser is given the event time as one, as for the event log.
    """
    java: Any = session._jvm  # noqa: SLF001 - the bridge to Java
    text = json.dumps({"source": source.to_json(), "entity": source.event_time})
    parse, strict = java.io.featureplatform.kernel.spark.Events.parse, False
    return DataFrame(parse(raw._jdf, text, strict), session)  # noqa: SLF001


def _joined(questions: DataFrame, events: DataFrame, task: LabelsTask) -> DataFrame:
    """Join each question with the events that followed it; one that met none has nulls."""
    within_ms = task.within_ms
    last = f"(instant + {within_ms - 1})"
    buckets = f"ARRAY_DISTINCT(ARRAY(instant DIV {within_ms}, {last} DIV {within_ms}))"
    names = [f"{KEY}{number}" for number in range(len(task.keys))]
    asked = questions.select(
        f.col("row").alias("__row"),
        f.col("instant").alias("__instant"),
        f.explode(f.expr(buckets)).alias("__asked"),
        *(f.col(name).alias(f"__{name}") for name in ("request", *names)),
    )
    happened = events.withColumn("__bucket", f.expr(f"__ts DIV {within_ms}"))
    alike = [
        f.col(f"__{name}") == f.col(column).cast("string")
        for name, column in zip(names, task.keys, strict=True)
    ]
    if task.request:
        alike.append(f.col("__request") == f.col(task.request))
    alike.append(f.col("__asked") == f.col("__bucket"))
    ahead = f.expr(f"__ts >= __instant AND __ts < __instant + {within_ms}")
    return asked.join(happened, [*alike, ahead], "left_outer")
