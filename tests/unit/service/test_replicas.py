"""Several replicas: each entity has its own, and one that fails hands its share to the next."""

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import grpc
import pytest

from feature_platform.errors import (
    CallerError,
    DeadlineExceededError,
    ServiceUnavailableError,
)
from feature_platform.service.channels import ANSWERS, SERVICE
from feature_platform.service.client import ServiceClient
from feature_platform.serving import FeatureClient
from feature_platform.testing import Deployed
from feature_platform.testing.neighbours import WatchedReader
from tests.unit.service.conftest import PATIENCE_S, Running, free_ports, serving, settings_of
from tests.unit.service.test_answers import assert_same
from tests.unit.service.test_errors import SlowReader

ENTITIES: Mapping[str, object] = {
    "user": [number % 40 for number in range(80)],
    "post": [f"p{number % 60}" for number in range(80)],
}


class Replicas:
    """Services on loopback, each with a reader that notes what it reads. Mutable."""

    def __init__(self, world: Deployed, stack: ExitStack) -> None:
        """Start none yet."""
        self.world = world
        self.stack = stack
        self.readers: dict[str, WatchedReader] = {}
        self.ends: dict[str, ExitStack] = {}

    def add(self) -> str:
        """Start one more; return its address."""
        reader = WatchedReader(self.world.tiles)
        client = FeatureClient(reader, self.world.registry, clock=self.world.clock)
        end = self.stack.enter_context(ExitStack())
        running: Running = end.enter_context(serving(client, settings_of(http_port=0, drain_ms=0)))
        address = running.settings.address
        self.readers[address], self.ends[address] = reader, end
        return address

    def read(self) -> dict[str, set[str]]:
        """Return which entities each has read since it was asked last."""
        found = {}
        for address, reader in self.readers.items():
            found[address] = {entity for entity, _ in reader.requests}
            reader.requests.clear()
        return found


@pytest.fixture(name="replicas")
def _replicas(world: Deployed) -> Iterator[Replicas]:
    with ExitStack() as stack:
        yield Replicas(world, stack)


def test_each_entity_is_read_by_one_replica(world: Deployed, replicas: Replicas) -> None:
    """Always the same one, and the answer is the library's, in the order of the request."""
    addresses = [replicas.add() for _ in range(3)]
    right = world.client.prepare(list="feed_ranker").get(ENTITIES)
    with ServiceClient(addresses, deadline_ms=60_000) as client:
        prepared = client.prepare(list="feed_ranker")
        assert_same(prepared.get(ENTITIES), right)
        first = replicas.read()
        assert_same(prepared.get(ENTITIES), right)

    assert replicas.read() == first
    assert all(first.values())
    assert sum(map(len, first.values())) == len(set.union(*first.values())) == 100


def test_one_is_killed_and_one_added_under_load(world: Deployed, replicas: Replicas) -> None:
    """No request fails, none is late, every answer is right."""
    addresses = [replicas.add() for _ in range(3)]
    right = world.client.prepare(list="feed_ranker").get(ENTITIES)
    done, failures, answers = threading.Event(), [], []
    with ServiceClient(addresses, deadline_ms=60_000) as client:
        prepared = client.prepare(list="feed_ranker")

        def ask() -> None:
            while not done.is_set():
                try:
                    answers.append(prepared.get(ENTITIES).to_dicts())
                except Exception as error:  # noqa: BLE001 (any is a failure of the test)
                    failures.append(error)

        def count(more: int) -> None:
            wanted, waiting = len(answers) + more, threading.Event()
            while len(answers) < wanted and not failures:
                waiting.wait(0.01)

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            count(3)
            replicas.ends[addresses[0]].close()  # killed: nothing is drained, and nobody is told
            count(3)
            client.use([*addresses[1:], replicas.add()])
            count(3)
        finally:
            done.set()
            for thread in threads:
                thread.join(PATIENCE_S)
        replicas.read()
        prepared.get(ENTITIES)

    assert failures == []
    assert all(answer == right.to_dicts() for answer in answers)
    shares = replicas.read()
    assert shares.pop(addresses[0]) == set()
    assert all(shares.values())


def test_a_replica_that_hangs_is_passed_over(world: Deployed, replicas: Replicas) -> None:
    """It costs half of the deadline once; meanwhile the next replica answers for it."""
    slow = SlowReader(world.tiles)
    hanging = FeatureClient(slow, world.registry, clock=world.clock)
    right = world.client.prepare(list="feed_ranker").get(ENTITIES)
    settings = settings_of(http_port=0, drain_ms=0, notice_ms=0)
    with serving(hanging, settings):
        addresses = [replicas.add(), settings.address]
        try:
            with ServiceClient(addresses) as client:
                prepared = client.prepare(list="feed_ranker", deadline_ms=60_000)
                found = prepared.get(ENTITIES, deadline_ms=6_000)
        finally:
            slow.free.set()

    assert_same(found, right)


@contextmanager
def broken_once(address: str) -> Iterator[str]:
    """Pass calls on to a replica, except the first request for features; yield where."""
    broken = threading.Event()
    with grpc.insecure_channel(address) as channel:

        def pass_on(method: str, data: bytes, context: Any) -> bytes:  # noqa: ANN401 (gRPC's)
            if method == "GetFeatures" and not broken.is_set():
                broken.set()
                context.abort(grpc.StatusCode.UNAVAILABLE, "recvmsg:Connection reset by peer")
            answer: bytes = channel.unary_unary(f"/{SERVICE}/{method}")(data, timeout=PATIENCE_S)
            return answer

        calls = {
            method: grpc.unary_unary_rpc_method_handler(partial(pass_on, method))
            for method in ANSWERS
        }
        server = grpc.server(ThreadPoolExecutor(4))
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, calls),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(None).wait()


def test_the_only_replica_is_asked_again(world: Deployed, replicas: Replicas) -> None:
    """Of several workers on one port one has died: the next call reaches another."""
    right = world.client.prepare(list="feed_ranker").get(ENTITIES)
    with (
        broken_once(replicas.add()) as address,
        ServiceClient([address], deadline_ms=60_000) as client,
    ):
        found = client.prepare(list="feed_ranker").get(ENTITIES)

    assert_same(found, right)


def test_what_nobody_answers_in_time_is_unavailable(world: Deployed) -> None:
    """With all hanging the request ends with its deadline; with none there, at once."""
    slow = SlowReader(world.tiles)
    hanging = FeatureClient(slow, world.registry, clock=world.clock)
    settings = settings_of(http_port=0, drain_ms=0)
    with serving(hanging, settings):
        try:
            with ServiceClient([settings.address]) as client:
                prepared = client.prepare(list="feed_ranker", deadline_ms=60_000)
                with pytest.raises(DeadlineExceededError, match="no answer within 300 ms"):
                    prepared.get(ENTITIES, deadline_ms=300)
        finally:
            slow.free.set()
    nobody = f"127.0.0.1:{free_ports()[0]}"
    with (
        ServiceClient([nobody], deadline_ms=60_000) as client,
        pytest.raises(ServiceUnavailableError, match=nobody),
    ):
        client.prepare(list="feed_ranker")


def test_replicas_are_a_list() -> None:
    """Of at least one address."""
    with pytest.raises(CallerError, match="replicas is empty"):
        ServiceClient([])
    with pytest.raises(CallerError, match=r"write \['127.0.0.1:1'\]"):
        ServiceClient("127.0.0.1:1")
