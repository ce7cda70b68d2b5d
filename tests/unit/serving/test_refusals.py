"""What cannot be answered is refused, with what to do instead."""

import copy
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from feature_platform.errors import (
    CallerError,
    LimitExceededError,
    OutOfReachError,
    StoreUnavailableError,
    UnknownFeatureError,
)
from feature_platform.serving import FeatureClient, Limits
from feature_platform.serving.asked import Instant, contact
from feature_platform.testing import Deployed
from feature_platform.tiles.retention import Retention

MINUTE_MS = 60_000
NOW_MS = 1_700_000_040_000  # 22:14, a whole minute


def test_an_instant_out_of_reach_names_the_earliest(world: Deployed) -> None:
    """Tiles are kept two hours longer than windows need; a question further back is refused."""
    prepared = world.client.prepare(["posts.views_1d"])
    earliest_ms = NOW_MS - 120 * MINUTE_MS

    assert prepared.get(["a"], at=earliest_ms).status == ("ok",)
    with pytest.raises(OutOfReachError, match="the earliest possible time is 2023-11-14T20:14:00Z"):
        prepared.get(["a"], at=earliest_ms - 1)


def test_tiles_of_before_a_longer_keep_are_out_of_reach_earlier(world: Deployed) -> None:
    """They expire as the version that wrote them said; an instant that needs younger ones is fine.

    A window that needs more than was kept then counts since the change, and says so.
    """
    layout = world.snapshot.layout
    day_ms = 24 * 60 * MINUTE_MS
    shorter = Retention.begun([max(0, ms - 90 * MINUTE_MS) for ms in layout.retention_ms])
    kept = shorter.changed(layout.retention_ms, NOW_MS - 10 * MINUTE_MS)
    world.registry.save(replace(world.snapshot, retention=kept))
    prepared = world.client.prepare(["posts.views_1d"])
    earliest_ms = NOW_MS - 30 * MINUTE_MS
    assert prepared.get(["a"], at=earliest_ms).status == ("ok",)
    with pytest.raises(OutOfReachError, match="the earliest possible time is 2023-11-14T21:44:00Z"):
        prepared.get(["a"], at=earliest_ms - 1)
    shorter = Retention.begun([max(0, ms - day_ms) for ms in layout.retention_ms])
    kept = shorter.changed(layout.retention_ms, NOW_MS - 10 * MINUTE_MS)
    world.registry.save(replace(world.snapshot, retention=kept))
    assert world.client.prepare(["posts.views_1d"]).get(["a"], at=earliest_ms).status == ("ok",)


def test_the_future_is_out_of_reach(world: Deployed) -> None:
    """Nobody knows the future."""
    with pytest.raises(OutOfReachError, match="is in the future"):
        world.client.prepare(["posts.action"]).get(["a"], at=NOW_MS + 1)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("posts.view_30m", "did you mean `views_30m`"),
        ("post.views_30m", "feature set 'post' is not deployed; did you mean `posts`"),
        ("posts.zzz", "available: action, actions, best_2h"),
        ("zzz.views", "available: posts"),
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
        (Limits(features_max=1), "2 features requested; features_max is 1"),
        (Limits(entities_max=1), "2 entities requested; entities_max is 1"),
        (Limits(tiles_max=3), "tiles per entity; tiles_max is 3"),
        (Limits(rows_max=20), "2 entities need up to [0-9]+ rows; rows_max is 20"),
    ],
)
def test_limits_are_named(world: Deployed, limits: Limits, problem: str) -> None:
    """A request that passes a limit is refused with the limit's name and both values."""
    client = FeatureClient(world.tiles, world.registry, clock=world.clock, limits=limits)

    with pytest.raises(LimitExceededError, match=problem):
        client.prepare(["posts.views_30m", "posts.views_1d"]).get(["a", "b"])


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


@pytest.mark.parametrize("names", ["posts.action", b"posts.action", ["posts.action", None], 7])
def test_names_are_a_list_of_texts(world: Deployed, names: Sequence[str]) -> None:
    """A text is not the list of its letters."""
    with pytest.raises(CallerError, match=r"features(\[1\])? is "):
        world.client.prepare(names)


@pytest.mark.parametrize(
    "address",
    ["db1:port", "db1:0", "db1:65536", "", ":9042", "http://db1", "a b", "1:2:3:4:5:6:zz"],
)
def test_an_address_is_a_host_and_a_port(address: str) -> None:
    """What is no address is named before anything is connected."""
    with pytest.raises(CallerError, match="is not an address; write HOST:PORT"):
        FeatureClient.connect([address], user="fp_service", password="x")
    with pytest.raises(CallerError, match=r"contact_points is '127\.0\.0\.1:9042', not a list"):
        FeatureClient.connect("127.0.0.1:9042", user="fp_service", password="x")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("10.0.0.1:19042", ("10.0.0.1", 19042)),
        ("db1", ("db1", 9042)),
        ("[::1]:19042", ("::1", 19042)),
        ("[::1]", ("::1", 9042)),
        ("fe80::1", ("fe80::1", 9042)),
    ],
)
def test_addresses_may_be_names_or_of_either_kind(address: str, expected: tuple[str, int]) -> None:
    """Without a port it is the usual one."""
    assert contact(address) == expected


@pytest.mark.parametrize("at", [True, 1.5, float("nan"), object(), b"2026-01-31"])
def test_what_is_no_instant_is_refused(world: Deployed, at: Instant) -> None:
    """An instant is a whole number of milliseconds, or a text."""
    with pytest.raises(CallerError, match="write epoch milliseconds, or ISO-8601"):
        world.client.prepare(["posts.action"]).get(["a"], at=at)


def test_an_instant_may_be_any_whole_number(world: Deployed) -> None:
    """Numpy's integers are numbers, too."""
    prepared = world.client.prepare(["posts.views_30m"])

    whole = [prepared.get(["a"], at=at).values for at in (NOW_MS, np.int64(NOW_MS), float(NOW_MS))]

    assert whole[0] == whole[1] == whole[2]


def test_a_client_is_not_pickled(world: Deployed) -> None:
    """A connection belongs to a process; the message says what to do instead."""
    with pytest.raises(CallerError, match=r"call FeatureClient\.connect in each process"):
        copy.copy(world.client)
