"""Plans that look at no definition: start again what is deployed, or go back one version. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from feature_platform.plan.compare import Change, Kind, NameVerdict
from feature_platform.plan.costs import costs_of
from feature_platform.plan.planner import Facts, Plan, revival, stages_of, sweep_of
from feature_platform.plan.snapshot import Snapshot, all_since
from feature_platform.plan.stages import (
    AwaitCaughtUp,
    AwaitCheckpoint,
    AwaitRecovered,
    BuildGraph,
    CheckSavepoint,
    ClaimSweep,
    KeepGeneration,
    OwnGeneration,
    RecordDeployed,
    ReleaseLease,
    Repair,
    RetireGeneration,
    Stage,
    Start,
    StopJob,
    StopWithSavepoint,
    SubmitJob,
    TakeLease,
)
from feature_platform.words import counted

_WHERE: dict[Start, str] = {
    "earliest": "the beginning of its topic",
    "savepoint": "the last savepoint",
    "checkpoint": "its newest checkpoint",
    "store": "the store's last cut, with empty state",
}


def plan_restart(
    deployed: Snapshot, *, accept_age: bool = False, downtime_ms: int | None = None
) -> Plan:
    """Plan to start again, as it was deployed, a job that should run and does not.

    Args:
        deployed: What is deployed.
        accept_age: Continue, and finish a sweep that is due, although rows may stay wrong.
        downtime_ms: How long its last upgrade stopped the rows; None if that is not known.
    """
    change = revival(Change(kind="none", reasons=(), verdicts=()), deployed, Facts(job_runs=False))
    stages = stages_of(change, deployed, deployed, None, accept_age=accept_age)
    return _plan(deployed, deployed, change, stages, downtime_ms)


def plan_recover(
    deployed: Snapshot,
    start: Start,
    reason: str,
    *,
    accept_age: bool = False,
    downtime_ms: int | None = None,
) -> Plan:
    """Plan to start what is deployed again from where a person, or the sensor, says.

    Args:
        deployed: What is deployed; its job is cancelled if it lives.
        start: What to restart from.
        reason: Why, for the explanation.
        accept_age: Continue although rows may be wrong that can no longer be put right.
        downtime_ms: How long its last upgrade stopped the rows; None if that is not known.
    """
    sweep = sweep_of(deployed, accept_age=accept_age) if deployed.unswept else ()
    first = sweep if start == "store" else ()  # the swept rows are the only cut that is left
    stages: tuple[Stage, ...] = (
        TakeLease(),
        *((CheckSavepoint(),) if start == "savepoint" else ()),
        StopJob(job_id=deployed.job_id),
        OwnGeneration(generation=deployed.generation),
        *((ClaimSweep(),) if sweep else ()),
        *first,
        SubmitJob(start=start, accept_age=accept_age),
        AwaitCheckpoint(),
        RecordDeployed(),
        *(sweep if not first else ()),
        ReleaseLease(),
    )
    change = _change("recover", reason, f"it restarts from {_WHERE[start]}")
    plan = _plan(deployed, deployed, change, stages, downtime_ms)
    return _with_time(plan, "plus the sweep, which runs first") if first else plan


def plan_rollback(deployed: Snapshot, before: Snapshot, *, downtime_ms: int | None = None) -> Plan:
    """Plan to go back to the savepoint before the last upgrade.

    The old version counts everything since then; what the undone one wrote is written back. The
    old job starts first: it reads rows as they were, written back or not.
    """
    previous = undone(deployed, before)
    running = deployed.state == "running"
    stages: tuple[Stage, ...] = (
        TakeLease(),
        CheckSavepoint(),
        BuildGraph(),
        *((StopWithSavepoint(job_id=deployed.job_id),) if running else ()),
        OwnGeneration(generation=deployed.generation),
        ClaimSweep(),
        SubmitJob(start="savepoint"),
        AwaitCheckpoint(),
        RecordDeployed(),
        *sweep_of(deployed),
        ReleaseLease(),
    )
    change = Change(
        kind="rollback",
        reasons=(
            "a rollback was requested",
            f"it restarts from the savepoint {previous.savepoint}",
        ),
        verdicts=_verdicts(deployed, previous),
    )
    return _plan(deployed, previous, change, stages, downtime_ms)


def undone(deployed: Snapshot, previous: Snapshot) -> Snapshot:
    """Return what was deployed before the last upgrade, as it is deployed once more.

    Its columns count as if nothing had happened; but rows may carry the expiry of what is undone.
    """
    since = previous.column_since if previous.retention else all_since(previous)
    return replace(previous, unswept=True, retention=deployed.kept, column_since=since)


def plan_return(deployed: Snapshot, before: Snapshot) -> Plan:
    """Plan to go return to the generation that the deployed one replaced.

    Its job restarts from where it was stopped and catches up beside the present one, which then
    becomes the generation before: the same command goes forward to it again.
    """
    target = replace(before, older=deployed.alone())
    stages: tuple[Stage, ...] = (
        TakeLease(),
        CheckSavepoint(),
        KeepGeneration(generation=target.generation),
        OwnGeneration(generation=target.generation),
        SubmitJob(start="savepoint"),
        AwaitCheckpoint(beside=True),
        AwaitCaughtUp(),
        RecordDeployed(),
        RetireGeneration(generation=deployed.generation, job_id=deployed.job_id),
        ReleaseLease(),
    )
    change = Change(
        kind="return",
        reasons=("a rollback was requested", f"generation {target.generation} still exists"),
        verdicts=_verdicts(deployed, target),
    )
    return _plan(deployed, target, change, stages)


def plan_sweep(deployed: Snapshot, *, accept_age: bool = False) -> Plan:
    """Plan to finish an interrupted sweep; its job runs already."""
    sweep = sweep_of(deployed, accept_age=accept_age)
    stages: tuple[Stage, ...] = (TakeLease(), ClaimSweep(), *sweep, ReleaseLease())
    return _plan(deployed, deployed, _change("sweep", "a sweep was interrupted"), stages)


def plan_repair(
    deployed: Snapshot, entities: Sequence[str], *, begun: bool, downtime_ms: int | None = None
) -> Plan:
    """Plan to correct rows of entities while no job runs.

    Args:
        deployed: What is deployed.
        entities: Whose rows.
        begun: An earlier repair was interrupted, so its job is stopped already.
        downtime_ms: How long its last upgrade stopped the rows; None if that is not known.
    """
    stop: tuple[Stage, ...] = (
        BuildGraph(),
        AwaitRecovered(),
        StopWithSavepoint(job_id=deployed.job_id),
    )
    stages: tuple[Stage, ...] = (
        TakeLease(),
        *(() if begun else stop),
        OwnGeneration(generation=deployed.generation),
        Repair(table=deployed.table, entities=tuple(entities)),
        SubmitJob(start="store"),
        AwaitCheckpoint(),
        RecordDeployed(),
        ReleaseLease(),
    )
    reason = f"rows of {counted(len(entities), 'entity')} differ from their events"
    plan = _plan(deployed, deployed, _change("repair", reason), stages, downtime_ms)
    return _with_time(plan, "plus the time Spark takes to recompute the entities")


def _plan(
    deployed: Snapshot,
    target: Snapshot,
    change: Change,
    stages: tuple[Stage, ...],
    downtime_ms: int | None = None,
) -> Plan:
    return Plan(
        featureset=deployed.featureset,
        change=change,
        stages=stages,
        deployed=deployed,
        target=target,
        costs=costs_of(change.kind, deployed, target, downtime_ms),
    )


def _with_time(plan: Plan, more: str) -> Plan:
    """Add what else the rows wait for to the estimate."""
    if plan.costs is None:
        return plan
    costs = replace(plan.costs, downtime_basis=f"{plan.costs.downtime_basis}; {more}")
    return replace(plan, costs=costs)


def _change(kind: Kind, *reasons: str) -> Change:
    return Change(kind=kind, reasons=reasons, verdicts=())


def _verdicts(deployed: Snapshot, previous: Snapshot) -> tuple[NameVerdict, ...]:
    """Say what becomes of each served name, as a whole: all are as if nothing had happened."""
    old = [name for feature in previous.features for name in feature.served_names]
    new = [name for feature in deployed.features for name in feature.served_names]
    why = "as if the upgrade had never happened"
    kept = tuple(NameVerdict(name=name, verdict="keeps history", why=why) for name in old)
    return kept + tuple(
        NameVerdict(name=name, verdict="dropped") for name in new if name not in old
    )
