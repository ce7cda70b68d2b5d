"""Runs Spark as a child process: passes on what it reports, and makes its failures ours."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

from feature_platform.definition.model import Source
from feature_platform.engines.delta import delta_jars, delta_options, reads_delta
from feature_platform.engines.event_rows_request import EventRowsTask
from feature_platform.engines.labels_request import LabelsTask
from feature_platform.engines.spark_facts import (
    END,
    AsOfAnswered,
    EventsFound,
    Fact,
    Failed,
    LogArchived,
    LogSpan,
    Lost,
    RecountFact,
    StatesTold,
    TilesWritten,
    Writing,
    fact_of,
)
from feature_platform.engines.spark_failures import Child, odd, translated
from feature_platform.engines.spark_request import (
    ArchiveTask,
    AsOfTask,
    EventsTask,
    FeatureLogTask,
    RecountTask,
    SparkRequest,
    StatesTask,
    Task,
    TilesTask,
)
from feature_platform.errors import SparkFailedError
from feature_platform.event_log.progress import Begun, Committed, Imported, Progress
from feature_platform.extras import require
from feature_platform.local.class_archive import class_archive
from feature_platform.local.environment import OBJECT_STORES, SPARK, chosen, kafka_secret
from feature_platform.local.jars import build_kernel, fetch_jars
from feature_platform.local.java import find_java_home, java_environment
from feature_platform.local.last_done import record
from feature_platform.paths import PARTS, file_uri, make_private
from feature_platform.plan.job_source import JobSource
from feature_platform.settings import Settings, password, password_variable
from feature_platform.words import counted

STOP_TIMEOUT_S = 10.0
JAVA_OPTIONS = "spark.driver.defaultJavaOptions"
"""Added before `spark.driver.extraJavaOptions`, which people set."""

Report = Callable[[Progress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Archived:
    """What an event log holds after a run, and what that run did."""

    source: str
    """Its name; of a list `feature_log/` and the list's."""
    records: int
    files: int
    bytes: int
    positions: Mapping[str, int]
    """First offset of each "topic/partition" that is not archived."""
    added: int
    """Records that this run archived; of a feature log rows."""
    dead_letters: int = 0
    """Of a feature log: records that could not be decoded, which are kept, too."""
    history: Mapping[str, int] = field(default_factory=dict)
    """Of a source with a history: what became of its rows; see `event_log.history.Import`."""

    def to_json(self) -> dict[str, Any]:
        """Return the form that `fp archive --json` prints."""
        return {
            "source": self.source,
            "added": self.added,
            "records": self.records,
            "files": self.files,
            "bytes": self.bytes,
            "positions": dict(self.positions),
            "dead_letters": self.dead_letters,
            **({"history": dict(self.history)} if self.history else {}),
        }


def archive(
    settings: Settings, source: Source, report: Report, *, accept_gap: bool = False
) -> Archived:
    """Bring a source's event log up to the topic's ends of now.

    Args:
        settings: Where everything is.
        source: What is archived.
        report: Called with what there is to do, and each commit.
        accept_gap: Continue although Kafka has lost offsets that are not archived.

    Raises:
        EventLogError: The log is damaged, misses offsets, or somebody else archives the source.
        SparkFailedError: Spark failed or was killed; nothing is half committed.
        BrokerUnavailableError: Kafka does not answer.
        ServerError: A JDK or a jar is missing.
    """
    task = ArchiveTask(
        source=JobSource.timing(source),
        kafka=settings.kafka,
        records_max=settings.event_log.commit_records_max,
        accept_gap=accept_gap,
    )
    return archive_topic(settings, task, source.topic, source.name, f"source {source.name}", report)


