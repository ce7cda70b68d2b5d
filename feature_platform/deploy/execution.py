"""What each stage means in a plan: a method for each, and the one table that maps a stage to it.

What is done to the job, and what is deployed by now, is `JobControl`'s: an execution remembers
nothing from one stage to the next.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from feature_platform.deploy.await_checkpoint import await_checkpoint
from feature_platform.deploy.await_recovered import await_grace, await_recovered
from feature_platform.deploy.backfill import backfill
from feature_platform.deploy.comparison import compare_generations
from feature_platform.deploy.generation import (
    GRACE_MS,
    drop_abandoned,
)
from feature_platform.deploy.job_control import JobControl
from feature_platform.deploy.repair import repair
from feature_platform.deploy.start import known_positions, restore_path
from feature_platform.engines.flink_savepoint import check_savepoint
from feature_platform.engines.job_spec import NOWHERE, job_spec
from feature_platform.engines.world import World
from feature_platform.errors import JobFailedError, PlanRefusedError, RestoreFailedError
from feature_platform.lineage.attempts import newest
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
    CheckSavepoint,
    ClaimSweep,
    CompareGenerations,
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
from feature_platform.report import Report

PRODUCERS_CLOCK = (
    "note: records of topic {topic} have timestamps from their producers' clocks, so max_future "
    "and max_past are measured by these; message.timestamp.type=LogAppendTime uses the broker's "
    "clock"
)


class Execution:
    """One walk over a plan's stages: a method for each that does something."""

    def __init__(self, plan: Plan, world: World, report: Report) -> None:
        """Take over what a walk that crashed has begun, if it is what the plan wants."""
        self._plan, self._world, self._report = plan, world, report
        self._name = plan.featureset
        self._job = JobControl(world, plan.featureset, plan.deployed, report)
        self._job.adopt(plan.target)

    def do(self, stage: Stage) -> None:
        """Do one stage."""
        HANDLERS[type(stage)](self, stage)

    def under_lease(self, _: TakeLease | ReleaseLease) -> None:
        """Do nothing: the lease is held around the walk."""

    def allocate_ids(self, stage: AllocateIds) -> None:
        """Give every column its id.

        Raises:
            PlanRefusedError: They are not those of the plan any more.
        """
        allocated = self._world.registry.allocate_ids(
            self._name, stage.columns, deployed=stage.deployed, reset=stage.reset
        )
        if allocated != stage.ids:
            msg = f"feature ids of {self._name} changed after this plan was made; apply again"
            raise PlanRefusedError(msg)

    def create_topics(self, stage: CreateTopics) -> None:
        """Create the source's topic and its dead letters'; say whose clock bounds event times."""
        source = stage.topics[0]
        if source in self._world.topics.create(stage.topics):
            self._report(PRODUCERS_CLOCK.format(topic=source))

    def create_table(self, stage: CreateTable) -> None:
        """Create an empty table, unless an adopted job writes it already."""
        if self._job.has_begun:
            return
        registry, tables = self._world.registry, self._world.tables
        drop_abandoned(self._world, self._name, self._job.snapshot, keep=stage.generation)
        registry.add_generation(
            self._name, stage.generation, stage.table, self._world.clock.now_ms()
        )
        # What a failed first try may have written would be counted twice.
        tables.drop_table(stage.table)
        tables.create_table(stage.table)

    def keep_generation(self, stage: KeepGeneration) -> None:
        """Take back that a table is going to be dropped."""
        self._world.registry.expire_generation(self._name, stage.generation, 0)

    def build_graph(self, _: BuildGraph) -> None:
        """Let Flink build the graph, unless the job was submitted already."""
        if not self._job.has_begun:
            spec = job_spec(self._wanted(), self._world.settings, NOWHERE)
            self._world.submitter.prepare(spec)

    def own_generation(self, _: OwnGeneration) -> None:
        """Begin the deployment, unless a walk that crashed has."""
        if not self._job.has_begun:
            self._job.own(self._wanted())

    def backfill(self, stage: Backfill) -> None:
        """Fill a generation from all events."""
        backfill(
            self._world, self._target(), self._report, accept_unreadable=stage.accept_unreadable
        )

    def repair(self, stage: Repair) -> None:
        """Correct the rows of entities."""
        repair(self._world, self._job.deployed(), stage.entities, self._report)

    def await_caught_up(self, _: AwaitCaughtUp) -> None:
        """Wait for the new job, before readers are switched."""
        await_recovered(self._world, self._target(), self._report)

    def compare_generations(self, stage: CompareGenerations) -> None:
        """Compare generations."""
        compare_generations(
            self._world,
            self._job.deployed(),
            self._target(),
            self._report,
            accept_differences=stage.accept_differences,
        )

    def await_recovered(self, _: AwaitRecovered) -> None:
        """Wait for what is deployed."""
        self._job.recover()

    def await_grace(self, _: AwaitGrace) -> None:
        """Wait for tasks of a job that ended uncleanly."""
        await_grace(self._world, self._job.deployed(), self._report)

    def stop_with_savepoint(self, stage: StopWithSavepoint) -> None:
        """Stop the job; an upgrade and a repair need its savepoint."""
        self._job.stop(stage.job_id, gently=self._plan.change.kind in ("forward", "repair"))

    def stop_job(self, stage: StopJob) -> None:
        """Cancel the job."""
        self._world.cluster.cancel(stage.job_id)

    def check_savepoint(self, _: CheckSavepoint) -> None:
        """Look into what the new job is going to start from."""
        check_savepoint(restore_path(self._world, self._origin()))

    def claim_sweep(self, _: ClaimSweep) -> None:
        """Make what is gone back to the deployed one first: from now on there is no other way."""
        if self._plan.change.kind == "rollback":
            self._job.save(replace(self._wanted(), state="deploying"))
        self._job.claim_sweep()

    def sweep(self, stage: Sweep) -> None:
        """Write rows back."""
        self._job.sweep(accept_age=stage.accept_age)

    def submit_job(self, stage: SubmitJob) -> None:
        """Submit the new job."""
        self._job.submit(
            self._target(), stage.start, origin=self._origin(), accept_age=stage.accept_age
        )

    def await_checkpoint(self, _: AwaitCheckpoint) -> None:
        """Wait for the new job's first checkpoint."""
        await_checkpoint(self._world, self._job.begun().deployment)

    def record_swept(self, _: RecordSwept) -> None:
        """Note that rows are written back."""
        self._job.save(replace(self._job.deployed(), unswept=False))

    def record_metadata(self, _: RecordMetadata) -> None:
        """Note what only readers need."""
        self._job.save(settled(self._wanted(), self._world.clock.now_ms()))

    def record_stopped(self, _: RecordStopped) -> None:
        """Note that nobody is to start it again."""
        self._job.save(replace(self._job.deployed(), state="stopped"))

    def record_deployed(self, _: RecordDeployed) -> None:
        """Let readers follow; a sweep that nothing in the plan does is done now."""
        snapshot = self._target()
        self._world.registry.retire_ids(self._name, _ids(snapshot))
        self._world.registry.revive_ids(self._name, _ids(snapshot))
        self._job.save(replace(snapshot, deployed_ms=self._world.clock.now_ms()))
        self._job.end_progress()
        if not any(isinstance(stage, Sweep) for stage in self._plan.stages):
            self._job.finish_sweep()

    def record_deleted(self, stage: RecordDeleted) -> None:
        """Delete the feature set; its table is kept for the grace time."""
        self._job.retire_replaced()
        drop_abandoned(self._world, self._name, self._job.deployed())
        registry, generation = self._world.registry, stage.generation
        registry.expire_generation(self._name, generation, self._world.clock.now_ms() + GRACE_MS)
        registry.set_owner(self._name, generation, "deleted")
        registry.retire_ids(self._name, frozenset())
        self._job.save(replace(self._job.deployed(), state="deleted"))

    def retire_generation(self, _: RetireGeneration) -> None:
        """Retire what was replaced."""
        self._job.retire_replaced()

    def drop_abandoned(self, _: DropAbandoned) -> None:
        """Remove what an interrupted change has begun."""
        drop_abandoned(self._world, self._name, self._job.snapshot)
        self._job.end_progress()

    def roll_back(self, error: JobFailedError) -> str:
        """Undo what a failed walk has begun; returns what runs now, and what to do, in words."""
        deployed = self._job.snapshot
        self._job.cancel_begun()
        self._world.registry.retire_ids(self._name, _ids(deployed) if deployed else frozenset())
        drop_abandoned(self._world, self._name, deployed)
        if deployed is None:
            return "nothing is deployed; fix the cause and apply again"
        if deployed.state != "deploying":
            return self._unchanged(error)
        kind = self._plan.change.kind
        if kind == "repair" and self._newest_kind(deployed) != "repair":
            return self._job.bring_back()
        if kind == "forward" or (kind == "rollback" and self._plan.deployed != deployed):
            return self._return()
        return f"nothing else was changed; to start it in another way: fp recover {self._name}"

    def _unchanged(self, error: JobFailedError) -> str:
        if isinstance(error, RestoreFailedError) and not self._job.has_submitted:
            return "nothing else was changed"  # the error says where it can be restored from
        return "nothing else was changed; fix the cause and apply again"

    def _newest_kind(self, deployed: Snapshot) -> str:
        last = newest(self._world.registry.attempts(self._name, deployed.generation))
        return last.kind if last else ""

    def _return(self) -> str:
        if self._plan.change.kind == "rollback" and self._job.deployed().unswept:
            return (
                f"the rollback has started and must be finished: `fp rollback {self._name}` "
                "continues it"
            )
        return self._job.bring_back()

    def _target(self) -> Snapshot:
        """Return what is deployed once the new job has its first checkpoint."""
        begun, before = self._job.begun(), self._job.snapshot
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
            return replace(target, stop=None, unswept=False, previous=None, topic_id=topic_id)
        previous = target.previous
        if self._plan.change.kind == "forward":
            previous = replace(before, previous=None, tried=())
            until = known_positions(self._world, before)
            target = reading(target, before, until, begun.since_ms)
        return replace(
            target,
            stop=before.stop,
            unswept=before.unswept,
            previous=previous,
            topic_id=before.topic_id or begun.topic_id,
            retention=self._job.retention(before, target),
        )

    def _origin(self) -> Snapshot:
        """Return what has the savepoint or rows: what is deployed, unless another is wanted."""
        others = ("rollback", "return", "new", "rebuild")
        return self._wanted() if self._plan.change.kind in others else self._job.deployed()

    def _wanted(self) -> Snapshot:
        if self._plan.target is None:
            msg = f"the plan of {self._name} has no target; plan again"
            raise PlanRefusedError(msg)
        return self._plan.target


