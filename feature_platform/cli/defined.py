"""A feature set that a command is asked about, as the project's files define it."""

from typing import TYPE_CHECKING

from feature_platform.cli.output import complain
from feature_platform.settings import Settings

if TYPE_CHECKING:
    from feature_platform.definition.model import FeatureSet


def defined(settings: Settings, name: str) -> "FeatureSet":
    """Return a feature set as it is defined; mistakes of other files are no matter.

    Raises:
        UnknownFeatureError: It is not defined, or has mistakes; these are printed.
    """
    from feature_platform.definition.loading import load_project
    from feature_platform.definition.names import unknown
    from feature_platform.errors import UnknownFeatureError

    project = load_project(settings.featuresets)
    if name in project.featuresets:
        return project.featuresets[name]
    for problem in project.problems:
        complain(str(problem))
    raise UnknownFeatureError(unknown("feature set", name, project.featuresets))
