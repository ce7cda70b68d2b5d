"""A changed source and the event log: what it cannot read any more, and where its events lie."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from backfill.event_log import RAW, SCHEMA, SparkEngine, records
from backfill.files import HadoopFiles
from backfill.kafka import KafkaTopic
from feature_platform.clock import SystemClock
from feature_platform.definition.model import MAX_PAST_MS, TypeName
from feature_platform.event_log.archiver import ArchiveRequest, archive
from feature_platform.event_log.commits import Span
from feature_platform.event_log.dates import reading
from feature_platform.plan.job_source import JobSource, SourceColumn
from feature_platform.settings import KafkaSettings

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

pytestmark = pytest.mark.slow

VALUES = ('{"at": 1, "n": 1}', '{"at": 1, "n": "a"}', '{"at": 1, "n": true}', "no json")
NUMBERS: TypeName = "BIGINT"
TEXTS: TypeName = "STRING"
FLAGS: TypeName = "BOOLEAN"


def source(kind: TypeName) -> JobSource:
    """Return a source whose column `n` has some type."""
    return JobSource(
        name="clicks",
        topic="clicks",
        format="json",
        event_time="at",
        event_time_unit="ms",
        max_future_ms=1000,
        max_past_ms=MAX_PAST_MS,
        columns=(SourceColumn(name="at", type="TIMESTAMP"), SourceColumn(name="n", type=kind)),
    )


class FakeTopic(KafkaTopic):
    """A topic of one partition that holds the values."""

    def __init__(self, session: "SparkSession") -> None:
        """Hold them."""
        super().__init__(session, "clicks", KafkaSettings())

    def topic_id(self) -> str:
        """Return an id."""
        return "first"

    def bounds(self) -> dict[int, Span]:
        """Return where the values stand."""
        return {0: (0, len(VALUES))}

    def read(self, spans: Mapping[int, Span]) -> "DataFrame":
        """Return some of them."""
        (start, end) = spans[0]
        rows = [
            (None, bytearray(VALUES[offset].encode()), 0, offset, 5) for offset in range(start, end)
        ]
        return self._session.createDataFrame(rows, ",".join(SCHEMA.split(",")[: len(RAW)]))


def archived(spark: "SparkSession", files: HadoopFiles, by: JobSource) -> None:
    """Archive the values as a source reads them."""
    topic = FakeTopic(spark)
    job = ArchiveRequest(source="clicks", topic="clicks", records_max=2, reading=reading(by))
    engine = SparkEngine(spark, files, by, topic)
    archive(job, files, engine, topic, SystemClock(), lambda _: None)


@pytest.mark.parametrize("archived_by", [None, NUMBERS, TEXTS, FLAGS])
def test_what_was_readable_does_not_depend_on_when_it_was_archived(
    spark: "SparkSession", tmp_path: Path, archived_by: TypeName | None
) -> None:
    """It is what the deployed source reads, archived by whatever source or not."""
    files, topic = HadoopFiles(spark, f"file://{tmp_path}"), FakeTopic(spark)
    if archived_by:
        archived(spark, files, source(archived_by))
    found = records(
        spark, files, source(FLAGS), {"clicks/0": len(VALUES)}, topic, read_by=source(TEXTS)
    )
    readable = {row["offset"]: row["readable"] for row in found.collect()}
    assert readable == {offset: offset == 1 for offset in range(len(VALUES))}


@pytest.mark.parametrize(("event_time", "found"), [("at", []), ("sent", [0, 1, 2, 3])])
def test_a_day_is_read_wherever_another_source_has_put_its_events(
    spark: "SparkSession", tmp_path: Path, event_time: str, found: list[int]
) -> None:
    """All lie at the first day, as they were archived; that is believed of this source alone."""
    files = HadoopFiles(spark, f"file://{tmp_path}")
    archived(spark, files, source(TEXTS))
    until = {"clicks/0": len(VALUES)}
    now = replace(source(TEXTS), event_time=event_time)
    rows = records(spark, files, now, until, FakeTopic(spark), ["1970-01-02"]).collect()
    assert sorted(row["offset"] for row in rows) == found