def archive_topic(
    settings: Settings,
    task: ArchiveTask | FeatureLogTask,
    topic: str,
    name: str,
    subject: str,
    report: Report,
) -> Archived:
    """Have a topic archived by a child, and note that it was.

    Args:
        settings: Where everything is.
        task: What the child does.
        topic: Whose records.
        name: What `fp archive` calls it.
        subject: The same in messages.
        report: Called with what there is to do, and each commit.

    Raises:
        EventLogError: See `archive`; so of the other errors.
    """
    child = Child(name=name.rpartition("/")[2], subject=subject, again=f"fp archive {name}")
    added = 0
    for fact in _run(settings, task, child):
        match fact:
            case Begun() | Imported():
                report(fact)
            case Committed():
                report(fact)
                added += fact.records
            case LogArchived():
                done = fact
            case _:
                raise odd(child, fact)
    record(settings, "archived", name, {"added": added, "records": done.records})
    return Archived(
        source=name,
        records=done.records,
        files=done.files,
        bytes=done.bytes,
        positions={f"{topic}/{part}": end for part, end in done.positions.items()},
        added=added,
        dead_letters=done.dead_letters,
        history=done.history,
    )


class SparkBackfiller:
    """Implements `engines.ports.Backfiller` by a child that computes and writes the rows."""

    def __init__(self, settings: Settings) -> None:
        """Use the kernel, the event log, the store and the brokers that the settings name."""
        self._settings = settings

    def backfill(self, task: TilesTask, report: Callable[[str], None]) -> None:
        """Write every row of a generation; see the port."""
        name = task.job.job.featureset
        child = Child(name=name, subject=f"feature set {name}", again=f"fp apply {name}")
        secret = {password_variable("job"): password(self._settings, "job")}
        said = ""
        for fact in _run(self._settings, task, child, secret):
            text = _words(child, fact)
            if text and text != said:
                report(text)
            said = text or said


def _words(child: Child, fact: Fact) -> str:
    """Say how far a backfill is; empty where there is nothing to say."""
    match fact:
        case Lost():
            return f"permanently skipping the offsets {fact.offsets}, which no longer exist"
        case Imported():
            files = f"{fact.files} of {counted(fact.files_total, 'file')}"
            return f"history: {files} imported, {counted(fact.rows, 'row')}"
        case TilesWritten():
            return f"all rows written: {_so_far(fact)}"
        case Writing():
            tasks = f"{fact.tasks_done} of {fact.tasks} tasks"
            text = f"Spark's stage {fact.stage}: {tasks}; written so far: {_so_far(fact)}"
            return text if fact.tasks else ""
        case _:
            raise odd(child, fact)


def _so_far(fact: Writing | TilesWritten) -> str:
    return f"{fact.rows:,} rows, {fact.bytes / 1e6:,.1f} MB"


class SparkRecounter:
    """Implements `checks.run.Recounter` by children that read the event log and Kafka."""

    def __init__(self, settings: Settings, command: str = "check") -> None:
        """Use the kernel, the event log and the brokers that the settings name.

        Args:
            settings: Where everything is.
            command: The `fp` command that asks, for messages.
        """
        self._settings, self._command = settings, command

    def recount(self, task: RecountTask) -> Iterator[RecountFact]:
        """Recompute tiles; see the port."""
        for fact in self._run(task):
            if isinstance(fact, RecountFact):
                yield fact

    def events_of(self, task: EventsTask) -> Iterator[EventsFound]:
        """Look for events; see the port."""
        for fact in self._run(task):
            if isinstance(fact, EventsFound):
                yield fact

    def _run(self, task: RecountTask | EventsTask) -> Iterator[Fact]:
        name = task.job.job.featureset
        again = f"fp {self._command} {name}"
        child = Child(name=name, subject=f"feature set {name}", again=again)
        return _run(self._settings, task, child)


