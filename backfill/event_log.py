"""The event log in Spark: writes records from Kafka to Parquet, and reads them back."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from backfill.files import HadoopFiles
from backfill.kafka import KafkaTopic
from feature_platform.errors import EventLogError
from feature_platform.event_log.archiver import Topic, read_log
from feature_platform.event_log.commits import Log, LogFile, Span, commit_path
from feature_platform.event_log.dates import of_dates
from feature_platform.event_log.ranges import check_same, misplaced, tail
from feature_platform.event_log.ranges import spans as spell
from feature_platform.plan.job_source import JobSource

SCHEMA = (
    "key BINARY, value BINARY, partition INT, offset BIGINT, timestamp BIGINT, "
    "event_time BIGINT, reason STRING"
)
RAW = ("key", "value", "partition", "offset", "timestamp")
FILE_RECORDS = 500_000
"""How many records of a commit make another file of a date."""
COMPRESSION = "zstd"
GLOBS = "__globPaths__"
"""Spark's option: whether brackets and the like in a path are a pattern."""


class Readable(Topic, Protocol):
    """A topic whose records can be read; `KafkaTopic` is one."""

    def read(self, spans: Mapping[int, Span]) -> DataFrame:
        """Return the records of some offsets: key, value, partition, offset, timestamp."""
        ...


class SparkEngine:
    """Implements `event_log.archiver.Engine`."""

    def __init__(
        self,
        session: SparkSession,
        files: HadoopFiles,
        source: JobSource,
        topic: KafkaTopic,
    ) -> None:
        """Write one source's records."""
        self._session, self._files, self._source, self._topic = session, files, source, topic

    def write(self, spans: Mapping[int, Span], staging: str) -> Sequence[LogFile]:
        """Write the records of some offsets."""
        frame = described(self._session, self._topic.read(spans), self._source)
        total = sum(end - start for start, end in spans.values())
        per_date = min(len(spans), -(-total // FILE_RECORDS))
        return write_dates(frame, self._files, per_date, staging)

    def rewrite(self, paths: Sequence[str], staging: str) -> Sequence[LogFile]:
        """Write the records of some files, one file a date."""
        frame = read_files(self._session, self._files, paths)
        date = f.regexp_extract(f.col("_metadata.file_path"), "/date=([^/]+)/[^/]+$", 1)
        return write_dates(frame.withColumn("date", date), self._files, 1, staging)


def write_dates(frame: DataFrame, files: HadoopFiles, per_date: int, staging: str) -> list[LogFile]:
    """Write described records below a folder of a log, those of a date in files of their own."""
    part = f.col("partition") % per_date
    (
        frame.repartition(f.col("date"), part)
        .sortWithinPartitions("date", "partition", "offset")
        .write.option("compression", COMPRESSION)
        .partitionBy("date")
        .parquet(f"{files.root}/{staging}")
    )
    sizes = {
        path: size
        for path, size in files.sizes(staging)
        if path.endswith(".parquet") and not path.rpartition("/")[2].startswith("_")
    }
    return [
        LogFile(path=path, records=files.parquet_records(path), bytes=size)
        for path, size in sorted(sizes.items())
    ]


def source_files(session: SparkSession, log: str, source: JobSource) -> HadoopFiles:
    """Return the folder of a source in the event log's folder (`Settings.event_log_folder`).

    Offsets are a topic's: of a source that reads another topic now, each has a folder.

    Raises:
        EventLogError: Its log lies where logs lay before topics had folders.
    """
    old = HadoopFiles(session, f"{log.rstrip('/')}/{source.name}")
    if old.exists(commit_path(0)):
        raise EventLogError(misplaced(source.name, source.topic, old.root))
    return HadoopFiles(session, f"{old.root}/{source.topic}")


def records(  # noqa: PLR0913 - what is read, and by what
    session: SparkSession,
    files: HadoopFiles,
    source: JobSource,
    until: Mapping[str, int],
    kafka: Readable,
    dates: Collection[str] | None = None,
    read_by: JobSource | None = None,
    *,
    log: Log | None = None,
) -> DataFrame:
    """Return all records below some offsets, each once: from the log, the rest from Kafka.

    Args:
        session: Spark.
        files: The source's folder in the event log.
        source: The source as the job spec has it.
        until: The first offset that is not wanted, by "topic/partition".
        kafka: The source's topic.
        dates: Of what is archived, those of these dates alone; None for all.
        read_by: The source by which rows count them already; None: none do, or by the same.
        log: What is archived, if the caller has read that; None: it is read.

    Returns:
        key, value, partition, offset, timestamp (epoch milliseconds), and readable: whether it is
        an event for `read_by`.

    Raises:
        OffsetsGoneError: Neither has some offset; the message names them.
        EventLogError: The log is damaged, or its topic was recreated.
    """
    archived = log or read_log(files)
    ends = {int(name.rpartition("/")[2]): end for name, end in until.items()}
    topic = source.topic
    check_same(source.name, topic, archived.topic_id, kafka.topic_id())
    rest = tail(source.name, topic, archived, ends, kafka.bounds())
    paths = of_dates(archived, source, dates)
    raw = below(read_files(session, files, paths), ends).select(*RAW)
    if rest:
        session.sparkContext.setJobDescription(f"from Kafka: {spell(topic, rest)}")
        raw = raw.unionByName(kafka.read(rest).select(*RAW))
    if read_by is None:
        return raw.withColumn("readable", f.lit(False))
    read = described(session, raw, read_by)
    return read.select(*RAW, f.isnull("reason").alias("readable"))


def read_files(session: SparkSession, files: HadoopFiles, paths: Sequence[str]) -> DataFrame:
    """Return the records of some files of a log; of none, none."""
    if not paths:
        return session.createDataFrame([], SCHEMA)
    reader = session.read.option(GLOBS, "false").schema(SCHEMA)
    return reader.parquet(*[f"{files.root}/{path}" for path in paths])


def below(rows: DataFrame, ends: Mapping[int, int]) -> DataFrame:
    """Return the records of each partition below an offset; of others, none."""
    known = ", ".join(f"{part}, {end}L" for part, end in sorted(ends.items()))
    return rows.where(f"offset < element_at(map({known}), partition)" if known else "FALSE")


def described(session: SparkSession, raw: DataFrame, source: JobSource) -> DataFrame:
    """Add what the parser says of raw records, by a source; see `LogRecords.describe`."""
    jvm: Any = session._jvm  # noqa: SLF001 (Spark's own way to Java)
    kernel = jvm.io.featureplatform.kernel.spark.LogRecords
    return DataFrame(kernel.describe(raw._jdf, json.dumps(source.to_json())), session)  # noqa: SLF001
