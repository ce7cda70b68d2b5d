"""How long requests wait: for a store that hangs or is down, for each other, on an event loop."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from feature_platform.errors import CallerError, StoreDownError, StoreUnavailableError
from feature_platform.serving import CacheSettings, FeatureClient
from feature_platform.serving.circuit import PAUSE_MIN_S, Circuit
from feature_platform.store.base import READ_TIMEOUT_S, Outcome, Requests
from feature_platform.testing import Deployed
from feature_platform.testing.neighbours import DownReader, PassingReader
from tests.unit.serving.cached import ROOM
from tests.unit.serving.hanging import PATIENCE_S, HangingReader

NAMES = ["posts.views_30m"]
READ_A: Requests = [("a", [])]


@pytest.fixture(name="reader")
def _reader(world: Deployed) -> HangingReader:
    return HangingReader(world.tiles, world.clock)


def client_of(
    world: Deployed, reader: HangingReader, cache: CacheSettings | None = None
) -> FeatureClient:
    """Serve with a deadline of a second, by the clock of the test."""
    return FeatureClient(reader, world.registry, clock=world.clock, cache=cache, deadline_ms=1_000)


@pytest.mark.parametrize("cache", [None, ROOM])
def test_what_has_not_come_by_the_deadline_is_unavailable(
    world: Deployed, reader: HangingReader, cache: CacheSettings | None
) -> None:
    """The others are answered, and the store was given the time of the request, no more."""
    reader.answered = ("a",)
    matrix = client_of(world, reader, cache).prepare(NAMES).get(["a", "b"], deadline_ms=80)
    assert matrix.status == ("ok", "unavailable")
    assert matrix.errors == {"b": "no answer in time"}
    assert reader.timeouts_s == pytest.approx([0.08])


def test_a_request_without_time_does_not_ask(world: Deployed, reader: HangingReader) -> None:
    """It says which deadline has passed, and what to do."""
    prepared = client_of(world, reader).prepare(NAMES)
    matrix = prepared.get(["a"], deadline_ms=0)
    assert matrix.status == ("unavailable",)
    assert "the deadline of 0 ms passed: pass a larger deadline_ms" in matrix.errors["a"]
    assert reader.timeouts_s == []
    with pytest.raises(CallerError, match="deadline_ms is -1"):
        prepared.get(["a"], deadline_ms=-1)


def test_a_deadline_also_ends_the_wait_for_another_request(
    world: Deployed, reader: HangingReader
) -> None:
    """Whoever has less time than the request that reads is answered in its own time."""
    reader.answered = ("a",)
    reader.may.clear()
    prepared = client_of(world, reader, ROOM).prepare(NAMES)
    with ThreadPoolExecutor(1) as pool:
        patient = pool.submit(prepared.get, ["a"])
        assert reader.began.acquire(timeout=PATIENCE_S)
        hasty = prepared.get(["a"], deadline_ms=10)
        reader.may.set()
        assert patient.result(PATIENCE_S).status == ("ok",)
    assert hasty.status == ("unavailable",)
    assert len(reader.timeouts_s) == 1


def test_a_patient_request_does_not_fail_with_a_hasty_one(
    world: Deployed, reader: HangingReader
) -> None:
    """It reads itself what the other had no time for."""
    reader.may.clear()
    client = client_of(world, reader, ROOM)
    prepared = client.prepare(NAMES)
    with ThreadPoolExecutor(2) as pool:
        hasty = pool.submit(prepared.get, ["a"], deadline_ms=300)
        assert reader.began.acquire(timeout=PATIENCE_S)
        patient = pool.submit(prepared.get, ["a"], deadline_ms=900)
        while (stats := client.cache_stats()) is not None and not stats.joined:
            threading.Event().wait(0.001)
        reader.answered = ()
        reader.may.set()
        assert hasty.result(PATIENCE_S).status == ("unavailable",)
        patient.result(PATIENCE_S)
    assert reader.timeouts_s == pytest.approx([0.3, 0.6])


def test_a_store_that_is_down_costs_one_deadline(world: Deployed, reader: HangingReader) -> None:
    """Then requests fail at once with the reason, until a read has seen that it is back."""
    prepared = client_of(world, reader).prepare(NAMES)
    assert prepared.get(["a"]).status == ("unavailable",)
    again = [prepared.get(["a"]) for _ in range(20)]
    assert len(reader.timeouts_s) == 1
    assert "did not answer: no answer in time" in again[-1].errors["a"]
    reader.is_back = True
    world.clock.sleep_s(PAUSE_MIN_S)
    assert prepared.get(["a"]).status == ("ok",)


def test_a_short_read_says_nothing_about_the_store(world: Deployed, reader: HangingReader) -> None:
    """Requests with a deadline of their own do not stop those that have more time."""
    circuit = Circuit(reader, 0.05, world.clock)
    for _ in range(3):
        circuit.read_tiles(world.snapshot.table, READ_A, timeout_s=0.04)
    assert (circuit.state, circuit.opened, circuit.refused) == ("closed", 0, 0)
    circuit.read_tiles(world.snapshot.table, READ_A, timeout_s=0.05)
    assert (circuit.state, circuit.opened, circuit.refused) == ("open", 1, 0)


def test_one_read_at_a_time_sees_whether_the_store_is_back(
    world: Deployed, reader: HangingReader
) -> None:
    """Others are refused meanwhile."""
    circuit = Circuit(reader, 0.0, world.clock)
    table = world.snapshot.table
    circuit.read_tiles(table, READ_A, timeout_s=0.01)
    world.clock.sleep_s(PAUSE_MIN_S)
    reader.may.clear()
    assert reader.began.acquire(timeout=PATIENCE_S)
    with ThreadPoolExecutor(1) as pool:
        probe = pool.submit(circuit.read_tiles, table, READ_A, timeout_s=0.5)
        assert reader.began.acquire(timeout=PATIENCE_S)
        refused = circuit.read_tiles(table, [("a", []), ("b", [])], timeout_s=0.5)
        reader.is_back = True
        reader.may.set()
        assert probe.result(PATIENCE_S) == [[]]
    assert [type(each) for each in refused] == [StoreDownError] * 2
    assert (circuit.state, circuit.opened, circuit.refused) == ("closed", 1, 1)


def test_pauses_grow_while_the_store_is_down(world: Deployed, reader: HangingReader) -> None:
    """Each one is twice as long as the one before, up to a limit."""
    circuit = Circuit(reader, 0.0, world.clock)
    pauses_s = []
    for _ in range(7):
        circuit.read_tiles(world.snapshot.table, READ_A, timeout_s=0.001)
        before_s, read = world.clock.monotonic_s(), len(reader.timeouts_s)
        while len(reader.timeouts_s) == read:
            world.clock.sleep_s(PAUSE_MIN_S / 2)
            circuit.read_tiles(world.snapshot.table, READ_A, timeout_s=0.001)
        pauses_s.append(world.clock.monotonic_s() - before_s)
    assert pauses_s == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0], abs=0.06)


class RefusingReader(PassingReader):
    """A store that answers no."""

    def read_tiles(
        self, table: str, requests: Requests, *, timeout_s: float = READ_TIMEOUT_S
    ) -> list[Outcome]:
        """Refuse."""
        msg = f"no table {table} for {len(requests)} in {timeout_s}"
        raise StoreUnavailableError(msg)


def test_a_refused_query_does_not_open_the_circuit(world: Deployed) -> None:
    """What a node has answered, such as that a table is missing, concerns nobody else."""
    circuit = Circuit(RefusingReader(world.tiles), 0.0, world.clock)
    assert str(circuit.read_tiles("t", READ_A, timeout_s=1.0)[0]) == "no table t for 1 in 1.0"
    assert circuit.state == "closed"
    down = Circuit(DownReader(), 0.0, world.clock)
    down.read_tiles("t", READ_A, timeout_s=1.0)
    assert down.state == "open"


@pytest.mark.parametrize("cache", [None, ROOM])
def test_the_event_loop_runs_while_requests_wait(
    world: Deployed, reader: HangingReader, cache: CacheSettings | None
) -> None:
    """No thread is begun, and answers are those of `get`."""
    reader.is_back = True
    reader.may.clear()
    client = client_of(world, reader, cache)
    prepared = client.prepare(["posts.views_30m", "posts.score_2h"])

    async def together() -> list[object]:
        tasks = [asyncio.create_task(prepared.aget([each])) for each in ("a", "b", "a")]
        for _ in range(3):
            await asyncio.sleep(0)
        reader.may.set()
        return [(await each).to_dicts() for each in tasks]

    threads = set(threading.enumerate())
    answers = asyncio.run(together())
    assert set(threading.enumerate()) <= threads  # an earlier test's may end meanwhile
    assert answers == [prepared.get([each]).to_dicts() for each in ("a", "b", "a")]
    stats = client.cache_stats()
    assert stats is None or stats.joined == 1


def test_cancelling_frees_whoever_waits_for_the_read(
    world: Deployed, reader: HangingReader
) -> None:
    """The next request reads itself."""
    reader.is_back = True
    reader.may.clear()
    prepared = client_of(world, reader, ROOM).prepare(NAMES)

    async def cancelled() -> str:
        first = asyncio.create_task(prepared.aget(["a"]))
        await asyncio.sleep(0)
        second = asyncio.create_task(prepared.aget(["a"]))
        await asyncio.sleep(0)
        first.cancel()
        reader.may.set()
        with pytest.raises(asyncio.CancelledError):
            await first
        return (await second).status[0]

    assert asyncio.run(cancelled()) == "ok"
    assert len(reader.timeouts_s) == 2


def test_cancelling_a_waiting_request_disturbs_nobody(
    world: Deployed, reader: HangingReader
) -> None:
    """The request that reads, and others that wait for it, are answered."""
    reader.is_back = True
    reader.may.clear()
    prepared = client_of(world, reader, ROOM).prepare(NAMES)

    async def cancelled() -> list[str]:
        tasks = [asyncio.create_task(prepared.aget(["a"])) for _ in range(3)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        tasks[1].cancel()
        await asyncio.sleep(0)
        reader.may.set()
        return [(await each).status[0] for each in (tasks[0], tasks[2])]

    assert asyncio.run(cancelled()) == ["ok", "ok"]
    assert len(reader.timeouts_s) == 1
