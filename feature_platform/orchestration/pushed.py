"""Plans what a commit would change; nothing is changed, and one feature set stops no other."""

from collections.abc import Sequence
from pathlib import Path

from feature_platform.definition.loading import Project, load_project
from feature_platform.deploy.apply import make_plans
from feature_platform.deploy.world import World
from feature_platform.errors import CallerError
from feature_platform.orchestration.git import Commit, Repository
from feature_platform.orchestration.push import Pushed, Wanted
from feature_platform.plan.compare import Kind
from feature_platform.settings import Settings

DEPLOYED: frozenset[Kind] = frozenset({"new", "metadata", "forward", "rebuild", "finish"})
"""Changes that a push brings about."""


def repository(settings: Settings) -> Repository:
    """Return the repository that is watched; its path is relative to the project."""
    path = settings.project / Path(settings.git.repository).expanduser()
    return Repository(path, settings.git.folder)


def definitions_at(settings: Settings, commit: str) -> Project:
    """Load the definitions of a commit.

    Raises:
        GitError: The repository cannot be read, or lacks the commit.
    """
    return load_project(repository(settings).definitions(commit, settings.data / "git"))


def look_at(world: World, head: Commit, project: Project, names: Sequence[str] | None) -> Pushed:
    """Plan a commit.

    Args:
        world: Asked what is deployed.
        head: The commit.
        project: Its definitions.
        names: What is looked at; None for all.

    Raises:
        WorldError: A server did not answer.
    """
    deployed = {snapshot.featureset: snapshot for snapshot in world.registry.snapshots()}
    chosen = project.featuresets if names is None else set(names) & project.featuresets.keys()
    found = (_look(world, project, name) for name in sorted(chosen))
    undefined = () if project.problems else sorted(deployed.keys() - project.featuresets.keys())
    return Pushed(
        commit=head.id,
        words=head.words,
        problems=tuple(map(str, project.problems)),
        wanted=tuple(item for item in found if item),
        undefined=tuple(undefined),
    )


def _look(world: World, project: Project, name: str) -> Wanted | None:
    """Return what the commit would change of one feature set; None for nothing."""
    featureset, snapshot = project.featuresets[name], world.registry.snapshot(name)
    attempts = world.registry.attempts(name, snapshot.generation) if snapshot else []
    kind, stays = "", ""
    try:
        (plan,) = make_plans(world, project, [name])
    except CallerError as error:
        stays = str(error)
    else:
        kind = plan.change.kind
        if not plan.stages or kind not in DEPLOYED:
            return None
        if snapshot and snapshot.state == "stopped":
            stays = f"is stopped on purpose and stays so; to start it as pushed: fp apply {name}"
    return Wanted(
        featureset=name,
        kind=kind,
        fingerprint=f"{featureset.data_fingerprint[:16]}{featureset.metadata_fingerprint[:16]}",
        attempt=attempts[-1].attempt if attempts else 0,
        stays=stays,
    )
