"""Archiving one source, step by step; killed after any of them and run again, nothing is lost.

It is handed the files and the engine, so that a test can end it anywhere.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol
from uuid import uuid4

from feature_platform.clock import Clock
from feature_platform.errors import EventLogError, LogConflictError
from feature_platform.event_log.commits import (
    COMMITS,
    DATA,
    STAGING,
    Log,
    LogCommit,
    LogFile,
    Span,
    commit_path,
    data_path,
    leftovers,
)
from feature_platform.event_log.progress import Begun, Committed, Progress
from feature_platform.event_log.ranges import (
    Bounds,
    check_kept,
    check_same,
    check_topic,
    gone,
    next_spans,
)

KEEP_REPLACED_MS = 86_400_000
"""So long readers may read files that a compaction has replaced."""
SMALL_FILES_MAX = 16
"""A date with more small files than this is compacted."""
SMALL_BYTES = 32_000_000
COMPACT_BYTES_MAX = 1_000_000_000
"""What one compaction rewrites at most."""

FILES_MAX = 10
"""How many are named of those that cannot be compacted."""

Report = Callable[[Progress], None]


class ReadableFiles(Protocol):
    """A log's folder; paths are relative to it."""

    def paths(self, folder: str) -> list[str]:
        """Return all files below a folder; none if it is missing."""
        ...

    def read(self, path: str) -> bytes:
        """Return a file's content."""
        ...


class Files(ReadableFiles, Protocol):
    """The same, which can be written."""

    def publish(self, path: str, data: bytes) -> bool:
        """Create a file with its whole content at once; False if it is there already."""
        ...

    def move(self, path: str, to: str) -> None:
        """Rename a file."""
        ...

    def delete(self, path: str) -> None:
        """Delete a file or a folder; no error if it is gone."""
        ...


class Engine(Protocol):
    """Writes data files below a staging folder, those of a date in a folder `date=...`."""

    def write(self, spans: Mapping[int, Span], staging: str) -> Sequence[LogFile]:
        """Write the records of some offsets."""
        ...

    def rewrite(self, paths: Sequence[str], staging: str) -> Sequence[LogFile]:
        """Write the records of some files, one file a date, which stays what it was."""
        ...


