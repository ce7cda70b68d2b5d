"""One request about several kinds of entity: a row per candidate, every key read once."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from feature_platform.definition.feature_list import FeatureList, ListedFeature
from feature_platform.definition.model import FeatureSet
from feature_platform.errors import CallerError, LimitExceededError, UnknownFeatureError
from feature_platform.serving import CacheSettings, FeatureClient, Limits
from feature_platform.testing import Deployed
from feature_platform.testing.neighbours import WatchedReader
from tests.unit.serving.conftest import NOW_MS, SOURCE, make_event
from tests.unit.serving.hanging import PATIENCE_S, HangingReader
from tests.unit.serving.several import load_users, serve_together

NAMES = ["posts.views_30m", "users.events_30m", "posts.action", "users.action"]
EVENTS = [
    make_event("a", 1, 0, user=17, action="view", watch=5),
    make_event("b", 2, 1, user=17, action="like"),
    make_event("a", 3, 2, user=18, action="view", liked=True),
]
LIST = FeatureList(
    name="feed_ranker",
    version=1,
    owner="ranking",
    features=(
        ListedFeature(name="users.events_30m", shown_as="activity"),
        ListedFeature(name="posts.action", default="none"),
        ListedFeature(name="users.score_2h", default=-1),
        ListedFeature(name="users.liked", shown_as="liked", default=False),
        ListedFeature(name="users.watches", shown_as="watches", default=[0]),
    ),
)


@pytest.fixture(name="users", scope="session")
def _users(tmp_path_factory: pytest.TempPathFactory) -> FeatureSet:
    folder: Path = tmp_path_factory.mktemp("users") / "featuresets"
    return load_users(folder, SOURCE)


@pytest.fixture(name="both")
def _both(featureset: FeatureSet, users: FeatureSet) -> Deployed:
    world, _ = serve_together([featureset, users], EVENTS, NOW_MS)
    world.registry.save_list(LIST)
    return world


def test_a_row_per_candidate_and_one_key_for_all(both: Deployed) -> None:
    """The single user's values are repeated; the columns are in the order that was asked for."""
    prepared = both.client.prepare(NAMES)

    matrix = prepared.get({"user": 17, "post": ["a", "b", "c"]})

    assert prepared.kinds == ("post", "user")
    assert matrix.keys == {"post": ("a", "b", "c"), "user": ("17",) * 3}
    assert matrix.values[:, :2].tolist() == [[2.0, 2.0], [0.0, 2.0], [0.0, 2.0]]
    assert matrix.objects == {
        "posts.action": ["view", "like", None],
        "users.action": ["view", "view", "view"],
    }
    assert matrix.status == ("ok", "ok", "ok")
    assert matrix.entities[1] == "post=b, user=17"
    assert matrix.to_dicts()[1]["entities"] == {"post": "b", "user": "17"}


def test_two_lists_stand_beside_each_other(both: Deployed) -> None:
    """The first post is shown with the first user, and each key is read once."""
    reader = WatchedReader(both.tiles)
    client = FeatureClient(reader, both.registry, clock=both.clock)

    matrix = client.prepare(NAMES).get({"post": ["a", "a", "c"], "user": np.array([17, 18, 17])})

    assert matrix.values[:, :2].tolist() == [[2.0, 2.0], [2.0, 1.0], [0.0, 2.0]]
    assert sorted(entity for entity, _ in reader.requests) == ["17", "18", "a", "c"]
    assert matrix.to_dicts(["v", "e", "p", "u"])[1]["values"] == {
        "v": 2,
        "e": 1,
        "p": "view",
        "u": "view",
    }


def test_one_key_of_each_kind_is_one_row(both: Deployed) -> None:
    """Without any list there is nothing to repeat."""
    matrix = both.client.prepare(NAMES).get({"post": "a", "user": "18"})

    assert matrix.values[:, :2].tolist() == [[2.0, 1.0]]


