"""What a feature set takes of each archived event of a day, written for its statistics; in Spark.

The events are parsed and the query is run as by a backfill; only, each event is a row.
"""

import json
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from backfill.archived_log import ArchivedLog
from backfill.event_log import RAW, read_files, source_files
from backfill.history import history_files
from backfill.tiles import register_functions
from feature_platform.engines.event_rows_request import EventRowsTask
from feature_platform.errors import EventLogError
from feature_platform.event_log.dates import DAY_MS, first_ms_of

COMPRESSION = "lz4_raw"
"""The rows are read once and deleted."""


def write_event_rows(session: SparkSession, log_folder: str, task: EventRowsTask) -> None:
    """Write the rows of the task.

    Raises:
        EventLogError: A file that is read is gone, or not as its commit says.
    """
    archived = ArchivedLog(session, log_folder, task.source)
    if words := archived.damage([task.date], whole_log=False):
        msg = f"{'; '.join(words)}: restore the changed files from a copy"
        raise EventLogError(msg)
    raw = read_files(session, source_files(session, log_folder, task.source), task.files)
    raw = raw.select(*RAW)
    if task.history:
        files = history_files(session, log_folder, task.source)
        raw = raw.unionByName(read_files(session, files, task.history).select(*RAW))
    found = event_rows(session, raw, task)
    found.write.mode("overwrite").option("compression", COMPRESSION).parquet(task.rows)


def event_rows(session: SparkSession, raw: DataFrame, task: EventRowsTask) -> DataFrame:
    """Return a row for each event of the task's day.

    Args:
        session: As `open_session` opens it, with the kernel's jar.
        raw: Records as the event log has them.
        task: What is asked.
    """
    register_functions(session)
    if task.sample > 1:
        raw = raw.where(sampled(task.sample))
    start_ms = first_ms_of(task.date)
    parsed = _events(session, raw.withColumn("readable", f.lit(False)), task)
    day = parsed.where(f.col("__ts").between(start_ms, start_ms + DAY_MS - 1))
    day.createOrReplaceTempView(task.source.name)
    return session.sql(task.sql).select("__ts", *task.columns)


def sampled(sample: int) -> Any:  # noqa: ANN401 - a column of Spark
    """Return which records are read: the same ones whenever they are read again."""
    return f.pmod(f.xxhash64("partition", "offset"), f.lit(sample)) == 0


def _events(session: SparkSession, raw: DataFrame, task: EventRowsTask) -> DataFrame:
    """Parse records as the feature set's job does; its dead letters are left out."""
    java: Any = session._jvm  # noqa: SLF001 - the bridge to Java
    text = json.dumps({"source": task.source.to_json(), "entity": task.entity})
    parse, strict = java.io.featureplatform.kernel.spark.Events.parse, False
    return DataFrame(parse(raw._jdf, text, strict), session)  # noqa: SLF001