class Topic(Protocol):
    """The topic of a name as it is at each call: the next one may be of another that was made."""

    def topic_id(self) -> str:
        """Return the id that Kafka gave it; empty if it gives none."""
        ...

    def bounds(self) -> Bounds:
        """Return the first kept offset and the end of each partition; nothing if it is missing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveRequest:
    """What is archived, and how much at a time."""

    source: str
    topic: str
    records_max: int
    accept_gap: bool = False
    reading: str = ""
    """How the engine reads records; see `dates.reading`."""


def read_log(files: ReadableFiles) -> Log:
    """Add up a source's commits.

    Raises:
        EventLogError: The log is damaged.
    """
    found = sorted(path for path in files.paths(COMMITS) if path.endswith(".json"))
    return Log.of(LogCommit.from_bytes(files.read(path), path) for path in found)


def archive(
    job: ArchiveRequest,
    files: Files,
    engine: Engine,
    topic: Topic,
    clock: Clock,
    report: Report,
) -> Log:
    """Archive up to the topic's ends of now, compact what is small, and tidy up.

    1. Add up what is committed, look at the topic, and delete what killed runs left.
    2. Write data files of the next offsets, move them to their names, commit; until the end.
    3. Compact dates of many small files, by commits of the same kind.
    4. Delete what nobody reads any more.

    Raises:
        EventLogError: The log is damaged or does not fit the topic; OffsetsGoneError if records
            are gone; LogConflictError if someone else archives the same source.
    """
    # 1.
    log = read_log(files)
    topic_id, now = _look(job, log, topic)
    tidy(log, files, clock)
    ends = {part: end for part, (_, end) in now.items()}
    behind = sum(end - max(log.positions.get(part, 0), now[part][0]) for part, end in ends.items())
    report(Begun(behind=behind, archived=log.records))
    # 2.
    while True:
        topic_id, now = _look(job, log, topic)
        missing = gone(log.positions, now)
        if not job.accept_gap:
            check_kept(job.source, job.topic, missing)
        todo = next_spans(log.positions, now, ends, job.records_max)
        if not todo:
            break
        lost = {part: span for part, span in missing.items() if part in todo}
        write = partial(_read, job, engine, topic, topic_id, todo)
        added = write_data(job.source, files, log.next_number, write)
        commit = LogCommit(
            number=log.next_number,
            at_ms=clock.now_ms(),
            spans=todo,
            lost=lost,
            added=added,
            topic_id=topic_id,
            reading=job.reading,
        )
        log = commit_to(job.source, files, log, commit, report)
    # 3.
    while small := small_files(log):
        added = _merged(job, files, engine, log, small)
        if not added:
            break
        commit = LogCommit(
            number=log.next_number,
            at_ms=clock.now_ms(),
            added=added,
            removed=tuple(small),
            topic_id=log.topic_id,
            reading=log.readings[small[0]],
        )
        log = commit_to(job.source, files, log, commit, report)
    # 4.
    tidy(log, files, clock)
    return log


def _merged(
    job: ArchiveRequest, files: Files, engine: Engine, log: Log, small: Sequence[str]
) -> tuple[LogFile, ...]:
    """Write small files once more, as fewer; nothing if they do not fit together.

    Raises:
        EventLogError: They do not have as many records as their commits say.
    """
    added = write_data(job.source, files, log.next_number, partial(engine.rewrite, small))
    if sum(file.records for file in added) != sum(log.files[path].records for path in small):
        msg = (
            f"source {job.source}: files to be merged do not have as many records as their "
            f"commits say, so they are left as they are: {', '.join(small[:FILES_MAX])}. To "
            "find the damaged file, run fp check on a feature set of the source; restore the "
            f"file from a copy, then fp archive {job.source}"
        )
        raise EventLogError(msg)
    if len(added) < len(small):
        return added
    for file in added:
        files.delete(file.path)
    return ()


def tidy(log: Log, files: Files, clock: Clock) -> None:
    """Delete what killed runs left and what was replaced long ago."""
    present = [*files.paths(DATA), *files.paths(STAGING)]
    for path in leftovers(log, present, clock.now_ms(), KEEP_REPLACED_MS):
        files.delete(path)


def small_files(log: Log) -> list[str]:
    """Return files that are to become fewer: all small ones of dates that have too many.

    All were read the same way, which their commit says.
    """
    groups: dict[tuple[str, str], list[LogFile]] = {}
    for file in log.files.values():
        if file.bytes < SMALL_BYTES:
            groups.setdefault((log.readings[file.path], file.folder), []).append(file)
    many = {key: group for key, group in sorted(groups.items()) if len(group) > SMALL_FILES_MAX}
    first = next(iter(many), ("", ""))[0]
    chosen: list[str] = []
    size = 0
    for (read, _), group in many.items():
        if read == first and size < COMPACT_BYTES_MAX:
            chosen += sorted(file.path for file in group)
            size += sum(file.bytes for file in group)
    return chosen


def _look(job: ArchiveRequest, log: Log, topic: Topic) -> tuple[str, Bounds]:
    """Return the topic's id and bounds of now; another topic than the archived one is refused."""
    topic_id, now = topic.topic_id(), topic.bounds()
    check_topic(job.source, job.topic, log.positions, now)
    check_same(job.source, job.topic, log.topic_id, topic_id)
    return topic_id, now


def _read(
    job: ArchiveRequest,
    engine: Engine,
    topic: Topic,
    topic_id: str,
    spans: Mapping[int, Span],
    staging: str,
) -> Sequence[LogFile]:
    """Write the records of some offsets, if they are of the topic that was looked at."""
    made = engine.write(spans, staging)
    check_same(job.source, job.topic, topic_id, topic.topic_id())
    return made


def write_data(
    source: str, files: Files, number: int, write: Callable[[str], Sequence[LogFile]]
) -> tuple[LogFile, ...]:
    """Write data files under names that nobody else has; what fails is deleted again."""
    token = uuid4().hex[:8]
    staging = f"{STAGING}/{number:020d}-{token}"
    moved: list[LogFile] = []
    try:
        for index, file in enumerate(write(staging)):
            path = data_path(file.folder.rpartition("/")[2], number, token, index)
            moved.append(LogFile(path=path, records=file.records, bytes=file.bytes))
            files.move(file.path, path)
        files.delete(staging)
    except Exception as error:
        for file in moved:
            files.delete(file.path)
        files.delete(staging)
        if commit_path(number) in files.paths(COMMITS):  # who made it has tidied ours away
            raise _conflict(source, number) from error
        raise
    return tuple(moved)


def commit_to(source: str, files: Files, log: Log, commit: LogCommit, report: Report) -> Log:
    """Publish a commit and return the log with it; if another came first, delete its files."""
    after = log.with_commit(commit)
    if not files.publish(commit_path(commit.number), commit.to_bytes()):
        for file in commit.added:
            files.delete(file.path)
        raise _conflict(source, commit.number)
    report(
        Committed(
            number=commit.number,
            records=0 if commit.removed else commit.records,
            compacted=len(commit.removed),
            files=len(commit.added),
            bytes=sum(file.bytes for file in commit.added),
        )
    )
    return after


def _conflict(source: str, number: int) -> LogConflictError:
    msg = (
        f"source {source}: another process archived it at the same time and made commit {number} "
        "first; the log has no losses or duplicates. Run the command again when the other process "
        "is done"
    )
    return LogConflictError(msg)
