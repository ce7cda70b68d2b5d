"""Plans what a commit would change; nothing is changed, and one feature set stops no other."""

from collections.abc import Sequence

from feature_platform.definition.loading import Project
from feature_platform.deploy.apply import make_plans
from feature_platform.engines.reads import Reads
from feature_platform.errors import CallerError, WorldError
from feature_platform.plan.compare import Kind
from feature_platform.pushes.git import Commit
from feature_platform.pushes.push import Pushed, PushedChange

DEPLOYED: frozenset[Kind] = frozenset({"new", "metadata", "forward", "rebuild", "finish"})
"""Changes that a push brings about."""


def look_at(reads: Reads, head: Commit, project: Project, names: Sequence[str] | None) -> Pushed:
    """Plan a commit.

    Args:
        reads: Asked what is deployed.
        head: The commit.
        project: Its definitions.
        names: What is looked at; None for all.

    Raises:
        WorldError: The registry did not answer.
    """
    deployed = {snapshot.featureset: snapshot for snapshot in reads.registry.snapshots()}
    chosen = project.featuresets if names is None else set(names) & project.featuresets.keys()
    found = (_look_alone(reads, project, name) for name in sorted(chosen))
    undefined = () if project.problems else sorted(deployed.keys() - project.featuresets.keys())
    return Pushed(
        commit=head.id,
        words=head.words,
        problems=tuple(map(str, project.problems)),
        wanted=tuple(item for item in found if item),
        undefined=tuple(undefined),
    )


def unreadable(head: Commit, why: str) -> Pushed:
    """Return a commit of which nothing but its name is known."""
    return Pushed(
        commit=head.id, words=head.words, problems=(), wanted=(), undefined=(), unreadable=why
    )


def _look_alone(reads: Reads, project: Project, name: str) -> PushedChange | None:
    """Return what the commit would change of one feature set; its trouble is its own."""
    try:
        return _look(reads, project, name)
    except WorldError as error:
        return _wanted(project, name, trouble=f"cannot be planned now: {error}")
    except Exception as error:  # noqa: BLE001 (reported as this feature set's)
        what = f"{type(error).__name__}: {error}"
        return _wanted(project, name, stays=f"cannot be planned ({what}): fp plan {name}")


def _look(reads: Reads, project: Project, name: str) -> PushedChange | None:
    snapshot = reads.registry.snapshot(name)
    attempts = reads.registry.attempts(name, snapshot.generation) if snapshot else []
    attempt = attempts[-1].attempt if attempts else 0
    try:
        (plan,) = make_plans(reads, project, [name])
    except CallerError as error:
        return _wanted(project, name, stays=str(error), attempt=attempt)
    if plan.refusals:
        return _wanted(project, name, stays="; ".join(plan.refusals), attempt=attempt)
    kind, stays = plan.change.kind, ""
    if not plan.stages or kind not in DEPLOYED:
        return None
    if snapshot and snapshot.state == "stopped":
        stays = (
            f"was stopped deliberately and stays stopped; to start it as pushed: fp apply {name}"
        )
    return _wanted(project, name, kind=kind, stays=stays, attempt=attempt)


def _wanted(
    project: Project,
    name: str,
    *,
    kind: str = "",
    stays: str = "",
    trouble: str = "",
    attempt: int = 0,
) -> PushedChange:
    featureset = project.featuresets[name]
    return PushedChange(
        featureset=name,
        kind=kind,
        fingerprint=f"{featureset.data_fingerprint[:16]}{featureset.metadata_fingerprint[:16]}",
        attempt=attempt,
        stays=stays,
        trouble=trouble,
    )
