"""What a child that runs Spark reports to its parent: a fact a line, as JSON.

The last is one of `END`, or `Failed`; a line that is no fact is somebody else's.
"""

import struct
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Discriminator, TypeAdapter, ValidationError

from feature_platform.errors import SparkFailedError
from feature_platform.event_log.progress import Begun, Committed, Imported
from feature_platform.rows.undo import RowKey

_ROW = struct.Struct(">iqi")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRead:
    """What the event log is like, before it is recomputed from."""

    complete_ms: int
    """All events that the broker took after this are in it; 0: all are."""
    damage: tuple[str, ...]
    """What is wrong with it, in words."""
    event: Literal["log"] = "log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """Of how many slices the entities are recomputed."""

    slices: int
    event: Literal["sampled"] = "sampled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """How many events a bucket of time holds."""

    bucket_ms: int
    """How long it is."""
    start_ms: int
    events: int
    event: Literal["counted"] = "counted"


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityRows:
    """The rows of an entity, as a job that had counted the same events would have written them."""

    entity: str
    packed: str
    """In base64, for each row: level (-1: the head), start and size of its payload, as 4, 8 and 4
    bytes, big-endian, then the payload. `PackedRows.java` writes the same."""
    event: Literal["entity"] = "entity"

    @classmethod
    def of(cls, entity: str, rows: Mapping[tuple[int, int], bytes]) -> "EntityRows":
        """Make the fact of rows."""
        packed = (_ROW.pack(*key, len(row)) + row for key, row in rows.items())
        return cls.of_packed(entity, b"".join(packed))

    @classmethod
    def of_packed(cls, entity: str, packed: bytes) -> "EntityRows":
        """Make the fact of rows that are packed already."""
        return cls(entity=entity, packed=b64encode(packed).decode())

    @property
    def rows(self) -> dict[RowKey, bytes]:
        """Payloads by level and start."""
        packed, place, found = b64decode(self.packed), 0, dict[RowKey, bytes]()
        while place < len(packed):
            level, start_ms, size = _ROW.unpack_from(packed, place)
            place += _ROW.size + size
            found[RowKey(level, start_ms)] = packed[place - size : place]
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsFound:
    """Which events count for an entity in event times `[start_ms, end_ms)`."""

    entity: str
    start_ms: int
    end_ms: int
    events: int
    offsets: tuple[tuple[int, int], ...]
    """Partition and offset of the first ones."""
    event: Literal["events"] = "events"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """Offsets that are gone, which somebody has accepted."""

    offsets: str
    """In words."""
    event: Literal["lost"] = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """How far a backfill is."""

    stage: int
    """The number of the newest stage that runs; 0 between two."""
    tasks_done: int
    tasks: int
    """Of that stage."""
    rows: int
    """That are written."""
    bytes: int
    expired: int
    """Rows that were not written, because no window can reach them."""
    event: Literal["writing"] = "writing"


@dataclass(frozen=True, slots=True, kw_only=True)
class TilesWritten:
    """A backfill is done."""

    rows: int
    bytes: int
    expired: int
    event: Literal["tiles_written"] = "tiles_written"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogArchived:
    """An event log holds what its topic holds."""

    records: int
    files: int
    bytes: int
    positions: Mapping[int, int]
    """First offset that is not archived, by partition."""
    dead_letters: int = 0
    """Of a feature log: records that could not be decoded, which are kept."""
    history: Mapping[str, int] = field(default_factory=dict)
    """What is imported of the source's history; see `event_log.history.Import.totals`."""
    event: Literal["log_archived"] = "log_archived"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSpan:
    """Which instants the event log of a feature set can answer."""

    featureset: str
    offsets: Mapping[str, int]
    """First offset that does not count, by "topic/partition"."""
    begins_ms: int
    """The first event's time, or when it was appended: by what the questions go."""
    ends_ms: int
    """The last one's."""
    event: Literal["log_span"] = "log_span"


@dataclass(frozen=True, slots=True, kw_only=True)
class AsOfAnswered:
    """All questions about a feature set are answered, and the answers are in their folder."""

    featureset: str
    event: Literal["as_of_answered"] = "as_of_answered"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatesTold:
    """What rows can have held is in its folder."""

    archived: Mapping[str, int]
    """First offset that is not in the event log, by "topic/partition"."""
    complete_ms: int
    """As of `LogRead`."""
    event: Literal["states_told"] = "states_told"


@dataclass(frozen=True, slots=True, kw_only=True)
class AllTold:
    """A recomputation, a search for events or the answering of questions is done."""

    event: Literal["all_told"] = "all_told"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The task failed."""

    kind: str
    """Name of one of the platform's errors; `spark` for any other."""
    message: str
    event: Literal["failed"] = "failed"


RecountFact = LogRead | Sampled | Counted | EntityRows
Fact = (
    RecountFact
    | EventsFound
    | Lost
    | Writing
    | TilesWritten
    | Begun
    | Committed
    | Imported
    | LogArchived
    | LogSpan
    | AsOfAnswered
    | StatesTold
    | AllTold
    | Failed
)
END = (TilesWritten, LogArchived, StatesTold, AllTold)

_FACT: TypeAdapter[Fact] = TypeAdapter(Annotated[Fact, Discriminator("event")])


def log_of(facts: Iterator[RecountFact]) -> LogRead:
    """Take the first fact of a recomputation, which says what the log is like.

    Raises:
        SparkFailedError: It is something else.
    """
    fact = next(facts, None)
    if not isinstance(fact, LogRead):
        msg = f"Spark reported something else before the event log: {fact}"
        raise SparkFailedError(msg)
    return fact


def line_of(fact: Fact) -> str:
    """Return a fact as one line, without its end."""
    return _FACT.dump_json(fact).decode()


def fact_of(line: str | bytes) -> Fact | None:
    """Return the fact of a line; None if it is none."""
    try:
        return _FACT.validate_json(line)
    except ValidationError:
        return None
