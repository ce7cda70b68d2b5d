"""Dead letters as they are in their topic, beside notes of which of them were sent again.

A note is written before events are sent again, with the ends of their topic, and another when all
are acknowledged. So after a crash in between the topic itself shows which were sent.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self
from uuid import uuid4

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from feature_platform.broker.clients import Clients
from feature_platform.broker.topics import TopicClient
from feature_platform.errors import BrokerUnavailableError
from feature_platform.settings import KafkaSettings
from feature_platform.words import counted, verb

Place = tuple[int, int]
"""Partition and offset in the source's topic."""

FLUSH_TIMEOUT_S = 60.0
BATCH = 500
"""How many events are sent again between two notes."""
BYTES_MAX = 64_000_000
NOTE = "fp_replay"
ORIGIN = "fp_replay_of"
"""Header of an event that was sent again: `partition/offset` of the one that was refused."""
_PLACE = re.compile(r"(\d{1,10})/(\d{1,19})", re.ASCII)
SCAN_FIRST = 200
SCAN_MAX, SCAN_BYTES_MAX = 100_000, 200_000_000
"""How many of the newest letters are looked through to list some of one feature set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """An event that a job has refused."""

    place: Place
    reason: str
    detail: str
    featureset: str
    generation: int
    """0 of a letter that does not say it."""
    epoch: tuple[int, int]
    """Attempt and checkpoint id in which it was read: an abandoned epoch's letters do not count."""
    record_ms: int
    key: bytes | None
    value: bytes | None
    truncated: int | None
    """The original size of a value that the letter does not hold whole."""
    key_truncated: bool
    written_ms: int

    @property
    def is_whole(self) -> bool:
        """Whether the letter holds the event's own bytes."""
        return self.truncated is None and not self.key_truncated

    @property
    def size(self) -> int:
        """How many bytes the event has."""
        return len(self.value or b"") if self.truncated is None else self.truncated


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """That some events are going to be sent again, or were."""

    id: str
    kind: Literal["begin", "done"]
    ends: Mapping[str, int]
    """Of a beginning: where the source's topic ended, by "topic/partition"."""
    places: tuple[Place, ...]
    """Of the refused events."""


@dataclass(slots=True)
class Replays:
    """What the notes of a topic say. Mutable: they are read one after the other."""

    done: set[Place] = field(default_factory=set)
    begun: dict[str, Note] = field(default_factory=dict)
    """Beginnings without an end."""
    ended: set[str] = field(default_factory=set)
    """Ids of the others."""

    def take(self, note: Note) -> None:
        """Take the next note; an end may come before its beginning."""
        if note.kind == "done":
            self.begun.pop(note.id, None)
            self.ended.add(note.id)
            self.done.update(note.places)
        elif note.id not in self.ended:
            self.begun[note.id] = note


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """The bytes of a refused event."""

    place: Place
    key: bytes | None
    value: bytes | None

    @classmethod
    def of(cls, place: Place, message: Message) -> Self:
        """Take them from a record of the source's topic."""
        return cls(place=place, key=_bytes(message.key()), value=_bytes(message.value()))


