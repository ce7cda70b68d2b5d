"""What every registry promises of feature lists."""

from dataclasses import replace

import pytest

from feature_platform.definition.feature_list import FeatureList, ListedFeature
from feature_platform.errors import PlanRefusedError
from feature_platform.plan.lists import StoredList
from feature_platform.registry.base import Registry


def feature_list(name: str, version: int = 1) -> FeatureList:
    """Make a list with everything that a feature can be asked for with."""
    return FeatureList(
        name=name,
        version=version,
        owner="ränking",
        description="Every kind.",
        features=(
            ListedFeature(name="posts.views_30m", shown_as="views", default=0),
            ListedFeature(name="posts.title", default="", max_age_ms=7 * 86_400_000),
            ListedFeature(name="posts.flag", default=False),
            ListedFeature(name="posts.seen", default=[0.5, 1]),
            ListedFeature(name=f"posts.version_{version}"),
        ),
    )


def stored(registry: Registry, name: str) -> StoredList | None:
    """Return one list."""
    return {each.name: each for each in registry.feature_lists()}.get(name)


def test_versions_come_back_as_they_were_stored(registry: Registry, name: str) -> None:
    """Oldest first; storing one again is harmless."""
    for version in (1, 2, 2, 10):
        registry.save_list(feature_list(name, version))

    versions = tuple(feature_list(name, version) for version in (1, 2, 10))
    assert stored(registry, name) == StoredList(name=name, versions=versions)


def test_a_version_never_changes_its_features(registry: Registry, name: str) -> None:
    """And no older one is stored; owner and description may change."""
    registry.save_list(feature_list(name, 2))
    other = replace(feature_list(name, 2), features=feature_list(name, 1).features)
    for refused in (other, feature_list(name, 1)):
        with pytest.raises(PlanRefusedError, match=f"feature list {name}: "):
            registry.save_list(refused)
    described = replace(feature_list(name, 2), owner="others", description="")
    registry.save_list(described)

    found = stored(registry, name)
    assert found is not None
    assert found.versions == (described,)


def test_a_removed_list_keeps_its_versions_and_may_come_back(registry: Registry, name: str) -> None:
    """What a ranker was trained on stays known."""
    registry.remove_list(name)
    assert stored(registry, name) is None
    registry.save_list(feature_list(name))
    registry.remove_list(name)
    registry.remove_list(name)
    removed = stored(registry, name)
    assert removed == StoredList(name=name, versions=(feature_list(name),), removed=True)
    registry.save_list(feature_list(name, 2))

    found = stored(registry, name)
    assert found is not None
    assert (found.removed, found.newest.version) == (False, 2)
