"""Making plans: the stages that bring what is deployed to what is wanted. No side effects."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from feature_platform.clock import to_iso
from feature_platform.definition.model import FeatureSet
from feature_platform.errors import PlanRefusedError
from feature_platform.plan.compare import NOW_MS, Change, NameVerdict, compare
from feature_platform.plan.costs import Costs, costs_of
from feature_platform.plan.ids import FeatureId, assign_ids, column_keys
from feature_platform.plan.job import dead_letter_topic
from feature_platform.plan.layout import build_layout
from feature_platform.plan.reset import reset_columns
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
    OwnGeneration,
    RecordDeleted,
    RecordDeployed,
    RecordMetadata,
    RecordStopped,
    RecordSwept,
    ReleaseLease,
    RetireGeneration,
    Stage,
    StopWithSavepoint,
    SubmitJob,
    Sweep,
    TakeLease,
)
from feature_platform.plan.target import blank, target_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a plan depends on besides definition and snapshot."""

    ids: Sequence[FeatureId] = ()
    """All ids ever allocated to the feature set."""
    next_generation: int = 1
    """The number of its next generation, if it gets one."""
    job_runs: bool = True
    """Whether the deployed job runs, or Flink is about to restart it."""
    abandoned: tuple[int, ...] = ()
    """Generations that a broken-off change has begun."""
    lingering: bool = False
    """Whether the generation before the deployed one was replaced and not yet retired."""
    downtime_ms: int | None = None
    """How long the last upgrade stopped the feature set's rows; None if that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is going to change and how."""

    featureset: str
    change: Change
    stages: tuple[Stage, ...]
    deployed: Snapshot | None
    """What the plan starts from; it is refused if that has changed when it is executed."""
    target: Snapshot | None
    """What is deployed afterwards; instants, job and deployment are known when it is executed."""
    costs: Costs | None = None
    """What the change costs; None if it starts no job and changes nothing in one."""
    refusals: tuple[str, ...] = ()
    """Why it may not be carried out: feature lists that would lose a feature."""

    @property
    def verdicts(self) -> tuple[NameVerdict, ...]:
        """What becomes of every served name."""
        return self.change.verdicts

    def to_json(self) -> dict[str, Any]:
        """Return the facts for `--json`."""
        return {
            "featureset": self.featureset,
            "change": self.change.kind,
            "reasons": list(self.change.reasons),
            "features": [_verdict_json(verdict) for verdict in self.verdicts],
            "refusals": list(self.refusals),
            "costs": asdict(self.costs) if self.costs else None,
            "stages": [{"stage": type(stage).__name__, **asdict(stage)} for stage in self.stages],
        }


def plan(
    wanted: FeatureSet,
    deployed: Snapshot | None,
    facts: Facts,
    *,
    definition: dict[str, Any] | None = None,
    reset: Iterable[str] = (),
    start_empty: bool = False,
    accept_differences: bool = False,
) -> Plan:
    """Plan what brings a feature set to its definition.

    Args:
        wanted: The definition.
        deployed: What is deployed; None if nothing is.
        facts: Ids, generations, whether the job runs.
        definition: The YAML as data, kept in the snapshot.
        reset: Names of features or stored columns that are to count from now on.
        start_empty: Begin a new generation without the history that a backfill would give it.
        accept_differences: Switch to a recomputed generation also where the old one differs, or
            archived events cannot be read any more.

    Raises:
        UnknownFeatureError: There is no such feature to reset.
        PlanRefusedError: It cannot be reset, or not begin empty.
    """
    fresh = reset_columns(wanted, deployed, reset)
    allocate = _allocation(wanted, deployed, facts, fresh)
    layout = build_layout(wanted, allocate.ids)
    change = compare(wanted, layout, deployed, fresh, start_empty=start_empty)
    if start_empty and change.kind in ("new", "rebuild"):
        check_start_empty(wanted)
    if deployed and change.kind in ("none", "metadata"):
        layout = deployed.layout  # it holds all that is wanted, and the job writes it
    base = _base(wanted, change, deployed, facts)
    target = target_of(wanted, layout, change, replace(base, definition=definition or {}))
    if deployed and change.kind == "none":
        change = revival(change, deployed, facts)
    tidying = _tidying(change, deployed, facts)
    if tidying and change.kind == "none":
        change = replace(change, kind="finish", reasons=("an earlier change was interrupted",))
    return Plan(
        featureset=wanted.name,
        change=change,
        stages=_with(
            tidying,
            stages_of(change, target, deployed, allocate, accept_differences=accept_differences),
        ),
        deployed=deployed,
        target=target,
        costs=costs_of(change.kind, deployed, target, facts.downtime_ms),
    )


