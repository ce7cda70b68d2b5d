"""The facts about deployed feature sets as the servers know them now; asks, and changes nothing."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol

from feature_platform.engines.flink import Checkpoint, FlinkJob
from feature_platform.engines.flink_metrics import JobMetrics, job_metrics
from feature_platform.engines.ports import ClusterReader
from feature_platform.lineage.attempts import behind
from feature_platform.monitor.failures import last_failure, refused_jobs
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.base import Cut, RegistryReader

LETTERS_LOST = "_lost"
"""Key in a cut beside the reasons."""
UNKNOWN = "UNKNOWN"
"""Flink does not know the job: the cluster was restarted."""
SILENT = "SILENT"
"""Flink does not answer: nobody knows."""
FLINK, KAFKA = "flink", "kafka"
ASKED_AT_ONCE = 8
"""About how many feature sets the servers are asked at once."""


class TopicEnds(Protocol):
    """Kafka, as far as a look needs it."""

    def end_offsets(self, topic: str) -> Mapping[str, int]:
        """Return the next offset of every partition, by "topic/partition"."""
        ...

    def waiting_since_ms(self, topic: str, positions: Mapping[str, int]) -> int:
        """Return the timestamp of the oldest record behind the positions; 0 if none is there."""
        ...


class Known(Protocol):
    """What is asked; `Reads` is one."""

    @property
    def registry(self) -> RegistryReader:
        """What is deployed."""
        ...

    @property
    def cluster(self) -> ClusterReader:
        """The jobs."""
        ...

    @property
    def topics(self) -> TopicEnds:
        """The events."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureSetStatus:
    """One deployed feature set at one moment."""

    snapshot: Snapshot
    job_state: str
    """Flink's word, or UNKNOWN, or SILENT."""
    restarts: int
    """Flink's own, of this job."""
    tasks_waiting: int
    """Tasks of its job that do not run yet, or again."""
    attempt: int
    """The newest; 0 before the first."""
    checkpoint: Checkpoint | None
    """The newest; None before the first, and in a look without details."""
    cut: Cut | None
    ends: Mapping[str, int] | None
    """End offsets of the topic, by "topic/partition"; None if Kafka does not answer."""
    metrics: JobMetrics
    """Of its job, while that lives; none in a look without details."""
    changed_by: str
    """Who is changing it right now; empty if nobody is."""
    last_failure: str
    """Why its job failed last; empty if it never did, or Flink has forgotten."""
    refused: Mapping[str, str]
    """Its jobs, and those before, that the kernel fenced off: id and why."""
    waiting_since_ms: int = 0
    """Timestamp of the oldest record that the last cut does not hold; 0 if none waits."""

    @property
    def lag(self) -> dict[str, int]:
        """Events of each partition that the last cut does not hold; none if nobody knows."""
        positions, ends = self.cut.positions if self.cut else {}, self.ends or {}
        return {partition: behind(positions, {partition: end}) for partition, end in ends.items()}

    @property
    def dead_letters(self) -> dict[str, int]:
        """Events that it could not count up to its last cut, by reason."""
        letters = self.cut.letters if self.cut else {}
        return {
            reason: count for reason, count in sorted(letters.items()) if reason != LETTERS_LOST
        }

    @property
    def letters_lost(self) -> int:
        """Of how many of them no letter could be written."""
        return self.cut.letters.get(LETTERS_LOST, 0) if self.cut else 0


def statuses(
    world: Known, silent: Collection[str] = (), *, detailed: bool = True
) -> list[FeatureSetStatus]:
    """Return the state of everything deployed, by name.

    Args:
        world: What is asked, for several feature sets at once.
        silent: Servers that are known not to answer, of `kafka` and `flink`: they are not asked,
            and what they know is left out.
        detailed: Whether Flink is asked for checkpoints and metrics, too: most of a look's time.

    Raises:
        WorldError: A server did not answer.
    """
    snapshots = world.registry.snapshots()
    if not snapshots:
        return []
    topics = {snapshot.topic for snapshot in snapshots}
    look = _Look.of(world, silent, topics, detailed=detailed)
    with ThreadPoolExecutor(max_workers=ASKED_AT_ONCE) as pool:
        return list(pool.map(look.at, snapshots))


