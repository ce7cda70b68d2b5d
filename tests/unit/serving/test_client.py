"""The client: values, exactness, order, receipts."""

import asyncio
from dataclasses import replace

import numpy as np

from feature_platform.serving import FeatureClient
from feature_platform.testing import Deployed
from feature_platform.testing.neighbours import WatchedReader

MINUTE_MS = 60_000
NOW_MS = 1_700_000_040_000  # 22:14, a whole minute


def test_the_matrix_has_a_row_per_entity_and_a_column_per_name(world: Deployed) -> None:
    """Numbers stand in the matrix, NaN where there is no value; texts and lists stand aside."""
    names = ["posts.views_30m", "posts.best_2h", "posts.liked", "posts.action", "posts.scores"]

    matrix = world.client.prepare(names).get(["b", "a"])

    assert tuple(names) == matrix.names
    nan = np.nan
    expected = np.array([[1, nan, nan, nan, nan], [2, 0.5, 1, nan, nan]])
    np.testing.assert_array_equal(expected, matrix.values)
    assert matrix.objects == {
        "posts.action": ["view", "view"],
        "posts.scores": [None, [0.5, -2.0]],
    }


def test_dicts_hold_exact_values(world: Deployed) -> None:
    """Integers that no double holds come out exact, booleans as booleans, names as asked for."""
    names = ["watch_lifetime", "liked", "spent_lifetime", "mean_watch_2h", "actions"]

    (row,) = world.client.prepare(names, featureset="posts").get(["a"]).to_dicts()

    assert row == {
        "entity": "a",
        "status": "ok",
        "values": {
            "watch_lifetime": 2**53 + 2,
            "liked": True,
            "spent_lifetime": 2.3,
            "mean_watch_2h": (2**53 + 2) / 2,
            "actions": ["view", "view"],
        },
        "counts_since": dict.fromkeys(
            ["watch_lifetime", "liked", "spent_lifetime", "actions"], "1970-01-01T00:00:00.017Z"
        ),
    }


def test_an_unknown_entity_has_no_data(world: Deployed) -> None:
    """No row at all: counts and sums are 0, the rest has no value; impossible keys are not read."""
    reader = WatchedReader(world.tiles)
    client = FeatureClient(reader, world.registry, clock=world.clock)
    strange = ["nobody", "", "x" * 1025, "a\0b", "\ud800"]

    matrix = client.prepare(["views_30m", "best_2h", "action"], featureset="posts").get(strange)

    assert matrix.status == ("no_data",) * 5
    assert matrix.values[:, 0].tolist() == [0.0] * 5
    assert matrix.objects["action"] == [None] * 5
    assert [entity for entity, _ in reader.requests] == ["nobody"]


def test_numbers_may_be_entities(world: Deployed) -> None:
    """An entity given as a number is the entity of its digits."""
    matrix = world.client.prepare(["posts.action"]).get([17])

    assert matrix.entities == ("17",)


def test_a_window_that_is_not_full_yet_says_since_when_it_counts(world: Deployed) -> None:
    """Of a feature that came an hour ago the last half hour is whole, day and lifetime are not."""
    since_ms = NOW_MS - 60 * MINUTE_MS
    young = tuple(replace(each, valid_from_ms=since_ms) for each in world.snapshot.features)
    world.registry.save(replace(world.snapshot, features=young))
    names = ["posts.views_30m", "posts.views_1d", "posts.views_lifetime", "posts.action"]

    matrix = world.client.prepare(names).get(["a"], explain=True)

    assert matrix.counts_since_ms == dict.fromkeys(names[1:], since_ms)
    (row,) = matrix.to_dicts(["30m", "1d", "lifetime", "action"])
    assert set(row["counts_since"]) == {"1d", "lifetime", "action"}
    full = {name: each["full"] for name, each in row["receipt"]["features"].items()}
    assert full == {names[0]: True, names[1]: False, names[2]: False, names[3]: False}


def test_a_receipt_says_what_a_value_rests_on(world: Deployed) -> None:
    """Interval, tiles, where each was found, who wrote it, newest tile, since when it counts."""
    matrix = world.client.prepare(["posts.views_30m", "posts.action"]).get(["a"], explain=True)

    (row,) = matrix.to_dicts()

    receipt = row["receipt"]
    assert receipt["newest_tile"] == {"posts": "2023-11-14T22:13:00Z"}
    windowed = receipt["features"]["posts.views_30m"]
    assert (windowed["from"], windowed["to"]) == ("2023-11-14T21:44:00Z", "2023-11-14T22:30:00Z")
    assert windowed["valid_from"] == "1970-01-01T00:00:00.017Z"
    places = {(tile["level"], tile["start"][11:16]): tile["place"] for tile in windowed["tiles"]}
    assert places["30m", "22:00"] == "head"
    assert places["5m", "21:50"] == "row"
    assert places["1m", "21:44"] == "absent"
    found = [tile for tile in windowed["tiles"] if tile["place"] != "absent"]
    assert {(3, 8)} == {(tile["attempt"], tile["flush"]) for tile in found}
    (lifetime,) = receipt["features"]["posts.action"]["tiles"]
    assert (lifetime["level"], lifetime["place"]) == ("lifetime", "head")


def test_a_past_instant_has_no_lifetime_values(world: Deployed) -> None:
    """Windows are answered as of then, by ISO text too; lifetime and properties have no value."""
    prepared = world.client.prepare(["views_30m", "views_lifetime", "action"], featureset="posts")

    (row,) = prepared.get(["a"], at="2023-11-14T22:10:00Z").to_dicts()

    assert row["values"] == {"views_30m": 1, "views_lifetime": None, "action": None}


def test_features_of_several_feature_sets_come_in_one_answer(world: Deployed) -> None:
    """Each feature set is read once; the columns keep the order of the request."""
    other = replace(world.snapshot, featureset="others")
    world.registry.save(other)

    matrix = world.client.prepare(["others.views_30m", "posts.action", "others.liked"]).get(["a"])

    assert list(matrix.to_dicts()[0]["values"].values()) == [2, "view", True]


def test_asking_without_blocking_gives_the_same(world: Deployed) -> None:
    """`aget` answers what `get` does."""
    prepared = world.client.prepare(featureset="posts")

    answer = asyncio.run(prepared.aget(["a", "b"]))

    assert prepared.get(["a", "b"]).to_dicts() == answer.to_dicts()


def test_an_empty_request_has_an_empty_answer(world: Deployed) -> None:
    """No entities, or no features, is nothing to read."""
    assert world.client.prepare(["posts.action"]).get([]).to_dicts() == []
    assert world.client.prepare([]).get(["a", "b"]).values.shape == (2, 0)