def check_start_empty(wanted: FeatureSet) -> None:
    """Refuse to leave out a history that every check would count.

    Raises:
        PlanRefusedError: The source has one.
    """
    if wanted.source.history:
        msg = (
            f"{wanted.name} cannot begin empty: its source {wanted.source.name} has a history, "
            "whose events belong to its rows. Apply it without --start-empty, or remove `history` "
            "from the source"
        )
        raise PlanRefusedError(msg)


def _base(wanted: FeatureSet, change: Change, deployed: Snapshot | None, facts: Facts) -> Snapshot:
    """Return what a target is made from: what is deployed, or a new generation."""
    if deployed and change.kind != "rebuild":
        return deployed
    older = deployed.alone() if deployed else None
    return replace(blank(wanted, facts.next_generation), older=older)


def _tidying(change: Change, deployed: Snapshot | None, facts: Facts) -> tuple[Stage, ...]:
    """Return what finishes or removes what an earlier, broken-off change has left."""
    stages: list[Stage] = []
    before = deployed.older if deployed else None
    if before and facts.lingering:
        stages.append(RetireGeneration(generation=before.generation, job_id=before.job_id))
    if deployed and facts.abandoned and change.kind != "rebuild":  # which may adopt or replace it
        stages.append(DropAbandoned(generations=facts.abandoned))
    return tuple(stages)


