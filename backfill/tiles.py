"""From raw records to tile rows in the store, as the job of the same spec would have written them.

Python builds the plan alone: what runs for an event, an entity or a row is the kernel's Java.
"""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from typing import Any

from py4j.java_gateway import JavaObject
from pyspark.sql import DataFrame, SparkSession

from feature_platform.engines.job_spec import JobSpec
from feature_platform.plan.job import JobDefinition

PROGRESS_S = 2.0
"""How often progress is reported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteLimits:
    """How hard a backfill may press the store; for one task, of which each core runs one."""

    batches_in_flight_max: int = 64
    rows_per_second_max: int = 0
    """0: as fast as the store takes them."""
    batch_bytes_max: int = 32_768
    """Payloads of one batch; an entity with more is written in several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What ended tasks have written."""

    rows: int
    payload_bytes: int
    expired: int
    """Rows that were not written, because no window can reach them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderWay:
    """How far a backfill is: events are read, grouped and written in stages of tasks."""

    stage: int
    """The number of the newest stage that runs; 0 between two."""
    tasks_done: int
    tasks: int
    """Of that stage."""
    written: Written


def events(
    session: SparkSession, records: DataFrame, job: JobDefinition, *, strict: bool = False
) -> DataFrame:
    """Parse raw records; those that the job would make dead letters of are left out.

    Args:
        session: As `open_session` opens it, with the kernel's jar.
        records: As `event_log.records` returns them: `value` BINARY, `partition` INT, `offset`
            BIGINT, `timestamp` BIGINT in epoch milliseconds, `readable` BOOLEAN.
        job: What is computed.
        strict: Fail, when it runs, if a record that was an event before is none for its source.

    Returns:
        The source's columns, then `__ts`, `__partition` and `__offset`.
    """
    parsed = _kernel(session).Events.parse(_java(records), _text(job), strict)
    return DataFrame(parsed, session)


def partials(session: SparkSession, events: DataFrame, job: JobDefinition) -> DataFrame:
    """Run the query over events.

    Args:
        session: The session of the events; a view of the source's name is made in it.
        events: As `events` returns them.
        job: What is computed.

    Returns:
        `__entity` STRING, `__tile` BIGINT (start of a finest tile), `_events` and the columns. Each
        part of the events is grouped alone, so a tile may come several times, to be added up.
    """
    register_functions(session)
    events.createOrReplaceTempView(job.source.name)
    groups = _kernel(session).PartGroups.of(_java(session.sql(job.spark_sql)))
    return DataFrame(groups, session)


def tile_rows(session: SparkSession, partials: DataFrame, job: JobDefinition) -> DataFrame:
    """Roll what the query has returned up to every level.

    Args:
        session: The session of the partials.
        partials: As `partials` returns them.
        job: What is computed.

    Returns:
        `entity` STRING, `level` INT (-1: the head), `start` BIGINT and `payload` BINARY; rows of
        one entity are together.
    """
    rows = _kernel(session).TileRows.of(_java(partials), _text(job))
    return DataFrame(rows, session)


def packed_rows(session: SparkSession, partials: DataFrame, job: JobDefinition) -> DataFrame:
    """Roll partials up as `tile_rows` does; a row for each entity.

    Args:
        session: The session of the partials.
        partials: As `partials` returns them.
        job: What is computed.

    Returns:
        `entity` STRING and `rows` BINARY, as `EntityRows` holds them.
    """
    return DataFrame(_kernel(session).TileRows.packed(_java(partials), _text(job)), session)


def register_functions(session: SparkSession) -> None:
    """Make the functions that rendered SQL uses known to a session; again is as good as once."""
    _kernel(session).SqlFunctions.register(session._jsparkSession)  # noqa: SLF001 - the bridge to Java


def write_rows(
    session: SparkSession,
    rows: DataFrame,
    spec: JobSpec,
    attempt: int,
    *,
    limits: WriteLimits | None = None,
    report: Callable[[UnderWay], None] = lambda _: None,
) -> Written:
    """Write rows to the generation's table; returns when the store has acknowledged all.

    A write that broke off is repeated as a whole, under the same attempt: the same bytes come
    under the same timestamp.

    Args:
        session: The session of the rows.
        rows: As `tile_rows` returns them.
        spec: The job spec, which names the store.
        attempt: The number that was claimed for this backfill.
        limits: How hard to press the store.
        report: Called with the progress every two seconds.
    """
    kernel, limits = _kernel(session), limits or WriteLimits()
    java_limits = kernel.WriteLimits(
        limits.batches_in_flight_max, limits.rows_per_second_max, limits.batch_bytes_max
    )
    progress = kernel.Progress.start(session._jsparkSession)  # noqa: SLF001
    with ThreadPoolExecutor(max_workers=1) as pool:
        writing = pool.submit(
            kernel.TileRows.write, _java(rows), spec.text(), attempt, java_limits, progress
        )
        while not writing.done():
            wait_for([writing], timeout=PROGRESS_S)
            report(_under_way(session, progress))
        writing.result()
    return _written(progress)


def _under_way(session: SparkSession, progress: JavaObject) -> UnderWay:
    tracker = session.sparkContext.statusTracker()
    stage = max(tracker.getActiveStageIds(), default=-1)
    info = tracker.getStageInfo(stage) if stage >= 0 else None
    return UnderWay(
        stage=stage + 1,
        tasks_done=info.numCompletedTasks if info else 0,
        tasks=info.numTasks if info else 0,
        written=_written(progress),
    )


def _written(progress: JavaObject) -> Written:
    return Written(rows=progress.rows(), payload_bytes=progress.bytes(), expired=progress.expired())


def _kernel(session: SparkSession) -> Any:  # noqa: ANN401 - a Java package has no type
    """Return the package of the kernel's Spark part."""
    java: Any = session._jvm  # noqa: SLF001 - the bridge to Java
    return java.io.featureplatform.kernel.spark


def _text(job: JobDefinition) -> str:
    return json.dumps(job.to_json())


def _java(frame: DataFrame) -> JavaObject:
    return frame._jdf  # noqa: SLF001 - the bridge to Java
