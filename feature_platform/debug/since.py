"""Features that do not count since the first event: since when, and what counted before. Pure."""

from collections.abc import Sequence

from feature_platform.clock import to_iso
from feature_platform.debug.definition import deployed_definition
from feature_platform.definition.model import FeatureSet
from feature_platform.errors import CallerError
from feature_platform.plan.snapshot import DeployedFeature, Snapshot


def told_since(snapshot: Snapshot, features: Sequence[str]) -> list[str]:
    """Say of features that a change began, or gave another meaning, what was before.

    Args:
        snapshot: What is deployed.
        features: Those that are asked about.
    """
    return [
        f"{each.name} counts as it is defined now since {to_iso(each.valid_from_ms)}, not since "
        f"the first event; {_before(snapshot, each)}"
        for each in snapshot.features
        if each.valid_from_ms and each.name in features
    ]


def _before(snapshot: Snapshot, feature: DeployedFeature) -> str:
    """Say what counted before: only what was deployed last before is still known."""
    last = snapshot.previous
    if last is None or last.generation != snapshot.generation:
        return "what was counted before, if it was, stays"
    old = next((each for each in last.features if each.name == feature.name), None)
    if old is None:
        return "before, there was none"
    if _ids(last, old) != _ids(snapshot, feature):
        return "what it counted before is not in it any more"
    if old.meaning == feature.meaning:
        return "what an earlier definition counted before stays"
    return f"what was counted before stays: {_difference(last, snapshot, feature.name)}"


def _ids(snapshot: Snapshot, feature: DeployedFeature) -> set[int]:
    return {each.id for each in snapshot.layout.columns if each.name in feature.columns}


def _difference(last: Snapshot, snapshot: Snapshot, name: str) -> str:
    """Return what was changed of a feature, in the words of the definitions."""
    try:
        was, now = deployed_definition(last), deployed_definition(snapshot)
    except CallerError:
        return "by another definition"
    old, new = _filter(was, name), _filter(now, name)
    if old == new:
        return "by another expression or WHERE"
    return f"its FILTER was {old}, and is {new}"


def _filter(featureset: FeatureSet, name: str) -> str:
    text = next(each.filter for each in featureset.event_rows.taken if each.feature == name)
    return f"(WHERE {text})" if text else "none"
