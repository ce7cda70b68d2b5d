"""Doing what a plan says: walks the list of stages that `explain` prints.

Every stage may be repeated. What a crash leaves behind is this: the registry says where the old
job's savepoint is, and which job was being started. The next execution adopts that job if it is
what is wanted, and cancels it otherwise.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import assert_never
from uuid import uuid4

from feature_platform.deploy.await_checkpoint import await_checkpoint
from feature_platform.deploy.flink import Job
from feature_platform.deploy.job_spec import job_spec
from feature_platform.deploy.lease import HeldLease
from feature_platform.deploy.savepoint import check_savepoint
from feature_platform.deploy.world import World
from feature_platform.errors import JobFailedError, PlanRefusedError
from feature_platform.plan.explain import describe
from feature_platform.plan.planner import Plan
from feature_platform.plan.snapshot import Snapshot
from feature_platform.plan.stages import (
    AllocateIds,
    AwaitCheckpoint,
    CheckSavepoint,
    CreateTable,
    CreateTopics,
    OwnGeneration,
    RecordDeleted,
    RecordDeployed,
    RecordMetadata,
    RecordStopped,
    ReleaseLease,
    Stage,
    Start,
    StopWithSavepoint,
    SubmitJob,
    TakeLease,
)
from feature_platform.plan.target import settled

GRACE_MS = 7 * 86_400_000
"""How long the table of a deleted feature set is kept."""

Report = Callable[[str], None]
"""Told each stage in words before it is done."""


def silent(_: str) -> None:
    """Report nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What the registry keeps while a job is being started."""

    deployment: str
    """Its id, and that of its job."""
    digest: str
    """Of what the job computes."""
    since_ms: int
    """From when features count that begin with this deployment."""


def execute(plan: Plan, world: World, report: Report = silent) -> Snapshot | None:
    """Walk a plan's stages.

    Args:
        plan: What to do.
        world: What to do it with.
        report: Told each stage before it is done.

    Returns:
        What is deployed now; None if nothing is.

    Raises:
        PlanRefusedError: The plan may not be applied, or what it starts from has changed.
        LeaseHeldError: Someone else changes the feature set.
        JobFailedError: The new job failed; the message says why and what runs now.
        WorldError: A server did not answer; apply again when it does.
    """
    if plan.change.kind == "rebuild":
        raise PlanRefusedError(_rebuild_refusal(plan))
    if not plan.stages:
        return plan.deployed
    report(describe(plan.stages[0]))
    with HeldLease(world.registry, world.clock, plan.featureset, world.holder) as lease:
        if world.registry.snapshot(plan.featureset) != plan.deployed:
            msg = (
                f"{plan.featureset} was changed by somebody else after this plan was made; "
                f"look at `fp plan {plan.featureset}` and apply again"
            )
            raise PlanRefusedError(msg)
        execution = _Execution(plan, world, report)
        try:
            for stage in plan.stages[1:]:
                lease.check()
                report(describe(stage))
                execution.do(stage)
        except JobFailedError as error:
            msg = f"{plan.featureset}: {error}; {execution.roll_back()}"
            raise JobFailedError(msg) from error
    return world.registry.snapshot(plan.featureset)


class _Execution:
    """One walk. Mutable: learns the savepoint and the new job on the way."""

    def __init__(self, plan: Plan, world: World, report: Report) -> None:
        self._plan = plan
        self._world = world
        self._report = report
        self._name = plan.featureset
        self._snapshot = plan.deployed
        self._progress = self._leftover()

    def do(self, stage: Stage) -> None:  # noqa: C901, PLR0912 - one case for each stage
        """Do one stage."""
        match stage:
            case TakeLease() | ReleaseLease():
                pass  # the lease is held around the walk
            case AllocateIds():
                self._allocate(stage)
            case CreateTopics(topics=topics):
                self._world.topics.create(topics)
            case CreateTable():
                self._create_table(stage)
            case StopWithSavepoint(job_id=job_id):
                self._stop(job_id)
            case CheckSavepoint():
                check_savepoint(restore_path(self._world, self._deployed(), "savepoint"))
            case OwnGeneration(generation=generation):
                self._own(generation)
            case SubmitJob(start=start):
                self._submit(start)
            case AwaitCheckpoint():
                self._await()
            case RecordDeployed():
                self._record(self._target())
            case RecordMetadata():
                self._save(settled(self._wanted(), self._world.clock.now_ms()))
            case RecordStopped():
                self._save(replace(self._deployed(), state="stopped"))
            case RecordDeleted(generation=generation):
                self._delete(generation)
            case _:
                assert_never(stage)

    def _leftover(self) -> Progress | None:
        """Return the job that a crashed execution was starting, if it is what is wanted now."""
        text = self._world.registry.progress(self._name)
        if not text:
            return None
        left = Progress(**json.loads(text))
        job = self._world.cluster.job(left.deployment)
        alive = job is not None and job.lives
        if alive and self._plan.target and left.digest == digest(self._plan.target):
            return left
        if alive and not (self._snapshot and self._snapshot.job_id == left.deployment):
            self._world.cluster.cancel(left.deployment)
        return None

    def _allocate(self, stage: AllocateIds) -> None:
        allocated = self._world.registry.allocate_ids(
            self._name, stage.columns, deployed=stage.deployed, reset=stage.reset
        )
        if allocated != stage.ids:
            msg = f"feature ids of {self._name} changed after this plan was made; apply again"
            raise PlanRefusedError(msg)

    def _create_table(self, stage: CreateTable) -> None:
        if self._progress:
            return  # the adopted job writes it already
        registry, tables = self._world.registry, self._world.tables
        registry.add_generation(
            self._name, stage.generation, stage.table, self._world.clock.now_ms()
        )
        # What a failed first try may have written would be counted twice.
        tables.drop_table(stage.table)
        tables.create_table(stage.table)

    def _stop(self, job_id: str) -> None:
        job = self._world.cluster.job(job_id)
        if self._plan.change.kind != "forward":
            path = self._halt(job, job_id)
        elif job and job.state == "FINISHED":  # a stop that nobody noted
            path = self._world.cluster.retained_checkpoint(job_id)
        else:
            if job is None or not job.lives:
                self._report("its job does not run: start it first, so that nothing is lost")
                self._revive(self._deployed(), "checkpoint")
            path = self._world.cluster.stop_with_savepoint(self._deployed().job_id)
        self._save(replace(self._deployed(), state="deploying", savepoint=path))

    def _halt(self, job: Job | None, job_id: str) -> str:
        """Stop a job for good, in whatever state it is; returns what it can go on from."""
        if job and job.state == "RUNNING":
            return self._world.cluster.stop_with_savepoint(job_id)
        self._world.cluster.cancel(job_id)
        return self._world.cluster.retained_checkpoint(job_id)

    def _own(self, generation: int) -> None:
        if self._progress:
            return
        self._progress = Progress(
            deployment=uuid4().hex,
            digest=digest(self._wanted()),
            since_ms=self._world.clock.now_ms(),
        )
        self._note_progress()
        self._world.registry.set_owner(self._name, generation, self._progress.deployment)

    def _submit(self, start: Start) -> None:
        job = self._world.cluster.job(self._begun().deployment)
        if job is None:
            self._launch(self._target(), start)

    def _launch(self, snapshot: Snapshot, start: Start) -> None:
        path = restore_path(self._world, self._deployed(), start) if start != "earliest" else ""
        ends = self._world.topics.end_offsets(snapshot.topic)
        spec = job_spec(snapshot, self._world.settings, start=start, end_offsets=ends)
        self._world.submitter.submit(spec, snapshot.job_id, path)

    def _await(self) -> None:
        await_checkpoint(self._world, self._begun().deployment)

    def roll_back(self) -> str:
        """Undo what a failed walk has begun; returns what runs now, in words."""
        old, begun = self._snapshot, self._progress
        if begun:
            self._world.cluster.cancel(begun.deployment)
            self._end_progress()
        if old is None:
            self._world.registry.retire_ids(self._name, frozenset())
            self._world.tables.drop_table(self._wanted().table)
            return "nothing is deployed; correct the cause and apply again"
        self._world.registry.retire_ids(self._name, _ids(old))
        if old.state != "deploying":
            return "nothing else was changed; correct the cause and apply again"
        self._report("it failed: bring the job before it back from its savepoint")
        try:
            self._revive(old, "savepoint")
        except JobFailedError as error:
            return (
                f"bringing back the job before it failed, too: {error}; its savepoint "
                f"{old.savepoint} is kept: `fp apply {self._name}` goes on from it"
            )
        return "what was deployed before runs again, from its savepoint"

    def _revive(self, old: Snapshot, start: Start) -> None:
        """Start what was deployed as it was, under a new deployment."""
        deployment = uuid4().hex
        progress = Progress(
            deployment=deployment, digest=digest(old), since_ms=self._world.clock.now_ms()
        )
        self._world.registry.save_progress(self._name, json.dumps(asdict(progress)))
        self._world.registry.set_owner(self._name, old.generation, deployment)
        snapshot = replace(
            old, deployment=deployment, job_id=deployment, state="running", savepoint=""
        )
        self._launch(snapshot, start)
        await_checkpoint(self._world, deployment)
        self._save(snapshot)
        self._end_progress()

    def _record(self, snapshot: Snapshot) -> None:
        self._world.registry.retire_ids(self._name, _ids(snapshot))
        self._save(replace(snapshot, deployed_ms=self._world.clock.now_ms()))
        self._end_progress()

    def _delete(self, generation: int) -> None:
        drop_after_ms = self._world.clock.now_ms() + GRACE_MS
        self._world.registry.expire_generation(self._name, generation, drop_after_ms)
        self._world.registry.set_owner(self._name, generation, "deleted")
        self._world.registry.retire_ids(self._name, frozenset())
        self._save(replace(self._deployed(), state="deleted"))

    def _target(self) -> Snapshot:
        """Return what is deployed once the new job has its first checkpoint."""
        begun = self._begun()
        return replace(
            settled(self._wanted(), begun.since_ms),
            deployment=begun.deployment,
            job_id=begun.deployment,
            savepoint="",
            state="running",
        )

    def _wanted(self) -> Snapshot:
        if self._plan.target is None:
            msg = f"the plan of {self._name} has no target; plan again"
            raise PlanRefusedError(msg)
        return self._plan.target

    def _deployed(self) -> Snapshot:
        if self._snapshot is None:
            msg = f"{self._name} is not deployed; see `fp plan {self._name}`"
            raise PlanRefusedError(msg)
        return self._snapshot

    def _begun(self) -> Progress:
        if self._progress is None:
            msg = f"the plan of {self._name} starts a job that owns nothing; plan again"
            raise PlanRefusedError(msg)
        return self._progress

    def _save(self, snapshot: Snapshot) -> None:
        self._world.registry.save(snapshot)
        self._snapshot = snapshot

    def _note_progress(self) -> None:
        self._world.registry.save_progress(self._name, json.dumps(asdict(self._begun())))

    def _end_progress(self) -> None:
        self._world.registry.save_progress(self._name, "")


def digest(snapshot: Snapshot) -> str:
    """Return a fingerprint of what a snapshot's job computes and where."""
    text = json.dumps([snapshot.job, snapshot.generation, snapshot.table], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def restore_path(world: World, deployed: Snapshot, start: Start) -> str:
    """Return the savepoint, or the newest checkpoint, that a feature set goes on from.

    Raises:
        JobFailedError: There is none.
    """
    if start == "savepoint" and deployed.savepoint:
        return deployed.savepoint
    path = world.cluster.retained_checkpoint(deployed.job_id)
    if not path:
        msg = (
            f"{deployed.featureset}: job {deployed.job_id} left no checkpoint to go on from; "
            f"to count again from the beginning of its topic: fp delete {deployed.featureset}, "
            f"then fp apply {deployed.featureset}"
        )
        raise JobFailedError(msg)
    return path


def _ids(snapshot: Snapshot) -> frozenset[int]:
    return frozenset(column.id for column in snapshot.layout.columns)


def _rebuild_refusal(plan: Plan) -> str:
    reasons = "; ".join(plan.change.reasons)
    return (
        f"{plan.featureset} cannot be changed in place: {reasons}. It needs a rebuild from the "
        f"event log, which is not available yet. Give the changed definition another name, or "
        f"`fp delete {plan.featureset}` and apply it anew (its history is lost), or take the "
        f"change back"
    )
