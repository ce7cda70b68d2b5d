"""Events for a preview: the newest of the archived event log, all of an entity, or a file's."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from feature_platform.errors import CallerError
from feature_platform.event_log.archiver import read_log
from feature_platform.event_log.commits import Log
from feature_platform.feature_log.read import ArrowFolder
from feature_platform.testing.archived import batches, raw_events
from feature_platform.testing.reference_events import RawEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Events, and where they are from."""

    events: Sequence[RawEvent]
    origin: str
    """In words."""


def of_file(path: Path, most: int) -> Sample:
    """Read the first events of a file, one JSON object a line.

    Raises:
        CallerError: It cannot be read, or holds no event.
    """
    events: list[RawEvent] = []
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines):
                if len(events) == most:
                    break
                value = line.rstrip(b"\r\n")
                if value:
                    events.append(RawEvent(value=value, partition=0, offset=number, timestamp_ms=0))
    except OSError as error:
        msg = f"{path}: {error.strerror}; name a file of events, one JSON object a line"
        raise CallerError(msg) from error
    if not events:
        msg = f"{path} holds no event: write one JSON object a line"
        raise CallerError(msg)
    return Sample(events=events, origin=str(path))


def of_log(root: str, source: str, topic: str, most: int) -> Sample:
    """Read the newest events of a source's archived event log.

    Args:
        root: The folder of all event logs (`Settings.event_log_folder`).
        source: Its name.
        topic: Its topic.
        most: How many are read at about: of the last file all.

    Raises:
        CallerError: Nothing is archived.
        EventLogError: The log is damaged.
    """
    folder = ArrowFolder(f"{root.rstrip('/')}/{source}/{topic}")
    log = read_log(folder)
    if not log.files:
        msg = (
            f"nothing of source {source} is archived: run fp archive {source} first, or name a "
            "file of events: --events FILE"
        )
        raise CallerError(msg)
    events: list[RawEvent] = []
    for path in _newest_first(log):
        for batch in batches(folder, path):
            events += raw_events(batch)
        if len(events) >= most:
            break
    newest = sorted(events, key=lambda each: each.timestamp_ms)[-most:]
    return Sample(events=newest, origin=f"the event log of {source}")


def _newest_first(log: Log) -> list[str]:
    """Return the files by date, and of a date by commit; the newest first."""
    return sorted(log.files, key=lambda path: tuple(path.split("/")[1:]), reverse=True)