def _ids(snapshot: Snapshot) -> frozenset[int]:
    return frozenset(column.id for column in snapshot.layout.columns)


Kind = TypeVar("Kind", bound=Stage)


def _does(
    kind: type[Kind], handler: Callable[[Execution, Kind], None]
) -> tuple[type[Stage], Callable[[Execution, Any], None]]:
    """Pair a stage with a handler that takes it; mypy refuses any other."""
    return kind, handler


HANDLERS: Mapping[type[Stage], Callable[[Execution, Any], None]] = dict(
    (
        _does(AllocateIds, Execution.allocate_ids),
        _does(AwaitCaughtUp, Execution.await_caught_up),
        _does(AwaitCheckpoint, Execution.await_checkpoint),
        _does(AwaitGrace, Execution.await_grace),
        _does(AwaitRecovered, Execution.await_recovered),
        _does(Backfill, Execution.backfill),
        _does(BuildGraph, Execution.build_graph),
        _does(CompareGenerations, Execution.compare_generations),
        _does(CheckSavepoint, Execution.check_savepoint),
        _does(ClaimSweep, Execution.claim_sweep),
        _does(CreateTable, Execution.create_table),
        _does(CreateTopics, Execution.create_topics),
        _does(DropAbandoned, Execution.drop_abandoned),
        _does(KeepGeneration, Execution.keep_generation),
        _does(OwnGeneration, Execution.own_generation),
        _does(RecordDeleted, Execution.record_deleted),
        _does(RecordDeployed, Execution.record_deployed),
        _does(RecordMetadata, Execution.record_metadata),
        _does(RecordStopped, Execution.record_stopped),
        _does(RecordSwept, Execution.record_swept),
        _does(ReleaseLease, Execution.under_lease),
        _does(Repair, Execution.repair),
        _does(RetireGeneration, Execution.retire_generation),
        _does(StopJob, Execution.stop_job),
        _does(StopWithSavepoint, Execution.stop_with_savepoint),
        _does(SubmitJob, Execution.submit_job),
        _does(Sweep, Execution.sweep),
        _does(TakeLease, Execution.under_lease),
    )
)
"""What does each stage; a test demands that none is missing."""
