"""What the platform starts as a child: `python -m backfill.main --spec FILE`.

Each line on standard output is a fact (`engines.spark_facts`), one of `END` or `Failed` the last.
Standard error is Spark's log.
"""

import argparse
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import assert_never

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from backfill.archived_log import ArchivedLog
from backfill.as_of import answer
from backfill.event_log import SparkEngine, source_files
from backfill.event_rows import write_event_rows
from backfill.feature_log import archive_feature_log
from backfill.history import import_history
from backfill.kafka import KafkaTopic
from backfill.labels import label
from backfill.recount import events_of, recount
from backfill.session import close_session, open_session
from backfill.states import states
from backfill.tiles import WriteLimits, events, partials, tile_rows, write_rows
from feature_platform.clock import SystemClock
from feature_platform.engines.event_rows_request import EventRowsTask
from feature_platform.engines.labels_request import LabelsTask
from feature_platform.engines.spark_facts import (
    AllTold,
    Fact,
    Failed,
    LogArchived,
    Lost,
    TilesWritten,
    Writing,
    line_of,
)
from feature_platform.engines.spark_request import (
    ArchiveTask,
    AsOfTask,
    EventsTask,
    FeatureLogTask,
    RecountTask,
    SparkRequest,
    StatesTask,
    TilesTask,
)
from feature_platform.errors import FeaturePlatformError
from feature_platform.event_log.archiver import ArchiveRequest, archive
from feature_platform.event_log.dates import reading
from feature_platform.event_log.ranges import spans
from feature_platform.settings import KAFKA_PASSWORD

DETAIL_CHARACTERS_MAX = 600


def main() -> int:
    """Do one task; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spec", type=Path, required=True)
    parser.add_argument("--with-parent", action="store_true", help="end when standard input does")
    arguments = parser.parse_args()
    if arguments.with_parent:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    request = SparkRequest.parse(arguments.spec.read_text())
    fact = attempted(lambda: _in_session(request))
    _tell(fact)  # after Java has ended: the parent ends this process when it knows
    return 1 if isinstance(fact, Failed) else 0


def attempted(task: Callable[[], Fact]) -> Fact:
    """Return the last fact of a task, or why it failed."""
    try:
        return task()
    except FeaturePlatformError as error:
        return Failed(kind=type(error).__name__, message=str(error))
    except (Py4JError, PySparkException, OSError) as error:
        return Failed(kind="spark", message=_short(error))


def _in_session(request: SparkRequest) -> Fact:
    with _session(request) as session:
        # In the session: Java is asked for the text of an error when somebody wants it.
        return attempted(lambda: do(session, request))


@contextmanager
def _session(request: SparkRequest) -> Iterator[SparkSession]:
    session = open_session(
        master=request.spark.master,
        jars=[Path(jar) for jar in request.jars],
        options=request.spark.options,
        driver_memory=request.spark.driver_memory,
        secrets=secrets(request, os.environ),
    )
    try:
        yield session
    finally:
        close_session(session)


def secrets(request: SparkRequest, environment: Mapping[str, str]) -> dict[str, str]:
    """Return what executors log in to store and Kafka with, as far as this process was given it."""
    names = (request.password_env, KAFKA_PASSWORD)
    return {name: environment[name] for name in names if name in environment}


def do(session: SparkSession, request: SparkRequest) -> Fact:
    """Do what is asked, and return the last fact."""
    match task := request.task:
        case ArchiveTask():
            return _archive(session, request, task)
        case FeatureLogTask():
            return archive_feature_log(session, request.log, task, _tell)
        case TilesTask():
            return _write_tiles(session, request, task)
        case StatesTask():
            return states(session, request.log, task)
        case RecountTask():
            recount(session, request.log, task, _tell)
        case EventsTask():
            events_of(session, request.log, task, _tell)
        case AsOfTask():
            answer(session, request.log, task, _tell)
        case EventRowsTask():
            write_event_rows(session, request.log, task)
        case LabelsTask():
            label(session, request.log, task, _tell)
        case _:
            assert_never(task)
    return AllTold()


def _archive(session: SparkSession, request: SparkRequest, task: ArchiveTask) -> LogArchived:
    """Archive the topic, which Kafka may delete, before the history, which may be refused."""
    source = task.source
    topic = KafkaTopic(session, source.topic, task.kafka)
    files = source_files(session, request.log, source)
    job = ArchiveRequest(
        source=source.name,
        topic=source.topic,
        records_max=task.records_max,
        accept_gap=task.accept_gap,
        reading=reading(source),
    )
    engine = SparkEngine(session, files, source, topic)
    log = archive(job, files, engine, topic, SystemClock(), _tell)
    history = import_history(
        session,
        request.log,
        request.project,
        source,
        _tell,
        accept_unreadable=task.accept_gap,
    )
    return LogArchived(
        history=history.totals if history else {},
        records=log.records,
        files=len(log.files),
        bytes=log.bytes,
        positions=dict(sorted(log.positions.items())),
    )


def _write_tiles(session: SparkSession, request: SparkRequest, task: TilesTask) -> TilesWritten:
    job, source = task.job.job, task.job.job.source
    import_history(session, request.log, request.project, source, _tell)
    archived = ArchivedLog(session, request.log, source)
    archived.refuse_damage()
    for part, lost in sorted(archived.log.lost.items()):
        for span in lost:
            _tell(Lost(offsets=spans(source.topic, {part: span})))
    topic = KafkaTopic(session, source.topic, task.job.kafka.settings)
    raw = archived.records(task.until, topic, read_by=task.read_by)
    parsed = events(session, raw, job, strict=not task.accept_unreadable)
    rows = tile_rows(session, partials(session, parsed, job), job)
    limits = WriteLimits(rows_per_second_max=request.spark.rows_per_second_max)
    written = write_rows(
        session,
        rows,
        task.job,
        task.attempt,
        limits=limits,
        report=lambda so_far: _tell(
            Writing(
                stage=so_far.stage,
                tasks_done=so_far.tasks_done,
                tasks=so_far.tasks,
                rows=so_far.written.rows,
                bytes=so_far.written.payload_bytes,
                expired=so_far.written.expired,
            )
        ),
    )
    return TilesWritten(rows=written.rows, bytes=written.payload_bytes, expired=written.expired)


def _tell(fact: Fact) -> None:
    sys.stdout.write(line_of(fact) + "\n")
    sys.stdout.flush()


def _end_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 1):  # not by `sys.stdin`: its lock would be held at the end
        pass
    os._exit(1)


def _short(error: Exception) -> str:
    """Return the innermost cause of a Java trace, which says why."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    causes = [line for line in lines if line.startswith("Caused by: ")]
    full = [line for line in lines if "No space left" in line]
    return (full or causes or lines or [repr(error)])[-1][:DETAIL_CHARACTERS_MAX]


if __name__ == "__main__":
    raise SystemExit(main())
