"""Runs Spark as a child process: passes on what it reports, and makes its failures ours."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from feature_platform import errors
from feature_platform.definition.model import Source
from feature_platform.errors import FeaturePlatformError, SparkFailedError
from feature_platform.extras import require
from feature_platform.local.environment import OBJECT_STORES, SPARK, chosen, kafka_secret
from feature_platform.local.jars import build_kernel, fetch_jars
from feature_platform.local.java import find_java_home, java_environment
from feature_platform.local.last_done import record
from feature_platform.paths import PARTS, make_private
from feature_platform.plan.job import timing_json
from feature_platform.settings import Settings, password, password_variable

STOP_TIMEOUT_S = 10.0

Report = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Archived:
    """What an event log holds after a run, and what that run did."""

    source: str
    records: int
    files: int
    bytes: int
    positions: Mapping[str, int]
    """First offset of each "topic/partition" that is not archived."""
    added: int
    """Records that this run archived."""

    def to_json(self) -> dict[str, Any]:
        """Return the form that `fp archive --json` prints."""
        return {
            "source": self.source,
            "added": self.added,
            "records": self.records,
            "files": self.files,
            "bytes": self.bytes,
            "positions": dict(self.positions),
        }


def archive(
    settings: Settings, source: Source, report: Report, *, accept_gap: bool = False
) -> Archived:
    """Bring a source's event log up to the topic's ends of now.

    Args:
        settings: Where everything is.
        source: What is archived.
        report: Called with each fact that the child reports.
        accept_gap: Go on although Kafka has lost offsets that are not archived.

    Raises:
        EventLogError: The log is damaged, misses offsets, or somebody else archives the source.
        SparkFailedError: Spark failed or was killed; nothing is half committed.
        BrokerUnavailableError: Kafka does not answer.
        ServerError: A JDK or a jar is missing.
    """
    task = _Task(
        what="archive",
        name=source.name,
        subject=f"source {source.name}",
        again=f"fp archive {source.name}",
        spec={
            "source": timing_json(source),
            "kafka": {"settings": settings.kafka.model_dump()},
            "records_max": settings.event_log.commit_records_max,
            "accept_gap": accept_gap,
        },
    )
    added = 0
    for fact in _run(settings, task):
        report(fact)
        added += fact["records"] if fact["event"] == "commit" else 0
    record(settings, "archived", source.name, {"added": added, "records": fact["records"]})
    return Archived(
        source=source.name,
        records=fact["records"],
        files=fact["files"],
        bytes=fact["bytes"],
        positions={f"{source.topic}/{part}": end for part, end in fact["positions"].items()},
        added=added,
    )


class SparkBackfiller:
    """Implements `engines.ports.Backfiller` by a child that computes and writes the rows."""

    def __init__(self, settings: Settings) -> None:
        """Use the kernel, the event log, the store and the brokers that the settings name."""
        self._settings = settings

    def backfill(
        self,
        spec: Mapping[str, Any],
        attempt: int,
        until: Mapping[str, int],
        report: Callable[[str], None],
        *,
        accept_unreadable: bool,
        read_by: Mapping[str, Any] | None,
    ) -> None:
        """Write every row of a generation; see the port."""
        name = spec["featureset"]
        task = _Task(
            what="tiles",
            name=name,
            subject=f"feature set {name}",
            again=f"fp apply {name}",
            spec={
                "job": spec,
                "attempt": attempt,
                "until": dict(until),
                "accept_unreadable": accept_unreadable,
                "read_by": read_by,
            },
        )
        secret = {password_variable("job"): password(self._settings, "job")}
        said = ""
        for fact in _run(self._settings, task, secret):
            if fact["event"] == "lost":
                report(f"permanently skipping the offsets {fact['offsets']}, which no longer exist")
                continue
            so_far = f"{fact['rows']:,} rows, {fact['bytes'] / 1e6:,.1f} MB"
            if fact["event"] == "done":
                report(f"all rows written: {so_far}")
            elif fact["tasks"]:
                tasks = f"{fact['tasks_done']} of {fact['tasks']} tasks"
                text = f"Spark's stage {fact['stage']}: {tasks}; written so far: {so_far}"
                if text != said:
                    report(text)
                said = text


class SparkRecounter:
    """Implements `checks.run.Recounter` by children that read the event log and Kafka."""

    def __init__(self, settings: Settings) -> None:
        """Use the kernel, the event log and the brokers that the settings name."""
        self._settings = settings

    def recount(
        self, spec: Mapping[str, Any], until: Mapping[str, int], ask: Mapping[str, Any]
    ) -> Iterator[Mapping[str, Any]]:
        """Recompute tiles; see the port."""
        return self._run("recount", spec, {"until": dict(until), "ask": dict(ask)})

    def events_of(
        self,
        spec: Mapping[str, Any],
        until: Mapping[str, int],
        places: Sequence[tuple[str, int, int]],
    ) -> Iterator[Mapping[str, Any]]:
        """Look for events; see the port."""
        facts = self._run("events", spec, {"until": dict(until), "places": list(places)})
        return (fact for fact in facts if fact["event"] == "events")

    def _run(
        self, what: str, spec: Mapping[str, Any], asked: Mapping[str, Any]
    ) -> Iterator[Mapping[str, Any]]:
        name = spec["featureset"]
        task = _Task(
            what=what,
            name=name,
            subject=f"feature set {name}",
            again=f"fp check {name}",
            spec={"job": spec, **asked},
        )
        return _run(self._settings, task)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """What a child is to do, and how its failure is reported."""

    what: str
    """The first argument of `backfill.main`."""
    name: str
    subject: str
    again: str
    """The command that continues where it ended."""
    spec: Mapping[str, Any]


def _run(
    settings: Settings, task: _Task, secrets: Mapping[str, str] | None = None
) -> Iterator[Mapping[str, Any]]:
    """Yield what the child reports; the last is `done`."""
    require(task.again, "spark")
    java_home = find_java_home()
    jars = sorted(fetch_jars(settings, "spark", java_home).glob("*.jar"))
    with tempfile.TemporaryDirectory(prefix="fp-spark-") as folder:
        options = {
            "spark.local.dir": folder,
            "spark.sql.warehouse.dir": f"{folder}/warehouse",
            **settings.spark.options,
        }
        spec = {
            **task.spec,
            "log": settings.event_log_folder,
            "spark": {**settings.spark.model_dump(), "options": options},
            "jars": [str(jar) for jar in (build_kernel(settings, java_home), *jars)],
        }
        path = Path(folder) / "spec.json"
        path.write_text(json.dumps(spec, indent=1))
        environment = chosen((*SPARK, *OBJECT_STORES, *map(re.escape, settings.spark.environment)))
        environment |= java_environment(java_home) | kafka_secret(settings) | dict(secrets or {})
        yield from _told(settings, task, path, environment)


def _told(
    settings: Settings, task: _Task, spec: Path, environment: Mapping[str, str]
) -> Iterator[Mapping[str, Any]]:
    make_private(settings.data)
    logs = settings.data / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"spark-{task.what}-{task.name}.log"
    command = [sys.executable, "-m", "backfill.main", task.what, "--with-parent"]
    fact: Mapping[str, Any] = {"event": "nothing"}
    with (
        log.open("wb") as errors_log,
        _child([*command, "--spec", str(spec)], environment, errors_log) as child,
    ):
        assert child.stdout is not None  # noqa: S101 (a pipe was asked for)
        for line in child.stdout:
            try:
                fact = json.loads(line)
            except ValueError:
                continue
            if fact["event"] == "error":
                break
            yield fact
        if fact["event"] == "done":
            return
        if fact["event"] == "error":
            raise _translated(settings, task, fact, log)
        code = child.wait()
    how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    msg = (
        f"{task.subject}: Spark {how} before it finished; completed commits are kept and there are "
        f"no partial commits. Run {task.again} again; its log is {log}"
    )
    raise SparkFailedError(msg)


@contextmanager
def _child(
    command: list[str], environment: Mapping[str, str], log: IO[bytes]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a child in a session of its own; whatever ends the block ends all of it."""
    child = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        cwd=PARTS,
        env=dict(environment),
        start_new_session=True,
    )
    try:
        yield child
    finally:
        if child.stdin:
            child.stdin.close()  # it ends by itself when its parent's end is closed
        try:
            child.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        if child.stdout:
            child.stdout.close()


def _translated(
    settings: Settings, task: _Task, fact: Mapping[str, Any], log: Path
) -> FeaturePlatformError:
    kind = getattr(errors, fact["kind"], None)
    text = fact["message"]
    if kind is not None and issubclass(kind, FeaturePlatformError):
        made: FeaturePlatformError = kind(text)
        return made
    if "No space left" in text:
        msg = (
            f"{task.subject}: a disk is full ({text}): that of the event log "
            f"{settings.event_log_folder}, or that of Spark's spark.local.dir. Completed commits "
            f"are kept and there are no partial commits: free some space, then {task.again}"
        )
        return SparkFailedError(msg)
    msg = (
        f"{task.subject}: Spark failed: {text}. Completed commits are kept and there are no "
        f"partial commits: fix the cause, then {task.again}; its log is {log}"
    )
    return SparkFailedError(msg)
