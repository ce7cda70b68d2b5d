"""Brings what a changelog's topic holds to ClickHouse, as it is.

Positions are stored after the rows they cover. What a crash loads twice is one row there: a command
has the number of its subtask. What was deleted from the topic before it was loaded is counted. A
block is refused if ClickHouse cannot read it, not if it can store nothing now.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from feature_platform.changelog.blocks import FIXED, Header, read_header
from feature_platform.changelog.olap import Olap
from feature_platform.changelog.tables import (
    LOADED,
    column_names,
    create_changes,
    create_loaded,
    create_sieve,
    drop_sieve,
    literal,
    quoted,
    table_name,
)
from feature_platform.errors import CorruptRecordError, OlapError

BATCH_BYTES = 134_217_728
"""Of blocks that go to ClickHouse together."""
NAMED_MAX = 10
"""How many refused blocks are named; all are counted."""
OF_CONTENT = frozenset(
    {
        6,  # CANNOT_PARSE_TEXT
        27,  # CANNOT_PARSE_INPUT_ASSERTION_FAILED
        32,  # ATTEMPT_TO_READ_AFTER_EOF
        33,  # CANNOT_READ_ALL_DATA
        36,  # BAD_ARGUMENTS: older servers, of a kind that is none
        38,  # CANNOT_PARSE_DATE
        41,  # CANNOT_PARSE_DATETIME
        53,  # TYPE_MISMATCH
        69,  # ARGUMENT_OUT_OF_BOUND
        70,  # CANNOT_CONVERT_TYPE
        72,  # CANNOT_PARSE_NUMBER
        117,  # INCORRECT_DATA
        128,  # TOO_LARGE_ARRAY_SIZE
        131,  # TOO_LARGE_STRING_SIZE
        321,  # VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
        349,  # CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
        691,  # UNKNOWN_ELEMENT_OF_ENUM
    }
)
"""Codes by which ClickHouse says that it cannot read a block. All others (no memory, too many
queries, no time) are of the moment: what they stop is tried again, and never thrown away."""
_CODE = re.compile(r"Code: (\d+)\. DB::Exception")

Report = Callable[[str], None]


class Message(Protocol):
    """A record, as Kafka's client has it."""

    def partition(self) -> int | None:
        """Return its partition."""
        ...

    def offset(self) -> int | None:
        """Return its offset."""
        ...

    def headers(self) -> Any:  # noqa: ANN401 - the client's own
        """Return its headers."""
        ...

    def value(self) -> Any:  # noqa: ANN401 - the client's own
        """Return its value."""
        ...


class Topic(Protocol):
    """What is read."""

    def topic_id(self, topic: str) -> str:
        """Return the id that the broker gave it."""
        ...

    def bounds(self, topic: str) -> Mapping[str, tuple[int, int]]:
        """Return the first kept offset, and the end, of each "topic/partition"."""
        ...

    def messages_between(
        self, topic: str, spans: Mapping[int, tuple[int, int]]
    ) -> Iterator[Message]:
        """Yield what is in offsets `[start, end)` of partitions."""
        ...


@dataclass(slots=True)
class Loaded:
    """What was loaded."""

    blocks: int = 0
    bytes: int = 0
    refused: int = 0
    named: list[str] = field(default_factory=list)
    """The first refused blocks, and why."""
    gone: int = 0
    """Offsets that the topic no longer held."""


@dataclass(slots=True)
class _Batch:
    """Blocks that wait, by header, and the next offset of each partition after them."""

    payloads: dict[Header, list[tuple[int, int, bytes]]] = field(default_factory=dict)
    next_offsets: dict[int, int] = field(default_factory=dict)
    bytes: int = 0


