"""Commits of an event log, and what they add up to: live files and archived offsets. Pure.

A commit covers the offsets `[start, end)` of some partitions and names the files that hold them;
a compaction covers none and replaces files by others with the same records. Commits are numbered
from 0 without gaps, and each begins where those before it ended: so every offset is in the log
exactly once. Readers read the files that commits name and no others.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from feature_platform.errors import EventLogError

VERSION = 1
COMMITS = "commits"
DATA = "data"
STAGING = "staging"
_OURS = re.compile(
    rf"{STAGING}/(?P<staged>\d{{20}})-[0-9a-f]{{8}}(/.*)?"
    rf"|{DATA}/[^/]+/(?P<kept>\d{{20}})-[0-9a-f]{{8}}-\d+\.parquet"
)
"""The names that `data_path` and a writer's staging folder have."""

Span = tuple[int, int]
"""Offsets `[start, end)` of a partition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFile:
    """A Parquet file; its path is relative to the source's folder."""

    path: str
    records: int
    bytes: int

    @property
    def folder(self) -> str:
        """The folder of its date."""
        return self.path.rpartition("/")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogCommit:
    """One step of a log."""

    number: int
    at_ms: int
    spans: Mapping[int, Span] = field(default_factory=dict)
    """Archived offsets by partition; empty for a compaction."""
    lost: Mapping[int, Span] = field(default_factory=dict)
    """Offsets just before them that nobody has any more, which a person has accepted."""
    added: tuple[LogFile, ...] = ()
    removed: tuple[str, ...] = ()
    """Paths of the files whose records the added ones hold."""
    topic_id: str = ""
    """Which topic of its name the offsets are of; empty if nobody knows."""
    reading: str = ""
    """How the files' records were read, which decides their dates; empty if nobody knows."""
    table: tuple[Mapping[str, Any], ...] = ()
    """Of a history: what became of the rows of which files; see `history.FileRead`."""
    ends_table: bool = False
    """Of a history: those before it hold the whole table."""

    @property
    def records(self) -> int:
        """How many records its files hold."""
        return sum(file.records for file in self.added)

    def to_bytes(self) -> bytes:
        """Return the content of its file."""
        value = {
            "version": VERSION,
            "number": self.number,
            "at_ms": self.at_ms,
            "offsets": _spans_json(self.spans),
            "lost": _spans_json(self.lost),
            "added": [
                {"path": file.path, "records": file.records, "bytes": file.bytes}
                for file in self.added
            ],
            "removed": list(self.removed),
            "topic_id": self.topic_id,
            "reading": self.reading,
            **({"table": list(self.table)} if self.table else {}),
            **({"ends_table": True} if self.ends_table else {}),
        }
        return json.dumps(value, indent=1).encode()

    @classmethod
    def from_bytes(cls, data: bytes, where: str) -> Self:
        """Read the content of a commit's file.

        Raises:
            EventLogError: It is none, or of a newer version.
        """
        try:
            value: dict[str, Any] = json.loads(data)
            if value["version"] != VERSION:
                msg = (
                    f"{where} has version {value['version']}, but this code reads version "
                    f"{VERSION}: upgrade feature-platform"
                )
                raise EventLogError(msg)
            return cls(
                number=value["number"],
                at_ms=value["at_ms"],
                spans=_spans(value["offsets"]),
                lost=_spans(value["lost"]),
                added=tuple(LogFile(**file) for file in value["added"]),
                removed=tuple(value["removed"]),
                topic_id=value.get("topic_id", ""),
                reading=value.get("reading", ""),
                table=tuple(value.get("table", ())),
                ends_table=value.get("ends_table", False),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            msg = f"{where} is not a valid event log commit ({error}): restore it from a copy"
            raise EventLogError(msg) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What all commits of a source add up to."""

    next_number: int = 0
    positions: Mapping[int, int] = field(default_factory=dict)
    """First offset of each partition that is not archived."""
    files: Mapping[str, LogFile] = field(default_factory=dict)
    """Live files by path."""
    readings: Mapping[str, str] = field(default_factory=dict)
    """How the records of each live file were read; see `dates.reading`."""
    replaced: Mapping[str, int] = field(default_factory=dict)
    """Files that a compaction replaced, and when."""
    lost: Mapping[int, tuple[Span, ...]] = field(default_factory=dict)
    """Offsets that are gone permanently, which a person has accepted."""
    complete_ms: int = 0
    """What the broker took after this is all there; 0: everything is."""
    topic_id: str = ""
    """Which topic of its name is archived; empty if nobody knows."""

    @classmethod
    def of(cls, commits: Iterable[LogCommit]) -> Self:
        """Add commits up, in the order of their numbers.

        Raises:
            EventLogError: A commit is missing, or one does not begin where the others ended.
        """
        log = cls()
        for commit in commits:
            log = log.with_commit(commit)
        return log

    def with_commit(self, commit: LogCommit) -> Self:
        """Return the log after one more commit.

        Raises:
            EventLogError: It does not follow.
        """
        if commit.number != self.next_number:
            msg = f"commit {self.next_number} of the event log is missing: restore it from a copy"
            raise EventLogError(msg)
        positions, lost = dict(self.positions), dict(self.lost)
        for part, (start, end) in commit.spans.items():
            since, until = commit.lost.get(part, (start, start))
            if (until, positions.get(part, 0)) != (start, since) or end < start:
                msg = (
                    f"commit {commit.number} of the event log starts at offset {since} of "
                    f"partition {part}, but the log ends at {positions.get(part, 0)}: restore it "
                    "from a copy"
                )
                raise EventLogError(msg)
            positions[part] = end
            if since < until:
                lost[part] = (*lost.get(part, ()), (since, until))
        files = dict(self.files)
        unknown = [path for path in commit.removed if files.pop(path, None) is None]
        if unknown:
            msg = (
                f"commit {commit.number} of the event log replaces {unknown[0]}, which no earlier "
                "commit added: restore the commits from a copy"
            )
            raise EventLogError(msg)
        files |= {file.path: file for file in commit.added}
        known = {**self.readings, **{file.path: commit.reading for file in commit.added}}
        return type(self)(
            next_number=commit.number + 1,
            positions=positions,
            files=files,
            readings={path: known[path] for path in files},
            replaced={**self.replaced, **dict.fromkeys(commit.removed, commit.at_ms)},
            lost=lost,
            complete_ms=commit.at_ms if commit.lost else self.complete_ms,
            topic_id=commit.topic_id or self.topic_id,
        )

    @property
    def records(self) -> int:
        """How many records the live files hold."""
        return sum(file.records for file in self.files.values())

    @property
    def bytes(self) -> int:
        """How large the live files are."""
        return sum(file.bytes for file in self.files.values())


def commit_path(number: int) -> str:
    """Return the path of a commit's file in a source's folder."""
    return f"{COMMITS}/{number:020d}.json"


def data_path(folder: str, number: int, token: str, index: int) -> str:
    """Return the path of a data file; the token distinguishes the writers of one number."""
    return f"{DATA}/{folder}/{number:020d}-{token}-{index}.parquet"


def number_of(path: str) -> int | None:
    """Return the commit for which a file was written; None if it has none of our names."""
    found = _OURS.fullmatch(path)
    return int(found["staged"] or found["kept"]) if found else None


def leftovers(log: Log, paths: Sequence[str], now_ms: int, keep_replaced_ms: int) -> list[str]:
    """Return which files nobody needs any more.

    What was written for a commit that exists now, and is not named, belongs to a writer that was
    killed or lost: nobody can commit it any more. What is written for the next number may belong
    to a writer that lives. What a compaction replaced stays for those who read it, and whatever
    else lies there is not ours to delete.
    """
    since_ms = now_ms - keep_replaced_ms
    needed = {*log.files, *(path for path, at_ms in log.replaced.items() if at_ms > since_ms)}
    return [
        path
        for path in paths
        if path not in needed
        and (number := number_of(path)) is not None
        and number < log.next_number
    ]


def _spans_json(spans: Mapping[int, Span]) -> dict[str, list[int]]:
    return {str(part): list(span) for part, span in sorted(spans.items())}


def _spans(value: Mapping[str, list[int]]) -> dict[int, Span]:
    return {int(part): (span[0], span[1]) for part, span in value.items()}
