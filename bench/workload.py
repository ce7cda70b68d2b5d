"""The load of the stream benchmark: JSON events of about 90 bytes, entities drawn from a Zipf law.

Everything comes from a seed, so that what was produced can be recounted with numpy.
"""

import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from feature_platform.clock import SystemClock

ENTITIES = 200_000
ZIPF_EXPONENT = 1.1
ACTIONS = ("view", "like", "share", "skip")
ACTION_SHARES = (0.7, 0.15, 0.05, 0.1)
CHUNK = 20_000
QUEUE_MESSAGES_MAX = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Events as columns; row i of each array is event i."""

    posts: npt.NDArray[np.int64]
    actions: npt.NDArray[np.int64]
    watch_ms: npt.NDArray[np.int64]

    def lines(self, times_ms: npt.NDArray[np.int64]) -> list[bytes]:
        """Write the events as JSON, with these event times."""
        columns = zip(
            self.posts.tolist(),
            self.actions.tolist(),
            self.watch_ms.tolist(),
            times_ms.tolist(),
            strict=True,
        )
        return [
            b'{"post_id": %d, "action": "%s", "watch_ms": %d, "ts": %d, "session": "b7c1"}'
            % (post, ACTIONS[action].encode(), watch, ts)
            for post, action, watch, ts in columns
        ]


def send_batch(client: Producer, topic: str, batch: Batch, times_ms: npt.NDArray[np.int64]) -> None:
    """Send a batch, however large, with these event times; returns when all is acknowledged."""
    for start in range(0, len(times_ms), CHUNK):
        chosen = slice(start, start + CHUNK)
        part = Batch(
            posts=batch.posts[chosen],
            actions=batch.actions[chosen],
            watch_ms=batch.watch_ms[chosen],
        )
        send(client, topic, part.lines(times_ms[chosen]))
    client.flush()


class Workload:
    """Draws events; mutable: it holds the random generator and what was drawn so far."""

    def __init__(
        self, seed: int, *, entities: int = ENTITIES, exponent: float = ZIPF_EXPONENT
    ) -> None:
        """Start the generator from a seed; an exponent of 0 draws all entities alike."""
        self.entities = entities
        self._random = np.random.default_rng(seed)
        weights = np.arange(1, entities + 1, dtype=np.float64) ** -exponent
        self._cumulative = np.cumsum(weights / weights.sum())
        self.drawn: list[Batch] = []

    def draw(self, count: int) -> Batch:
        """Draw events and remember them for the recount."""
        posts = np.searchsorted(self._cumulative, self._random.random(count))
        return self._events_of(posts.clip(0, self.entities - 1).astype(np.int64) + 1)

    def draw_everyone(self) -> Batch:
        """Draw one event for each entity, in any order, and remember them for the recount."""
        return self._events_of(self._random.permutation(self.entities).astype(np.int64) + 1)

    def _events_of(self, posts: npt.NDArray[np.int64]) -> Batch:
        count = len(posts)
        batch = Batch(
            posts=posts,
            actions=self._random.choice(len(ACTIONS), size=count, p=ACTION_SHARES).astype(np.int64),
            watch_ms=self._random.integers(0, 60_000, count),
        )
        self.drawn.append(batch)
        return batch

    def recount(self) -> dict[str, npt.NDArray[np.int64]]:
        """Return lifetime values of everything drawn, by feature, indexed by post id."""
        posts = np.concatenate([batch.posts for batch in self.drawn])
        actions = np.concatenate([batch.actions for batch in self.drawn])
        watch = np.concatenate([batch.watch_ms for batch in self.drawn])
        size = self.entities + 1
        counts = {
            name: np.bincount(posts[actions == index], minlength=size)
            for index, name in enumerate(("views", "likes", "shares"))
        }
        total = np.bincount(posts, weights=watch, minlength=size).astype(np.int64)
        longest = np.full(size, -1, dtype=np.int64)
        np.maximum.at(longest, posts, watch)
        return {**counts, "watch_ms": total, "longest_watch_ms": longest}


def record_columns(
    workload: Workload, first: int, times_ms: npt.NDArray[np.int64]
) -> dict[str, pa.Array]:
    """Draw events as an archive has their records: without keys, all of one partition.

    Args:
        workload: Draws them.
        first: The first offset.
        times_ms: Of each event, which the broker took at once.
    """
    size = len(times_ms)
    return {
        "key": pa.nulls(size, pa.binary()),
        "value": pa.array(workload.draw(size).lines(times_ms), pa.binary()),
        "partition": pa.array(np.zeros(size, dtype=np.int32)),
        "offset": pa.array(np.arange(first, first + size, dtype=np.int64)),
        "timestamp": pa.array(times_ms),
    }


def producer(bootstrap: str) -> Producer:
    """Return a producer that batches well and waits when its queue is full."""
    return Producer(
        {
            "bootstrap.servers": bootstrap,
            "linger.ms": 20,
            "batch.num.messages": 20_000,
            "queue.buffering.max.messages": QUEUE_MESSAGES_MAX,
            "compression.type": "lz4",
            "delivery.report.only.error": True,
            "log_level": 0,
        }
    )


def send(client: Producer, topic: str, lines: list[bytes]) -> None:
    """Hand lines to the producer, spread over the partitions, waiting while its queue is full."""
    for line in lines:
        while True:
            try:
                client.produce(topic, line, on_delivery=_refuse_lost)
                break
            except BufferError:
                client.poll(0.1)
    client.poll(0)


def _refuse_lost(error: KafkaError | None, _: Message) -> None:
    """End the benchmark: what was not delivered would be missing in every figure.

    Raises:
        KafkaException: An event was not delivered.
    """
    if error is not None:
        raise KafkaException(error)


def send_backlog(
    client: Producer, topic: str, workload: Workload, count: int, *, rate: int, now_ms: int
) -> None:
    """Send what an outage leaves behind: events of the time before now, so many a second."""
    times = np.linspace(now_ms - count * 1_000 // rate, now_ms, count).astype(np.int64)
    for start in range(0, count, CHUNK):
        part = times[start : start + CHUNK]
        send(client, topic, workload.draw(len(part)).lines(part))
    client.flush()


def send_live(client: Producer, topic: str, workload: Workload, rate: int, seconds: int) -> float:
    """Send events of the present at a fixed rate; return the rate that was reached."""
    ticks = seconds * 10
    started = time.perf_counter()
    for tick in range(ticks):
        batch = workload.draw(rate // 10)
        now_ms = SystemClock().now_ms()
        send(client, topic, batch.lines(np.full(len(batch.posts), now_ms, dtype=np.int64)))
        time.sleep(max(0.0, started + (tick + 1) / 10 - time.perf_counter()))
    client.flush()
    return rate * seconds / (time.perf_counter() - started)