def status(
    world: Known, snapshot: Snapshot, silent: Collection[str] = (), *, detailed: bool = True
) -> FeatureSetStatus:
    """Return the state of one feature set; the arguments are those of `statuses`.

    Raises:
        WorldError: A server did not answer.
    """
    return _Look.of(world, silent, {snapshot.topic}, detailed=detailed).at(snapshot)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """One look at everything: what all feature sets share is asked once."""

    world: Known
    flink: bool
    """Whether Flink answers."""
    jobs: Sequence[FlinkJob]
    ends: Mapping[str, Mapping[str, int]] | None
    """By topic; None if Kafka does not answer."""
    leases: Mapping[str, str]
    detailed: bool

    @classmethod
    def of(
        cls, world: Known, silent: Collection[str], topics: Iterable[str], *, detailed: bool
    ) -> "_Look":
        """Ask what they share, all servers at once."""
        flink, kafka = FLINK not in silent, KAFKA not in silent
        wanted = sorted(topics) if kafka else []
        with ThreadPoolExecutor(max_workers=ASKED_AT_ONCE) as pool:
            jobs = pool.submit(world.cluster.jobs) if flink else None
            leases = pool.submit(world.registry.leases)
            ends = dict(zip(wanted, pool.map(world.topics.end_offsets, wanted), strict=True))
        return cls(
            world=world,
            flink=flink,
            jobs=jobs.result() if jobs else (),
            ends=ends if kafka else None,
            leases={lease.name: lease.holder for lease in leases.result()},
            detailed=detailed,
        )

    def at(self, snapshot: Snapshot) -> FeatureSetStatus:
        """Look at one feature set."""
        registry, name = self.world.registry, snapshot.featureset
        attempts = registry.attempts(name, snapshot.generation)
        cut = registry.last_cut(name, snapshot.generation)
        found = FeatureSetStatus(
            snapshot=snapshot,
            job_state=SILENT,
            restarts=0,
            tasks_waiting=0,
            attempt=attempts[-1].attempt if attempts else 0,
            checkpoint=None,
            cut=cut,
            ends=None if self.ends is None else self.ends[snapshot.topic],
            metrics=JobMetrics({}),
            changed_by=self.leases.get(name, ""),
            last_failure="",
            refused={},
            waiting_since_ms=self._waiting_since_ms(snapshot, cut),
        )
        return self._with_job(found) if self.flink else found

    def _with_job(self, found: FeatureSetStatus) -> FeatureSetStatus:
        cluster, job_id = self.world.cluster, found.snapshot.job_id
        job = next((item for item in self.jobs if item.id == job_id), None)
        lives = job is not None and job.lives
        restarts = cluster.restarts(job_id) if lives else 0
        measured = self.detailed and lives
        return replace(
            found,
            job_state=job.state if job else UNKNOWN,
            restarts=restarts,
            tasks_waiting=job.tasks_waiting if job else 0,
            checkpoint=cluster.last_checkpoint(job_id) if self.detailed else None,
            metrics=job_metrics(cluster, job_id) if measured else JobMetrics({}),
            last_failure=last_failure(cluster, job, restarts),
            refused=refused_jobs(cluster, self.jobs, found.snapshot.featureset),
        )

    def _waiting_since_ms(self, snapshot: Snapshot, cut: Cut | None) -> int:
        """Return since when the oldest event waits that the cut does not hold; 0: none does."""
        ends = (self.ends or {}).get(snapshot.topic, {})
        if cut is None or not behind(cut.positions, ends):
            return 0
        return self.world.topics.waiting_since_ms(snapshot.topic, cut.positions)
