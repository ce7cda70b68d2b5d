"""What fails spoils as little as possible: one entity, never the request."""

from dataclasses import replace

import pytest

from feature_platform.errors import (
    StoreUnavailableError,
    UnknownFeatureError,
)
from feature_platform.serving import FeatureClient, Limits
from feature_platform.store.base import (
    HEAD_LEVEL,
    RowWrite,
    write_timestamp,
)
from feature_platform.testing import Deployed
from feature_platform.testing.neighbours import DownReader, FlakyRegistry, WatchedReader

MINUTE_MS = 60_000
NOW_MS = 1_700_000_040_000  # 22:14, a whole minute


def test_a_repeated_entity_is_read_once(world: Deployed) -> None:
    """One query per entity, however often it stands in the request."""
    reader = WatchedReader(world.tiles)
    client = FeatureClient(reader, world.registry, clock=world.clock)

    matrix = client.prepare(["posts.views_30m"]).get(["a", "b", "a"])

    assert [entity for entity, _ in reader.requests] == ["a", "b"]
    assert matrix.values[:, 0].tolist() == [2.0, 1.0, 2.0]


def test_a_failing_entity_is_unavailable_and_the_others_are_served(world: Deployed) -> None:
    """The store failing for one entity is that entity's status, with the reason beside it."""
    client = FeatureClient(WatchedReader(world.tiles, ["a"]), world.registry, clock=world.clock)

    matrix = client.prepare(["posts.views_30m"]).get(["a", "b"])

    assert matrix.status == ("unavailable", "ok")
    assert matrix.errors == {"a": "no answer"}
    assert [row["values"] for row in matrix.to_dicts()] == [
        {"posts.views_30m": None},
        {"posts.views_30m": 1},
    ]


def test_a_store_that_is_down_makes_all_unavailable(world: Deployed) -> None:
    """A read that fails as a whole is a status too, never an error of the request."""
    client = FeatureClient(DownReader(), world.registry, clock=world.clock)

    assert client.prepare(["posts.action"]).get(["a", "b"]).status == ("unavailable",) * 2


def test_a_corrupt_row_spoils_only_its_entity(world: Deployed) -> None:
    """An entity whose row cannot be decoded is unavailable; the answer for the others is exact."""
    corrupt = RowWrite(level=HEAD_LEVEL, start_ms=0, payload=b"\x0a\x05\x1a\xff")
    world.tiles.write(world.snapshot.table, "a", [corrupt], written=write_timestamp(9, 1))

    matrix = world.client.prepare(["posts.views_30m"]).get(["a", "b"])

    assert matrix.status == ("unavailable", "ok")
    assert "cut off" in matrix.errors["a"]
    assert matrix.values[1, 0] == 1.0


def test_a_row_that_the_head_holds_again_is_ignored(world: Deployed) -> None:
    """After a replay a tile may be in the head and have a row of its own: the head wins."""
    head, *_ = world.tiles.read_entity(world.snapshot.table, "a")
    start_ms = NOW_MS - MINUTE_MS
    stale = RowWrite(level=0, start_ms=start_ms, payload=b"\x12\x02\x00\x01\x1a\x02\x64\x64")
    world.tiles.write(world.snapshot.table, "a", [stale], written=head.written + 1)

    matrix = world.client.prepare(["posts.views_2m"]).get(["a"])

    assert matrix.values[0, 0] == 1.0


def test_many_keys_are_read_in_rounds_with_the_head_first(world: Deployed) -> None:
    """A store takes a bounded number of keys per query; the answer is the same."""
    reader = WatchedReader(world.tiles)
    limits = Limits(keys_per_read=5)
    client = FeatureClient(reader, world.registry, clock=world.clock, limits=limits)
    names = list(world.client.features("posts"))

    split = client.prepare(names, featureset="posts").get(["a", "b"])

    assert world.client.prepare(names, featureset="posts").get(["a", "b"]).to_dicts() == (
        split.to_dicts()
    )
    assert max(keys for _, keys in reader.requests) == 5


def test_what_is_deployed_is_followed(world: Deployed) -> None:
    """A feature that goes away is told at the next look at the registry, not before."""
    prepared = world.client.prepare(["posts.action"])
    world.registry.save(replace(world.snapshot, features=()))

    assert prepared.get(["a"]).status == ("ok",)
    world.clock.advance(5_000)
    with pytest.raises(UnknownFeatureError, match="'action' is not served by posts"):
        prepared.get(["a"])


def test_a_registry_that_is_down_does_not_stop_serving(world: Deployed) -> None:
    """What was known is served on; only a client that never knew anything fails."""
    registry = FlakyRegistry(world.clock)
    registry.save(world.snapshot)
    client = FeatureClient(world.tiles, registry, clock=world.clock)
    prepared = client.prepare(["posts.action"])
    registry.down = True
    world.clock.advance(60_000)

    assert prepared.get(["a"]).status == ("ok",)
    with pytest.raises(StoreUnavailableError):
        FeatureClient(world.tiles, registry, clock=world.clock).prepare(["posts.action"])
