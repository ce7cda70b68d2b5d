"""Archives the feature log of a list: Hadoop's files, our own Parquet. No Spark job runs."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from pyspark.sql import SparkSession

from backfill.files import HadoopFiles
from feature_platform.broker.record_reader import RecordReader
from feature_platform.clock import SystemClock
from feature_platform.engines.spark_facts import LogArchived
from feature_platform.engines.spark_request import FeatureLogTask
from feature_platform.event_log.archiver import ArchiveRequest, archive
from feature_platform.event_log.progress import Progress
from feature_platform.feature_log.archive import ServedEngine, dead_letters
from feature_platform.feature_log.read import log_folder
from feature_platform.feature_log_settings import FEATURE_LOG


def archive_feature_log(
    session: SparkSession, root: str, task: FeatureLogTask, report: Callable[[Progress], None]
) -> LogArchived:
    """Bring a list's log up to its topic's ends of now.

    Args:
        session: Spark, for its Java.
        root: The folder of all event logs.
        task: Which list.
        report: Called with what there is to do, and each commit.

    Raises:
        EventLogError: The log is damaged, misses offsets, or somebody else archives it.
        BrokerUnavailableError: Kafka does not answer.
    """
    files = HadoopFiles(session, log_folder(root, task.name, task.topic))
    topic = RecordReader(task.kafka, task.topic)
    job = ArchiveRequest(
        source=f"{FEATURE_LOG}/{task.name}",
        topic=task.topic,
        records_max=task.records_max,
        accept_gap=task.accept_gap,
    )
    place = session.conf.get("spark.local.dir", None)  # deleted by the parent, whatever happens
    with tempfile.TemporaryDirectory(prefix="fp-feature-log-", dir=place) as scratch:
        engine = ServedEngine(task.name, files, topic, Path(scratch))
        log = archive(job, files, engine, topic, SystemClock(), report)
    return LogArchived(
        records=log.records,
        files=len(log.files),
        bytes=log.bytes,
        positions=dict(sorted(log.positions.items())),
        dead_letters=dead_letters(log),
    )
