"""The event log on a real broker and a real local Spark: every offset once, whatever is killed."""

import json
import random
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from pyspark.sql import SparkSession

from backfill.event_log import SparkEngine, records, source_files
from backfill.files import HadoopFiles
from backfill.kafka import KafkaTopic
from feature_platform.clock import SystemClock
from feature_platform.definition.model import ColumnType, Source
from feature_platform.engines.spark import Archived, archive
from feature_platform.errors import LogConflictError, OffsetsGoneError, SparkFailedError
from feature_platform.event_log.archiver import ArchiveRequest, read_log
from feature_platform.event_log.archiver import archive as archive_by
from feature_platform.event_log.commits import Log
from feature_platform.event_log.progress import Committed, Progress
from feature_platform.local.stack import Stack
from feature_platform.plan.job_source import JobSource
from feature_platform.settings import EventLogSettings, Settings
from tests.integration.commands import kill_spark
from tests.integration.small_disk import small_disk
from tests.integration.waiting import until

PARTITIONS = 2
PAST_MS = 10**13
"""The events are of 1970."""
DAY_MS = 86_400_000
TRIES_MAX = 8

Sent = dict[tuple[int, int], tuple[bytes | None, bytes | None]]
"""Key and value by partition and offset."""


@pytest.fixture(scope="module")
def broker(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The shared broker, and a log of its own."""
    log = EventLogSettings(folder=str(tmp_path_factory.mktemp("log")), commit_records_max=150)
    return stack.settings.model_copy(update={"event_log": log})


@pytest.fixture
def source(broker: Settings) -> Source:
    """A source with a topic of its own."""
    name = f"clicks_{uuid4().hex[:6]}"
    admin = AdminClient({"bootstrap.servers": broker.kafka.bootstrap})
    admin.create_topics([NewTopic(name, num_partitions=PARTITIONS)])[name].result(timeout=30)
    columns = (("page", ColumnType(name="STRING")), ("at", ColumnType(name="TIMESTAMP")))
    return Source(
        name=name,
        topic=name,
        format="json",
        event_time="at",
        max_future_ms=1000,
        max_past_ms=PAST_MS,
        columns=columns,
    )


def send(broker: Settings, source: Source, count: int, sent: Sent) -> None:
    """Send events of three days, among them broken ones, null values and keys."""
    producer = Producer({"bootstrap.servers": broker.kafka.bootstrap, "enable.idempotence": True})
    seed = len(sent)

    def delivered(error: object, message: Any) -> None:  # noqa: ANN401 (Kafka's)
        assert error is None
        sent[message.partition(), message.offset()] = (message.key(), message.value())

    for number in range(seed, seed + count):
        at = (number % 3) * DAY_MS + number
        value: bytes | None = json.dumps({"page": f"p{number}", "at": at}).encode()
        value = {3: b"\x00\xff no json", 5: None, 7: b""}.get(number % 11, value)
        key = None if number % 2 else f"k{number}".encode()
        producer.produce(
            source.topic, value, key, partition=number % PARTITIONS, on_delivery=delivered
        )
    assert producer.flush(30) == 0


def held(spark: SparkSession, broker: Settings, source: Source) -> tuple[Log, Sent]:
    """Return the log and all records of its files; no offset may be there twice."""
    files = folder(spark, broker, source)
    log = read_log(files)
    rows = spark.read.parquet(*[f"{files.root}/{path}" for path in log.files]).collect()
    found = {
        (row["partition"], row["offset"]): (_bytes(row["key"]), _bytes(row["value"]))
        for row in rows
    }
    assert len(rows) == len(found) == log.records
    return log, found


def _bytes(value: bytearray | None) -> bytes | None:
    return None if value is None else bytes(value)


def _is_event(value: bytearray | None) -> bool:
    return value is not None and value.startswith(b"{")


def run(broker: Settings, source: Source) -> Archived:
    """Archive as `fp archive` does: by a child."""
    return archive(broker, source, lambda _: None)


def run_here(
    spark: SparkSession, broker: Settings, source: Source, *, accept_gap: bool = False
) -> Log:
    """Do what the child does, in the Spark that runs already."""
    files, topic = folder(spark, broker, source), topic_of(spark, broker, source)
    job = ArchiveRequest(
        source=source.name,
        topic=source.topic,
        records_max=broker.event_log.commit_records_max,
        accept_gap=accept_gap,
    )
    engine = SparkEngine(spark, files, JobSource.timing(source), topic)
    return archive_by(job, files, engine, topic, SystemClock(), lambda _: None)


def folder(spark: SparkSession, broker: Settings, source: Source) -> HadoopFiles:
    """Return the source's folder."""
    return source_files(spark, broker.event_log_folder, JobSource.timing(source))


def topic_of(spark: SparkSession, broker: Settings, source: Source) -> KafkaTopic:
    """Return the source's topic."""
    return KafkaTopic(spark, source.topic, broker.kafka)


def test_every_record_is_archived_as_it_was_sent(
    broker: Settings,
    source: Source,
    spark: SparkSession,
) -> None:
    """Twice; with what does not parse, and the reason; and the rest is read from Kafka."""
    sent: Sent = {}
    send(broker, source, 220, sent)
    first = run(broker, source)
    assert (first.added, first.records) == (220, 220)
    send(broker, source, 100, sent)
    assert sum(run_here(spark, broker, source).positions.values()) == 320
    log, found = held(spark, broker, source)
    assert found == sent
    files = folder(spark, broker, source)
    names = [f"{files.root}/{path}" for path in log.files]
    rows = spark.read.parquet(*names).groupBy("reason").count().collect()
    broken = sum(1 for _, value in sent.values() if value in {None, b"", b"\x00\xff no json"})
    reasons = {row["reason"]: row["count"] for row in rows}
    assert reasons.pop(None) == 320 - broken
    assert set(reasons) == {"not_json", "bad_text"}
    days = {path.split("/")[1] for path in log.files}
    assert days > {"date=1970-01-01", "date=1970-01-02", "date=1970-01-03"}
    # What is not archived yet is read from Kafka, and nothing from `until` on.
    send(broker, source, 50, sent)
    until = {f"{source.topic}/0": 180, f"{source.topic}/1": 100}
    topic = topic_of(spark, broker, source)
    timing = JobSource.timing(source)
    rows = records(spark, files, timing, until, topic, read_by=timing).collect()
    read = [(row["partition"], row["offset"], _bytes(row["value"])) for row in rows]
    assert [row["readable"] for row in rows] == [_is_event(row["value"]) for row in rows]
    wanted = [
        (part, offset, value)
        for (part, offset), (_, value) in sent.items()
        if offset < until[f"{source.topic}/{part}"]
    ]
    assert sorted(read, key=lambda row: row[:2]) == sorted(wanted, key=lambda row: row[:2])
    with pytest.raises(OffsetsGoneError, match=f"{source.topic}/1: 185 to 199"):
        records(spark, files, JobSource.timing(source), {f"{source.topic}/1": 200}, topic)
    # What is deployed may have read them, too.
    deployed = JobSource.timing(source)
    frame = records(spark, files, deployed, until, topic, read_by=deployed)
    read_before = frame.collect()
    assert sum(row["readable"] for row in read_before) == sum(
        _is_event(row["value"]) for row in read_before
    )


def test_another_topic_is_another_log(
    broker: Settings, source: Source, spark: SparkSession
) -> None:
    """Offsets of the topic before are never taken for those of the present one."""
    send(broker, source, 20, {})
    run_here(spark, broker, source)
    other = replace(source, topic=f"{source.topic}_v2")
    admin = AdminClient({"bootstrap.servers": broker.kafka.bootstrap})
    admin.create_topics([NewTopic(other.topic, num_partitions=PARTITIONS)])[other.topic].result(30)
    sent: Sent = {}
    send(broker, other, 6, sent)
    until = {f"{other.topic}/{part}": 3 for part in range(PARTITIONS)}
    files = folder(spark, broker, other)
    frame = records(spark, files, JobSource.timing(other), until, topic_of(spark, broker, other))
    assert {(row["partition"], row["offset"]) for row in frame.collect()} == set(sent)
    run_here(spark, broker, other)
    assert held(spark, broker, other)[1] == sent


def test_a_killed_archiver_loses_and_doubles_nothing(
    broker: Settings,
    source: Source,
    spark: SparkSession,
) -> None:
    """Its Spark is killed at random moments, again and again; then one run ends."""
    sent: Sent = {}
    draw = random.Random(7)  # noqa: S311 (moments of a test)
    for commits in (0, 2):
        _archive_and_kill(broker, source, sent, commits, draw.uniform(0, 3))
    run_here(spark, broker, source)
    _, found = held(spark, broker, source)
    assert found == sent


def _archive_and_kill(
    broker: Settings, source: Source, sent: Sent, commits: int, wait_s: float
) -> None:
    """Archive new records and kill Spark before it ends: sooner, if it was faster."""
    for halvings in range(TRIES_MAX):
        send(broker, source, 1_200, sent)
        killer = _Killer(after_commits=commits, wait_s=wait_s / 2**halvings)
        try:
            archive(broker, source, killer)
        except SparkFailedError as error:
            assert "killed by signal 9" in str(error)  # noqa: PT017 (only what was killed in time)
            return
    pytest.fail(f"{TRIES_MAX} runs ended before they were killed")


class _Killer:
    """Kills Spark some time after it has made some commits (mutable)."""

    def __init__(self, *, after_commits: int, wait_s: float) -> None:
        self._left, self._wait_s = after_commits, wait_s

    def __call__(self, fact: Progress) -> None:
        """Count what is told."""
        self._left -= isinstance(fact, Committed)
        if self._left <= 0:
            time.sleep(self._wait_s)
            kill_spark()


@pytest.mark.long
def test_a_full_disk_is_told_and_half_commits_nothing(
    broker: Settings, source: Source, spark: SparkSession, tmp_path: Path
) -> None:
    """What was archived stays; with room again, the next run goes on."""
    with small_disk(tmp_path / "small", megabytes=8) as disk:
        log = broker.event_log.model_copy(update={"folder": str(disk.folder / "log")})
        small = broker.model_copy(update={"event_log": log})
        sent: Sent = {}
        send(small, source, 100, sent)
        run_here(spark, small, source)
        before = dict(sent)
        disk.fill()
        send(small, source, 100, sent)
        with pytest.raises(SparkFailedError, match="No space left on device"):
            run(small, source)
        assert held(spark, small, source)[1] == before
        disk.clear()
        run_here(spark, small, source)
        assert held(spark, small, source)[1] == sent


def test_of_two_archivers_one_loses_and_says_so(
    broker: Settings,
    source: Source,
    spark: SparkSession,
) -> None:
    """What they made together holds every record once."""
    sent: Sent = {}
    send(broker, source, 600, sent)
    failures: list[Exception] = []

    def one() -> None:
        try:
            run_here(spark, broker, source)
        except LogConflictError as error:
            failures.append(error)

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run_here(spark, broker, source)
    _, found = held(spark, broker, source)
    assert found == sent
    assert len(failures) <= 1
    assert all("another process archived it" in str(error) for error in failures)


def test_what_retention_has_passed_is_named(
    broker: Settings,
    source: Source,
    spark: SparkSession,
) -> None:
    """It goes on only when a person accepts the gap."""
    sent: Sent = {}
    send(broker, source, 20, sent)
    run_here(spark, broker, source)
    send(broker, source, 40, sent)
    admin = AdminClient({"bootstrap.servers": broker.kafka.bootstrap})
    admin.delete_records([TopicPartition(source.topic, 1, 15)])
    topic = topic_of(spark, broker, source)
    until(lambda: topic.bounds()[1][0] == 15, "Kafka to delete events")
    with pytest.raises(OffsetsGoneError, match=f"{source.topic}/1: 10 to 14;.*--accept-gap"):
        run_here(spark, broker, source)
    assert held(spark, broker, source)[0].records == 20
    run_here(spark, broker, source, accept_gap=True)
    log, found = held(spark, broker, source)
    lost = {(1, offset) for offset in range(10, 15)}
    assert found == {place: event for place, event in sent.items() if place not in lost}
    assert log.lost == {1: ((10, 15),)}


@pytest.mark.long
def test_small_files_become_few(
    broker: Settings,
    source: Source,
    spark: SparkSession,
    tmp_path: Path,
) -> None:
    """Compacted files hold the same records; those they replace stay for who reads them."""
    sent: Sent = {}
    send(broker, source, 600, sent)
    few = broker.event_log.model_copy(
        update={"commit_records_max": 30, "folder": str(tmp_path / "log")}
    )
    settings = broker.model_copy(update={"event_log": few})
    run_here(spark, settings, source)
    log, found = held(spark, settings, source)
    assert found == sent
    assert len(log.replaced) > 0
    assert all(
        (tmp_path / "log" / source.name / source.topic / path).exists() for path in log.replaced
    )
