"""What deploying needs of the world, as narrow ports, and the real things behind them."""

import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from feature_platform.broker.sender import (
    ensure_letters_topic,
    ensure_topic,
    has_producers_clock,
)
from feature_platform.broker.topics import Topics as TopicReader
from feature_platform.clock import Clock, SystemClock
from feature_platform.engines.flink import Checkpoint, FlinkRest, Job
from feature_platform.engines.flink_metrics import How
from feature_platform.engines.flink_submitter import FlinkSubmitter
from feature_platform.engines.spark import SparkBackfiller, SparkRecounter
from feature_platform.plan.job import dead_letter_topic
from feature_platform.registry.base import Registry
from feature_platform.registry.cql import open_registry
from feature_platform.settings import KafkaSettings, Settings, password
from feature_platform.store.base import EntityReader, TileReader, TileTables, TileWriter, UndoReader
from feature_platform.store.connect import connect
from feature_platform.store.cql import CqlTiles
from feature_platform.store.service_levels import Isolation


class Cluster(Protocol):
    """Flink, as far as deploying needs it; see `flink.FlinkRest` for what each call promises."""

    def jobs(self) -> list[Job]:
        """Return all jobs that the cluster remembers, newest first."""
        ...

    def job(self, job_id: str) -> Job | None:
        """Return one job; None if the cluster does not know it."""
        ...

    def last_checkpoint(self, job_id: str) -> Checkpoint | None:
        """Return a job's newest completed checkpoint or savepoint."""
        ...

    def retained_checkpoint(self, job_id: str) -> str:
        """Return the path of the newest checkpoint that a job left behind; empty for none."""
        ...

    def restarts(self, job_id: str) -> int:
        """Return how often Flink has restarted a job by itself."""
        ...

    def root_exception(self, job_id: str) -> str:
        """Return the innermost cause of a job's newest failure."""
        ...

    def failed_to_restore(self, job_id: str) -> bool:
        """Tell whether a job's newest failure was that it could not read its checkpoint."""
        ...

    def metrics(self, job_id: str, vertex: str, metrics: Mapping[str, How]) -> Mapping[str, float]:
        """Return an operator's metrics over all subtasks; those that it has not are left out."""
        ...

    def trigger_checkpoint(self, job_id: str) -> None:
        """Ask for a checkpoint now."""
        ...

    def stop_with_savepoint(self, job_id: str) -> str:
        """Stop a job and return its savepoint's path."""
        ...

    def cancel(self, job_id: str) -> None:
        """Cancel a job and wait until it has ended."""
        ...


class Submitter(Protocol):
    """Starts jobs; see `submit.FlinkSubmitter`."""

    def prepare(self, spec: Mapping[str, Any]) -> None:
        """Build a job's graph, so that its submission is quick; says what Flink refuses."""
        ...

    def submit(self, spec: Mapping[str, Any], job_id: str, restore_path: str) -> None:
        """Submit a job under the id given."""
        ...


class Topics(Protocol):
    """Kafka, as far as deploying needs it."""

    def create(self, topics: Sequence[str]) -> Sequence[str]:
        """Create the topics that are missing; return those stamped by their producers' clocks."""
        ...

    def end_offsets(self, topic: str) -> Mapping[str, int]:
        """Return the next offset of every partition, by "topic/partition"."""
        ...

    def event_ends(self, topic: str) -> Mapping[str, int]:
        """Return the offset behind the last event of every partition: as far as a job gets."""
        ...

    def waiting_since_ms(self, topic: str, positions: Mapping[str, int]) -> int:
        """Return the timestamp of the oldest record behind the positions; 0 if none is there."""
        ...

    def bounds(self, topic: str) -> Mapping[str, tuple[int, int]]:
        """Return the first kept and the next offset of every partition, by "topic/partition"."""
        ...

    def topic_id(self, topic: str) -> str:
        """Return the id that a topic got when it was made; empty if there is none."""
        ...

    def offsets_at(self, topic: str, time_ms: int) -> Mapping[str, int]:
        """Return the first offset from an instant on of every partition, by "topic/partition"."""
        ...

    def delete(self, topics: Sequence[str]) -> None:
        """Delete topics with all they hold; harmless if they are not there."""
        ...