def test_a_dict_names_the_only_kind_too(both: Deployed) -> None:
    """What is asked by a plain list may be asked by a dict."""
    prepared = both.client.prepare(["posts.views_30m"])

    assert prepared.get({"post": ["a", "b"]}).entities == prepared.get(["a", "b"]).entities
    assert prepared.get({"post": []}).values.shape == (0, 1)


def test_a_failing_entity_makes_its_rows_unavailable(both: Deployed) -> None:
    """What the other kind answers is served, and the error says whose it is."""
    client = FeatureClient(WatchedReader(both.tiles, ["17"]), both.registry, clock=both.clock)

    matrix = client.prepare(NAMES).get({"user": [17, 18], "post": ["a", "a"]}, explain=True)

    assert matrix.status == ("unavailable", "ok")
    assert matrix.errors == {"user=17": "no answer"}
    assert matrix.to_dicts()[0]["error"] == "no answer"
    assert np.isnan(matrix.values[0, 1])
    assert matrix.values[0, 0] == 2.0
    assert matrix.states[:, 1].tolist() == ["unavailable", "value"]
    assert matrix.receipts is not None
    assert set(matrix.receipts[1].newest_tile_ms) == {"posts", "users"}


@pytest.mark.parametrize(
    ("entities", "problem"),
    [
        (["a"], r"about post \(posts\), user \(users\): pass a dict with the keys of each"),
        ({"post": ["a"]}, "entities has no 'user', which users needs"),
        ({"post": ["a"], "usr": 17}, "entities has 'usr', .*; did you mean `user`"),
        ({"post": ["a"], "user": 17, "zzz": 1}, r"entities has 'zzz', .*; write \{'post': "),
        ({"post": ["a", "b"], "user": [17]}, r"entities\['post'\] has 2, entities\['user'\] has 1"),
        ({"post": ["a"], "user": ["x"]}, r"entities\['user'\]\[0\] is 'x', and user is BIGINT"),
        ({"post": ["a"], "user": "x"}, r"entities\['user'\] is 'x', and user is BIGINT"),
        ({"post": ["a"], "user": None}, r"entities\['user'\] is None, and user is BIGINT"),
        ({"post": ["a", 1.5], "user": 17}, r"entities\['post'\]\[1\] is 1.5, and post is STRING"),
        ({"post": b"a", "user": 17}, r"entities\['post'\] is bytes; write a list of keys"),
        ({"post": {"a"}, "user": 17}, r"entities\['post'\] is a set, which has no order"),
        ({"post": {"a": 1}, "user": 17}, r"entities\['post'\] is a dict; write a list of its keys"),
    ],
    ids=str,
)
def test_what_is_wrong_is_named(
    both: Deployed, entities: Mapping[str, object] | list[object], problem: str
) -> None:
    """Place, value and type, or the kind that is missing or too much."""
    with pytest.raises(CallerError, match=problem):
        both.client.prepare(NAMES).get(entities)


@pytest.mark.parametrize(
    ("limits", "problem"),
    [
        (Limits(entities_max=4), "5 entities of all kinds requested; entities_max is 4"),
        (Limits(entities_max=1), "2 entities requested; entities_max is 1"),
        (Limits(rows_max=20), "4 entities need up to [0-9]+ rows; rows_max is 20"),
    ],
)
def test_limits_hold_over_all_kinds(both: Deployed, limits: Limits, problem: str) -> None:
    """A key for all rows counts once."""
    client = FeatureClient(both.tiles, both.registry, clock=both.clock, limits=limits)
    prepared = client.prepare([*NAMES, "posts.views_1d"])
    entities = (
        {"post": ["a", "b"], "user": [17, 18]}
        if limits.rows_max == 20
        else {"post": ["a", "b", "c", "d"], "user": 17}
        if limits.entities_max == 4
        else {"post": ["a", "b"], "user": 17}
    )

    with pytest.raises(LimitExceededError, match=problem):
        prepared.get(entities)