class SparkAnswerer:
    """Answers questions about what was so when, by a child that reads the event log.

    Implements `training.build.Answerer`, `training.labels.Labeller` and `match.states.Teller`.
    """

    def __init__(self, settings: Settings) -> None:
        """Use the kernel and the event log that the settings name."""
        self._settings = settings

    def answer(self, task: AsOfTask, name: str, again: str) -> Iterator[LogSpan | AsOfAnswered]:
        """Answer the questions of a training set; see the port."""
        yield from self._run(task, name, again)

    def label(self, task: LabelsTask, name: str, again: str) -> Iterator[LogSpan | AsOfAnswered]:
        """Compute labels; see `training.labels.Labeller`."""
        yield from self._run(task, name, again)

    def _run(
        self, task: AsOfTask | LabelsTask, name: str, again: str
    ) -> Iterator[LogSpan | AsOfAnswered]:
        child = Child(name=name, subject=f"feature list {name}", again=again)
        for fact in _run(self._settings, task, child):
            if isinstance(fact, LogSpan | AsOfAnswered):
                yield fact

    def tell(self, task: StatesTask, again: str) -> StatesTold:
        """Write what rows can have held; see `match.states.Teller`."""
        name = task.job.job.featureset
        child = Child(name=name, subject=f"feature set {name}", again=again)
        told = [fact for fact in _run(self._settings, task, child) if isinstance(fact, StatesTold)]
        if not told:
            msg = f"feature set {name}: Spark reported nothing; run {again} again"
            raise SparkFailedError(msg)
        return told[0]


class SparkEventReader:
    """Implements `statistics.event_days.EventReader` by a child that reads the event log."""

    def __init__(self, settings: Settings) -> None:
        """Use the kernel and the event log that the settings name."""
        self._settings = settings

    def write(self, task: EventRowsTask, name: str) -> None:
        """Write what a feature set takes of the events of a day; see the port."""
        again = f"fp statistics {name}"
        child = Child(name=name, subject=f"feature set {name}", again=again)
        for _ in _run(self._settings, task, child):
            pass


def _run(
    settings: Settings, task: Task, of: Child, secrets: Mapping[str, str] | None = None
) -> Iterator[Fact]:
    """Yield what the child reports; the last is one of `END`."""
    require(of.again, "spark")
    java_home = find_java_home()
    jars = sorted(fetch_jars(settings, "spark", java_home).glob("*.jar"))
    jars += delta_jars(settings, task, java_home)
    with (
        tempfile.TemporaryDirectory(prefix="fp-spark-") as folder,
        class_archive(settings.cache.expanduser() / "spark", _classes(java_home)) as archive,
    ):
        options = {
            "spark.local.dir": folder,
            "spark.sql.warehouse.dir": f"{folder}/warehouse",
            JAVA_OPTIONS: " ".join(f'"{option}"' for option in archive),
            **settings.spark.options,
        }
        if reads_delta(task):
            options = delta_options(options)
        request = SparkRequest(
            task=task,
            log=settings.event_log_folder,
            spark=settings.spark.model_copy(update={"options": options}),
            jars=tuple(str(jar) for jar in (build_kernel(settings, java_home), *jars)),
            project=file_uri(settings.project.resolve()),
        )
        path = Path(folder) / "spec.json"
        path.write_text(request.text())
        environment = chosen((*SPARK, *OBJECT_STORES, *map(re.escape, settings.spark.environment)))
        environment |= java_environment(java_home) | kafka_secret(settings) | dict(secrets or {})
        yield from _told(settings, task.what, of, path, environment)


def _classes(java_home: Path) -> tuple[object, ...]:
    """Return what the driver's classes depend on: the JDK, and the jars of this PySpark."""
    return (str(java_home), version("pyspark"), sys.prefix)


def _told(
    settings: Settings, what: str, of: Child, request: Path, environment: Mapping[str, str]
) -> Iterator[Fact]:
    make_private(settings.data)
    logs = settings.data / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"spark-{what}-{of.name}.log"
    command = [sys.executable, "-m", "backfill.main", "--with-parent"]
    with (
        log.open("wb") as errors_log,
        _child([*command, "--spec", str(request)], environment, errors_log) as child,
    ):
        assert child.stdout is not None  # noqa: S101 (a pipe was asked for)
        for line in child.stdout:
            fact = fact_of(line)
            if isinstance(fact, Failed):
                raise translated(settings, of, fact, log)
            if fact is not None:
                yield fact
            if isinstance(fact, END):
                return
        code = child.wait()
    how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    msg = (
        f"{of.subject}: Spark {how} before it finished; completed commits are kept and there are "
        f"no partial commits. Run {of.again} again; its log is {log}"
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
