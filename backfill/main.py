"""What the platform starts as a child: `python -m backfill.main TASK --spec FILE`.

Each line on standard output is a JSON object that says what was done, `error` or `done` the last.
Standard error is Spark's log.
"""

import argparse
import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from backfill.damage import damage
from backfill.event_log import SparkEngine, records, source_files
from backfill.kafka import KafkaTopic, kafka_settings
from backfill.recount import events_of, recount
from backfill.session import open_session
from backfill.tiles import WriteLimits, Written, events, partials, tile_rows, write_rows
from feature_platform.clock import SystemClock
from feature_platform.errors import EventLogError, FeaturePlatformError
from feature_platform.event_log.archiver import ArchiveRequest, archive, read_log
from feature_platform.event_log.dates import reading
from feature_platform.event_log.ranges import spans
from feature_platform.settings import KAFKA_PASSWORD

DETAIL_CHARACTERS_MAX = 600


def main() -> int:
    """Do one task; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=sorted(TASKS))
    parser.add_argument("--spec", type=Path, required=True)
    parser.add_argument("--with-parent", action="store_true", help="end when standard input does")
    arguments = parser.parse_args()
    if arguments.with_parent:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    spec = json.loads(arguments.spec.read_text())
    try:
        session = open_session(
            master=spec["spark"]["master"],
            jars=[Path(jar) for jar in spec["jars"]],
            options=spec["spark"]["options"],
            driver_memory=spec["spark"]["driver_memory"],
            secrets=store_secrets(spec, os.environ),
        )
        TASKS[arguments.what](session, spec)
    except FeaturePlatformError as error:
        _tell({"event": "error", "kind": type(error).__name__, "message": str(error)})
    except (Py4JError, PySparkException, OSError) as error:
        _tell({"event": "error", "kind": "spark", "message": _short(error)})
    else:
        return 0
    return 1


def store_secrets(spec: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, str]:
    """Return what executors log in to store and Kafka with, as far as this process was given it."""
    names = (spec.get("job", {}).get("store", {}).get("password_env", ""), KAFKA_PASSWORD)
    return {name: environment[name] for name in names if name in environment}


def _archive(session: SparkSession, spec: Mapping[str, Any]) -> None:
    source = spec["source"]
    topic = KafkaTopic(session, source["topic"], kafka_settings(spec["kafka"]))
    files = source_files(session, spec["log"], source)
    job = ArchiveRequest(
        source=source["name"],
        topic=source["topic"],
        records_max=spec["records_max"],
        accept_gap=spec["accept_gap"],
        reading=reading(source),
    )
    log = archive(
        job,
        files,
        SparkEngine(session, files, source, topic),
        topic,
        SystemClock(),
        _tell,
    )
    positions = {str(part): end for part, end in sorted(log.positions.items())}
    done = {"records": log.records, "files": len(log.files), "bytes": log.bytes}
    _tell({"event": "done", "positions": positions, **done})


def _write_tiles(session: SparkSession, spec: Mapping[str, Any]) -> None:
    job, source = spec["job"], spec["job"]["source"]
    files = source_files(session, spec["log"], source)
    log = read_log(files)
    if wrong := damage(session, files, log):
        words = "; ".join(wrong.words(files.root, source["topic"]))
        msg = f"{words}: restore the changed files from a copy"
        raise EventLogError(msg)
    for part, lost in sorted(log.lost.items()):
        for span in lost:
            _tell({"event": "lost", "offsets": spans(source["topic"], {part: span})})
    topic = KafkaTopic(session, source["topic"], kafka_settings(job["kafka"]))
    raw = records(session, files, source, spec["until"], topic, read_by=spec["read_by"])
    parsed = events(session, raw, job, strict=not spec["accept_unreadable"])
    rows = tile_rows(session, partials(session, parsed, job), job)
    limits = WriteLimits(rows_per_second_max=spec["spark"]["rows_per_second_max"])
    written = write_rows(
        session,
        rows,
        job,
        spec["attempt"],
        limits=limits,
        report=lambda so_far: _tell(
            {
                "event": "written",
                "stage": so_far.stage,
                "tasks_done": so_far.tasks_done,
                "tasks": so_far.tasks,
                **_facts(so_far.written),
            }
        ),
    )
    _tell({"event": "done", **_facts(written)})


def _recount(session: SparkSession, spec: Mapping[str, Any]) -> None:
    recount(session, spec, _tell)
    _tell({"event": "done"})


def _events(session: SparkSession, spec: Mapping[str, Any]) -> None:
    events_of(session, spec, _tell)
    _tell({"event": "done"})


def _facts(written: Written) -> dict[str, int]:
    return {
        "rows": written.rows,
        "bytes": written.payload_bytes,
        "expired": written.expired,
    }


TASKS: Mapping[str, Callable[[SparkSession, Mapping[str, Any]], None]] = {
    "archive": _archive,
    "tiles": _write_tiles,
    "recount": _recount,
    "events": _events,
}


def _tell(fact: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(fact) + "\n")
    sys.stdout.flush()


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


def _short(error: Exception) -> str:
    """Return the innermost cause of a Java trace, which says why."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    causes = [line for line in lines if line.startswith("Caused by: ")]
    full = [line for line in lines if "No space left" in line]
    return (full or causes or lines or [repr(error)])[-1][:DETAIL_CHARACTERS_MAX]


if __name__ == "__main__":
    raise SystemExit(main())