class KafkaTopics:
    """Topics of the real broker."""

    def __init__(self, settings: KafkaSettings) -> None:
        """Connect when asked."""
        self._settings = settings

    def create(self, topics: Sequence[str]) -> Sequence[str]:
        """Create the topics that are missing, with the partitions of the settings.

        Returns:
            Those whose records are stamped by the producers' clocks instead of the broker's.
        """
        for topic in topics:
            source = topic.removesuffix(dead_letter_topic(""))
            if source == topic:
                ensure_topic(self._settings, topic)
            else:
                ensure_letters_topic(self._settings, topic, source)
        return [topic for topic in topics if has_producers_clock(self._settings, topic)]

    def end_offsets(self, topic: str) -> Mapping[str, int]:
        """Return the next offset of every partition, by "topic/partition"."""
        return TopicReader(self._settings).ends(topic)

    def event_ends(self, topic: str) -> Mapping[str, int]:
        """Return the offset behind the last event of every partition: as far as a job gets."""
        return TopicReader(self._settings).event_ends(topic)

    def waiting_since_ms(self, topic: str, positions: Mapping[str, int]) -> int:
        """Return the timestamp of the oldest record behind the positions; 0 if none is there."""
        return TopicReader(self._settings).waiting_since_ms(topic, positions)

    def bounds(self, topic: str) -> Mapping[str, tuple[int, int]]:
        """Return the first kept and the next offset of every partition, by "topic/partition"."""
        return TopicReader(self._settings).bounds(topic)

    def topic_id(self, topic: str) -> str:
        """Return the id that a topic got when it was made; empty if there is none."""
        return TopicReader(self._settings).topic_id(topic)

    def offsets_at(self, topic: str, time_ms: int) -> Mapping[str, int]:
        """Return the first offset from an instant on of every partition, by "topic/partition"."""
        return TopicReader(self._settings).offsets_at(topic, time_ms)

    def delete(self, topics: Sequence[str]) -> None:
        """Delete topics with all they hold; harmless if they are not there."""
        TopicReader(self._settings).delete(topics)


class Backfiller(Protocol):
    """Computes rows from all events up to some offsets, and writes them."""

    def backfill(
        self,
        spec: Mapping[str, Any],
        attempt: int,
        until: Mapping[str, int],
        report: Callable[[str], None],
        *,
        accept_unreadable: bool,
        read_by: Mapping[str, Any] | None,
    ) -> None:
        """Write every row of a generation. Blocks; may be repeated, and writes the same bytes then.

        Args:
            spec: The job spec of what is going to be deployed.
            attempt: The writer's number, in every timestamp.
            until: First offset that does not count any more, by "topic/partition".
            report: Told how far it is, now and then.
            accept_unreadable: Leave out what the source of today cannot read, though it could be
                read before; else that is an error.
            read_by: The source of what is deployed, as a job spec has it: "before" is what it can
                read. None: it is no other.

        Raises:
            OffsetsGoneError: Events that are needed are neither in the event log nor in Kafka.
            SparkFailedError: It failed; the message says why and what to do.
        """
        ...


class Recounter(Protocol):
    """Recomputes tiles from the event log and from Kafka; nothing is written."""

    def recount(
        self, spec: Mapping[str, Any], until: Mapping[str, int], ask: Mapping[str, Any]
    ) -> Iterator[Mapping[str, Any]]:
        """Yield the facts `log`, `sampled`, `counted` and `entity`, in this order. Blocks between.

        Args:
            spec: The job spec of what is deployed.
            until: First offset that does not count any more, by "topic/partition".
            ask: Which; see `engines.recount_request.Wanted` and `backfill.recount`.

        Raises:
            EventLogError: The log is damaged, or misses offsets.
            SparkFailedError: Spark failed.
        """
        ...

    def events_of(
        self,
        spec: Mapping[str, Any],
        until: Mapping[str, int],
        places: Sequence[tuple[str, int, int]],
    ) -> Iterator[Mapping[str, Any]]:
        """Yield which events count for entities in event times `[start, end)`."""
        ...


class Tiles(TileReader, EntityReader, TileWriter, UndoReader, Protocol):
    """Rows, as a sweep reads and writes them, and a trial looks at them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything that a deployment touches."""

    settings: Settings
    registry: Registry
    tables: TileTables
    tiles: Tiles
    topics: Topics
    cluster: Cluster
    submitter: Submitter
    backfiller: Backfiller
    recounter: Recounter
    clock: Clock
    holder: str
    """Who holds the leases that are taken."""
    poll_s: float = 0.5
    """How long a wait sleeps between two looks."""
    isolation: Isolation = field(default_factory=Isolation)
    """What keeps jobs from slowing the rankers' reads down."""


@contextmanager
def open_world(settings: Settings, submitter: Submitter | None = None) -> Iterator[World]:
    """Connect to the real servers as `fp_admin`, with the registry's tables brought up to date.

    Args:
        settings: Where the servers are.
        submitter: One that is the caller's to close; without it the world has one of its own.

    Raises:
        SettingsError: The password of fp_admin is not known.
        StoreUnavailableError: The store does not answer.
    """
    clock = SystemClock()
    with (
        closing(FlinkSubmitter(settings)) as own,
        connect(settings.store, "fp_admin", password(settings, "admin")) as connection,
    ):
        tiles = CqlTiles(connection)
        isolation = Isolation.of(connection)
        yield World(
            settings=settings.model_copy(update={"store": isolation.bounded(settings.store)}),
            registry=open_registry(connection, clock),
            tables=tiles,
            tiles=tiles,
            topics=KafkaTopics(settings.kafka),
            cluster=FlinkRest(settings.flink.rest_url),
            submitter=submitter or own,
            backfiller=SparkBackfiller(settings),
            recounter=SparkRecounter(settings),
            clock=clock,
            holder=f"process {os.getpid()} on {socket.gethostname()}",
            isolation=isolation,
        )
