"""Odd events as a fault: what other programs send now and then, among the steady load.

The judge reads them from the topic like all others. Entities here are none that the watch samples:
only the load knows when its events were sent.
"""

import json
import os
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, Message, Producer

from feature_platform.clock import SystemClock
from feature_platform.settings import Settings
from tests.chaos.definitions import ENTITY, TOPIC

TEXTS, TEXT_CHARACTERS = 40, 60_000
LARGE_BYTES = 1_999_800
"""As much as the embedded broker accepts, beside what a batch has around it."""
FLOOD = int(os.environ.get("CHAOS_FLOOD", "2000"))
"""How many dead letters of 20 kB one strike makes; a long run sets 100,000."""
FLOOD_BYTES = 20_000
AHEAD_MS = 55 * 60_000
"""Kafka refuses records whose timestamp is more than an hour ahead of its clock."""
KEY_BYTES = 1_024
LETTERS = "abcdefghijklmnopqrstuvwxyzäöüß€漢字😀"
FIRST, COUNT = 9_000_000, 40
FLUSH_TIMEOUT_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Odd:
    """One event to be sent."""

    value: bytes
    key: bytes | None = None
    ahead_ms: int = 0
    """How far the clock of its producer is ahead."""


Draw = Callable[[random.Random, int], Iterator[Odd]]


def huge_texts(chance: random.Random, now_ms: int) -> Iterator[Odd]:
    """Texts of 100 kB for a list that keeps some, all of one entity."""
    name = entity(chance)
    for _ in range(TEXTS):
        text = "".join(chance.choices(LETTERS, k=TEXT_CHARACTERS))
        yield _event(name, now_ms, action=text, watch_ms=200)


def largest_events(chance: random.Random, now_ms: int) -> Iterator[Odd]:
    """Events as large as the broker takes: random bytes, and JSON above the limit of events."""
    yield Odd(value=chance.randbytes(LARGE_BYTES))
    yield Odd(value=chance.randbytes(LARGE_BYTES - KEY_BYTES), key=chance.randbytes(KEY_BYTES))
    yield _event(entity(chance), now_ms, action="x" * (LARGE_BYTES - 1_000))
    yield _event(entity(chance), now_ms, action="y" * 900_000)


def flood(chance: random.Random, now_ms: int) -> Iterator[Odd]:
    """Events of 20 kB that cannot be read, one after the other."""
    filling = chance.randbytes(FLOOD_BYTES // 2).hex()
    for number in range(FLOOD):
        yield Odd(value=f"{now_ms} {number} {filling}".encode())


def long_keys(chance: random.Random, now_ms: int) -> Iterator[Odd]:
    """Keys and entities of 1,024 bytes, and one byte more."""
    name = entity(chance)
    for size in (KEY_BYTES, KEY_BYTES + 1):
        longest = "k" * (size - len(name)) + name
        event = _event(longest, now_ms, action="view")
        yield Odd(value=event.value, key=chance.randbytes(size))


def times_in_seconds(chance: random.Random, now_ms: int) -> Iterator[Odd]:
    """Event times in seconds, and in microseconds, for milliseconds."""
    for at in (now_ms // 1_000, now_ms * 1_000, -1, 0):
        yield _event(entity(chance), at, action="view", user_id=7)


def clock_ahead(chance: random.Random, now_ms: int) -> Iterator[Odd]:
    """A producer whose clock is nearly an hour ahead; its event times are, too."""
    name = entity(chance)
    for late_ms in (0, 1_000, AHEAD_MS):
        event = _event(name, now_ms + AHEAD_MS - late_ms, action="like", watch_ms=300)
        yield Odd(value=event.value, ahead_ms=AHEAD_MS)


KINDS: tuple[Draw, ...] = (
    huge_texts,
    largest_events,
    flood,
    long_keys,
    times_in_seconds,
    clock_ahead,
)


def entity(chance: random.Random) -> str:
    """Return an entity that the load never draws, and the watch never samples."""
    return f"post-{FIRST + 10 * chance.randrange(COUNT)}"


def _event(name: str, at: int, **columns: Any) -> Odd:  # noqa: ANN401
    return Odd(value=json.dumps({ENTITY: name, "at": at} | columns, ensure_ascii=False).encode())


class OddSender:
    """Sends odd events beside the load. Safe for use by threads; mutable."""

    def __init__(self, settings: Settings) -> None:
        """Connect at the first event."""
        self._bootstrap = settings.kafka.bootstrap
        self._clock = SystemClock()
        self._lock = threading.Lock()
        self._made: Producer | None = None
        self.failed: list[str] = []

    def send(self, draw: Draw, chance: random.Random) -> int:
        """Hand events over; they arrive when the broker takes them."""
        sent = 0
        with self._lock:
            producer = self._producer()
            now_ms = self._clock.now_ms()
            for odd in draw(chance, now_ms):
                while True:
                    try:
                        producer.produce(
                            TOPIC,
                            odd.value,
                            odd.key,
                            timestamp=now_ms + odd.ahead_ms,
                            on_delivery=self._delivered,
                        )
                    except BufferError:
                        producer.poll(0.1)
                    else:
                        break
                producer.poll(0)
                sent += 1
        return sent

    def flush(self) -> None:
        """Return when all are in the topic.

        Raises:
            TimeoutError: They never were.
        """
        with self._lock:
            left = self._made.flush(FLUSH_TIMEOUT_S) if self._made else 0
        if left or self.failed:
            msg = f"{left} odd events not acknowledged, failed: {self.failed[:3]}"
            raise TimeoutError(msg)

    def _producer(self) -> Producer:
        if self._made is None:
            self._made = Producer(
                {
                    "bootstrap.servers": self._bootstrap,
                    "enable.idempotence": True,
                    "message.max.bytes": 10_000_000,
                    "message.timeout.ms": 900_000,
                    "reconnect.backoff.max.ms": 1_000,
                    "log_level": 0,
                    "error_cb": lambda _: None,
                }
            )
        return self._made

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self.failed.append(str(error))
