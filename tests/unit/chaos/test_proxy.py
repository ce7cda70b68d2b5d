"""The proxy hands frames on as they are, and spoils exactly what it is told to."""

import random
import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from tests.chaos.proxy import BATCH, ERROR, EXECUTE, HEADER, VERSION, Mode, Proxy, Spoil

OPTIONS, RESULT, QUERY = 0x05, 0x08, 0x07
TIMEOUT_S = 20.0
WRITE_TIMEOUT = 0x1100
PROTOCOL_ERROR = 0x000A

Frame = tuple[int, int, bytes]
"""Stream, opcode, body."""


def _exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def _receive(connection: socket.socket) -> Frame:
    header = _exactly(connection, HEADER.size)
    _, _, stream, opcode, length = HEADER.unpack(header)
    return stream, opcode, _exactly(connection, length)


def _send(connection: socket.socket, frame: Frame, version: int = VERSION) -> None:
    stream, opcode, body = frame
    connection.sendall(HEADER.pack(version, 0, stream, opcode, len(body)) + body)


class EchoStore:
    """Answers every request with its own body. Mutable: keeps the bodies that arrived."""

    def __init__(self) -> None:
        """Listen at a free port."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.arrived: list[bytes] = []
        self.seen = threading.Condition()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        self._listener.close()

    def wait_for(self, count: int) -> list[bytes]:
        """Return the bodies once so many have arrived."""
        with self.seen:
            assert self.seen.wait_for(lambda: len(self.arrived) >= count, TIMEOUT_S)
            return list(self.arrived)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            while True:
                try:
                    stream, _, body = _receive(connection)
                    _send(connection, (stream, RESULT, body), VERSION | 0x80)
                except (EOFError, OSError):
                    return
                with self.seen:
                    self.arrived.append(body)
                    self.seen.notify_all()


@pytest.fixture
def store() -> Iterator[EchoStore]:
    """A store behind the proxy."""
    store = EchoStore()
    yield store
    store.close()


@pytest.fixture
def proxy(store: EchoStore) -> Iterator[Proxy]:
    """A proxy before the store."""
    proxy = Proxy(0, store.port, seed=1)
    proxy.start()
    yield proxy
    proxy.stop()


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    """A connection to the proxy."""
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=TIMEOUT_S) as connection:
        yield connection


def test_frames_pass(client: socket.socket, store: EchoStore) -> None:
    """Without an order every frame goes through unchanged, in both directions."""
    chance = random.Random(3)  # noqa: S311 - an example
    for stream, opcode in ((1, OPTIONS), (2, EXECUTE), (3, BATCH), (4, QUERY)):
        body = chance.randbytes(chance.randrange(100_000))
        _send(client, (stream, opcode, body))
        assert _receive(client) == (stream, RESULT, body)
    assert len(store.wait_for(4)) == 4


def test_newer_versions_are_refused(client: socket.socket, store: EchoStore) -> None:
    """A client that speaks version 5 is told to speak an older one."""
    _send(client, (7, OPTIONS, b""), version=5)
    stream, opcode, body = _receive(client)

    assert (stream, opcode) == (7, ERROR)
    assert struct.unpack_from(">i", body) == (PROTOCOL_ERROR,)
    assert store.arrived == []


def test_answers_are_swallowed(client: socket.socket, proxy: Proxy, store: EchoStore) -> None:
    """A write arrives and is never acknowledged; what is no row request is answered."""
    proxy.spoil(Spoil(mode="swallow"))
    _send(client, (1, EXECUTE, b"write"))
    _send(client, (2, QUERY, b"question"))

    assert _receive(client) == (2, RESULT, b"question")
    assert store.wait_for(2) == [b"write", b"question"]


@pytest.mark.parametrize(
    ("mode", "arrives"), [("fail", []), ("fail_after", [b"w"]), ("late", [b"w"])]
)
def test_errors_are_answered(
    client: socket.socket, proxy: Proxy, store: EchoStore, mode: Mode, arrives: list[bytes]
) -> None:
    """A request is answered with an error, and arrives at the store at once, later or never."""
    proxy.spoil(Spoil(mode=mode, seconds=0.2))
    _send(client, (5, BATCH, b"w"))

    assert _receive(client)[:2] == (5, ERROR)
    assert store.wait_for(len(arrives)) == arrives


def test_a_late_write_is_answered_once(
    client: socket.socket, proxy: Proxy, store: EchoStore
) -> None:
    """The answer to a late write is kept from the client, whose stream serves the next request."""
    proxy.spoil(Spoil(mode="late", seconds=0.1))
    _send(client, (5, EXECUTE, b"late"))
    stream, opcode, body = _receive(client)
    proxy.spoil(Spoil())
    store.wait_for(1)
    _send(client, (5, EXECUTE, b"next"))

    assert (stream, opcode, struct.unpack_from(">i", body)[0]) == (5, ERROR, WRITE_TIMEOUT)
    assert _receive(client) == (5, RESULT, b"next")


def test_connections_are_refused(proxy: Proxy, client: socket.socket) -> None:
    """What is open is closed, what is new as well, until the order is taken back."""
    _send(client, (1, QUERY, b"before"))
    assert _receive(client) == (1, RESULT, b"before")
    refuse = Spoil(mode="refuse")
    proxy.spoil(refuse)

    assert client.recv(1) == b""
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=TIMEOUT_S) as second:
        assert second.recv(1) == b""
    proxy.unspoil(refuse)
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=TIMEOUT_S) as third:
        _send(third, (1, QUERY, b"after"))
        assert _receive(third) == (1, RESULT, b"after")


def test_the_later_order_counts(proxy: Proxy, client: socket.socket) -> None:
    """Taking an order back leaves a later one in force."""
    first, second = Spoil(mode="slow"), Spoil(mode="fail")
    proxy.spoil(first)
    proxy.spoil(second)
    proxy.unspoil(first)
    _send(client, (1, EXECUTE, b"w"))

    assert _receive(client)[1] == ERROR
