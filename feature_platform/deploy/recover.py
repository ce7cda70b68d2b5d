"""Bringing back what is deployed: without a person where that is exact, else as a person says."""

from dataclasses import replace

from feature_platform.clock import to_iso
from feature_platform.deploy.control import deployed_snapshot
from feature_platform.deploy.downtime import measured_downtime_ms
from feature_platform.deploy.execute import execute
from feature_platform.deploy.generation import replaced
from feature_platform.deploy.lists import check_unused
from feature_platform.deploy.start import (
    age_limit_ms,
    begin,
    check_alive,
    epoch_of,
    known_positions,
    refuse_unfinished_repair,
)
from feature_platform.deploy.sweep import Line, check_sweep_age
from feature_platform.deploy.topic_checks import check_offsets, check_topic
from feature_platform.engines.reads import Reads
from feature_platform.engines.world import World
from feature_platform.errors import (
    JobFailedError,
    PlanRefusedError,
    RestoreFailedError,
)
from feature_platform.lineage.attempts import newest_cut, passed_by
from feature_platform.monitor.failures import gave_up
from feature_platform.plan.planner import Plan
from feature_platform.plan.recovery import (
    plan_recover,
    plan_restart,
    plan_return,
    plan_rollback,
    plan_sweep,
)
from feature_platform.plan.snapshot import Snapshot, Tried
from feature_platform.plan.stages import Start
from feature_platform.registry.history import GENESIS
from feature_platform.report import Report, silent
from feature_platform.tiles.grid import format_duration
from feature_platform.words import counted

TRIED_MAX = 20
"""Failed starts that are remembered; the oldest go first."""


def ensure_running(world: World, name: str, report: Report = silent) -> bool:
    """Start a job that should run and does not, as it was deployed: checkpoint, then store.

    The store is tried only where a checkpoint cannot be restored, and at most
    `flink.store_starts_max` times; after that a person is needed.

    Returns:
        Whether it had to be started; False if it runs, or is stopped on purpose.

    Raises:
        UnknownFeatureError: It is not deployed.
        LeaseHeldError: Someone else changes it, so it is in good hands.
        JobFailedError: It does not start; the message says why, and what was tried.
        PlanRefusedError: Only a person can decide how it continues; it says what is at stake.
        WorldError: A server did not answer.
    """
    deployed = deployed_snapshot(world, name)
    if deployed.state == "stopped":
        return False
    job = world.cluster.job(deployed.job_id)
    if deployed.state == "running" and job is not None and job.lives:
        if deployed.unswept:
            execute(plan_sweep(deployed), world, report)
        return deployed.unswept
    if gave_up(deployed, world.settings.flink.store_starts_max):
        raise JobFailedError(_surrender(deployed))
    try:
        execute(plan_restart(deployed), world, report)
    except RestoreFailedError as error:
        _from_store(world, name, error, report)
    return True


def make_recover_plan(
    reads: Reads, name: str, start: Start | None = None, *, accept_age: bool = False
) -> Plan:
    """Plan to start a feature set's job again; what makes it impossible is found here.

    Args:
        reads: Asked what there is to restart from; nothing is changed.
        name: The feature set.
        start: Where from; None, if it does not run: its savepoint if it was stopped with one,
            else its newest checkpoint, else the store.
        accept_age: Whether a person has accepted that rows may be wrong.

    Raises:
        UnknownFeatureError: It is not deployed.
        PlanRefusedError: What was asked for is abandoned or too old, or Kafka lacks events.
        JobFailedError: There is nothing to restart from.
        WorldError: A server did not answer.
    """
    deployed = deployed_snapshot(reads, name)
    job = reads.cluster.job(deployed.job_id)
    if start is None and job is not None and job.lives and deployed.state == "running":
        msg = (
            f"{name} is running as job {job.id} ({job.state}); to restart it anyway, choose from "
            f"where: fp recover {name} --from checkpoint|savepoint|store"
        )
        raise PlanRefusedError(msg)
    chosen, reason = (start, "a recovery was requested") if start else _choice(reads, deployed)
    if chosen == "store" and _waits_for_sweep(reads, deployed):
        _check_sweepable(reads, deployed, accept_age=accept_age)
    else:
        begin(reads, deployed, chosen, accept_age=accept_age)
    downtime_ms = measured_downtime_ms(reads.registry, deployed)
    return plan_recover(deployed, chosen, reason, accept_age=accept_age, downtime_ms=downtime_ms)


