"""The event log in Spark: writes records from Kafka to Parquet, and reads them back."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as f

from backfill.files import HadoopFiles
from feature_platform.broker.topics import Topics
from feature_platform.event_log.archiver import read_log
from feature_platform.event_log.commits import DATA, Log, LogFile, Span
from feature_platform.event_log.damage import Altered, Damage, lacking
from feature_platform.event_log.ranges import check_same, tail
from feature_platform.event_log.ranges import spans as spell
from feature_platform.settings import KafkaSettings

SCHEMA = (
    "key BINARY, value BINARY, partition INT, offset BIGINT, timestamp BIGINT, "
    "event_time BIGINT, reason STRING"
)
RAW = ("key", "value", "partition", "offset", "timestamp")
FILE_RECORDS = 500_000
"""How many records of a commit make another file of a date."""
COMPRESSION = "zstd"


class SparkEngine:
    """Implements `event_log.archiver.Engine`."""

    def __init__(
        self,
        session: SparkSession,
        files: HadoopFiles,
        source: Mapping[str, Any],
        kafka: Mapping[str, Any],
    ) -> None:
        """Write one source's records."""
        self._session, self._files, self._source, self._kafka = session, files, source, kafka

    def write(self, spans: Mapping[int, Span], staging: str) -> Sequence[LogFile]:
        """Write the records of some offsets."""
        raw = from_kafka(self._session, self._source["topic"], spans, self._kafka)
        jvm: Any = self._session._jvm  # noqa: SLF001 (Spark's own way to Java)
        kernel = jvm.io.featureplatform.kernel.spark.LogRecords
        frame = DataFrame(kernel.describe(raw._jdf, json.dumps(self._source)), self._session)  # noqa: SLF001
        total = sum(end - start for start, end in spans.values())
        per_date = min(len(spans), -(-total // FILE_RECORDS))
        return self._write(frame, per_date, staging)

    def rewrite(self, paths: Sequence[str], staging: str) -> Sequence[LogFile]:
        """Write the records of some files, one file a date."""
        names = [f"{self._files.root}/{path}" for path in paths]
        frame = self._session.read.schema(SCHEMA).parquet(*names)
        date = f.regexp_extract(f.col("_metadata.file_path"), "/date=([^/]+)/", 1)
        return self._write(frame.withColumn("date", date), 1, staging)

    def _write(self, frame: DataFrame, per_date: int, staging: str) -> list[LogFile]:
        where = f"{self._files.root}/{staging}"
        part = f.col("partition") % per_date
        (
            frame.repartition(f.col("date"), part)
            .sortWithinPartitions("date", "partition", "offset")
            .write.option("compression", COMPRESSION)
            .partitionBy("date")
            .parquet(where)
        )
        sizes = {
            path: size
            for path, size in self._files.sizes(staging)
            if path.endswith(".parquet") and not path.rpartition("/")[2].startswith("_")
        }
        return [
            LogFile(path=path, records=self._files.parquet_records(path), bytes=size)
            for path, size in sorted(sizes.items())
        ]


def from_kafka(
    session: SparkSession, topic: str, spans: Mapping[int, Span], kafka: Mapping[str, Any]
) -> DataFrame:
    """Return the records of some offsets of a topic: key, value, partition, offset, timestamp."""

    def offsets(which: int) -> str:
        return json.dumps({topic: {str(part): span[which] for part, span in spans.items()}})

    reader = session.read.format("kafka").option("kafka.bootstrap.servers", kafka["bootstrap"])
    for name, value in kafka.get("properties", {}).items():
        reader = reader.option(f"kafka.{name}", value)
    frame = (
        reader.option("assign", json.dumps({topic: sorted(spans)}))
        .option("startingOffsets", offsets(0))
        .option("endingOffsets", offsets(1))
        .option("failOnDataLoss", "true")
        .load()
    )
    return frame.select(
        "key", "value", "partition", "offset", f.expr("unix_millis(timestamp) AS timestamp")
    )


def bounds(kafka: Mapping[str, Any], topic: str) -> dict[int, Span]:
    """Return the first kept offset and the end of each partition.

    Raises:
        BrokerUnavailableError: The broker does not answer.
    """
    found = _topics(kafka).bounds(topic)
    return {int(name.rpartition("/")[2]): span for name, span in found.items()}


def topic_id(kafka: Mapping[str, Any], topic: str) -> str:
    """Return the id that a topic got when it was made; empty if there is none.

    Raises:
        BrokerUnavailableError: The broker does not answer.
    """
    return _topics(kafka).topic_id(topic)


def _topics(kafka: Mapping[str, Any]) -> Topics:
    host, _, port = str(kafka["bootstrap"]).rpartition(":")
    settings = KafkaSettings(host=host, port=int(port), properties=kafka.get("properties", {}))
    return Topics(settings)


def source_files(session: SparkSession, log: str, source: Mapping[str, Any]) -> HadoopFiles:
    """Return the folder of a source in the event log's folder (`Settings.event_log_folder`).

    Offsets are a topic's: of a source that reads another topic now, each has a folder.
    """
    return HadoopFiles(session, f"{log.rstrip('/')}/{source['name']}/{source['topic']}")


def records(
    session: SparkSession,
    files: HadoopFiles,
    source: Mapping[str, Any],
    until: Mapping[str, int],
    kafka: Mapping[str, Any],
    dates: Collection[str] | None = None,
) -> DataFrame:
    """Return all records below some offsets, each once: from the log, the rest from Kafka.

    Args:
        session: Spark.
        files: The source's folder in the event log.
        source: The source as the job spec has it.
        until: The first offset that is not wanted, by "topic/partition".
        kafka: `bootstrap` and `properties`.
        dates: Of what is archived, those of these dates alone; None for all.

    Returns:
        key, value, partition, offset, timestamp (epoch milliseconds), and readable: whether it was
        an event when it was archived; false for what comes from Kafka, as nobody has looked.

    Raises:
        OffsetsGoneError: Neither has some offset; the message names them.
        EventLogError: The log is damaged, or its topic was made anew.
    """
    archived = read_log(files)
    ends = {int(name.rpartition("/")[2]): end for name, end in until.items()}
    topic = source["topic"]
    check_same(source["name"], topic, archived.topic_id, topic_id(kafka, topic))
    rest = tail(source["name"], topic, archived, ends, bounds(kafka, topic))
    names = [f"{files.root}/{path}" for path in of_dates(archived, dates)]
    frame = _of_log(session.createDataFrame([], SCHEMA))
    if names:
        limits = session.createDataFrame(sorted(ends.items()), "partition INT, until BIGINT")
        read = _of_log(session.read.schema(SCHEMA).parquet(*names))
        joined = read.join(f.broadcast(limits), "partition")
        frame = joined.where("offset < until").select(*RAW, "readable")
    if rest:
        session.sparkContext.setJobDescription(f"from Kafka: {spell(topic, rest)}")
        unseen = f.expr("false").alias("readable")
        frame = frame.unionByName(from_kafka(session, topic, rest, kafka).select(*RAW, unseen))
    return frame


def _of_log(rows: DataFrame) -> DataFrame:
    return rows.select(*RAW, f.isnull("reason").alias("readable"))


def of_dates(log: Log, dates: Collection[str] | None) -> list[str]:
    """Return the live files of some dates; of all for None."""
    folders = None if dates is None else {f"{DATA}/date={date}" for date in dates}
    return [path for path, file in log.files.items() if folders is None or file.folder in folders]


def damage(
    session: SparkSession, files: HadoopFiles, log: Log, dates: Collection[str] | None = None
) -> Damage:
    """Return which live files, of some dates or of all, are not as their commits say.

    Only then all files are read, for the offsets that none of them holds.
    """
    found = _records(files, of_dates(log, dates))
    damaged = Damage(
        missing=tuple(path for path, records in found.items() if records is None),
        altered=tuple(
            Altered(path=path, committed=log.files[path].records, found=records)
            for path, records in found.items()
            if records not in (None, log.files[path].records)
        ),
    )
    if not damaged:
        return damaged
    whole = _records(files, list(log.files))
    readable = [path for path, records in whole.items() if records is not None]
    return replace(damaged, lacking=lacking(log, _held(session, files, readable)))


def _records(files: HadoopFiles, paths: Sequence[str]) -> dict[str, int | None]:
    """Return how many records live files hold; None for those that are gone or cut off."""
    present = {path for path, _ in files.sizes(DATA)}
    return {path: files.try_parquet_records(path) if path in present else None for path in paths}


def _held(
    session: SparkSession, files: HadoopFiles, paths: Sequence[str]
) -> list[tuple[int, int, int]]:
    """Return the runs of offsets that files hold: partition, first, and the one after the last."""
    if not paths:
        return []
    names = [f"{files.root}/{path}" for path in paths]
    rows = session.read.schema(SCHEMA).parquet(*names).select("partition", "offset")
    place = f.dense_rank().over(Window.partitionBy("partition").orderBy("offset"))
    runs = (
        rows.withColumn("run", f.col("offset") - place)
        .groupBy("partition", "run")
        .agg(f.min("offset").alias("first"), f.max("offset").alias("last"))
    )
    return [(row["partition"], row["first"], row["last"] + 1) for row in runs.collect()]
