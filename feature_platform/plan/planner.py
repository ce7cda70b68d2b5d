"""Making plans: the stages that bring what is deployed to what is wanted. No side effects."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from feature_platform.definition.model import Feature, FeatureSet
from feature_platform.plan.compare import Change, NameVerdict, compare
from feature_platform.plan.ids import FeatureId, assign_ids, column_keys
from feature_platform.plan.job import dead_letter_topic, job_definition
from feature_platform.plan.layout import build_layout
from feature_platform.plan.snapshot import DeployedFeature, Snapshot, table_name
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
    StopWithSavepoint,
    SubmitJob,
    TakeLease,
)
from feature_platform.tiles.layout import Layout

NOW_MS = -1
"""In a plan's target: an instant that is known only when the plan is executed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a plan depends on besides definition and snapshot."""

    ids: Sequence[FeatureId] = ()
    """All ids ever allocated to the feature set."""
    next_generation: int = 1
    """The number of its next generation, if it gets one."""
    job_runs: bool = True
    """Whether the deployed job runs, or Flink is about to restart it."""


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

    @property
    def verdicts(self) -> tuple[NameVerdict, ...]:
        """What becomes of every served name."""
        return self.change.verdicts

    @property
    def has_changes(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.stages)

    def to_json(self) -> dict[str, Any]:
        """Return the facts for `--json`."""
        return {
            "featureset": self.featureset,
            "change": self.change.kind,
            "reasons": list(self.change.reasons),
            "features": [asdict(verdict) for verdict in self.verdicts],
            "stages": [{"stage": type(stage).__name__, **asdict(stage)} for stage in self.stages],
        }


def plan(
    wanted: FeatureSet,
    deployed: Snapshot | None,
    facts: Facts,
    *,
    definition: dict[str, Any] | None = None,
) -> Plan:
    """Plan what brings a feature set to its definition.

    Args:
        wanted: The definition.
        deployed: What is deployed; None if nothing is.
        facts: Ids, generations, whether the job runs.
        definition: The YAML as data, kept in the snapshot.
    """
    columns = column_keys(wanted)
    ids = assign_ids(facts.ids, columns)
    layout = build_layout(wanted, ids)
    change = compare(wanted, layout, deployed)
    if deployed and change.kind in ("none", "metadata"):
        layout = deployed.layout  # it holds all that is wanted, and the job writes it
    base = deployed or _blank(wanted, facts.next_generation)
    target = _target(wanted, layout, change, replace(base, definition=definition or {}))
    if deployed and change.kind == "none":
        change = _revival(change, deployed, facts)
    stages = _stages(change, target, deployed, AllocateIds(columns=columns, ids=ids))
    return Plan(
        featureset=wanted.name, change=change, stages=stages, deployed=deployed, target=target
    )


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
    change = Change(kind="stop", reasons=("asked to stop",), verdicts=())
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
    change = Change(kind="removed", reasons=("asked to delete",), verdicts=())
    return Plan(
        featureset=deployed.featureset,
        change=change,
        stages=stages,
        deployed=deployed,
        target=deployed,
    )


def plan_restart(deployed: Snapshot) -> Plan:
    """Plan to start again, as it was deployed, a job that should run and does not."""
    change = _revival(Change(kind="none", reasons=(), verdicts=()), deployed, Facts(job_runs=False))
    stages = _stages(change, deployed, deployed, None)
    return Plan(
        featureset=deployed.featureset,
        change=change,
        stages=stages,
        deployed=deployed,
        target=deployed,
    )


def _revival(change: Change, deployed: Snapshot, facts: Facts) -> Change:
    """Nothing differs; but is there a job?"""
    if deployed.state != "running":
        reason = "it is stopped" if deployed.state == "stopped" else "a deployment was broken off"
        return Change(kind="start", reasons=(reason,), verdicts=change.verdicts)
    if not facts.job_runs:
        return Change(
            kind="restart", reasons=("the job should run and does not",), verdicts=change.verdicts
        )
    return change