class Loader:
    """Loads one feature set's topic. Mutable."""

    def __init__(self, olap: Olap, featureset: str, topic: str, keep_days: int) -> None:
        """Use an open ClickHouse.

        Args:
            olap: Where to.
            featureset: Whose commands.
            topic: Of its changelog.
            keep_days: How long what is loaded is kept.
        """
        self._olap, self._featureset, self._topic = olap, featureset, topic
        self._keep_days = keep_days
        self._loaded = Loaded()

    def load(self, client: Topic, now_ms: int, report: Report) -> Loaded:
        """Load all that the topic holds by now.

        Raises:
            BrokerUnavailableError: Kafka does not answer.
            OlapError: ClickHouse does not; what was loaded until then stays.
        """
        bounds = {
            int(name.rpartition("/")[2]): span for name, span in client.bounds(self._topic).items()
        }
        if not bounds:
            return self._loaded
        create_loaded(self._olap)
        topic_id = client.topic_id(self._topic)
        spans = self._spans(bounds, topic_id)
        batch = _Batch()
        due = {part: start for part, (start, _) in spans.items()}
        for message in client.messages_between(self._topic, spans):
            self._count_gone(due, message.partition() or 0, message.offset() or 0)
            self._take(batch, message)
            if batch.bytes >= BATCH_BYTES:
                self._write(batch, topic_id, now_ms)
                report(f"loaded {self._loaded.blocks:,} blocks, {self._loaded.bytes:,} bytes")
                batch = _Batch()
        for part, (_, end) in spans.items():
            self._count_gone(due, part, end)
            batch.next_offsets[part] = end
        self._write(batch, topic_id, now_ms)
        return self._loaded

    def _spans(
        self, bounds: Mapping[int, tuple[int, int]], topic_id: str
    ) -> dict[int, tuple[int, int]]:
        known = dict(
            self._olap.run(
                f"SELECT part, max(next_offset) FROM {LOADED} WHERE topic = {literal(self._topic)}"
                f" AND topic_id = {literal(topic_id)} GROUP BY part"
            )
        )
        self._loaded.gone = sum(
            max(0, first - known.get(part, 0)) for part, (first, _) in bounds.items()
        )
        return {
            part: (max(first, known.get(part, 0)), end) for part, (first, end) in bounds.items()
        }

    def _count_gone(self, due: dict[int, int], part: int, offset: int) -> None:
        """Count what was deleted while it was loaded: the job's log has every offset."""
        self._loaded.gone += max(0, offset - due[part])
        due[part] = max(due[part], offset + 1)

    def _take(self, batch: _Batch, message: Message) -> None:
        part, offset = message.partition() or 0, message.offset() or 0
        payload: object = message.value()
        batch.next_offsets[part] = offset + 1
        if not isinstance(payload, bytes) or not payload:
            self._refuse(part, offset, "a block without rows")
            return
        try:
            header = read_header(message.headers(), self._featureset)
        except CorruptRecordError as error:
            self._refuse(part, offset, str(error))
        else:
            batch.payloads.setdefault(header, []).append((part, offset, payload))
            batch.bytes += len(payload)

    def _refuse(self, part: int, offset: int, why: str) -> None:
        self._loaded.refused += 1
        if len(self._loaded.named) < NAMED_MAX:
            self._loaded.named.append(f"{self._topic}/{part}, offset {offset}: {why}")

    def _write(self, batch: _Batch, topic_id: str, now_ms: int) -> None:
        for header, blocks in batch.payloads.items():
            self._write_blocks(header, blocks)
        if batch.next_offsets:
            rows = ", ".join(
                f"({literal(self._topic)}, {literal(topic_id)}, {part}, {offset},"
                f" {self._loaded.gone}, {now_ms})"
                for part, offset in batch.next_offsets.items()
            )
            self._olap.change(f"INSERT INTO {LOADED} VALUES {rows}")

    def _write_blocks(self, header: Header, blocks: list[tuple[int, int, bytes]]) -> None:
        table = table_name(self._featureset, header.generation)
        create_changes(self._olap, table, self._keep_days)
        names = column_names(self._olap, table, header.columns)
        values = [quoted(names[each.id]) for each in header.columns]
        fixed = [name for name, _ in FIXED]
        columns = ", ".join([*fixed, *values, "fingerprint"])
        given = [f"v{place}" for place in range(len(values))]
        select = ", ".join([*fixed, *given, literal(header.fingerprint)])

        def insert(table: str, payloads: Sequence[bytes]) -> None:
            self._olap.insert(f"{table} ({columns})", select, header.structure, payloads)

        try:
            insert(table, [payload for _, _, payload in blocks])
        except OlapError:
            self._one_by_one(table, blocks, insert)
        else:
            self._loaded.blocks += len(blocks)
            self._loaded.bytes += sum(len(payload) for _, _, payload in blocks)

    def _one_by_one(
        self,
        table: str,
        blocks: list[tuple[int, int, bytes]],
        insert: Callable[[str, Sequence[bytes]], None],
    ) -> None:
        """Find the blocks that ClickHouse cannot read; the others go in.

        Raises:
            OlapError: It takes nothing now, or no block: it is away, busy, full, or read-only.
        """
        sieve = create_sieve(self._olap, table)
        for part, offset, payload in blocks:
            try:
                insert(table, [payload])
            except OlapError:
                why = self._unreadable(lambda: insert(sieve, [payload]))  # noqa: B023 (called now)
                if not why:
                    raise
                self._refuse(part, offset, why)
            else:
                self._loaded.blocks += 1
                self._loaded.bytes += len(payload)
        drop_sieve(self._olap, table)

    @staticmethod
    def _unreadable(read: Callable[[], None]) -> str:
        """Return what ClickHouse says of a block that it reads without keeping it; empty: nothing.

        Raises:
            OlapError: It did not say anything of the block: it is away, or overloaded.
        """
        try:
            read()
        except OlapError as error:
            code = _CODE.search(str(error))
            if not code or int(code[1]) not in OF_CONTENT:
                raise
            return str(error).splitlines()[0]
        return ""
