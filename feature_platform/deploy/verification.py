"""The job of a verification: a definition on a topic of drawn events, restarted in the middle.

It is a trial (`deploy.trial`) whose first job leaves checkpoints, as a deployed one does: the
second restarts from the newest. They are deleted at the end.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from uuid import uuid4

from feature_platform.broker.exact import make_scratch_topic
from feature_platform.definition.model import FeatureSet
from feature_platform.deploy.lease import HeldLease
from feature_platform.deploy.start import retained
from feature_platform.deploy.trial import make_scratch, note_scratch, remove_scratch
from feature_platform.engines.job_spec import StartFields, job_spec
from feature_platform.engines.world import World
from feature_platform.plan.snapshot import Snapshot
from feature_platform.plan.trial import Scratch, scratch_of, trial_name, trial_snapshot
from feature_platform.report import Report


class VerifiedJob:
    """A job that runs. Mutable: a restart gives it another id."""

    def __init__(self, world: World, snapshot: Snapshot, scratch: Scratch, report: Report) -> None:
        """Begin without a job."""
        self._world, self._scratch, self._report = world, scratch, report
        self.snapshot = snapshot
        """What runs."""

    @property
    def topic(self) -> str:
        """Where its events are from."""
        return self.snapshot.topic

    def start(self) -> None:
        """Submit the job, which reads from the beginning."""
        self._submit(StartFields(start="earliest", end_offsets=self._ends(), clean=True), "")

    def crash_and_restart(self) -> None:
        """Cancel the job as it is, and start another from its newest checkpoint, as a recovery.

        Raises:
            RestoreFailedError: It has made no checkpoint yet.
            WorldError: A server did not answer.
        """
        self._report("cancel the job between two checkpoints")
        self._world.cluster.cancel(self.snapshot.job_id)
        path, deployment = retained(self._world, self.snapshot), uuid4().hex
        self._scratch = replace(
            self._scratch,
            deployment=deployment,
            keeps_checkpoints=False,
            checkpoints=tuple(self._world.cluster.kept_checkpoints(self.snapshot.job_id)),
        )
        name, generation = self.snapshot.featureset, self.snapshot.generation
        note_scratch(self._world, name, self._scratch)
        self._world.registry.set_owner(name, generation, deployment)
        self.snapshot = replace(self.snapshot, deployment=deployment, job_id=deployment)
        self._report("restart it from its newest checkpoint")
        self._submit(StartFields(start="savepoint", end_offsets=self._ends()), path)

    def _ends(self) -> dict[str, int]:
        return dict(self._world.topics.end_offsets(self.topic))

    def _submit(self, start: StartFields, path: str) -> None:
        spec = job_spec(self.snapshot, self._world.settings, start)
        spec = replace(spec, trial=not self._scratch.keeps_checkpoints, changelog_topic="")
        self._world.submitter.submit(spec, self.snapshot.job_id, path)


@contextmanager
def verification(
    world: World, wanted: FeatureSet, partitions: int, report: Report
) -> Iterator[VerifiedJob]:
    """Make table and topics of a verification; all of it is removed when this is left.

    Args:
        world: Where it runs.
        wanted: The definition; its topic is replaced.
        partitions: How many the topic of events has.
        report: Called with what is done.

    Raises:
        LeaseHeldError: Somebody else verifies the same feature set.
        WorldError: A server did not answer; what is left is removed by the next verification.
    """
    name = trial_name(wanted.name, "verify")
    with HeldLease(world.registry, world.clock, name, world.holder):
        remove_scratch(world, name, report)
        try:
            yield _made(world, wanted, partitions, report)
        finally:
            remove_scratch(world, name, report)


def _made(world: World, wanted: FeatureSet, partitions: int, report: Report) -> VerifiedJob:
    scratch = scratch_of(wanted.name, uuid4().hex, world.clock.now_ms(), "verify")
    drawn = replace(wanted, source=replace(wanted.source, topic=scratch.events))
    snapshot = trial_snapshot(drawn, (), scratch, "verify")
    make_scratch(world, snapshot, scratch, report)
    report(f"create the topic {scratch.events}")
    make_scratch_topic(world.settings.kafka, scratch.events, partitions)
    return VerifiedJob(world, snapshot, scratch, report)
