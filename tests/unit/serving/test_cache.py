"""A cache in the client: what it reads, what it keeps, and what it says of that."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from feature_platform.errors import CallerError, StoreUnavailableError
from feature_platform.serving import CacheSettings, FeatureClient
from feature_platform.store.base import (
    HEAD_LEVEL,
    READ_TIMEOUT_S,
    Outcome,
    Requests,
    RowWrite,
    write_timestamp,
)
from feature_platform.testing import Deployed
from feature_platform.testing.neighbours import WatchedReader
from tests.unit.serving.cached import ROOM, CachedWorld
from tests.unit.serving.conftest import MINUTE_MS, NOW_MS, make_event
from tests.unit.serving.several import young

SECOND_MS = 1_000
HOUR_MS = 60 * MINUTE_MS
LAZY = CacheSettings(bytes_max=1 << 20, max_staleness_ms=HOUR_MS)


@pytest.fixture(name="cached")
def _cached(world: Deployed) -> CachedWorld:
    return CachedWorld(world)


def test_without_a_cache_nothing_is_kept(world: Deployed) -> None:
    """It is opt-in: no ages, no counters, every request reads."""
    matrix = world.client.prepare(["posts.views_2h"]).get(["a"], max_staleness_ms=5)
    assert matrix.ages_ms is None
    assert "age_ms" not in matrix.to_dicts()[0]
    assert world.client.cache_stats() is None


def test_within_the_bound_nothing_is_read(cached: CachedWorld) -> None:
    """The answer says how old it is; what has happened since then is not in it."""
    assert cached.views(["a", "b"]) == [2, 1]
    assert [entity for entity, _ in cached.read()] == ["a", "b"]
    cached.world.clock.advance(SECOND_MS - 1)
    cached.arrive([make_event("a", 0, 90, action="view")])

    matrix = cached.client.prepare(["posts.views_2h"]).get(["a", "b", "a"])

    assert matrix.values[:, 0].tolist() == [2, 1, 2]
    assert matrix.ages_ms is not None
    assert matrix.ages_ms.tolist() == [999, 999, 999]
    assert matrix.to_dicts()[0]["age_ms"] == 999
    assert cached.read() == []


def test_beyond_the_bound_one_row_is_read(cached: CachedWorld) -> None:
    """The head: it says that nothing else has changed, or what has."""
    cached.views(["a", "b"])
    cached.read()
    cached.world.clock.advance(SECOND_MS)
    assert cached.views(["a", "b"]) == [2, 1]
    assert cached.read() == [("a", 1), ("b", 1)]
    cached.world.clock.advance(SECOND_MS)
    cached.arrive([make_event("a", 0.6, 90, action="view")])
    assert cached.views(["a", "b"]) == [3, 1]
    assert cached.read() == [("a", 1), ("b", 1)]


def test_a_request_chooses_its_own_bound(cached: CachedWorld) -> None:
    """0 reads for this request, a longer one takes what is there."""
    prepared = cached.client.prepare(["posts.views_2h"])
    prepared.get(["a"])
    cached.read()
    cached.world.clock.advance(10 * SECOND_MS)
    prepared.get(["a"], max_staleness_ms=11 * SECOND_MS)
    assert cached.read() == []
    prepared.get(["a"], max_staleness_ms=0)
    prepared.get(["a"], max_staleness_ms=0)
    assert cached.read() == [("a", 1), ("a", 1)]
    with pytest.raises(CallerError, match="max_staleness_ms is -1"):
        prepared.get(["a"], max_staleness_ms=-1)


def test_windows_move_on_without_a_read(world: Deployed) -> None:
    """Tiles are kept, not answers: an event leaves its window while nothing is read."""
    cached = CachedWorld(world, LAZY)
    names = ["posts.views_2m", "posts.views_30m"]
    prepared = cached.client.prepare(names)
    answers = []
    prepared.get(["a"])
    cached.read()
    for _ in range(14):
        row = prepared.get(["a"]).to_dicts()[0]
        expected = world.oracle.served("a", world.clock.now_ms())
        assert row["values"] == {name: expected[name[6:]] for name in names}
        answers.append(tuple(row["values"].values()))
        world.clock.advance(MINUTE_MS)
    assert cached.read() == []
    assert set(answers) == {(1, 2), (0, 2), (0, 1)}


def test_a_tile_that_has_closed_is_read_with_the_head(cached: CachedWorld) -> None:
    """It has left the head, and nothing else is read again."""
    cached.views(["a"], "posts.views_lifetime")
    cached.read()
    cached.world.clock.advance(4 * MINUTE_MS)
    cached.arrive([make_event("a", -4, 90, action="view")])
    assert cached.views(["a"], "posts.views_lifetime") == [3]
    first, second = cached.read()
    assert first == ("a", 1)
    assert second[1] <= 6


@pytest.mark.parametrize("minutes_ago", [3, 8, 33, 100])
def test_a_late_event_is_seen_with_the_head(cached: CachedWorld, minutes_ago: int) -> None:
    """Closed tiles have changed, and only the head's counts say so."""
    cached.views(["a", "b"])
    cached.world.clock.advance(SECOND_MS)
    cached.arrive([make_event("a", minutes_ago, 90, action="view")])
    assert cached.views(["a", "b"]) == [3, 1]


