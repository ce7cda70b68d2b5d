"""The steady load: random events of the present, some late, repeated or bad, sent by a thread.

Which entities are active moves on slowly, so that every one is compared often, cold ones come
back after their state has expired, and new ones appear.
"""

import json
import random
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, Message, Producer

from feature_platform.clock import SystemClock
from feature_platform.definition.model import Source
from feature_platform.settings import Settings
from feature_platform.testing import RawEvent
from feature_platform.testing.events import REASONS, spoil
from feature_platform.testing.reference_events import Accepted, Reason, judge
from tests.chaos.definitions import ENTITY, TOPIC

TICK_S = 0.05
ACTIVE = 150
EVENTS_PER_SHIFT = 1_500
"""After so many events one entity more takes part, and the oldest active one gets cold."""
COLD, LATE, REPEATED, BAD, ABSENT = 0.02, 0.04, 0.01, 0.005, 0.05
LATE_MAX_MS = 2 * 3_600_000
ACTIONS = ("view", "view", "view", "like", "share", "skip", "Größe", "")
FLUSH_TIMEOUT_S = 300.0
SENT_WITHIN_MS = 60_000
"""An event of the far future is that far ahead of it, too: it may be sent later than drawn."""
WATCHED_ONE_IN = 10
"""Share of entities of which the instant of every event's delivery is noted."""
_REASONS: tuple[Reason, ...] = tuple(reason for reason in REASONS if reason != "too_large")


