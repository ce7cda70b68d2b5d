"""Finds an entity's records: in the archived event log, in its history, and in Kafka beyond both.

What is archived is searched by Arrow, some rows at a time; of Kafka everything that is not archived
is read, up to a limit.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from feature_platform.broker.record_reader import Record
from feature_platform.errors import EventLogError, WorldError
from feature_platform.event_log.archiver import read_log
from feature_platform.event_log.history import FOLDER, read_import
from feature_platform.event_log.ranges import gone
from feature_platform.event_log.ranges import spans as spell
from feature_platform.feature_log.read import ArrowFolder
from feature_platform.plan.job_source import JobSource
from feature_platform.testing.archived import batches, raw_events
from feature_platform.testing.reference_events import RawEvent

RECORDS_MAX = 200_000
"""Of an entity that are looked at: the newest."""
TAIL_MAX = 1_000_000
"""Records of Kafka that are read because they are not archived."""

Origin = Literal["event log", "history", "Kafka"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRecord:
    """A record that may be the entity's."""

    event: RawEvent
    origin: Origin


@dataclass(slots=True, kw_only=True)
class Searched:
    """What was found (mutable: filled while it is searched)."""

    records: list[FoundRecord] = field(default_factory=list)
    looked_at: dict[Origin, int] = field(default_factory=dict)
    """How many records were looked at."""
    notes: list[str] = field(default_factory=list)
    """What could not be searched, and why."""
    archived: Mapping[int, int] = field(default_factory=dict)
    """First offset of each partition that is not archived."""
    ends: Mapping[int, int] = field(default_factory=dict)
    """First offset of each partition that was not looked at, because it came later."""
    complete_ms: int = 0
    """What the broker took after this is all archived or in Kafka; 0: everything is."""
    dropped: int = 0
    """Records of the entity beyond `RECORDS_MAX`: the oldest are left out."""

    def take(self, event: RawEvent, origin: Origin) -> None:
        """Keep a record; at times the oldest are let go, so that never many more are held."""
        self.records.append(FoundRecord(event=event, origin=origin))
        if len(self.records) >= 2 * RECORDS_MAX:
            self.trim()

    def trim(self) -> None:
        """Keep the newest `RECORDS_MAX`, in the order in which the broker took them."""
        self.records.sort(key=lambda each: each.event.timestamp_ms)
        left_out = max(0, len(self.records) - RECORDS_MAX)
        self.dropped += left_out
        del self.records[:left_out]


class Tail(Protocol):
    """A topic: `broker.record_reader.RecordReader` is one."""

    def bounds(self) -> dict[int, tuple[int, int]]:
        """Return the first kept offset and the end of each partition."""
        ...

    def read(self, spans: Mapping[int, tuple[int, int]]) -> Iterator[Record]:
        """Yield the records of offsets `[start, end)`."""
        ...


def search(source: JobSource, log: str, topic: Tail, pattern: str) -> Searched:
    """Find records by their bytes.

    Args:
        source: As the job has it.
        log: The folder of all event logs (`Settings.event_log_folder`).
        topic: The source's topic.
        pattern: As `pattern_of` returns it.

    Returns:
        Records by event log, history and Kafka; what cannot be searched is in the notes.
    """
    found = Searched()
    root = f"{log.rstrip('/')}/{source.name}/{source.topic}"
    try:
        folder = ArrowFolder(root)
        archived = read_log(folder)
        found.archived, found.complete_ms = archived.positions, archived.complete_ms
        found.ends = archived.positions
        _search_files(found, folder, list(archived.files), pattern, "event log")
    except (EventLogError, OSError) as error:
        found.notes.append(f"the event log cannot be read: {error}")
    if source.history:
        _search_history(found, f"{root}/{FOLDER}/{source.history.id}", pattern)
    try:
        _search_tail(found, source.topic, topic, pattern)
    except WorldError as error:
        found.notes.append(f"Kafka cannot be read, only what is archived is known: {error}")
    _keep_newest(found)
    return found


def _search_history(found: Searched, address: str, pattern: str) -> None:
    try:
        folder = ArrowFolder(address)
        done = read_import(folder)
        _search_files(found, folder, list(done.log.files), pattern, "history")
    except (EventLogError, OSError) as error:
        found.notes.append(f"the imported history cannot be read: {error}")


def _search_files(
    found: Searched, folder: ArrowFolder, paths: list[str], pattern: str, origin: Origin
) -> None:
    found.looked_at[origin] = 0
    for path in paths:
        for batch in batches(folder, path):
            found.looked_at[origin] += len(batch)
            for event in raw_events(_matching(batch, pattern)):
                found.take(event, origin)


def _matching(batch: pa.RecordBatch, pattern: str) -> pa.RecordBatch:
    if not pattern:
        return batch
    mask = pc.match_substring_regex(batch.column("value"), pattern)
    return batch.filter(mask)


def _search_tail(found: Searched, name: str, topic: Tail, pattern: str) -> None:
    bounds = topic.bounds()
    if missing := gone(found.archived, bounds):
        found.notes.append(
            f"neither the event log nor Kafka has some records any more: {spell(name, missing)}"
        )
    spans = {
        part: (max(low, found.archived.get(part, 0)), end) for part, (low, end) in bounds.items()
    }
    spans = {part: span for part, span in spans.items() if span[0] < span[1]}
    found.ends = {part: max(end, found.archived.get(part, 0)) for part, (_, end) in bounds.items()}
    found.looked_at["Kafka"] = 0
    if not spans:
        return
    total = sum(end - start for start, end in spans.values())
    if total > TAIL_MAX:
        each = TAIL_MAX // len(spans)
        spans = {part: (max(start, end - each), end) for part, (start, end) in spans.items()}
        found.notes.append(
            f"{total:,} records of the topic are not archived; the newest {TAIL_MAX:,} are looked "
            "at. To look at all of them, archive the source first"
        )
    wanted = re.compile(pattern.encode())
    for record in topic.read(spans):
        found.looked_at["Kafka"] += 1
        if not pattern or (record.value is not None and wanted.search(record.value)):
            found.take(_event(record), "Kafka")


def _keep_newest(found: Searched) -> None:
    found.trim()
    if found.dropped:
        found.notes.append(
            f"more than {RECORDS_MAX:,} records may be of this entity; the oldest "
            f"{found.dropped:,} are left out"
        )


def recent(topic: Tail, most: int) -> list[RawEvent]:
    """Return about as many of the topic's newest records, of all entities.

    Raises:
        WorldError: Kafka does not answer.
    """
    bounds = topic.bounds()
    each = max(1, most // max(1, len(bounds)))
    spans = {part: (max(low, end - each), end) for part, (low, end) in bounds.items() if low < end}
    return [_event(record) for record in (topic.read(spans) if spans else ())]


def _event(record: Record) -> RawEvent:
    return RawEvent(
        value=record.value,
        partition=record.partition,
        offset=record.offset,
        timestamp_ms=record.timestamp_ms,
    )