def test_an_absent_entity_is_kept_as_such(cached: CachedWorld) -> None:
    """It costs no read within the bound, one row beyond, and appears with its first event."""
    assert cached.views(["new"]) == [0]
    cached.read()
    assert cached.views(["new"]) == [0]
    assert cached.read() == []
    cached.world.clock.advance(SECOND_MS)
    assert cached.views(["new"]) == [0]
    assert cached.read() == [("new", 1)]
    cached.world.clock.advance(SECOND_MS)
    cached.arrive([make_event("new", 0, 90, action="view")])
    assert cached.views(["new"]) == [1]


def test_other_features_share_what_is_kept(cached: CachedWorld) -> None:
    """All columns of a tile are kept; only tiles of longer windows are read."""
    prepared = cached.client.prepare(["posts.views_30m"])
    prepared.get(["a"])
    cached.read()
    assert cached.views(["a"], "posts.action") == ["view"]
    assert cached.views(["a"], "posts.watch_30m") == [2**53 + 2]
    assert cached.read() == []
    assert cached.views(["a"], "posts.views_1d") == [2]
    assert [entity for entity, _ in cached.read()] == ["a"]


def test_a_job_that_restarted_begins_again(cached: CachedWorld) -> None:
    """Between attempts rows may step back: nothing of the former is kept beside the latter."""
    cached.views(["a"])
    everything = cached.read()
    cached.world.clock.advance(SECOND_MS)
    cached.attempt += 1
    cached.write("a")
    assert cached.views(["a"]) == [2]
    assert cached.read() == [("a", 1), *everything]


def test_a_new_generation_shares_nothing_with_the_old_one(cached: CachedWorld) -> None:
    """It is read from the beginning, and the old table may be gone."""
    cached.views(["a"])
    old = cached.snapshot.table
    cached.deploy(generation=True)
    cached.world.tiles.drop_table(old)
    assert cached.views(["a", "b"]) == [2, 1]
    cached.world.clock.advance(SECOND_MS)
    assert cached.views(["a", "b"]) == [2, 1]


def test_a_repaired_row_is_served_once_the_job_runs(world: Deployed) -> None:
    """A repair may write a closed tile alone: the deployment that follows empties the cache."""
    cached = CachedWorld(world)
    right = _closed(world)
    wrong = [replace(row, payload=b"\x12\x01\x00\x1a\x01\x02") for row in right]
    world.tiles.write(cached.snapshot.table, "a", wrong, written=write_timestamp(6, 1))
    assert cached.views(["a"], "posts.score_2h") == [0.5]
    world.tiles.write(cached.snapshot.table, "a", right, written=write_timestamp(7, 1))
    cached.deploy()
    assert cached.views(["a"], "posts.score_2h") == [-0.75]


