"""The event log between crashes: whatever ends an archiver, every offset is there exactly once."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_platform.errors import EventLogError, LogConflictError, OffsetsGoneError
from feature_platform.event_log import archiver
from feature_platform.event_log.archiver import ArchiveRequest, archive, read_log
from feature_platform.event_log.commits import (
    COMMITS,
    DATA,
    Log,
    LogCommit,
    LogFile,
    Span,
)
from feature_platform.event_log.ranges import next_spans, tail
from feature_platform.testing.clock import ManualClock

JOB = ArchiveRequest(source="clicks", topic="clicks", records_max=7)
Records = tuple[tuple[int, int], ...]
TOKEN = "0a1b2c3d"


class CrashError(BaseException):
    """The process is gone; nothing of it runs any more."""


@dataclass(slots=True, kw_only=True)
class Disk:
    """Files in memory that all archivers share; ends one of them at its n-th step (mutable)."""

    content: dict[str, bytes | Records] = field(default_factory=dict)
    steps_left: int = -1
    meanwhile: Callable[[], None] | None = None
    """Done once, before the next commit: another archiver, for one."""

    def step(self) -> None:
        """Crash if the time has come."""
        if self.steps_left == 0:
            self.steps_left = -1
            raise CrashError
        self.steps_left -= 1

    def paths(self, folder: str) -> list[str]:
        """Return all files below a folder."""
        return sorted(path for path in self.content if path.startswith(f"{folder}/"))

    def read(self, path: str) -> bytes:
        """Return a file's content."""
        data = self.content[path]
        assert isinstance(data, bytes)
        return data

    def publish(self, path: str, data: bytes) -> bool:
        """Create a file unless it is there."""
        self.step()
        if self.meanwhile:
            act, self.meanwhile = self.meanwhile, None
            act()
        if path in self.content:
            return False
        self.content[path] = data
        self.step()
        return True

    def move(self, path: str, to: str) -> None:
        """Rename a file."""
        self.step()
        self.content[to] = self.content.pop(path)

    def delete(self, path: str) -> None:
        """Delete a file or a folder."""
        self.step()
        for each in [each for each in self.content if each == path or each.startswith(f"{path}/")]:
            del self.content[each]

    def write(self, spans: Mapping[int, Span], staging: str) -> Sequence[LogFile]:
        """Write each partition's records as one file."""
        pairs = [
            tuple((part, offset) for offset in range(start, end))
            for part, (start, end) in spans.items()
        ]
        return self._files(pairs, staging)

    def rewrite(self, paths: Sequence[str], staging: str) -> Sequence[LogFile]:
        """Write the records of files as one."""
        held = [self.content[path] for path in paths]
        return self._files([tuple(record for each in held for record in each)], staging)  # type: ignore[misc]

    def _files(self, groups: Sequence[Records], staging: str) -> list[LogFile]:
        made = []
        for index, group in enumerate(groups):
            path = f"{staging}/date=1970-01-01/part-{index}.parquet"
            self.step()
            self.content[path] = group
            made.append(LogFile(path=path, records=len(group), bytes=len(group)))
        return made


@dataclass(slots=True, kw_only=True)
class FakeTopic:
    """What Kafka says of a topic; a test makes it anew (mutable)."""

    ends: Mapping[int, int]
    low: int = 0
    id: str = ""
    anew_after: int = -1
    """It is deleted, made anew and filled to the same ends after so many answers."""

    def topic_id(self) -> str:
        """Return its id."""
        self._answer()
        return self.id

    def bounds(self) -> dict[int, Span]:
        """Return the offsets that it has."""
        self._answer()
        return {part: (self.low, end) for part, end in self.ends.items()}

    def _answer(self) -> None:
        if self.anew_after == 0:
            self.id = "second"
        self.anew_after -= 1


def run(
    disk: Disk,
    ends: Mapping[int, int],
    low: int = 0,
    *,
    accept_gap: bool = False,
    topic_id: str = "",
    reading: str = "",
) -> Log:
    """Archive up to some ends."""
    job = replace(JOB, accept_gap=accept_gap, reading=reading)
    topic = FakeTopic(ends=ends, low=low, id=topic_id)
    return archive(job, disk, disk, topic, ManualClock(now_ms=1), lambda _: None)


def held(disk: Disk) -> list[tuple[int, int]]:
    """Return the records of the files that commits name."""
    found: list[tuple[int, int]] = []
    for path in read_log(disk).files:
        content = disk.content[path]
        assert isinstance(content, tuple)
        found += content
    return sorted(found)


def all_of(ends: Mapping[int, int]) -> list[tuple[int, int]]:
    """Return every record of a topic."""
    return sorted((part, offset) for part, end in ends.items() for offset in range(end))