def _stages(
    change: Change, target: Snapshot, deployed: Snapshot | None, allocate: AllocateIds | None
) -> tuple[Stage, ...]:
    own = OwnGeneration(generation=target.generation)
    launched: tuple[Stage, ...] = (AwaitCheckpoint(), RecordDeployed(), ReleaseLease())
    match change.kind:
        case "none" | "removed" | "rebuild" | "stop":
            return ()
        case "metadata":
            return (TakeLease(), RecordMetadata(), ReleaseLease())
        case "start":
            return (TakeLease(), CheckSavepoint(), own, SubmitJob(start="savepoint"), *launched)
        case "restart":
            return (TakeLease(), own, SubmitJob(start="checkpoint"), *launched)
        case "new":
            topics = (target.topic, dead_letter_topic(target.topic))
            made: tuple[Stage, ...] = (
                CreateTopics(topics=topics),
                CreateTable(generation=target.generation, table=target.table),
            )
            before = (TakeLease(), *([allocate] if allocate else []), *made)
            return (*before, own, SubmitJob(start="earliest"), *launched)
        case "forward":
            running = deployed is not None and deployed.state == "running"
            stop = [StopWithSavepoint(job_id=deployed.job_id)] if deployed and running else []
            before = (TakeLease(), *([allocate] if allocate else []), *stop, CheckSavepoint())
            return (*before, own, SubmitJob(start="savepoint"), *launched)


def _target(wanted: FeatureSet, layout: Layout, change: Change, base: Snapshot) -> Snapshot:
    """Return what is deployed afterwards; `base` has what the definition does not decide."""
    return replace(
        base,
        entity=wanted.entity,
        source=wanted.source.name,
        topic=wanted.source.topic,
        layout=layout,
        features=tuple(
            _deployed_feature(feature, wanted, change, base) for feature in wanted.features
        ),
        flink_sql=wanted.flink_sql,
        data_fingerprint=wanted.data_fingerprint,
        metadata_fingerprint=wanted.metadata_fingerprint,
        parallelism=wanted.settings.parallelism,
        job=job_definition(wanted, layout),
    )


def _deployed_feature(
    feature: Feature, wanted: FeatureSet, change: Change, base: Snapshot
) -> DeployedFeature:
    """Return a feature as readers need it; instants that this change does not touch are kept."""
    column = next(column for column in wanted.columns if column.name == feature.columns[0])
    old = next((item for item in base.features if item.name == feature.name), None)
    valid_from_ms = old.valid_from_ms if old else 0
    added_ms = {
        name: NOW_MS if name in change.added else old.added_ms[name] if old else 0
        for name in feature.served_names
        if name in change.added or (old and name in old.added_ms)
    }
    edited = feature.name in change.edited
    return DeployedFeature(
        name=feature.name,
        aggregate=feature.aggregate,
        columns=feature.columns,
        windows_ms=feature.windows_ms,
        lifetime=feature.lifetime,
        latest=feature.latest,
        carrier=column.carrier,
        value_type=str(column.value_type),
        scale=column.scale,
        valid_from_ms=NOW_MS if edited else valid_from_ms,
        description=feature.description,
        meaning=feature.meaning,
        added_ms={} if edited else added_ms,
    )


def _blank(wanted: FeatureSet, generation: int) -> Snapshot:
    """Return a snapshot that has nothing yet but its generation."""
    return Snapshot(
        featureset=wanted.name,
        generation=generation,
        table=table_name(wanted.name, generation),
        entity="",
        source="",
        topic="",
        layout=Layout(grid=wanted.grid, retention_ms=(), columns=()),
        features=(),
        flink_sql="",
        data_fingerprint="",
        metadata_fingerprint="",
        deployment="",
        job_id="",
        savepoint="",
        state="deploying",
        parallelism=0,
        deployed_ms=0,
        definition={},
    )


def settled(target: Snapshot, now_ms: int) -> Snapshot:
    """Return a plan's target with the present in place of `NOW_MS`."""
    return replace(
        target,
        features=tuple(
            replace(
                feature,
                valid_from_ms=now_ms if feature.valid_from_ms == NOW_MS else feature.valid_from_ms,
                added_ms={
                    name: now_ms if since_ms == NOW_MS else since_ms
                    for name, since_ms in feature.added_ms.items()
                },
            )
            for feature in target.features
        ),
    )
