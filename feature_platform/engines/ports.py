"""What asking and deploying need of the servers, as narrow ports: a reader, and what it is not.

Readers and writers are different types: whoever is handed a reader changes nothing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from feature_platform.engines.flink import Checkpoint, FlinkJob, StateBackend
from feature_platform.engines.flink_metrics import How
from feature_platform.store.base import EntityReader, TileReader, TileWriter, UndoReader

if TYPE_CHECKING:  # models that whoever only looks, as `fp status` does, need not build
    from feature_platform.engines.job_spec import JobSpec
    from feature_platform.engines.spark_facts import EventsFound, RecountFact
    from feature_platform.engines.spark_request import EventsTask, RecountTask, TilesTask


class ClusterReader(Protocol):
    """What Flink runs, and how that is; see `flink.FlinkRest` for what each call promises."""

    def jobs(self) -> list[FlinkJob]:
        """Return all jobs that the cluster remembers, newest first."""
        ...

    def job(self, job_id: str) -> FlinkJob | None:
        """Return one job; None if the cluster does not know it."""
        ...

    def last_checkpoint(self, job_id: str) -> Checkpoint | None:
        """Return a job's newest completed checkpoint or savepoint."""
        ...

    def retained_checkpoint(self, job_id: str) -> str:
        """Return the path of the newest checkpoint that a job left behind; empty for none."""
        ...

    def kept_checkpoints(self, job_id: str) -> list[str]:
        """Return the paths of all checkpoints and savepoints of a job that are still there."""
        ...

    def state_backend(self, job_id: str) -> StateBackend | None:
        """Return what keeps a job's state; None if the cluster does not know."""
        ...

    def restarts(self, job_id: str) -> int:
        """Return how often Flink has restarted a job by itself."""
        ...

    def root_exception(self, job_id: str) -> str:
        """Return the innermost cause of a job's newest failure."""
        ...

    def failed_to_restore(self, job_id: str) -> bool:
        """Return whether a job's newest failure was that it could not read its checkpoint."""
        ...

    def metrics(self, job_id: str, vertex: str, metrics: Mapping[str, How]) -> Mapping[str, float]:
        """Return an operator's metrics over all subtasks; those that it has not are left out."""
        ...

    def trigger_checkpoint(self, job_id: str) -> None:
        """Ask for a checkpoint now: the job makes them by itself, this one is only sooner."""
        ...


class Cluster(ClusterReader, Protocol):
    """Flink, with what ends a job."""

    def stop_with_savepoint(self, job_id: str) -> str:
        """Stop a job and return its savepoint's path."""
        ...

    def cancel(self, job_id: str) -> None:
        """Cancel a job and wait until it has ended."""
        ...

    def discard(self, path: str) -> str:
        """Delete a checkpoint or savepoint; return why it stays, empty if it is gone."""
        ...


class Submitter(Protocol):
    """Starts jobs; see `submit.FlinkSubmitter`."""

    def prepare(self, spec: "JobSpec") -> None:
        """Build a job's graph, so that its submission is quick; says what Flink refuses."""
        ...

    def submit(self, spec: "JobSpec", job_id: str, restore_path: str) -> None:
        """Submit a job under the id given."""
        ...


class TopicReader(Protocol):
    """What topics of Kafka hold, and between which offsets."""

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


class Topics(TopicReader, Protocol):
    """Topics of Kafka, made and deleted."""

    def create(self, topics: Sequence[str]) -> Sequence[str]:
        """Create the topics that are missing; return those stamped by their producers' clocks."""
        ...

    def delete(self, topics: Sequence[str]) -> None:
        """Delete topics with all they hold; harmless if they are not there."""
        ...


class Recounter(Protocol):
    """Recomputes tiles from the event log and from Kafka; nothing is written."""

    def recount(self, task: "RecountTask") -> "Iterator[RecountFact]":
        """Yield what the log is like, then the sample, counts and entities. Blocks between.

        Raises:
            EventLogError: The log is damaged, or misses offsets.
            SparkFailedError: Spark failed.
        """
        ...

    def events_of(self, task: "EventsTask") -> "Iterator[EventsFound]":
        """Yield which events count for entities in event times `[start, end)`."""
        ...


class Backfiller(Protocol):
    """Computes rows from all events up to some offsets, and writes them."""

    def backfill(self, task: "TilesTask", report: Callable[[str], None]) -> None:
        """Write every row of a generation. Blocks; may be repeated, and writes the same bytes then.

        Args:
            task: Which rows; its job spec is that of the version to be deployed.
            report: Called with the progress now and then.

        Raises:
            OffsetsGoneError: Events that are needed are neither in the event log nor in Kafka.
            SparkFailedError: It failed; the message says why and what to do.
        """
        ...


class RowReader(TileReader, EntityReader, UndoReader, Protocol):
    """Rows, as a check or a look reads them."""


class RowStore(RowReader, TileWriter, Protocol):
    """Rows, as a sweep or a repair reads and writes them."""
