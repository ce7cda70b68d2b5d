"""What cannot be answered is refused, with what to do instead."""

from dataclasses import replace

import pytest

from feature_platform.errors import (
    CallerError,
    LimitExceededError,
    OutOfReachError,
    StoreUnavailableError,
    UnknownFeatureError,
)
from feature_platform.serving import FeatureClient, Limits
from feature_platform.testing import Deployed

MINUTE_MS = 60_000
NOW_MS = 1_700_000_040_000  # 22:14, a whole minute


def test_an_instant_out_of_reach_names_the_earliest(world: Deployed) -> None:
    """Tiles are kept two hours longer than windows need; a question further back is refused."""
    prepared = world.client.prepare(["posts.views_1d"])
    earliest_ms = NOW_MS - 120 * MINUTE_MS

    assert prepared.get(["a"], at=earliest_ms).status == ("ok",)
    with pytest.raises(OutOfReachError, match="the earliest instant is 2023-11-14T20:14:00Z"):
        prepared.get(["a"], at=earliest_ms - 1)


def test_the_future_is_out_of_reach(world: Deployed) -> None:
    """Nobody knows the future."""
    with pytest.raises(OutOfReachError, match="is in the future"):
        world.client.prepare(["posts.action"]).get(["a"], at=NOW_MS + 1)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("posts.view_30m", "did you mean `views_30m`"),
        ("post.views_30m", "feature set 'post' is not deployed; did you mean `posts`"),
        ("posts.zzz", "there are: action, actions, best_2h"),
        ("zzz.views", "there are: posts"),
        ("views_30m", "has no feature set"),
    ],
)
def test_an_unknown_feature_is_told_with_what_comes_close(
    world: Deployed, name: str, problem: str
) -> None:
    """A name that is not served is refused when it is prepared."""
    with pytest.raises(UnknownFeatureError, match=problem):
        world.client.prepare([name])


def test_a_feature_set_alone_means_all_it_serves(world: Deployed) -> None:
    """Without names, every served name of the feature set is prepared."""
    prepared = world.client.prepare(featureset="posts")

    assert world.client.features("posts") == prepared.names
    assert {"views_2m", "views_lifetime", "action", "score_2h"} < set(prepared.names)
    with pytest.raises(UnknownFeatureError, match="did you mean `posts`"):
        world.client.features("post")


@pytest.mark.parametrize(
    ("limits", "problem"),
    [
        (Limits(features_max=1), "2 features asked for, features_max is 1"),
        (Limits(entities_max=1), "2 entities asked for, entities_max is 1"),
        (Limits(tiles_max=3), "tiles of each entity, tiles_max is 3"),
    ],
)
def test_limits_are_named(world: Deployed, limits: Limits, problem: str) -> None:
    """A request that passes a limit is refused with the limit's name and both values."""
    client = FeatureClient(world.tiles, world.registry, clock=world.clock, limits=limits)

    with pytest.raises(LimitExceededError, match=problem):
        client.prepare(["posts.views_30m", "posts.views_1d"]).get(["a", "b"])


def test_features_of_different_entities_are_refused(world: Deployed) -> None:
    """A post and a user are not asked for in one request."""
    world.registry.save(replace(world.snapshot, featureset="users", entity="user"))

    with pytest.raises(CallerError, match="posts about post, users about user"):
        world.client.prepare(["posts.action", "users.action"])


def test_closing_is_passed_on(world: Deployed) -> None:
    """A client closes what it was told to close, also at the end of a `with` statement."""
    closed: list[str] = []
    client = FeatureClient(
        world.tiles, world.registry, close=lambda: closed.append("closed"), clock=world.clock
    )

    with client:
        assert closed == []

    assert closed == ["closed"]


def test_without_a_contact_point_nothing_is_connected() -> None:
    """An empty list of addresses is told as such."""
    with pytest.raises(StoreUnavailableError, match="no contact point"):
        FeatureClient.connect([], user="fp_service", password="x")
