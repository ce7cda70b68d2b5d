"""A topic in memory and a folder on the local disk, which an archiver can be killed in."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from feature_platform.broker.record_reader import Record
from feature_platform.event_log.archiver import ArchiveRequest, archive
from feature_platform.event_log.commits import Log, Span
from feature_platform.feature_log.archive import ServedEngine
from feature_platform.feature_log.encode import records
from feature_platform.feature_log.read import ServedLog, log_folder
from feature_platform.feature_log.sample import Sample
from feature_platform.paths import file_uri
from feature_platform.settings import EventLogSettings, Settings
from feature_platform.testing.clock import ManualClock

TAKEN_MS = 1_700_000_000_500
"""When the broker took the first record; each next one a millisecond later."""


class CrashError(BaseException):
    """The process is gone; nothing of it runs any more."""


@dataclass(slots=True)
class MemoryTopic:
    """Records by partition (mutable)."""

    partitions: int = 2
    kept: dict[int, list[bytes | None]] = field(default_factory=dict)
    count: int = 0

    def send(self, *values: bytes | None) -> None:
        """Add records, to one partition after the other."""
        for value in values:
            self.kept.setdefault(self.count % self.partitions, []).append(value)
            self.count += 1

    def send_samples(self, *samples: Sample, bytes_max: int = 1_000_000) -> None:
        """Add what a client would send."""
        for sample in samples:
            self.send(*(data for _, data in records(sample, bytes_max)))

    def topic_id(self) -> str:
        """Return its id."""
        return "first"

    def bounds(self) -> Mapping[int, Span]:
        """Return the offsets that it has."""
        return {part: (0, len(self.kept.get(part, ()))) for part in range(self.partitions)}

    def read(self, spans: Mapping[int, Span]) -> Iterator[Record]:
        """Yield the records of some offsets."""
        for part, (start, end) in spans.items():
            for offset in range(start, end):
                taken_ms = TAKEN_MS + offset
                value = self.kept[part][offset]
                yield Record(partition=part, offset=offset, timestamp_ms=taken_ms, value=value)


@dataclass(slots=True)
class DiskFolder:
    """A log's folder; ends the process at its n-th step (mutable)."""

    root: Path
    steps_left: int = -1

    def step(self) -> None:
        """Crash if the time has come."""
        if self.steps_left == 0:
            self.steps_left = -1
            raise CrashError
        self.steps_left -= 1

    def paths(self, folder: str) -> list[str]:
        """Return all files below a folder."""
        found = sorted((self.root / folder).rglob("*"))
        return [str(path.relative_to(self.root)) for path in found if path.is_file()]

    def read(self, path: str) -> bytes:
        """Return a file's content."""
        return (self.root / path).read_bytes()

    def publish(self, path: str, data: bytes) -> bool:
        """Create a file unless it is there."""
        self.step()
        target = self.root / path
        if target.exists():
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        self.step()
        return True

    def move(self, path: str, to: str) -> None:
        """Rename a file."""
        self.step()
        self._made(to)
        (self.root / path).rename(self.root / to)

    def delete(self, path: str) -> None:
        """Delete a file or a folder."""
        self.step()
        target = self.root / path
        if target.is_dir():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)

    def upload(self, local: Path, path: str) -> None:
        """Copy a local file there."""
        self.step()
        self._made(path)
        shutil.copyfile(local, self.root / path)

    def download(self, path: str, local: Path) -> None:
        """Copy a file from there."""
        shutil.copyfile(self.root / path, local)

    def _made(self, path: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)


def settings_of(folder: Path) -> Settings:
    """Return the settings of a project whose event log is in a folder."""
    return Settings(project=folder, event_log=EventLogSettings(folder=str(folder / "log")))


def folder_of(folder: Path, name: str = "home") -> DiskFolder:
    """Return where the log of a list is."""
    settings = settings_of(folder)
    address = log_folder(settings.event_log_folder, name, settings.feature_log.topic(name))
    return DiskFolder(Path(address.removeprefix(file_uri(Path("/")).rstrip("/"))))


def archived(
    topic: MemoryTopic, folder: Path, files: DiskFolder | None = None, records_max: int = 3
) -> Log:
    """Archive all that a topic has, some records at a time."""
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    job = ArchiveRequest(source="feature_log/home", topic="t", records_max=records_max)
    files = files or folder_of(folder)
    engine = ServedEngine("home", files, topic, scratch)
    log = archive(job, files, engine, topic, ManualClock(TAKEN_MS), lambda _: None)
    assert [*scratch.iterdir()] == []
    return log


def opened(folder: Path) -> ServedLog:
    """Open what was archived."""
    return ServedLog.open(settings_of(folder), "home")


def sent_rows(samples: Sequence[Sample]) -> int:
    """Return how many rows samples have."""
    return sum(sample.count for sample in samples)
