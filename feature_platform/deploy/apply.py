"""From a project's definitions to plans, and from plans to deployments: `fp plan`, `fp apply`."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from feature_platform.definition.loading import Project
from feature_platform.definition.model import FeatureSet
from feature_platform.deploy.execute import execute
from feature_platform.deploy.walk import Report, silent
from feature_platform.deploy.world import World
from feature_platform.errors import DefinitionError, FeaturePlatformError, UnknownFeatureError
from feature_platform.plan.compare import Kind
from feature_platform.plan.planner import Facts, Plan, plan, plan_removed
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.base import RegistryReader


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one plan."""

    featureset: str
    change: Kind
    snapshot: Snapshot | None = None
    """What is deployed now; None if nothing is, or if it failed."""
    error: FeaturePlatformError | None = None


def make_plans(world: World, project: Project, names: Iterable[str] = ()) -> list[Plan]:
    """Plan feature sets; changes nothing.

    Args:
        world: Asked what is deployed and what runs.
        project: The wanted definitions.
        names: The feature sets; without any, all that are defined or deployed.

    Raises:
        UnknownFeatureError: A name is neither defined nor deployed.
        DefinitionError: A feature set that was named does not load.
        WorldError: A server did not answer.
    """
    deployed = {snapshot.featureset: snapshot for snapshot in world.registry.snapshots()}
    wanted = list(names) or sorted(project.featuresets.keys() | _removable(project, deployed))
    return [_plan(world, project, name, deployed.get(name)) for name in wanted]


def apply(world: World, plans: Iterable[Plan], report: Report = silent) -> list[Outcome]:
    """Execute plans one after the other; one that fails does not stop the others.

    Args:
        world: What to do it with.
        plans: What to do, as `make_plans` made them.
        report: Told each stage before it is done.

    Returns:
        What became of each plan, in order; errors are in it, not raised.
    """
    return [_outcome(world, item, report) for item in plans]


def _outcome(world: World, item: Plan, report: Report) -> Outcome:
    try:
        snapshot = execute(item, world, lambda text: report(f"{item.featureset}: {text}"))
    except FeaturePlatformError as error:
        return Outcome(featureset=item.featureset, change=item.change.kind, error=error)
    return Outcome(featureset=item.featureset, change=item.change.kind, snapshot=snapshot)


def _plan(world: World, project: Project, name: str, deployed: Snapshot | None) -> Plan:
    wanted = project.featuresets.get(name)
    if wanted is not None:
        facts = _facts(world, wanted, deployed)
        return plan(wanted, deployed, facts, definition=project.raw[name])
    if project.problems:
        raise DefinitionError(project.problems)
    if deployed is not None:
        return plan_removed(deployed)
    raise UnknownFeatureError(_unknown(name, project))


def _facts(world: World, wanted: FeatureSet, deployed: Snapshot | None) -> Facts:
    runs = True
    if deployed and deployed.state == "running":
        job = world.cluster.job(deployed.job_id)
        runs = job is not None and job.lives
    return Facts(
        ids=world.registry.feature_ids(wanted.name),
        next_generation=_next_generation(world.registry, wanted.name),
        job_runs=runs,
    )


def _next_generation(registry: RegistryReader, name: str) -> int:
    """A generation that was begun and never deployed is begun again; any other is never reused."""
    known = registry.generations(name)
    if not known:
        return 1
    begun = registry.snapshot(name) is None and known[-1].drop_after_ms == 0
    return known[-1].generation + (0 if begun else 1)


def _removable(project: Project, deployed: dict[str, Snapshot]) -> set[str]:
    """While a file does not load, nothing deployed counts as removed: it may be in that file."""
    return set() if project.problems else set(deployed)


def _unknown(name: str, project: Project) -> str:
    close = difflib.get_close_matches(name, project.featuresets, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(project.featuresets)}"
    return f"there is no feature set {name!r}, neither defined nor deployed; {hint}"
