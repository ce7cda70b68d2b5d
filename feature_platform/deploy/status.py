"""The facts about deployed feature sets as the servers know them now; asks, and changes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass

from feature_platform.deploy.failures import last_failure, refused_jobs
from feature_platform.deploy.flink import Checkpoint
from feature_platform.deploy.metrics import JobMetrics, job_metrics
from feature_platform.deploy.recovered import behind
from feature_platform.deploy.world import World
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.base import Cut

UNKNOWN = "UNKNOWN"
"""Flink does not know the job: the cluster was started anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureSetStatus:
    """One deployed feature set at one moment."""

    snapshot: Snapshot
    job_state: str
    """Flink's word, or UNKNOWN."""
    restarts: int
    """Flink's own, of this job."""
    attempt: int
    """The newest; 0 before the first."""
    checkpoint: Checkpoint | None
    cut: Cut | None
    ends: Mapping[str, int]
    """End offsets of the topic, by "topic/partition"."""
    metrics: JobMetrics
    """Of its job, while that lives."""
    changed_by: str
    """Who is changing it right now; empty if nobody is."""
    last_failure: str
    """Why its job failed last; empty if it never did, or Flink has forgotten."""
    refused: Mapping[str, str]
    """Its jobs, and those before, that the kernel did not let write: id and why."""

    @property
    def lag(self) -> dict[str, int]:
        """Events of each partition that the last cut does not hold."""
        positions = self.cut.positions if self.cut else {}
        return {
            partition: behind(positions, {partition: end}) for partition, end in self.ends.items()
        }


def statuses(world: World) -> list[FeatureSetStatus]:
    """Return the state of everything deployed, by name.

    Raises:
        WorldError: A server did not answer.
    """
    return [status(world, snapshot) for snapshot in world.registry.snapshots()]


def status(world: World, snapshot: Snapshot) -> FeatureSetStatus:
    """Return the state of one feature set.

    Raises:
        WorldError: A server did not answer.
    """
    registry, cluster = world.registry, world.cluster
    name, generation = snapshot.featureset, snapshot.generation
    jobs = cluster.jobs()
    job = next((item for item in jobs if item.id == snapshot.job_id), None)
    attempts = registry.attempts(name, generation)
    lease = registry.lease(name)
    lives = job is not None and job.lives
    restarts = cluster.restarts(snapshot.job_id) if lives else 0
    return FeatureSetStatus(
        snapshot=snapshot,
        job_state=job.state if job else UNKNOWN,
        restarts=restarts,
        attempt=attempts[-1].attempt if attempts else 0,
        checkpoint=cluster.last_checkpoint(snapshot.job_id),
        cut=registry.last_cut(name, generation),
        ends=world.topics.end_offsets(snapshot.topic),
        metrics=job_metrics(cluster, snapshot.job_id) if lives else JobMetrics({}),
        changed_by=lease.holder if lease else "",
        last_failure=last_failure(cluster, job, restarts),
        refused=refused_jobs(cluster, jobs, name),
    )
