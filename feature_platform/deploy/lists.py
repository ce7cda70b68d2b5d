"""Feature lists: planning them beside feature sets, and storing them once those are deployed."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from feature_platform.definition.loading import Project
from feature_platform.engines.reads import Reads
from feature_platform.engines.world import World
from feature_platform.errors import FeaturePlatformError, PlanRefusedError
from feature_platform.plan.lists import ListKind, ListPlan, StoredList, lost_features, plan_lists
from feature_platform.plan.planner import Plan
from feature_platform.plan.snapshot import Snapshot
from feature_platform.report import Report, silent
from feature_platform.words import names_of

NAMES_MAX = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOutcome:
    """What became of the plan of one list."""

    name: str
    change: ListKind
    error: FeaturePlatformError | None = None


def make_list_plans(reads: Reads, project: Project, names: Collection[str] = ()) -> list[ListPlan]:
    """Plan feature lists; changes nothing.

    Args:
        reads: Asked what is stored.
        project: The wanted definitions.
        names: Feature sets: only lists that use one of them; without any, all lists.

    Raises:
        StoreUnavailableError: The registry did not answer.
    """
    return _planned(project, reads.registry.feature_lists(), names)


def guarded(
    reads: Reads, project: Project, plans: Sequence[Plan], names: Collection[str] = ()
) -> list[Plan]:
    """Return plans, refused where a list would lose a feature.

    Args:
        reads: Asked what is stored.
        project: The wanted definitions.
        plans: Those of feature sets.
        names: Feature sets that were asked for; see `make_list_plans`.

    Raises:
        StoreUnavailableError: The registry did not answer.
    """
    lost = {plan.featureset: _lost(plan.deployed, plan.target) for plan in plans if plan.target}
    stored = reads.registry.feature_lists()
    refusals = lost_features(_planned(project, stored, names), stored, lost)
    return [replace(plan, refusals=tuple(refusals.get(plan.featureset, ()))) for plan in plans]


def _planned(
    project: Project, stored: Sequence[StoredList], names: Collection[str]
) -> list[ListPlan]:
    plans = plan_lists(project.lists, stored, may_remove=not project.problems)
    return [plan for plan in plans if not names or plan.uses(names)]


def check_unused(reads: Reads, deployed: Snapshot, target: Snapshot | None) -> None:
    """Check that no list uses a feature that is served now and would not be afterwards.

    Args:
        reads: Asked which lists there are.
        deployed: What is served now.
        target: What would be; None if the feature set is to be deleted.

    Raises:
        PlanRefusedError: One does; names it, its owner and the features.
        StoreUnavailableError: The registry did not answer.
    """
    lost = {deployed.featureset: _lost(deployed, target)}
    refusals = lost_features((), reads.registry.feature_lists(), lost)
    if refusals:
        raise PlanRefusedError("\n".join(refusals[deployed.featureset]))


def apply_servable_lists(
    world: World, plans: Iterable[ListPlan], report: Report = silent
) -> tuple[list[ListOutcome], list[ListPlan]]:
    """Store and remove the lists that need nothing to be deployed first.

    A list that gives up a feature is stored before that goes: requests of its newest version never
    name a feature that is not served.

    Args:
        world: Whose registry.
        plans: What to do, as `make_list_plans` made them.
        report: Called with each change before it is made.

    Returns:
        What became of those, and the plans that wait for a deployment, both in order.

    Raises:
        StoreUnavailableError: The registry did not answer.
    """
    plans, served = list(plans), _Served(world)
    waiting = [plan for plan in plans if _missing(plan, served)]
    done = [_outcome(world, plan, served, report) for plan in plans if plan not in waiting]
    return done, waiting


def apply_lists(
    world: World, plans: Iterable[ListPlan], report: Report = silent
) -> list[ListOutcome]:
    """Store and remove lists; one that fails does not stop the others.

    A list is stored only when all its features are served, so that no ranker prepares it before.

    Args:
        world: Whose registry.
        plans: What to do, as `make_list_plans` made them.
        report: Called with each change before it is made.

    Returns:
        What became of each plan, in order; errors are in it, not raised.
    """
    served = _Served(world)
    return [_outcome(world, plan, served, report) for plan in plans]


class _Served:
    """What is served, read when somebody first asks. Mutable: remembers it."""

    def __init__(self, world: Reads) -> None:
        """Know nothing yet."""
        self._world = world

    @cached_property
    def names(self) -> frozenset[str]:
        """The full names of all features.

        Raises:
            StoreUnavailableError: The registry did not answer; whoever asks next asks it again.
        """
        return frozenset(
            f"{snapshot.featureset}.{name}"
            for snapshot in self._world.registry.snapshots()
            for feature in snapshot.features
            for name in feature.served
        )


def _outcome(world: World, plan: ListPlan, served: _Served, report: Report) -> ListOutcome:
    try:
        _store(world, plan, served, report)
    except FeaturePlatformError as error:
        return ListOutcome(name=plan.name, change=plan.kind, error=error)
    return ListOutcome(name=plan.name, change=plan.kind)


def _store(world: World, plan: ListPlan, served: _Served, report: Report) -> None:
    """Do what a plan says.

    Raises:
        PlanRefusedError: It cannot be done, or a feature is not served.
    """
    if plan.refusal:
        msg = f"feature list {plan.name}: {plan.refusal}"
        raise PlanRefusedError(msg)
    if plan.kind == "none":
        return
    report(f"feature list {plan.name}: {plan.kind}")
    if plan.wanted is None:
        world.registry.remove_list(plan.name)
        return
    missing = _missing(plan, served)
    if missing:
        sets = " ".join(dict.fromkeys(name.partition(".")[0] for name in missing))
        msg = (
            f"feature list {plan.name} is not stored, because {names_of(missing, NAMES_MAX)} "
            f"{'is' if len(missing) == 1 else 'are'} not served yet: fp apply {sets}"
        )
        raise PlanRefusedError(msg)
    world.registry.save_list(plan.wanted)


def _missing(plan: ListPlan, served: _Served) -> list[str]:
    """Return the features of a list to be stored that are not served; none of one that is not."""
    if plan.refusal or plan.kind == "none" or plan.wanted is None:
        return []
    return [each.name for each in plan.wanted.features if each.name not in served.names]


def _lost(deployed: Snapshot | None, target: Snapshot | None) -> set[str]:
    """Return the names that are served now and not afterwards."""
    before = {name for each in (deployed.features if deployed else ()) for name in each.served}
    after = {name for each in (target.features if target else ()) for name in each.served}
    return before - after