def _with(tidying: tuple[Stage, ...], stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    if not tidying:
        return stages
    lease, *others = stages or (TakeLease(), ReleaseLease())
    return (lease, *tidying, *others)


def _allocation(
    wanted: FeatureSet, deployed: Snapshot | None, facts: Facts, reset: frozenset[str]
) -> AllocateIds:
    columns = column_keys(wanted)
    known = tuple(column.id for column in deployed.layout.columns) if deployed else ()
    ids = assign_ids(facts.ids, columns, deployed=known, reset=reset)
    return AllocateIds(columns=columns, ids=ids, deployed=known, reset=tuple(sorted(reset)))


def _verdict_json(verdict: NameVerdict) -> dict[str, Any]:
    since = {0: None, NOW_MS: "now"}.get(verdict.since_ms, to_iso(max(verdict.since_ms, 0)))
    data = asdict(verdict) | {"since": since}
    del data["since_ms"]
    return data


def plan_removed(deployed: Snapshot) -> Plan:
    """Plan nothing for what is deployed but no longer defined; a person deletes it."""
    change = Change(
        kind="removed",
        reasons=(f"deployed but no longer defined; to remove it: fp delete {deployed.featureset}",),
        verdicts=(),
    )
    return Plan(
        featureset=deployed.featureset, change=change, stages=(), deployed=deployed, target=None
    )


def plan_stop(deployed: Snapshot) -> Plan:
    """Plan to stop a feature set's job; its savepoint and rows stay."""
    stages: tuple[Stage, ...] = (
        TakeLease(),
        StopWithSavepoint(job_id=deployed.job_id),
        RecordStopped(),
        ReleaseLease(),
    )
    stop = stages if deployed.state == "running" else ()
    change = Change(kind="stop", reasons=("a stop was requested",), verdicts=())
    return Plan(
        featureset=deployed.featureset,
        change=change,
        stages=stop,
        deployed=deployed,
        target=deployed,
    )


def plan_delete(deployed: Snapshot) -> Plan:
    """Plan to remove a feature set: it is unknown to readers, its table goes after a grace time."""
    stop: tuple[Stage, ...] = (
        (StopWithSavepoint(job_id=deployed.job_id),) if deployed.state == "running" else ()
    )
    stages = (TakeLease(), *stop, RecordDeleted(generation=deployed.generation), ReleaseLease())
    change = Change(kind="removed", reasons=("deletion was requested",), verdicts=())
    return Plan(
        featureset=deployed.featureset,
        change=change,
        stages=stages,
        deployed=deployed,
        target=deployed,
    )


def revival(change: Change, deployed: Snapshot, facts: Facts) -> Change:
    """Nothing differs; but is there a job?"""
    if deployed.state != "running":
        reason = "it is stopped" if deployed.state == "stopped" else "a deployment was interrupted"
        return Change(kind="start", reasons=(reason,), verdicts=change.verdicts)
    if not facts.job_runs:
        return Change(
            kind="restart",
            reasons=("the job should be running but is not",),
            verdicts=change.verdicts,
        )
    return change


def stages_of(
    change: Change,
    target: Snapshot,
    deployed: Snapshot | None,
    allocate: AllocateIds | None,
    *,
    accept_differences: bool = False,
    accept_age: bool = False,
) -> tuple[Stage, ...]:
    """Return what brings a change about; none for kinds that are planned elsewhere."""
    own = OwnGeneration(generation=target.generation)
    launched: tuple[Stage, ...] = (AwaitCheckpoint(), RecordDeployed(), ReleaseLease())
    if deployed and deployed.unswept and change.kind in ("start", "restart"):
        sweep = sweep_of(deployed, accept_age=accept_age)
        launched = (AwaitCheckpoint(), RecordDeployed(), *sweep, ReleaseLease())
        own_and_claim: tuple[Stage, ...] = (own, ClaimSweep())
    else:
        own_and_claim = (own,)
    match change.kind:
        case (
            "none"
            | "removed"
            | "stop"
            | "recover"
            | "rollback"
            | "return"
            | "sweep"
            | "repair"
            | "finish"
        ):
            return ()
        case "metadata":
            return (TakeLease(), RecordMetadata(), ReleaseLease())
        case "start":
            begin = (TakeLease(), CheckSavepoint(), *own_and_claim)
            return (*begin, SubmitJob(start="savepoint", accept_age=accept_age), *launched)
        case "restart":
            submit = SubmitJob(start="checkpoint", accept_age=accept_age)
            return (TakeLease(), *own_and_claim, submit, *launched)
        case "new" | "rebuild":
            allocated = (allocate,) if allocate else ()
            fill, proof = _filled(change, target, deployed, accept_differences=accept_differences)
            return _generation_stages(target, deployed, allocated, fill, proof)
        case "forward":
            running = deployed is not None and deployed.state == "running"
            stop = [StopWithSavepoint(job_id=deployed.job_id)] if deployed and running else []
            begun: tuple[Stage, ...] = (
                TakeLease(),
                *([allocate] if allocate else []),
                BuildGraph(),
                AwaitRecovered(),
            )
            return (*begun, *stop, CheckSavepoint(), own, SubmitJob(start="savepoint"), *launched)


def sweep_of(deployed: Snapshot, *, accept_age: bool = False) -> tuple[Stage, ...]:
    """Return the stages that write back what an undone version wrote; a job may run meanwhile."""
    return (AwaitGrace(), Sweep(table=deployed.table, accept_age=accept_age), RecordSwept())


def _filled(
    change: Change, target: Snapshot, deployed: Snapshot | None, *, accept_differences: bool
) -> tuple[tuple[Stage, ...], tuple[Stage, ...]]:
    """Return what a new generation's history needs before its job begins, and before it is used."""
    if all(verdict.verdict != "recomputed" for verdict in change.verdicts):
        return (), ()
    compared: tuple[Stage, ...] = ()
    if deployed:
        compared = (
            CompareGenerations(
                generation=deployed.generation, accept_differences=accept_differences
            ),
        )
    fill = Backfill(
        generation=target.generation, table=target.table, accept_unreadable=accept_differences
    )
    return (fill,), (AwaitCaughtUp(), *compared)


def _generation_stages(
    target: Snapshot,
    deployed: Snapshot | None,
    allocate: tuple[Stage, ...],
    fill: tuple[Stage, ...],
    proof: tuple[Stage, ...],
) -> tuple[Stage, ...]:
    """Return how a generation begins; the one before continues until readers have left it."""
    old: tuple[Stage, ...] = ()
    if deployed:
        old = (RetireGeneration(generation=deployed.generation, job_id=deployed.job_id),)
    return (
        TakeLease(),
        *allocate,
        *([BuildGraph()] if fill else []),
        CreateTopics(topics=(target.topic, dead_letter_topic(target.topic))),
        CreateTable(generation=target.generation, table=target.table),
        OwnGeneration(generation=target.generation),
        *fill,
        SubmitJob(start="store" if fill else "earliest"),
        AwaitCheckpoint(beside=bool(old)),
        *proof,
        RecordDeployed(),
        *old,
        ReleaseLease(),
    )
