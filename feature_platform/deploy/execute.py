"""Doing what a plan says: walks the list of stages that `explain` prints.

Every stage may be repeated. What a crash leaves behind is this: the registry says where the old
job's savepoint is, and which job was being started. The next execution adopts that job if it is
what is wanted, and cancels it otherwise.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from feature_platform.deploy.await_checkpoint import await_checkpoint
from feature_platform.deploy.await_recovered import await_grace, await_recovered
from feature_platform.deploy.backfill import backfill
from feature_platform.deploy.generation import (
    GRACE_MS,
    drop_abandoned,
    drop_expired,
    retire_replaced,
)
from feature_platform.deploy.lease import HeldLease
from feature_platform.deploy.parity import check_parity
from feature_platform.deploy.repair import repair
from feature_platform.deploy.start import known_positions, restore_path
from feature_platform.deploy.walk import Report, Walk, silent
from feature_platform.engines.flink_savepoint import check_savepoint
from feature_platform.engines.job_spec import NOWHERE, job_spec
from feature_platform.engines.world import World
from feature_platform.errors import JobFailedError, PlanRefusedError, RestoreFailedError
from feature_platform.lineage.attempts import newest
from feature_platform.plan.explain import describe
from feature_platform.plan.planner import Plan
from feature_platform.plan.snapshot import Snapshot
from feature_platform.plan.stages import (
    AllocateIds,
    AwaitCaughtUp,
    AwaitCheckpoint,
    AwaitGrace,
    AwaitRecovered,
    Backfill,
    BuildGraph,
    CheckParity,
    CheckSavepoint,
    ClaimSweep,
    CreateTable,
    CreateTopics,
    DropAbandoned,
    KeepGeneration,
    OwnGeneration,
    RecordDeleted,
    RecordDeployed,
    RecordMetadata,
    RecordStopped,
    RecordSwept,
    ReleaseLease,
    Repair,
    RetireGeneration,
    Stage,
    StopJob,
    StopWithSavepoint,
    SubmitJob,
    Sweep,
    TakeLease,
)
from feature_platform.plan.target import reading, settled

JobStage = (
    AwaitCaughtUp
    | Backfill
    | BuildGraph
    | CheckParity
    | AwaitRecovered
    | AwaitGrace
    | StopWithSavepoint
    | StopJob
    | CheckSavepoint
    | OwnGeneration
    | ClaimSweep
    | Repair
    | SubmitJob
    | AwaitCheckpoint
    | Sweep
)
"""Stages that touch jobs or rows."""

PRODUCERS_CLOCK = (
    "note: records of topic {topic} have timestamps from their producers' clocks, so max_future "
    "and max_past are measured by these; message.timestamp.type=LogAppendTime uses the broker's "
    "clock"
)


def execute(plan: Plan, world: World, report: Report = silent) -> Snapshot | None:
    """Walk a plan's stages.

    Args:
        plan: What to do.
        world: What to do it with.
        report: Told each stage before it is done.

    Returns:
        What is deployed now; None if nothing is.

    Raises:
        PlanRefusedError: What it starts from has changed, or events that it needs are gone.
        LeaseHeldError: Someone else changes the feature set.
        JobFailedError: The new job failed; the message says why and what runs now.
        WorldError: A server did not answer; apply again when it does.
    """
    if not plan.stages:
        return plan.deployed
    report(describe(plan.stages[0]))
    with HeldLease(world.registry, world.clock, plan.featureset, world.holder) as lease:
        if world.registry.snapshot(plan.featureset) != plan.deployed:
            msg = (
                f"{plan.featureset} was changed by someone else after this plan was made; see `fp "
                f"plan {plan.featureset}` and apply again"
            )
            raise PlanRefusedError(msg)
        execution = _Execution(plan, world, report)
        try:
            for stage in plan.stages[1:]:
                lease.check()
                report(describe(stage))
                execution.do(stage)
        except JobFailedError as error:
            msg = f"{plan.featureset}: {error}; {execution.roll_back(error)}"
            raise type(error)(msg) from error
        drop_expired(world, plan.featureset, report)
    return world.registry.snapshot(plan.featureset)


class _Execution:
    """One walk over a plan's stages."""

    def __init__(self, plan: Plan, world: World, report: Report) -> None:
        self._plan = plan
        self._world = world
        self._name = plan.featureset
        self._walk = Walk(world, plan.featureset, plan.deployed, report)
        self._walk.adopt(plan.target)
        self._submitted = False

    def do(self, stage: Stage) -> None:
        """Do one stage."""
        walk = self._walk
        match stage:
            case TakeLease() | ReleaseLease():
                pass  # the lease is held around the walk
            case AllocateIds():
                self._allocate(stage)
            case CreateTopics(topics=topics):
                self._create_topics(topics)
            case CreateTable():
                self._create_table(stage)
            case RecordDeployed():
                self._record(self._target())
            case RecordMetadata():
                walk.save(settled(self._wanted(), self._world.clock.now_ms()))
            case RecordStopped():
                walk.save(replace(walk.deployed(), state="stopped"))
            case RecordSwept():
                walk.save(replace(walk.deployed(), unswept=False))
            case RecordDeleted() | RetireGeneration() | DropAbandoned() | KeepGeneration():
                self._do_with_generations(stage)
            case _:
                self._do_with_jobs(stage)

    def _do_with_jobs(self, stage: JobStage) -> None:  # noqa: C901 - one case for each stage
        walk = self._walk
        match stage:
            case Backfill() | AwaitCaughtUp() | CheckParity() | Repair():
                self._fill(stage)
            case BuildGraph() | OwnGeneration() | SubmitJob():
                self._launch(stage)
            case AwaitRecovered():
                walk.recover()
            case AwaitGrace():
                await_grace(self._world, walk.deployed(), walk.report)
            case StopWithSavepoint(job_id=job_id):
                walk.stop(job_id, gently=self._plan.change.kind in ("forward", "repair"))
            case StopJob(job_id=job_id):
                self._world.cluster.cancel(job_id)
            case CheckSavepoint():
                check_savepoint(restore_path(self._world, self._origin()))
            case ClaimSweep():
                self._claim_sweep()
            case AwaitCheckpoint():
                await_checkpoint(self._world, walk.begun().deployment)
            case Sweep(accept_age=accepted):
                walk.sweep(accept_age=accepted)
            case _:
                assert_never(stage)

    def _fill(self, stage: Backfill | AwaitCaughtUp | CheckParity | Repair) -> None:
        """Bring rows to where readers may see them."""
        world, report = self._world, self._walk.report
        match stage:
            case Repair(entities=entities):
                repair(world, self._walk.deployed(), entities, report)
            case Backfill(accept_unreadable=accepted):
                backfill(world, self._target(), report, accept_unreadable=accepted)
            case AwaitCaughtUp():
                await_recovered(world, self._target(), report)
            case CheckParity(accept_differences=accepted):
                deployed = self._walk.deployed()
                check_parity(world, deployed, self._target(), report, accept_differences=accepted)
            case _:
                assert_never(stage)

    def _do_with_generations(
        self, stage: RecordDeleted | RetireGeneration | DropAbandoned | KeepGeneration
    ) -> None:
        walk = self._walk
        match stage:
            case RecordDeleted(generation=generation):
                self._delete(generation)
            case RetireGeneration():
                walk.snapshot = retire_replaced(self._world, walk.deployed())
            case DropAbandoned():
                drop_abandoned(self._world, self._name, walk.snapshot)
                walk.end_progress()
            case KeepGeneration(generation=generation):
                self._world.registry.expire_generation(self._name, generation, 0)
            case _:
                assert_never(stage)

    def _allocate(self, stage: AllocateIds) -> None:
        allocated = self._world.registry.allocate_ids(
            self._name, stage.columns, deployed=stage.deployed, reset=stage.reset
        )
        if allocated != stage.ids:
            msg = f"feature ids of {self._name} changed after this plan was made; apply again"
            raise PlanRefusedError(msg)

    def _create_topics(self, topics: Sequence[str]) -> None:
        """Create the source's topic and its dead letters'; say whose clock bounds event times."""
        if topics[0] in self._world.topics.create(topics):
            self._walk.report(PRODUCERS_CLOCK.format(topic=topics[0]))

    def _create_table(self, stage: CreateTable) -> None:
        if self._walk.progress:
            return  # the adopted job writes it already
        registry, tables = self._world.registry, self._world.tables
        drop_abandoned(self._world, self._name, self._walk.snapshot, keep=stage.generation)
        registry.add_generation(
            self._name, stage.generation, stage.table, self._world.clock.now_ms()
        )
        # What a failed first try may have written would be counted twice.
        tables.drop_table(stage.table)
        tables.create_table(stage.table)

    def _launch(self, stage: BuildGraph | OwnGeneration | SubmitJob) -> None:
        """Bring the new job to Flink, unless an earlier execution has."""
        begun = self._walk.progress is not None
        match stage:
            case BuildGraph():
                if not begun:
                    spec = job_spec(self._wanted(), self._world.settings, NOWHERE)
                    self._world.submitter.prepare(spec)
            case OwnGeneration():
                if not begun:
                    self._walk.own(self._wanted())
            case SubmitJob():
                self._submit(stage)
            case _:
                assert_never(stage)

    def _claim_sweep(self) -> None:
        """Make what is gone back to the deployed one first: from now on there is no other way."""
        if self._plan.change.kind == "rollback":
            self._walk.save(replace(self._wanted(), state="deploying"))
        self._walk.claim_sweep()

    def _submit(self, stage: SubmitJob) -> None:
        if self._world.cluster.job(self._walk.begun().deployment) is None:
            self._walk.launch(
                self._target(), stage.start, origin=self._origin(), accept_age=stage.accept_age
            )
            self._submitted = True

    def roll_back(self, error: JobFailedError) -> str:
        """Undo what a failed walk has begun; returns what runs now, and what to do, in words."""
        walk = self._walk
        if walk.progress:
            self._world.cluster.cancel(walk.progress.deployment)
            walk.end_progress()
        if walk.snapshot is None:
            self._world.registry.retire_ids(self._name, frozenset())
            drop_abandoned(self._world, self._name, None)
            return "nothing is deployed; fix the cause and apply again"
        self._world.registry.retire_ids(self._name, _ids(walk.snapshot))
        drop_abandoned(self._world, self._name, walk.snapshot)
        if walk.snapshot.state != "deploying":
            return self._unchanged(error)
        kind = self._plan.change.kind
        if kind == "repair" and self._newest_kind(walk.snapshot) != "repair":
            return walk.bring_back()
        if kind == "forward" or (kind == "rollback" and self._plan.deployed != walk.snapshot):
            return self._return()
        return f"nothing else was changed; to start it in another way: fp recover {self._name}"

    def _unchanged(self, error: JobFailedError) -> str:
        if isinstance(error, RestoreFailedError) and not self._submitted:
            return "nothing else was changed"  # what cannot be gone on from says what can
        return "nothing else was changed; fix the cause and apply again"

    def _newest_kind(self, deployed: Snapshot) -> str:
        last = newest(self._world.registry.attempts(self._name, deployed.generation))
        return last.kind if last else ""

    def _return(self) -> str:
        if self._plan.change.kind == "rollback" and self._walk.deployed().unswept:
            return (
                f"the rollback has started and must be finished: `fp rollback {self._name}` "
                "continues it"
            )
        return self._walk.bring_back()

    def _record(self, snapshot: Snapshot) -> None:
        self._world.registry.retire_ids(self._name, _ids(snapshot))
        self._world.registry.revive_ids(self._name, _ids(snapshot))
        self._walk.save(replace(snapshot, deployed_ms=self._world.clock.now_ms()))
        self._walk.end_progress()
        if not any(isinstance(stage, Sweep) for stage in self._plan.stages):
            self._walk.finish_sweep()

    def _delete(self, generation: int) -> None:
        self._walk.snapshot = retire_replaced(self._world, self._walk.deployed())
        drop_abandoned(self._world, self._name, self._walk.deployed())
        drop_after_ms = self._world.clock.now_ms() + GRACE_MS
        self._world.registry.expire_generation(self._name, generation, drop_after_ms)
        self._world.registry.set_owner(self._name, generation, "deleted")
        self._world.registry.retire_ids(self._name, frozenset())
        self._walk.save(replace(self._walk.deployed(), state="deleted"))

    def _target(self) -> Snapshot:
        """Return what is deployed once the new job has its first checkpoint."""
        begun, before = self._walk.begun(), self._walk.snapshot
        target = replace(
            settled(self._wanted(), begun.since_ms),
            deployment=begun.deployment,
            job_id=begun.deployment,
            savepoint="",
            state="running",
            tried=(),
        )
        if before is None or before.generation != target.generation:
            topic_id = target.topic_id or begun.topic_id
            return replace(target, stop=None, unswept=False, previous={}, topic_id=topic_id)
        previous = target.previous
        if self._plan.change.kind == "forward":
            before_it = replace(before, previous={}, tried=()).to_json()
            previous = json.loads(json.dumps(before_it))  # as it comes back from the registry
            until = known_positions(self._world, before)
            target = reading(target, before, until, begun.since_ms)
        return replace(
            target,
            stop=before.stop,
            unswept=before.unswept,
            previous=previous,
            topic_id=before.topic_id or begun.topic_id,
            retention=self._walk.retention(before, target),
        )

    def _origin(self) -> Snapshot:
        """Return what has the savepoint or rows: what is deployed, unless another is wanted."""
        others = ("rollback", "return", "new", "rebuild")
        return self._wanted() if self._plan.change.kind in others else self._walk.deployed()

    def _wanted(self) -> Snapshot:
        if self._plan.target is None:
            msg = f"the plan of {self._name} has no target; plan again"
            raise PlanRefusedError(msg)
        return self._plan.target


def _ids(snapshot: Snapshot) -> frozenset[int]:
    return frozenset(column.id for column in snapshot.layout.columns)
