"""Entities that are asked for often are read again before a request has to wait for it."""

import threading

import pytest

from feature_platform.serving import CacheSettings, FeatureClient
from feature_platform.serving.ahead import Ahead, Noted
from feature_platform.serving.read_plan import plan_reads, resolve
from feature_platform.testing import Deployed
from tests.unit.serving.cached import ROOM
from tests.unit.serving.hanging import PATIENCE_S, HangingReader

NAMES = ["posts.views_30m"]


@pytest.fixture(name="reader")
def _reader(world: Deployed) -> HangingReader:
    reader = HangingReader(world.tiles, world.clock)
    reader.is_back = True
    return reader


def client_of(
    world: Deployed, reader: HangingReader, settings: CacheSettings = ROOM
) -> FeatureClient:
    """Serve as a client does that logged in itself."""
    return FeatureClient(
        reader, world.registry, clock=world.clock, cache=settings, background=True, refresh_ms=10**6
    )


def _until_ahead(client: FeatureClient, count: int) -> None:
    for _ in range(3_000):
        stats = client.cache_stats()
        if stats is not None and stats.ahead == count and not stats.failed:
            return
        threading.Event().wait(0.01)
    pytest.fail(f"{client.cache_stats()}")


def test_what_is_asked_for_late_in_its_bound_is_read_again(
    world: Deployed, reader: HangingReader
) -> None:
    """So the next request hits, with the bound of the request that was seen."""
    with client_of(world, reader) as client:
        prepared = client.prepare(NAMES)
        prepared.get(["a", "b"])
        world.clock.advance(700)
        prepared.get(["a", "b"])  # too early
        world.clock.advance(100)
        before = prepared.get(["a"])
        _until_ahead(client, 1)
        world.clock.advance(900)
        after = prepared.get(["a"], max_staleness_ms=1_000)
        stats = client.cache_stats()
    assert stats is not None
    assert [
        each.ages_ms.tolist() if each.ages_ms is not None else None for each in (before, after)
    ] == [[800], [900]]
    assert (stats.hits + stats.joined, stats.refreshes, stats.misses) == (4, 0, 2)


def test_a_store_that_is_down_does_not_end_it(world: Deployed, reader: HangingReader) -> None:
    """What could not be read is refreshed by the next request, or noted again."""
    with client_of(world, reader) as client:
        prepared = client.prepare(NAMES)
        prepared.get(["a"])
        world.clock.advance(900)
        reader.is_back = False
        prepared.get(["a"])
        for _ in range(3_000):
            if (stats := client.cache_stats()) is not None and stats.failed:
                break
            threading.Event().wait(0.01)
        reader.is_back = True
        world.clock.sleep_s(60)
        assert prepared.get(["a"]).status == ("ok",)
        world.clock.advance(900)
        prepared.get(["a"])
        for _ in range(3_000):
            if (stats := client.cache_stats()) is not None and stats.ahead == 2:
                return
            threading.Event().wait(0.01)
    pytest.fail("nothing was read again")


def test_entities_are_read_together_and_bounded(
    world: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each once; what there is no room for is left to requests."""
    monkeypatch.setattr("feature_platform.serving.ahead.NOTED_MAX", 3)
    monkeypatch.setattr("feature_platform.serving.ahead.GATHER_S", PATIENCE_S)
    seen: list[Noted] = []
    ahead = Ahead(seen.append)
    (group,) = resolve([world.snapshot], NAMES)
    plan = plan_reads(group, world.clock.now_ms(), None, 0, 100)
    ahead.note(1, plan, 1_000, ["a", "b"])
    ahead.note(1, plan, 1_000, ["b", "c", "d", "e"])
    ahead.note(1, plan, 500, ["x"])
    assert [(each.bound_ms, list(each.entities)) for each in ahead._taken()] == [
        (1_000, ["a", "b", "c"]),
        (500, []),
    ]
    ahead.close()
    assert seen == []