class LetterTopic:
    """The topic of a source's dead letters."""

    def __init__(self, settings: KafkaSettings, source: str, topic: str) -> None:
        """Connect when asked.

        Args:
            settings: Where the broker is.
            source: The topic of the events.
            topic: The topic of the letters.
        """
        self._settings, self._source, self._topic = settings, source, topic
        self._topics = TopicClient(settings)
        self._clients = Clients(settings)

    def entries(self) -> Iterator[DeadLetter | Note]:
        """Yield all letters and notes that are in it now; those of a partition in their order.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        for message in self._topics.messages(self._topic, None):
            yield read(message)

    def newest(self, featureset: str, reason: str, limit: int) -> list[DeadLetter]:
        """Return the newest letters of a feature set, the newest first.

        Looks at the newest `SCAN_MAX` of all, or at `SCAN_BYTES_MAX` of them.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        spans = [end - low for low, end in self._bounds()]
        looked_at, held = SCAN_FIRST, max(spans, default=0) * len(spans)
        while True:
            found: list[DeadLetter] = []
            size = 0
            for message in self._topics.messages(self._topic, looked_at):
                entry = read(message)
                size += len(_bytes(message.value()) or b"")
                if (
                    isinstance(entry, DeadLetter)
                    and entry.featureset == featureset
                    and reason in ("", entry.reason)
                ):
                    found.append(entry)
            found = sorted(found, key=_age, reverse=True)[:limit]
            most = min(held, SCAN_MAX, looked_at * SCAN_BYTES_MAX // max(size, 1))
            if len(found) == limit or looked_at >= most:
                return found
            looked_at = min(10 * looked_at, most)

    def letter(self, featureset: str, place: Place) -> DeadLetter | None:
        """Return the newest letter of a feature set for an event; None if none is kept.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        found = None
        for entry in self.entries():
            if isinstance(entry, DeadLetter) and (entry.featureset, entry.place) == (
                featureset,
                place,
            ):
                found = entry
        return found

    def original(self, place: Place) -> Original | None:
        """Return an event as it is in the source's topic; None if Kafka has deleted it.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        message = self._topics.message(self._source, *place)
        return None if message is None else Original.of(place, message)

    def replays(self) -> Replays:
        """Return which events were sent again; what a crash left is looked up and noted.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        known = Replays()
        for entry in self.entries():
            if isinstance(entry, Note):
                known.take(entry)
        for note in tuple(known.begun.values()):
            sent = self._sent_since(note)
            done = Note(id=note.id, kind="done", ends={}, places=tuple(sorted(sent)))
            self._write(done)
            known.take(done)
        return known

    def send_again(self, originals: Sequence[Original]) -> dict[Place, Place]:
        """Send events once more to the partitions they were in; returns their new places.

        Raises:
            BrokerUnavailableError: Not all were acknowledged; the next `replays` finds out which.
        """
        ends = self._topics.ends(self._source)
        places = tuple(original.place for original in originals)
        begin = Note(id=uuid4().hex, kind="begin", ends=ends, places=places)
        self._write(begin)
        sent: dict[Place, Place] = {}
        refused: list[str] = []

        def delivered(error: KafkaError | None, message: Message, place: Place) -> None:
            if error is None:
                sent[place] = (message.partition() or 0, message.offset() or 0)
            else:
                refused.append(f"{place[0]}/{place[1]}: {error.str()}")

        producer = self._producer()
        for original in originals:
            place = original.place
            try:
                producer.produce(
                    self._source,
                    original.value,
                    original.key,
                    partition=place[0],
                    headers=[(ORIGIN, f"{place[0]}/{place[1]}")],
                    on_delivery=_for(delivered, place),
                )
            except KafkaException as error:
                refused.append(f"{place[0]}/{place[1]}: {error.args[0].str()}")
            producer.poll(0)
        self._finish(producer)
        self._write(Note(id=begin.id, kind="done", ends={}, places=tuple(sorted(sent))))
        if refused:
            msg = (
                f"Kafka at {self._settings.bootstrap} did not accept {len(refused)} of "
                f"{counted(len(originals), 'event')} for {self._source}: {'; '.join(refused[:3])}; "
                f"{len(sent)} {verb(len(sent), 'was', 'were')} sent and will not be sent again"
            )
            raise BrokerUnavailableError(msg)
        return sent

    def _bounds(self) -> Iterable[tuple[int, int]]:
        return self._topics.bounds(self._topic).values()

    def _sent_since(self, note: Note) -> set[Place]:
        """Return which events of an interrupted replay are in the source's topic."""
        wanted, sent = set(note.places), set()
        for message in self._topics.messages_from(self._source, note.ends):
            origin = _headers(message).get(ORIGIN, "")
            if origin and (place := _place(origin)) in wanted:
                sent.add(place)
        return sent

    def _write(self, note: Note) -> None:
        text = {
            "id": note.id,
            "kind": note.kind,
            "ends": dict(note.ends),
            "places": [list(place) for place in note.places],
        }
        failed: list[str] = []

        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                failed.append(error.str())

        producer = self._producer()
        value = json.dumps(text, separators=(",", ":")).encode()
        producer.produce(self._topic, value, headers=[(NOTE, "1")], on_delivery=delivered)
        self._finish(producer)
        if failed:
            msg = (
                f"Kafka at {self._settings.bootstrap} did not accept a record for {self._topic}: "
                f"{failed[0]}; nothing was sent after it"
            )
            raise BrokerUnavailableError(msg)

    def _producer(self) -> Producer:
        return self._clients.producer(
            {
                "enable.idempotence": True,
                "acks": "all",
                "compression.type": "gzip",
                "message.max.bytes": BYTES_MAX,
                "delivery.timeout.ms": int(FLUSH_TIMEOUT_S * 1000),
            }
        )

    def _finish(self, producer: Producer) -> None:
        try:
            left = producer.flush(FLUSH_TIMEOUT_S + 5)
        except KafkaException as error:
            raise self._clients.failure(error.args[0], producer) from error
        if left:
            msg = (
                f"Kafka at {self._settings.bootstrap} did not acknowledge "
                f"{counted(left, 'record')} in time; is it running? See `fp status`. Run the "
                "command again: it finds out what was sent"
            )
            raise BrokerUnavailableError(msg)


def read(message: Message) -> DeadLetter | Note:
    """Read a record of a topic of dead letters."""
    headers = _headers(message)
    value = _bytes(message.value())
    if NOTE in headers:
        text = json.loads(value or b"{}")
        return Note(
            id=text["id"],
            kind=text["kind"],
            ends=text["ends"],
            places=tuple((part, offset) for part, offset in text["places"]),
        )
    attempt, _, checkpoint_id = headers.get("epoch", "0/0").partition("/")
    return DeadLetter(
        place=(int(headers.get("partition", "0")), int(headers.get("offset", "0"))),
        reason=headers.get("reason", ""),
        detail=headers.get("detail", ""),
        featureset=headers.get("featureset", ""),
        generation=int(headers.get("generation", "0")),
        epoch=(int(attempt), int(checkpoint_id)),
        record_ms=int(headers.get("record_timestamp", "0")),
        key=_bytes(message.key()),
        value=value,
        truncated=int(headers["truncated"]) if "truncated" in headers else None,
        key_truncated="key_truncated" in headers,
        written_ms=message.timestamp()[1],
    )


def _age(letter: DeadLetter) -> tuple[int, Place]:
    return letter.written_ms, letter.place


def _for(call: Any, place: Place) -> Any:  # noqa: ANN401 - a callback of an untyped library
    return lambda error, message: call(error, message, place)


def _place(text: str) -> Place:
    found = _PLACE.fullmatch(text)
    return (int(found[1]), int(found[2])) if found else (-1, -1)


def _bytes(value: object) -> bytes | None:
    return value if isinstance(value, bytes) else None


def _headers(message: Message) -> dict[str, str]:
    found: Any = message.headers()
    return {
        name: value.decode(errors="replace")
        for name, value in found or []
        if isinstance(value, bytes)
    }