def make_rollback_plan(reads: Reads, name: str, *, accept_age: bool = False) -> Plan:
    """Plan to go back to the savepoint before the last upgrade, else to the generation before.

    Args:
        reads: Asked what there is to go back to; nothing is changed.
        name: The feature set.
        accept_age: Whether a person has accepted that an interrupted sweep leaves wrong
            rows, because it is finished too late.

    Raises:
        UnknownFeatureError: It is not deployed.
        PlanRefusedError: There is nothing to go back to, it is too old or abandoned, Kafka lacks
            what came after it, or a feature list uses a feature that only came with the upgrade.
        WorldError: A server did not answer.
    """
    deployed = deployed_snapshot(reads, name)
    downtime_ms = measured_downtime_ms(reads.registry, deployed)
    if deployed.unswept:
        job = reads.cluster.job(deployed.job_id)
        if deployed.state == "running" and job is not None and job.lives:
            return plan_sweep(deployed, accept_age=accept_age)
        if deployed.state == "running" and not reads.cluster.retained_checkpoint(deployed.job_id):
            return make_recover_plan(reads, name, "store", accept_age=accept_age)
        return plan_restart(deployed, accept_age=accept_age, downtime_ms=downtime_ms)
    previous = deployed.previous
    before = replaced(reads, deployed) if previous is None else None
    if before:
        return _return_plan(reads, deployed, before)
    if previous is None or previous.stop is None or epoch_of(previous.stop) == GENESIS:
        msg = (
            f"{name} has no upgrade to undo: no version before the deployed generation "
            f"{deployed.generation} is known; to change it: fp apply {name}"
        )
        raise PlanRefusedError(msg)
    age_ms = reads.clock.now_ms() - previous.stop.taken_ms
    limit_ms = age_limit_ms(reads.settings.store.undo_ttl_ms)
    if age_ms > limit_ms:
        msg = (
            f"{name} was upgraded at {to_iso(previous.stop.taken_ms)}, and the undo rows that a "
            f"rollback needs are kept for {format_duration(reads.settings.store.undo_ttl_ms)} "
            f"only. Restore the old definition and fp apply {name}: changed columns then count "
            "from now on"
        )
        raise PlanRefusedError(msg)
    check_unused(reads, deployed, previous)
    _check_way_back(reads, previous, "the savepoint before the last upgrade")
    return plan_rollback(deployed, previous, downtime_ms=downtime_ms)


def _return_plan(reads: Reads, deployed: Snapshot, before: Snapshot) -> Plan:
    name = deployed.featureset
    if before.state != "stopped":
        msg = (
            f"{name}: the change from generation {before.generation} to {deployed.generation} was "
            f"interrupted. Finish it first: fp apply {name}"
        )
        raise PlanRefusedError(msg)
    if not before.savepoint or epoch_of(before.stop) == GENESIS:
        msg = (
            f"{name}: the job of generation {before.generation} left no savepoint to restart from. "
            f"Restore the old definition and fp apply {name}"
        )
        raise PlanRefusedError(msg)
    check_unused(reads, deployed, before)
    _check_way_back(reads, before, f"the last savepoint of generation {before.generation}")
    return plan_return(deployed, before)


def _check_way_back(reads: Reads, before: Snapshot, what: str) -> None:
    """Make sure that a savepoint is not abandoned, and that Kafka holds what came after it."""
    name, epoch = before.featureset, epoch_of(before.stop)
    check_alive(name, reads.registry.attempts(name, before.generation), epoch, what)
    check_topic(reads, before)
    positions = known_positions(reads, before)
    if positions:
        check_offsets(name, positions, reads.topics.bounds(before.topic))


def _waits_for_sweep(reads: Reads, deployed: Snapshot) -> bool:
    """Return whether the only cut to restart from is the one that a sweep is still to make."""
    name, generation = deployed.featureset, deployed.generation
    attempts = reads.registry.attempts(name, generation)
    return deployed.unswept and newest_cut(reads.registry.cuts(name, generation), attempts) is None


def _check_sweepable(reads: Reads, deployed: Snapshot, *, accept_age: bool) -> None:
    """Make sure that one can restart from the rows as a sweep will have written them."""
    attempts = reads.registry.attempts(deployed.featureset, deployed.generation)
    begun = [item for item in attempts if item.kind == "sweep"]
    if begun and not accept_age:
        check_sweep_age(reads, deployed, Line.of(attempts, begun[-1]))
    refuse_unfinished_repair(reads, deployed)
    check_topic(reads, deployed)
    bounds = reads.topics.bounds(deployed.topic)
    check_offsets(deployed.featureset, known_positions(reads, deployed), bounds)


def _choice(reads: Reads, deployed: Snapshot) -> tuple[Start, str]:
    """Return what a dead job restarts from if nobody says, and why."""
    attempts = reads.registry.attempts(deployed.featureset, deployed.generation)
    if deployed.state != "running" and deployed.savepoint:
        if not deployed.unswept and passed_by(attempts, epoch_of(deployed.stop)):
            return "savepoint", "it is not running, and writes after its savepoint are fenced off"
        return "savepoint", f"it is {deployed.state}"
    if reads.cluster.retained_checkpoint(deployed.job_id):
        return "checkpoint", "its job is not running"
    return "store", "its job is not running and left no checkpoint"


def _from_store(world: World, name: str, cause: RestoreFailedError, report: Report) -> None:
    deployed = _remember(world, name, "checkpoint", cause)
    report(f"cannot restore its checkpoint ({cause}): restarting it from the store")
    plan = plan_recover(deployed, "store", "its checkpoint cannot be restored")
    try:
        execute(plan, world, report)
    except (JobFailedError, PlanRefusedError) as error:
        _remember(world, name, "store", error)
        raise


def _remember(world: World, name: str, start: str, error: Exception) -> Snapshot:
    deployed = deployed_snapshot(world, name)
    tried = Tried(start=start, at_ms=world.clock.now_ms(), error=str(error))
    remembered = replace(deployed, tried=(*deployed.tried, tried)[-TRIED_MAX:])
    world.registry.save(remembered)
    return remembered


def _surrender(deployed: Snapshot) -> str:
    lines = [f"{to_iso(item.at_ms)} from {item.start}: {item.error}" for item in deployed.tried]
    return (
        f"{deployed.featureset} failed to start {counted(len(lines), 'time')}: {'; '.join(lines)}. "
        f"Automatic retries are off; fix the cause, then: fp recover {deployed.featureset}"
    )
