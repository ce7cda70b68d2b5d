"""What a child that runs Spark is asked, and what it tells."""

from collections.abc import Iterator

import pytest

from feature_platform.engines.spark_facts import (
    AllTold,
    Counted,
    EntityRows,
    EventsFound,
    Fact,
    Failed,
    LogArchived,
    LogRead,
    Lost,
    RecountFact,
    Sampled,
    TilesWritten,
    Writing,
    fact_of,
    line_of,
    log_of,
)
from feature_platform.engines.spark_request import (
    ArchiveTask,
    EventsTask,
    FeatureLogTask,
    RecountTask,
    SparkRequest,
    Task,
    TileSelection,
    TilesTask,
)
from feature_platform.errors import SparkFailedError
from feature_platform.event_log.progress import Begun, Committed
from feature_platform.settings import KafkaSettings, SparkSettings
from tests.unit.engines.spec import SOURCE, SPEC

UNTIL = {"post_events/0": 9}

TASKS: tuple[Task, ...] = (
    ArchiveTask(source=SOURCE, kafka=KafkaSettings(port=9094), records_max=7, accept_gap=True),
    TilesTask(job=SPEC, attempt=2, until=UNTIL, accept_unreadable=True, read_by=SOURCE),
    TilesTask(job=SPEC, attempt=2, until=UNTIL, accept_unreadable=False, read_by=None),
    RecountTask(job=SPEC, until=UNTIL, wanted=TileSelection()),
    RecountTask(job=SPEC, until=UNTIL, wanted=TileSelection(), archived_only=True),
    RecountTask(
        job=SPEC,
        until=UNTIL,
        wanted=TileSelection(
            days=("2026-03-01",),
            whole_log=True,
            span=(60_000, 120_000),
            slices=None,
            slices_of=100,
            entities_max=20,
            entities=("a", "b"),
            buckets_ms=(60_000,),
        ),
    ),
    FeatureLogTask(
        name="home",
        topic="feature_log.home",
        kafka=KafkaSettings(port=9),
        records_max=7,
        accept_gap=True,
    ),
    EventsTask(job=SPEC, until=UNTIL, places=(("a", 0, 60_000),)),
)

FACTS: tuple[Fact, ...] = (
    LogRead(complete_ms=5, damage=("a file is missing",)),
    Sampled(slices=3),
    Counted(bucket_ms=60_000, start_ms=0, events=2),
    EntityRows.of("a", {(-1, 0): b"\x00\xff", (2, 60_000): b""}),
    EventsFound(entity="a", start_ms=0, end_ms=9, events=2, offsets=((0, 5), (1, 6))),
    Lost(offsets="post_events/0: 3 to 7"),
    Writing(stage=1, tasks_done=2, tasks=3, rows=4, bytes=5, expired=6),
    TilesWritten(rows=4, bytes=5, expired=6),
    Begun(behind=10, archived=20),
    Committed(number=1, records=10, compacted=0, files=2, bytes=300),
    LogArchived(records=30, files=2, bytes=300, positions={0: 15, 1: 15}),
    LogArchived(records=30, files=2, bytes=300, positions={0: 15}, dead_letters=3),
    AllTold(),
    Failed(kind="spark", message="no"),
)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.what)
def test_a_request_comes_back_as_it_was_written(task: Task) -> None:
    """The child does what the parent asked."""
    spark = SparkSettings(master="local[3]", options={"a": "b"}, rows_per_second_max=9)
    request = SparkRequest(task=task, log="/log", spark=spark, jars=("/kernel.jar",))
    assert SparkRequest.parse(request.text()) == request


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.event)
def test_a_fact_comes_back_as_it_was_told(fact: Fact) -> None:
    """In one line."""
    line = line_of(fact)
    assert "\n" not in line
    assert fact_of(line) == fact


def test_what_is_no_fact_is_somebody_elses() -> None:
    """Spark's libraries print to standard output, too."""
    for line in ("WARN something", "{}", '{"event": "sampled"}', '{"event": "new", "slices": 1}'):
        assert fact_of(line) is None


def test_rows_are_told_by_level_and_start() -> None:
    """Their bytes come through as they are."""
    rows = {(-1, 0): b"\x00\xff", (2, 60_000): b""}
    assert EntityRows.of("a", rows).rows == rows


def test_rows_are_packed_as_java_packs_them() -> None:
    """`PackedRowsTest.java` has the same bytes."""
    packed = bytes.fromhex("ffffffff" + "00" * 8 + "00000002" + "00ff" + "00000002")
    packed += bytes.fromhex("000000000000ea60" + "00000000")
    rows = {(-1, 0): b"\x00\xff", (2, 60_000): b""}
    assert EntityRows.of("a", rows) == EntityRows.of_packed("a", packed)


def test_the_log_comes_first() -> None:
    """Nothing is judged before it is known to be whole."""
    facts: Iterator[RecountFact] = iter([LogRead(complete_ms=0, damage=()), Sampled(slices=1)])
    assert log_of(facts).damage == ()
    with pytest.raises(SparkFailedError, match="before the event log"):
        log_of(facts)