def test_what_only_a_repair_has_written_is_read_after_the_late_bound(world: Deployed) -> None:
    """Even if no deployment followed, and the head is as it was."""
    settings = CacheSettings(bytes_max=1 << 20, late_bound_ms=10 * MINUTE_MS)
    cached = CachedWorld(world, settings)
    assert cached.views(["a"], "posts.score_2h") == [-0.75]
    gone = [replace(row, payload=None) for row in _closed(world)]
    world.tiles.write(cached.snapshot.table, "a", gone, written=write_timestamp(7, 1))
    world.clock.advance(9 * MINUTE_MS)
    assert cached.views(["a"], "posts.score_2h") == [-0.75]
    world.clock.advance(2 * MINUTE_MS)
    assert cached.views(["a"], "posts.score_2h") == [0.5]


def _closed(world: Deployed) -> list[RowWrite]:
    """Return the closed tiles with the oldest event of an entity, which has a score of -2."""
    expected = world.oracle.entity("a")
    assert expected is not None
    at_ms, lengths = NOW_MS - 100 * MINUTE_MS, world.snapshot.layout.grid.levels_ms
    return [
        RowWrite(level=tile.level, start_ms=tile.start_ms, payload=tile.payload)
        for tile in expected.closed
        if tile.start_ms <= at_ms < tile.start_ms + lengths[tile.level]
    ]


def test_receipts_and_past_instants_are_read(cached: CachedWorld) -> None:
    """Receipts name who wrote each row; the past is for looking closely."""
    prepared = cached.client.prepare(["posts.views_2h"])
    prepared.get(["a"])
    cached.read()
    cached.world.clock.advance(10)
    explained = prepared.get(["a"], explain=True)
    past = prepared.get(["a"], at=cached.world.clock.now_ms() - 15 * MINUTE_MS)
    assert [row["age_ms"] for row in explained.to_dicts() + past.to_dicts()] == [0, 0]
    assert explained.receipts is not None
    assert len(cached.read()) == 2


def test_a_property_grows_too_old_in_the_cache(world: Deployed) -> None:
    """Its age is that of its event, not of the read."""
    young(world, 0)
    cached = CachedWorld(world, LAZY)
    prepared = cached.client.prepare(["posts.action"], max_age={"posts.action": "10m"})
    assert prepared.get(["a", "b"]).states[:, 0].tolist() == ["value", "value"]
    world.clock.advance(6 * MINUTE_MS)
    assert prepared.get(["a", "b"]).states[:, 0].tolist() == ["value", "stale"]


def test_a_failure_is_not_kept(cached: CachedWorld) -> None:
    """The entity is unavailable, whatever is kept: that is older than promised."""
    cached.views(["a", "b"])
    cached.reader.failing = ["a"]
    cached.world.clock.advance(SECOND_MS)
    matrix = cached.client.prepare(["posts.views_2h"]).get(["a", "b"])
    assert (matrix.status, matrix.errors) == (("unavailable", "ok"), {"a": "no answer"})
    cached.reader.failing = []
    assert cached.views(["a", "b"]) == [2, 1]


def test_a_malformed_row_spoils_its_entity_alone(cached: CachedWorld) -> None:
    """It is named as without a cache, and read again with the next request."""
    corrupt = RowWrite(level=HEAD_LEVEL, start_ms=0, payload=b"\x0a\x05\x1a\xff")
    stamp = write_timestamp(9, 1)
    for known in (False, True):
        if known:
            cached.deploy(generation=True)
            cached.views(["a", "b"])
            cached.world.clock.advance(SECOND_MS)
        cached.world.tiles.write(cached.snapshot.table, "a", [corrupt], written=stamp)
        matrix = cached.client.prepare(["posts.views_2h"]).get(["a", "b"])
        assert matrix.status == ("unavailable", "ok")
        assert "a" in matrix.errors


def test_a_key_that_cannot_be_stored_has_no_data(cached: CachedWorld) -> None:
    """The store is not asked."""
    assert cached.views(["x" * 70_000]) == [0]
    assert cached.read() == []


def test_what_is_not_asked_for_is_dropped_first(world: Deployed) -> None:
    """The cache keeps to its bytes."""
    cached = CachedWorld(world, CacheSettings(bytes_max=2_500))
    for post in ("a", "x", "a", "y", "a", "z", "a"):
        cached.views([post])
    stats = cached.client.cache_stats()
    assert stats is not None
    assert stats.bytes <= 2_500
    assert stats.evicted > 0
    cached.read()
    cached.views(["a"])
    assert cached.read() == []


