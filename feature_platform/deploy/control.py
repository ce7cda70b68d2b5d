"""Stopping and deleting what is deployed, without looking at any definition."""

from feature_platform.deploy.execute import execute
from feature_platform.deploy.lists import check_unused
from feature_platform.deploy.trial import clear_trial
from feature_platform.engines.reads import Reads
from feature_platform.engines.world import World
from feature_platform.errors import UnknownFeatureError
from feature_platform.plan.planner import Plan, plan_delete, plan_stop
from feature_platform.plan.snapshot import Snapshot
from feature_platform.report import Report, silent


def stop(world: World, name: str, report: Report = silent) -> Snapshot:
    """Stop a feature set's job with a savepoint; `fp apply` starts it again from there.

    Raises:
        UnknownFeatureError: It is not deployed.
        LeaseHeldError: Someone else changes it.
        WorldError: A server did not answer, or the savepoint failed: the job keeps running.
    """
    deployed = deployed_snapshot(world, name)
    execute(plan_stop(deployed), world, report)
    return deployed_snapshot(world, name)


def make_delete_plan(reads: Reads, name: str) -> Plan:
    """Plan to remove a feature set, so that a person can be shown what goes.

    Raises:
        UnknownFeatureError: It is not deployed.
        PlanRefusedError: A feature list uses it.
    """
    deployed = deployed_snapshot(reads, name)
    check_unused(reads, deployed, None)
    return plan_delete(deployed)


def delete(world: World, name: str, report: Report = silent) -> None:
    """Remove a feature set: its job stops, readers answer "unknown feature".

    Its table is kept for the grace time; tables whose grace time is over are dropped.

    Raises:
        UnknownFeatureError: It is not deployed.
        PlanRefusedError: A feature list uses it.
        LeaseHeldError: Someone else changes it.
        WorldError: A server did not answer, or the savepoint failed: the job keeps running.
    """
    execute(make_delete_plan(world, name), world, report)
    clear_trial(world, name, report)


def deployed_snapshot(reads: Reads, name: str) -> Snapshot:
    """Return what is deployed of a feature set.

    Raises:
        UnknownFeatureError: Nothing is.
    """
    deployed = reads.registry.snapshot(name)
    if deployed is None:
        known = ", ".join(item.featureset for item in reads.registry.snapshots()) or "nothing"
        msg = (
            f"feature set {name!r} is not deployed; deployed: {known}; "
            f"to deploy it: fp apply {name}"
        )
        raise UnknownFeatureError(msg)
    return deployed
