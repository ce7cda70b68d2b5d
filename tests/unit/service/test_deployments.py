"""Deployments and new versions of a list, while a worker serves it: no request fails."""

from dataclasses import replace

from feature_platform.definition.feature_list import FeatureList, ListedFeature
from feature_platform.service.lists import REFRESH_MS
from feature_platform.serving import FeatureClient
from feature_platform.testing import Deployed
from tests.unit.service.conftest import Running, serving, settings_of
from tests.unit.service.test_errors import by_grpc

REQUEST = {"list": "short", "entities": {"post": ["a"]}}
NEVER_MS = 10**9


def stored(version: int, *names: str) -> FeatureList:
    """Return a version of the list that is asked for."""
    features = tuple(ListedFeature(name=name) for name in names)
    return FeatureList(name="short", version=version, owner="t", features=features)


def columns(service: Running) -> tuple[list[str], list[str]]:
    """Return the columns of an answer of each door."""
    code, answer, _ = service.http("/features", REQUEST)
    assert code == 200, answer
    return [head.name for head in by_grpc(service, REQUEST).heads], list(
        answer["rows"][0]["values"]
    )


def test_a_version_with_a_feature_that_was_deployed_just_now(world: Deployed) -> None:
    """The worker learns of the list first, and looks at what is deployed."""
    world.registry.save_list(stored(1, "posts.action"))
    client = FeatureClient(world.tiles, world.registry, clock=world.clock, refresh_ms=NEVER_MS)
    with serving(client, settings_of()) as service:
        before = columns(service)
        world.registry.save(replace(world.snapshot, featureset="others"))
        world.registry.save_list(stored(2, "posts.action", "others.liked"))
        world.clock.advance(REFRESH_MS)
        found = [columns(service) for _ in range(20)]

    old, new = ["posts.action"], ["posts.action", "others.liked"]
    assert before == (old, old)
    assert all(each in (old, new) for both in found for each in both)
    assert found[-1] == (new, new)


def test_a_version_without_a_feature_that_was_removed_just_now(world: Deployed) -> None:
    """The worker learns of the deployment first, and looks at the list."""
    world.registry.save(replace(world.snapshot, featureset="others"))
    world.registry.save_list(stored(1, "posts.action", "others.liked"))
    client = FeatureClient(world.tiles, world.registry, clock=world.clock, refresh_ms=0)
    with serving(client, settings_of()) as service:
        before = columns(service)
        world.registry.save_list(stored(2, "posts.action"))
        world.registry.save(replace(world.snapshot, featureset="others", features=()))
        after = columns(service)

    assert before == (["posts.action", "others.liked"],) * 2
    assert after == (["posts.action"],) * 2


def test_a_feature_that_its_list_still_names(world: Deployed) -> None:
    """Only then the request fails, with the name of the feature."""
    world.registry.save_list(stored(1, "posts.action"))
    client = FeatureClient(world.tiles, world.registry, clock=world.clock, refresh_ms=0)
    with serving(client, settings_of()) as service:
        columns(service)
        world.registry.save(replace(world.snapshot, features=()))
        codes = [service.http("/features", REQUEST)[:2] for _ in range(2)]

    for code, answer in codes:
        assert code == 404
        assert "'action' is not served by posts" in answer["error"]["message"]