def test_a_stored_list_is_one_call(both: Deployed) -> None:
    """Columns as the list names them, defaults where there is no value, and told apart."""
    prepared = both.client.prepare(list="feed_ranker")

    matrix = prepared.get({"user": [17, 99], "post": ["a", "zzz"]})

    assert prepared.feature_list.version == 1
    assert matrix.names == ("activity", "posts.action", "users.score_2h", "liked", "watches")
    assert [list(row["values"].values()) for row in matrix.to_dicts()] == [
        [2, "view", -1.0, False, [5]],
        [0, "none", -1.0, False, [0]],
    ]
    assert matrix.present.tolist() == [
        [True, True, False, False, True],
        [True, False, False, False, False],
    ]
    assert matrix.values[1, :4].tolist()[2:] == [-1.0, 0.0]


def test_a_version_may_be_named(both: Deployed) -> None:
    """A ranker keeps the columns that it was trained on; without a number it gets the newest."""
    newer = FeatureList(
        name="feed_ranker", version=2, features=(ListedFeature(name="posts.views_30m"),)
    )
    both.registry.save_list(newer)

    assert both.client.prepare(list="feed_ranker").names == ("posts.views_30m",)
    assert len(both.client.prepare(list="feed_ranker", version=1).names) == 5
    with pytest.raises(UnknownFeatureError, match="has no version 3; stored are 1, 2"):
        both.client.prepare(list="feed_ranker", version=3)


def test_an_unknown_or_removed_list_is_told(both: Deployed) -> None:
    """With the nearest name."""
    with pytest.raises(UnknownFeatureError, match="did you mean `feed_ranker`"):
        both.client.prepare(list="feed_rankr")
    both.registry.remove_list("feed_ranker")
    with pytest.raises(UnknownFeatureError, match="feature list 'feed_ranker' was removed"):
        both.client.prepare(list="feed_ranker")


def test_a_default_that_no_longer_fits_is_refused(both: Deployed) -> None:
    """A stored version is kept while feature sets change; it never serves a value of two types."""
    wrong = FeatureList(
        name="odd", version=1, features=(ListedFeature(name="posts.action", default=1),)
    )
    both.registry.save_list(wrong)

    with pytest.raises(CallerError, match=r"default 1 of 'posts\.action' is not STRING"):
        both.client.prepare(list="odd")


def test_what_is_asked_twice_is_refused(both: Deployed) -> None:
    """A list, or names; a version only of a list."""
    with pytest.raises(CallerError, match="and also features; pass one of them"):
        both.client.prepare(NAMES, list="feed_ranker")
    with pytest.raises(CallerError, match="version=1 and no list"):
        both.client.prepare(NAMES, version=1)


@pytest.mark.parametrize("bytes_max", [1, 1 << 20])
def test_the_limit_is_of_all_feature_sets_whenever_they_are_first_read(
    both: Deployed, bytes_max: int
) -> None:
    """One of which the first read is under way counts, too, while another one is begun."""
    reader = HangingReader(both.tiles, both.clock)
    reader.is_back = True
    reader.may.clear()
    cache = CacheSettings(bytes_max=bytes_max)
    client = FeatureClient(reader, both.registry, clock=both.clock, cache=cache)
    posts, users = (client.prepare([name]) for name in ("posts.views_30m", "users.events_30m"))
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(posts.get, ["a", "b"], deadline_ms=60_000)
        assert reader.began.acquire(timeout=PATIENCE_S)
        second = pool.submit(users.get, [17], deadline_ms=60_000)
        assert reader.began.acquire(timeout=PATIENCE_S)
        reader.may.set()
        assert first.result(PATIENCE_S).status == ("ok", "ok")
        assert second.result(PATIENCE_S).status == ("ok",)
    stats = client.cache_stats()
    assert stats is not None
    kept = (0, 3) if bytes_max == 1 else (3, 0)
    assert (stats.entries, stats.evicted) == kept
    assert stats.bytes <= bytes_max
