"""Where pushes deploy, the project's folder is a second truth: what differs from the branch."""

from typing import TYPE_CHECKING

from feature_platform.cli.output import message
from feature_platform.errors import GitError
from feature_platform.settings import Settings
from feature_platform.words import names_of

if TYPE_CHECKING:
    from feature_platform.definition.loading import Project


def warn_of_pushes(settings: Settings, project: "Project") -> None:
    """Report that pushes deploy here, and what the branch defines otherwise than this folder."""
    if not settings.git.repository:
        return
    from feature_platform.pushes.loading import definitions_at, repository

    where = f"pushes to `{settings.git.branch}` of {settings.git.repository} are deployed here"
    try:
        head = repository(settings).head(settings.git.branch)
        pushed = definitions_at(settings, head.id)
    except GitError as error:
        message(f"note: {where}, but that branch cannot be compared with this folder: {error}")
        return
    for problem in pushed.problems:
        message(f"note: in commit {head.words}: {problem}")
    found = differences(project, pushed)
    if found:
        message(
            f"note: {where}; its commit {head.words} and {settings.featuresets} differ: {found}. A "
            "push that changes one of them replaces what you apply from here; commit it there"
        )


def differences(here: "Project", there: "Project") -> str:
    """Say which feature sets two projects define differently; empty if there are none."""
    both = here.featuresets.keys() & there.featuresets.keys()
    groups = {
        "different definitions": [
            name
            for name in both
            if (
                here.featuresets[name].data_fingerprint,
                here.featuresets[name].metadata_fingerprint,
            )
            != (
                there.featuresets[name].data_fingerprint,
                there.featuresets[name].metadata_fingerprint,
            )
        ],
        "only in the commit": there.featuresets.keys() - both,
        "only in the folder": here.featuresets.keys() - both,
    }
    return "; ".join(
        f"{what}: {names_of(sorted(names))}" for what, names in groups.items() if names
    )
