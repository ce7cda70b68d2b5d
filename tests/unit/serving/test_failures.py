"""What fails spoils as little as possible: one entity, never the request."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from feature_platform.clock import Clock
from feature_platform.errors import (
    CallerError,
    StoreUnavailableError,
    UnknownFeatureError,
)
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.memory import MemoryRegistry
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


def test_what_was_deployed_just_now_can_be_prepared(world: Deployed) -> None:
    """A name that is not known makes the client look, whatever the age of what it knows."""
    with pytest.raises(UnknownFeatureError, match="'others' is not deployed"):
        world.client.prepare(featureset="others")
    world.registry.save(replace(world.snapshot, featureset="others"))
    by_set = world.client.prepare(featureset="others")
    world.registry.save(replace(world.snapshot, featureset="more"))

    assert world.client.prepare(["more.action"]).get(["a"]).status == ("ok",)
    assert by_set.get(["a"]).status == ("ok",)


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


def test_who_has_failed_is_not_asked_again(world: Deployed) -> None:
    """An entity that failed in the first of many reads costs no second wait."""
    reader = WatchedReader(world.tiles, ["a"])
    limits = Limits(keys_per_read=5)
    client = FeatureClient(reader, world.registry, clock=world.clock, limits=limits)

    client.prepare(featureset="posts").get(["a", "b"])

    asked = [entity for entity, _ in reader.requests]
    assert asked.count("a") == 1
    assert asked.count("b") > 1


class SlowRegistry(MemoryRegistry):
    """A registry that answers when it is let. Mutable."""

    def __init__(self, clock: Clock) -> None:
        """Answer at once, until `answer` is cleared."""
        super().__init__(clock)
        self.answer = threading.Event()
        self.answer.set()
        self.asked = 0
        self.fails = False

    def snapshots(self) -> list[Snapshot]:
        """Wait, then answer or fail."""
        self.asked += 1
        assert self.answer.wait(30)
        if self.fails:
            msg = "no answer"
            raise StoreUnavailableError(msg)
        return super().snapshots()


@pytest.fixture(name="slow")
def _slow(world: Deployed) -> SlowRegistry:
    registry = SlowRegistry(world.clock)
    registry.save(world.snapshot)
    return registry


def test_one_request_looks_at_the_registry_and_no_other_waits(
    world: Deployed, slow: SlowRegistry
) -> None:
    """While a look hangs, the others answer by what they know."""
    client = FeatureClient(world.tiles, slow, clock=world.clock)
    prepared = client.prepare(["posts.action"])
    slow.answer.clear()
    world.clock.advance(5_000)

    with ThreadPoolExecutor(9) as threads:
        looking = threads.submit(prepared.get, ["a"])
        until(lambda: slow.asked == 2)
        others = [threads.submit(prepared.get, ["a"]) for _ in range(8)]
        assert [other.result(10).status for other in others] == [("ok",)] * 8
        assert not looking.done()
        slow.answer.set()
        assert looking.result(10).status == ("ok",)
    assert slow.asked == 2


def test_with_a_thread_of_its_own_no_request_looks_at_the_registry(
    world: Deployed, slow: SlowRegistry
) -> None:
    """A client that has connected asks in the background, and stops when it is closed."""
    client = FeatureClient(world.tiles, slow, clock=world.clock, refresh_ms=10, background=True)
    prepared = client.prepare(["posts.action"])
    slow.answer.clear()
    until(lambda: slow.asked > 1)
    world.clock.advance(60_000)

    assert prepared.get(["a"]).status == ("ok",)
    slow.save(replace(world.snapshot, features=()))
    slow.answer.set()
    until(lambda: not client.snapshots()[0].features)
    with pytest.raises(UnknownFeatureError):
        prepared.get(["a"])
    client.close()
    with pytest.raises(CallerError, match="this FeatureClient is closed"):
        prepared.get(["a"])


def test_who_waits_for_a_registry_that_is_down_fails_with_its_first_answer(
    world: Deployed, slow: SlowRegistry
) -> None:
    """Eight threads of a client that knows nothing wait once for a registry, not one by one."""
    client = FeatureClient(world.tiles, slow, clock=world.clock)
    slow.answer.clear()
    slow.fails = True

    with ThreadPoolExecutor(8) as threads:
        waiting = [threads.submit(client.snapshots) for _ in range(8)]
        until(lambda: slow.asked == 1 and threads._work_queue.qsize() == 0)
        slow.answer.set()
        errors = [each.exception(10) for each in waiting]
    assert {type(error) for error in errors} == {StoreUnavailableError}
    assert slow.asked < 8


def test_a_clock_that_is_set_back_makes_the_registry_be_asked_again(world: Deployed) -> None:
    """Else a ranker would serve by what was deployed long ago until the clock is there again."""
    prepared = world.client.prepare(["posts.action"])
    world.registry.save(replace(world.snapshot, features=()))
    world.clock.advance(-3_600_000)

    with pytest.raises(UnknownFeatureError):
        prepared.get(["a"])


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, half a minute at most."""
    for _ in range(30_000):
        if condition():
            return
        threading.Event().wait(0.001)
    pytest.fail("it did not come about")
