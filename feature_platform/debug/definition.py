"""The definition that is deployed, as the registry keeps it, read again as a feature set."""

import yaml

from feature_platform.definition.loading import SOURCES_FOLDER, DefinitionFile, load_files
from feature_platform.definition.model import FeatureSet
from feature_platform.errors import CallerError
from feature_platform.plan.snapshot import Snapshot


def deployed_definition(snapshot: Snapshot) -> FeatureSet:
    """Return the feature set that a snapshot was deployed from.

    Raises:
        CallerError: The registry has no definition, or this version cannot read it.
    """
    name, data = snapshot.featureset, dict(snapshot.definition)
    source = data.pop("source", None)
    if not isinstance(source, dict):
        msg = f"feature set {name}: the registry holds no definition of it; fp apply {name} adds it"
        raise CallerError(msg)
    own = {**data, "source": source["source"]}
    project = load_files(
        [
            DefinitionFile(path=f"{SOURCES_FOLDER}/source.yaml", data=_yaml(source)),
            DefinitionFile(path=f"{name}.yaml", data=_yaml(own)),
        ]
    )
    if name not in project.featuresets:
        why = "; ".join(str(problem) for problem in project.problems)
        msg = (
            f"feature set {name}: its deployed definition cannot be read by this version: {why}; "
            f"fp plan {name} shows what a new deployment would change"
        )
        raise CallerError(msg)
    return project.featuresets[name]


def _yaml(data: object) -> bytes:
    return yaml.safe_dump(data, allow_unicode=True, sort_keys=False).encode()
