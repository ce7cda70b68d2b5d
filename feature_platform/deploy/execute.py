"""Doing what a plan says: walks the list of stages that `explain` prints.

Every stage may be repeated. What a crash leaves behind is this: the registry says where the old
job's savepoint is, and which job was being started. The next execution adopts that job if it is
what is wanted, and cancels it otherwise.
"""

from feature_platform.deploy.execution import Execution
from feature_platform.deploy.generation import drop_expired
from feature_platform.deploy.lease import HeldLease
from feature_platform.engines.world import World
from feature_platform.errors import JobFailedError, PlanRefusedError
from feature_platform.plan.planner import Plan
from feature_platform.plan.snapshot import Snapshot
from feature_platform.report import Report, silent


def execute(plan: Plan, world: World, report: Report = silent) -> Snapshot | None:
    """Walk a plan's stages.

    Args:
        plan: What to do.
        world: What to do it with.
        report: Called with each stage before it is done.

    Returns:
        What is deployed now; None if nothing is.

    Raises:
        PlanRefusedError: The plan is refused, or what it starts from has changed, or events that it
            needs are gone.
        LeaseHeldError: Someone else changes the feature set.
        JobFailedError: The new job failed; the message says why and what runs now.
        WorldError: A server did not answer; apply again when it does.
    """
    if plan.refusals:
        raise PlanRefusedError("\n".join(plan.refusals))
    if not plan.stages:
        drop_expired(world, plan.featureset)
        return plan.deployed
    report(plan.stages[0].words)
    with HeldLease(world.registry, world.clock, plan.featureset, world.holder) as lease:
        if world.registry.snapshot(plan.featureset) != plan.deployed:
            msg = (
                f"{plan.featureset} was changed by someone else after this plan was made; see `fp "
                f"plan {plan.featureset}` and apply again"
            )
            raise PlanRefusedError(msg)
        execution = Execution(plan, world, report)
        try:
            for stage in plan.stages[1:]:
                lease.check()
                report(stage.words)
                execution.do(stage)
        except JobFailedError as error:
            msg = f"{plan.featureset}: {error}; {execution.roll_back(error)}"
            raise type(error)(msg) from error
        drop_expired(world, plan.featureset, report)
    return world.registry.snapshot(plan.featureset)