@dataclass(slots=True)
class Deliveries:
    """Mutable: of some entities, how many events were sent, and when each was acknowledged."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    at_s: dict[str, list[float]] = field(default_factory=dict)
    handed_over: Counter[str] = field(default_factory=Counter)

    def hand_over(self, entity: str) -> None:
        """Note that one more event of an entity may be in the topic from now on."""
        if is_watched(entity):
            with self.lock:
                self.handed_over[entity] += 1

    def sent(self, entity: str) -> int:
        """Return how many events of a watched entity the topic holds at most."""
        with self.lock:
            return self.handed_over[entity]

    def note(self, entity: str) -> None:
        """Note that one more event of an entity is in the topic now."""
        if is_watched(entity):
            with self.lock:
                self.at_s.setdefault(entity, []).append(time.monotonic())

    def counts(self) -> dict[str, int]:
        """Return how many events of each watched entity the topic holds at least."""
        with self.lock:
            return {entity: len(times) for entity, times in self.at_s.items()}

    def nth_s(self, entity: str, count: int) -> float | None:
        """Return when the event after so many was delivered; None if there is none yet."""
        with self.lock:
            times = self.at_s[entity]
            return times[count] if count < len(times) else None


def is_watched(entity: str) -> bool:
    """Tell whether an entity is watched; decided by its number."""
    return int(entity.rpartition("-")[2]) % WATCHED_ONE_IN == 3


class Load:
    """Sends so many events a second until it is stopped. Mutable; owns a thread."""

    def __init__(
        self, settings: Settings, source: Source, *, rate: int, partitions: int, seed: int
    ) -> None:
        """Draw from a seed; times are those of the clock."""
        self._source, self._rate, self._partitions = source, rate, partitions
        self._chance = random.Random(seed)  # noqa: S311 - the same seed must give the same events
        self._clock = SystemClock()
        self._producer = Producer(
            {
                "bootstrap.servers": settings.kafka.bootstrap,
                "enable.idempotence": True,
                "linger.ms": 10,
                "message.timeout.ms": 900_000,
                "reconnect.backoff.max.ms": 1_000,
                "log_level": 0,
                "error_cb": lambda _: None,  # a broker that is down is what this is about
            }
        )
        self._running, self._ended = threading.Event(), threading.Event()
        self._idle = threading.Event()
        self._thread = threading.Thread(target=self._work, name="load", daemon=True)
        self._last: deque[tuple[bytes | None, str | None]] = deque(maxlen=50)
        """Events that count; one of them is sent once more now and then."""
        self.sent = 0
        self.failed: list[str] = []
        self.deliveries = Deliveries()

    def start(self) -> None:
        """Begin to send."""
        self._running.set()
        self._thread.start()

    def pause(self) -> None:
        """Send nothing for a while; returns when all that was sent is acknowledged.

        Raises:
            TimeoutError: It never was.
        """
        self._running.clear()
        self._idle.wait()
        left = self._producer.flush(FLUSH_TIMEOUT_S)
        if left or self.failed:
            msg = f"{left} events not acknowledged in {FLUSH_TIMEOUT_S} s, failed: {self.failed}"
            raise TimeoutError(msg)

    def resume(self) -> None:
        """Send again."""
        self._idle.clear()
        self._running.set()

    def stop(self) -> None:
        """Send nothing more, for good."""
        self._ended.set()
        self._running.set()
        if self._thread.is_alive():
            self._thread.join()

    def _work(self) -> None:
        due = time.monotonic()
        while not self._ended.is_set():
            if not self._running.is_set():
                self._idle.set()
                self._running.wait()
                due = time.monotonic()
                continue
            for _ in range(max(1, round(self._rate * TICK_S))):
                self._send()
            due += TICK_S
            self._producer.poll(0)
            self._ended.wait(max(0.0, due - time.monotonic()))

    def _send(self) -> None:
        repeated = self._last and self._chance.random() < REPEATED
        value, entity = self._chance.choice(self._last) if repeated else self._draw()
        if entity is not None and not repeated:
            self._last.append((value, entity))
        self.sent += 1
        if entity is not None:
            self.deliveries.hand_over(entity)
        at_ms = self._clock.now_ms()  # not later, however long the broker has no room
        while True:
            try:
                self._producer.produce(
                    TOPIC,
                    value,
                    partition=self._chance.randrange(self._partitions),
                    timestamp=at_ms,
                    on_delivery=lambda error, message: self._delivered(error, message, entity),
                )
            except BufferError:
                self._producer.poll(0.1)
            else:
                return

    def _delivered(self, error: KafkaError | None, _: Message, entity: str | None) -> None:
        if error is not None:
            self.failed.append(str(error))
        elif entity is not None:
            self.deliveries.note(entity)

    def _draw(self) -> tuple[bytes | None, str | None]:
        """Return an event's bytes, and the entity that it counts for."""
        now_ms = self._clock.now_ms()
        fields = self._fields(now_ms)
        value: bytes | None = json.dumps(fields, ensure_ascii=False).encode()
        if self._chance.random() < BAD:
            value = spoil(
                self._source,
                ENTITY,
                fields,
                self._chance.choice(_REASONS),
                arrival_ms=now_ms + SENT_WITHIN_MS,
                chance=self._chance,
            )
        raw = RawEvent(value=value, partition=0, offset=0, timestamp_ms=now_ms)
        judged = judge(self._source, ENTITY, raw)
        counts = isinstance(judged, Accepted) and judged.columns["action"] != "skip"
        return value, fields[ENTITY] if counts else None

    def _fields(self, now_ms: int) -> dict[str, Any]:
        chance = self._chance
        late_ms = chance.randrange(LATE_MAX_MS) if chance.random() < LATE else 0
        fields: dict[str, Any] = {
            "user_id": chance.randrange(1_000),
            "action": chance.choice(ACTIONS),
            "watch_ms": chance.choice((0, 1, -1, chance.randrange(60_000))),
            "score": round(chance.uniform(-100, 100), 3),
        }
        fields = {name: value for name, value in fields.items() if chance.random() >= ABSENT}
        return fields | {ENTITY: self._entity(), "at": now_ms - late_ms - chance.randrange(500)}

    def _entity(self) -> str:
        oldest = self.sent // EVENTS_PER_SHIFT
        if oldest and self._chance.random() < COLD:
            return f"post-{self._chance.randrange(oldest)}"
        return f"post-{oldest + int(ACTIVE * self._chance.random() ** 2)}"