@given(
    ends=st.dictionaries(st.integers(0, 2), st.integers(1, 60), min_size=1),
    crashes=st.lists(st.integers(0, 25), max_size=12),
)
def test_any_crashes_leave_every_offset_exactly_once(
    ends: dict[int, int], crashes: list[int]
) -> None:
    """Ended after any steps, and run again until one run is left alone."""
    disk = Disk()
    before = archiver.SMALL_FILES_MAX
    archiver.SMALL_FILES_MAX = 3  # so that compactions are crashed, too
    try:
        for steps in crashes:
            disk.steps_left = steps
            try:
                run(disk, ends)
            except CrashError:
                records = held(disk)
                assert len(records) == len(set(records))
        disk.steps_left = -1
        log = run(disk, ends)
    finally:
        archiver.SMALL_FILES_MAX = before
    assert held(disk) == all_of(ends)
    assert log.positions == ends
    stray = [p for p in disk.paths(DATA) if p not in log.files and p not in log.replaced]
    assert stray == []


@pytest.mark.parametrize("readings", [("a", "b", "a"), ("", "a", "a")])
def test_files_remember_how_they_were_read(
    monkeypatch: pytest.MonkeyPatch, readings: tuple[str, ...]
) -> None:
    """Also once they are compacted, which no file is together with one that was read otherwise."""
    monkeypatch.setattr(archiver, "SMALL_FILES_MAX", 1)
    disk = Disk()
    for end, reading in zip((20, 40, 60), readings, strict=True):
        run(disk, {0: end}, reading=reading)
    log = read_log(disk)
    assert log.replaced
    assert held(disk) == all_of({0: 60})
    for path in log.files:
        records = disk.content[path]
        assert isinstance(records, tuple)
        assert {readings[offset // 20] for _, offset in records} == {log.readings[path]}


def test_a_log_from_before_readings_were_kept_knows_none() -> None:
    """Its files may hold records of any date."""
    disk = Disk()
    run(disk, {0: 5}, reading="a")
    (path,) = disk.paths(COMMITS)
    commit = json.loads(disk.read(path))
    assert commit.pop("reading") == "a"
    disk.content[path] = json.dumps(commit).encode()
    assert set(read_log(disk).readings.values()) == {""}


@given(first=st.integers(1, 40), second=st.integers(0, 40))
def test_of_two_archivers_at_once_one_loses(first: int, second: int) -> None:
    """The one whose number is taken stops; the log holds every offset once."""
    disk = Disk()

    def other() -> None:
        run(disk, {0: first + second})

    disk.meanwhile = other
    with pytest.raises(LogConflictError, match="commit 0 first"):
        run(disk, {0: first})
    run(disk, {0: first + second})
    assert held(disk) == all_of({0: first + second})


def test_what_is_gone_is_named_and_only_a_person_may_go_on() -> None:
    """The message says which offsets, and how to go on without them."""
    disk = Disk()
    run(disk, {0: 5})
    with pytest.raises(OffsetsGoneError, match=r"clicks/0: 5 to 7;.*--accept-gap"):
        run(disk, {0: 10}, low=8)
    log = run(disk, {0: 10}, low=8, accept_gap=True)
    assert log.lost == {0: ((5, 8),)}
    assert [offset for _, offset in held(disk)] == [0, 1, 2, 3, 4, 8, 9]


def test_a_log_that_begins_late_says_so() -> None:
    """Kafka had dropped the first records before anybody archived them: a person accepts that."""
    disk = Disk()
    with pytest.raises(OffsetsGoneError, match=r"clicks/0: 0 to 3;.*starts after them"):
        run(disk, {0: 6}, low=4)
    with pytest.raises(OffsetsGoneError, match="clicks/0: 0 to 3;"):
        tail("clicks", "clicks", read_log(disk), {0: 6}, {0: (4, 6)})
    log = run(disk, {0: 6}, low=4, accept_gap=True)
    assert log.lost == {0: ((0, 4),)}
    assert tail("clicks", "clicks", log, {0: 8}, {0: (5, 8)}) == {0: (6, 8)}


def test_a_topic_that_was_made_anew_is_refused() -> None:
    """Its offsets would be other records under the same numbers."""
    disk = Disk()
    run(disk, {0: 5})
    with pytest.raises(EventLogError, match="Kafka ends at 3: the topic was deleted"):
        run(disk, {0: 3})


def test_a_topic_that_was_made_anew_and_filled_again_is_refused() -> None:
    """It is past all that was archived, so its id alone tells; the last one that is known."""
    disk = Disk()
    assert run(disk, {0: 5}, topic_id="first").topic_id == "first"
    assert run(disk, {0: 6}).topic_id == "first"
    with pytest.raises(EventLogError, match=r"id first, but the id is now second.*move the log"):
        run(disk, {0: 900}, topic_id="second")
    assert run(disk, {0: 7}, topic_id="first").positions == {0: 7}


@pytest.mark.parametrize("answers", range(1, 14))
def test_a_topic_that_is_made_anew_meanwhile_is_not_archived_as_the_old_one(answers: int) -> None:
    """Whenever it happens in a run of three commits: no file holds records of the new one."""
    disk, topic = Disk(), FakeTopic(ends={0: 20}, id="first", anew_after=answers)
    read_of: dict[int, str] = {}

    class Reader(Disk):
        def write(self, spans: Mapping[int, Span], staging: str) -> Sequence[LogFile]:
            read_of[spans[0][0]] = topic.id
            return disk.write(spans, staging)

    with suppress(EventLogError):
        archive(JOB, disk, Reader(), topic, ManualClock(now_ms=1), lambda _: None)
    log = read_log(disk)
    commits = [LogCommit.from_bytes(disk.read(path), path) for path in disk.paths(COMMITS)]
    assert {read_of[commit.spans[0][0]] for commit in commits} <= {log.topic_id}
    assert disk.paths(DATA) == sorted(log.files)


def test_a_log_from_before_ids_were_kept_takes_the_next_one() -> None:
    """Its commits lack the key."""
    disk = Disk()
    run(disk, {0: 5})
    (path,) = disk.paths(COMMITS)
    commit = json.loads(disk.read(path))
    assert commit.pop("topic_id") == ""
    disk.content[path] = json.dumps(commit).encode()
    assert run(disk, {0: 6}, topic_id="first").topic_id == "first"


def test_a_damaged_file_is_not_made_one_with_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """What its commit says would be forgotten; the message says how to go on."""
    monkeypatch.setattr(archiver, "SMALL_FILES_MAX", 3)
    disk = Disk()
    log = run(disk, {0: 20})
    disk.content[next(iter(log.files))] = ((0, 0),)
    with pytest.raises(EventLogError, match=r"fp check .*from a copy, then fp archive clicks"):
        run(disk, {0: 40})


def test_a_commit_that_replaces_what_was_never_there_is_an_error() -> None:
    """Commits before it were altered."""
    log = Log(next_number=3)
    with pytest.raises(
        EventLogError, match=r"data/x, which no earlier commit.*restore the commits"
    ):
        log.with_commit(LogCommit(number=3, at_ms=1, removed=("data/x",)))


def test_a_missing_commit_is_an_error() -> None:
    """A log that was partly lost is never taken for a shorter one."""
    disk = Disk()
    run(disk, {0: 20})
    del disk.content[disk.paths(COMMITS)[1]]
    with pytest.raises(EventLogError, match="commit 1 of the event log is missing"):
        run(disk, {0: 20})


def test_a_half_written_commit_is_an_error() -> None:
    """Its file is named."""
    disk = Disk()
    run(disk, {0: 20})
    path = disk.paths(COMMITS)[0]
    disk.content[path] = disk.read(path)[:30]
    with pytest.raises(EventLogError, match=f"{path} is not a valid event log commit"):
        run(disk, {0: 20})


def test_without_its_topic_nothing_is_tidied() -> None:
    """What lies in the folder may be of something else."""
    disk = Disk()
    run(disk, {0: 20})
    path = f"{DATA}/date=x/{0:020d}-{TOKEN}-0.parquet"
    disk.content[path] = b"?"
    with pytest.raises(EventLogError):
        run(disk, {})
    assert path in disk.content
    run(disk, {0: 20})
    assert path not in disk.content


@given(
    ends=st.dictionaries(st.integers(0, 5), st.integers(0, 10**12), min_size=1),
    records_max=st.integers(1, 10**6),
)
def test_a_commit_is_bounded_and_never_empty(ends: dict[int, int], records_max: int) -> None:
    """While something is left, something is archived, and never more than allowed."""
    spans = next_spans({}, {part: (0, end) for part, end in ends.items()}, ends, records_max)
    taken = sum(end - start for start, end in spans.values())
    assert taken <= records_max
    assert bool(taken) == any(ends.values())


def test_a_reader_gets_the_rest_from_kafka() -> None:
    """From where the log ends; what is not there yet is named, too."""
    log = Log.of([LogCommit(number=0, at_ms=0, spans={0: (0, 5)})])
    assert tail("clicks", "clicks", log, {0: 9, 1: 2}, {0: (3, 9), 1: (0, 2)}) == {
        0: (5, 9),
        1: (0, 2),
    }
    with pytest.raises(OffsetsGoneError, match=r"Kafka ends before the offsets clicks/0: 9 to 9"):
        tail("clicks", "clicks", log, {0: 10}, {0: (3, 9)})
    with pytest.raises(OffsetsGoneError, match=r"Kafka ends before the offsets clicks/1: 0 to 3"):
        tail("clicks", "clicks", log, {1: 4}, {0: (3, 9)})
    with pytest.raises(OffsetsGoneError, match=r"clicks/0: 5 to 6; Kafka's retention"):
        tail("clicks", "clicks", log, {0: 10}, {0: (7, 9)})