def test_counters(cached: CachedWorld) -> None:
    """Hits, refreshes, misses, rows, ages."""
    cached.views(["a", "new"])
    cached.world.clock.advance(400)
    cached.views(["a", "new"])
    cached.world.clock.advance(600)
    cached.views(["a"])
    stats = cached.client.cache_stats()
    assert stats is not None
    counted = (stats.entries, stats.hits, stats.refreshes, stats.misses, stats.joined)
    assert counted == (2, 2, 1, 2, 0)
    assert (stats.answers, stats.absent, stats.failed, stats.evicted) == (5, 2, 0, 0)
    assert (stats.age_ms_sum, stats.age_ms_max) == (800, 400)
    assert stats.rows_read > 1
    assert stats.bytes > 0


class SlowReader(WatchedReader):
    """Answers when it may."""

    def __init__(self, inner: WatchedReader) -> None:
        """Wait."""
        super().__init__(inner)
        self.may = threading.Event()
        self.began = threading.Event()

    def read_tiles(
        self, table: str, requests: Requests, *, timeout_s: float = READ_TIMEOUT_S
    ) -> list[Outcome]:
        """Read after the signal."""
        answers = super().read_tiles(table, requests, timeout_s=timeout_s)
        self.began.set()
        if not self.may.wait(30):
            msg = "nobody gave the signal"
            raise StoreUnavailableError(msg)
        return answers


@pytest.mark.parametrize("fails", [False, True])
def test_an_entity_is_read_once_at_a_time(cached: CachedWorld, *, fails: bool) -> None:
    """Who comes while it is read waits for the same answer, or the same failure."""
    cached.reader.failing = ["a"] if fails else []
    slow = SlowReader(cached.reader)
    world = cached.world
    client = FeatureClient(slow, world.registry, clock=world.clock, cache=ROOM)
    prepared = client.prepare(["posts.views_2h"])
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(prepared.get, ["a"])
        assert slow.began.wait(30)
        others = [pool.submit(prepared.get, ["a", "b"]) for _ in range(3)]
        while (stats := client.cache_stats()) is not None and stats.joined < 5:  # thrice a, twice b
            threading.Event().wait(0.01)
        slow.may.set()
        answers = [each.result(30) for each in (first, *others)]
    assert {answer.status[0] for answer in answers} == {"unavailable" if fails else "ok"}
    assert [entity for entity, _ in slow.requests].count("a") == 1


class BrokenReader(WatchedReader):
    """Interrupts the first read."""

    broken = True

    def read_tiles(
        self, table: str, requests: Requests, *, timeout_s: float = READ_TIMEOUT_S
    ) -> list[Outcome]:
        """Fail as an interrupted program does, or read."""
        if self.broken:
            raise KeyboardInterrupt
        return super().read_tiles(table, requests, timeout_s=timeout_s)


def test_an_interrupted_read_holds_nobody_up(cached: CachedWorld) -> None:
    """Who comes later reads."""
    reader, world = BrokenReader(cached.reader), cached.world
    client = FeatureClient(reader, world.registry, clock=world.clock, cache=ROOM)
    prepared = client.prepare(["posts.views_2h"])
    with pytest.raises(KeyboardInterrupt):
        prepared.get(["a"])
    reader.broken = False
    assert prepared.get(["a"]).status == ("ok",)


def test_a_child_begins_with_an_empty_cache(cached: CachedWorld) -> None:
    """Whatever another thread held when the process was forked."""
    cached.views(["a"])
    process = cached.client._cache._process  # type: ignore[union-attr]
    with process.lock:
        child = os.fork()
        if not child:
            right = cached.views(["a", "b"]) == [2, 1]
            stats = cached.client.cache_stats()
            os._exit(0 if right and stats is not None and stats.misses == 2 else 1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("wrong", ["bytes_max", "max_staleness_ms", "late_bound_ms"])
def test_settings_are_checked(wrong: str) -> None:
    """No room, or an age below zero."""
    with pytest.raises(CallerError, match=f"{wrong}=-1"):
        CacheSettings(**({"bytes_max": 1} | {wrong: -1}))
