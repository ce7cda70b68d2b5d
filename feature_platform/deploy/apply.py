"""From a project's definitions to plans, and from plans to deployments: `fp plan`, `fp apply`."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from feature_platform.definition.loading import Project
from feature_platform.definition.model import FeatureSet
from feature_platform.deploy.downtime import measured_downtime_ms
from feature_platform.deploy.execute import execute
from feature_platform.deploy.generation import (
    abandoned,
    lingering,
    may_be_begun,
    next_generation,
)
from feature_platform.deploy.lists import guarded
from feature_platform.engines.reads import Reads
from feature_platform.engines.world import World
from feature_platform.errors import DefinitionError, FeaturePlatformError, UnknownFeatureError
from feature_platform.plan.compare import Kind
from feature_platform.plan.planner import Facts, Plan, plan, plan_removed
from feature_platform.plan.snapshot import Snapshot
from feature_platform.report import Report, silent


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one plan."""

    featureset: str
    change: Kind
    snapshot: Snapshot | None = None
    """What is deployed now; None if nothing is, or if it failed."""
    error: FeaturePlatformError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """What a person asks for besides the definition."""

    reset: tuple[str, ...] = ()
    start_empty: bool = False
    accept_differences: bool = False


def make_plans(
    reads: Reads,
    project: Project,
    names: Iterable[str] = (),
    *,
    reset: Sequence[str] = (),
    start_empty: bool = False,
    accept_differences: bool = False,
) -> list[Plan]:
    """Plan feature sets; changes nothing. A plan that takes a feature from a list is refused.

    Args:
        reads: Asked what is deployed and what runs.
        project: The wanted definitions.
        names: The feature sets; without any, all that are defined or deployed.
        reset: Features or stored columns of these feature sets that are to count from now on.
        start_empty: Begin new generations without the history that a backfill would give them.
        accept_differences: Switch to recomputed generations also where the old ones differ, or
            archived events cannot be read any more.

    Raises:
        UnknownFeatureError: A name is neither defined nor deployed, or there is no such column.
        PlanRefusedError: A column cannot be reset.
        DefinitionError: A feature set that was named does not load.
        WorldError: A server did not answer.
    """
    deployed = {snapshot.featureset: snapshot for snapshot in reads.registry.snapshots()}
    chosen = list(names)
    wanted = chosen or sorted(project.featuresets.keys() | _removable(project, deployed))
    asked = PlanOptions(
        reset=tuple(reset), start_empty=start_empty, accept_differences=accept_differences
    )
    plans = [_plan(reads, project, name, deployed.get(name), asked) for name in wanted]
    return guarded(reads, project, plans, chosen)


def apply(world: World, plans: Iterable[Plan], report: Report = silent) -> list[Outcome]:
    """Execute plans one after the other; one that fails does not stop the others.

    Args:
        world: What to do it with.
        plans: What to do, as `make_plans` made them.
        report: Called with each stage before it is done.

    Returns:
        What became of each plan, in order; errors are in it, not raised.
    """
    return [_outcome(world, item, report) for item in plans]


def _outcome(world: World, item: Plan, report: Report) -> Outcome:
    def tell(text: str) -> None:
        report(f"{item.featureset}: {text}")

    try:
        snapshot = execute(item, world, tell)
    except FeaturePlatformError as error:
        return Outcome(featureset=item.featureset, change=item.change.kind, error=error)
    return Outcome(featureset=item.featureset, change=item.change.kind, snapshot=snapshot)


def _plan(
    reads: Reads, project: Project, name: str, deployed: Snapshot | None, asked: PlanOptions
) -> Plan:
    wanted = project.featuresets.get(name)
    if wanted is not None:
        make = partial(
            plan,
            wanted,
            deployed,
            definition=project.raw[name],
            reset=asked.reset,
            start_empty=asked.start_empty,
            accept_differences=asked.accept_differences,
        )
        facts = _facts(reads, wanted, deployed)
        made = make(facts)
        if may_be_begun(reads, made):
            return made
        return make(replace(facts, next_generation=facts.next_generation + 1))
    if project.problems:
        raise DefinitionError(project.problems)
    if deployed is not None:
        return plan_removed(deployed)
    raise UnknownFeatureError(_unknown(name, project))


def _facts(reads: Reads, wanted: FeatureSet, deployed: Snapshot | None) -> Facts:
    runs = True
    if deployed and deployed.state == "running":
        job = reads.cluster.job(deployed.job_id)
        runs = job is not None and job.lives
    known = reads.registry.generations(wanted.name)
    return Facts(
        ids=reads.registry.feature_ids(wanted.name),
        next_generation=next_generation(reads, wanted.name, deployed),
        job_runs=runs,
        abandoned=abandoned(deployed, known),
        lingering=bool(deployed and lingering(deployed, known)),
        downtime_ms=measured_downtime_ms(reads.registry, deployed) if deployed else None,
    )


def _removable(project: Project, deployed: dict[str, Snapshot]) -> set[str]:
    """While a file does not load, nothing deployed counts as removed: it may be in that file."""
    return set() if project.problems else set(deployed)


def _unknown(name: str, project: Project) -> str:
    close = difflib.get_close_matches(name, project.featuresets, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(project.featuresets)}"
    return f"no feature set {name!r} is defined or deployed; {hint}"
