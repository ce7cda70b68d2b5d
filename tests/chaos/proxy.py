"""A proxy between job and store that knows the frames of CQL, and spoils them when it is told to.

It speaks version 4 of the protocol: a client that asks for a newer one is told so, as an older
server would, because the frames of version 4 stand in the stream as they are.
"""

import asyncio
import random
import struct
import threading
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Literal

HEADER = struct.Struct(">BBhBi")
VERSION, RESPONSE = 4, 0x80
ERROR, EXECUTE, BATCH = 0x00, 0x0A, 0x0D
LATE_STREAM = 30_000
"""Stream ids from here on are the proxy's own; drivers use far smaller ones."""
CONSISTENCY = struct.pack(">H", 6)  # LOCAL_QUORUM
BACKLOG = 128
TOLD = b"Invalid or unsupported protocol version; supported versions are (3/v3, 4/v4)"

Mode = Literal["pass", "refuse", "slow", "swallow", "fail", "fail_after", "late"]


def error_body(code: int, message: bytes, rest: bytes = b"") -> bytes:
    """Return the body of an ERROR frame."""
    return struct.pack(">iH", code, len(message)) + message + rest


ERRORS = {
    "unavailable": error_body(
        0x1000, b"chaos: unavailable", CONSISTENCY + struct.pack(">ii", 1, 0)
    ),
    "overloaded": error_body(0x1001, b"chaos: overloaded"),
    "server_error": error_body(0x0000, b"chaos: server error"),
    "write_timeout": error_body(
        0x1100,
        b"chaos: write timeout",
        CONSISTENCY + struct.pack(">iiH", 0, 1, 6) + b"SIMPLE",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoil:
    """What the proxy does to frames from now on."""

    mode: Mode = "pass"
    share: float = 1.0
    """Of the requests that read or write rows."""
    seconds: float = 0.0
    """How long answers or late writes are kept back at most."""


@dataclass(slots=True)
class Tally:
    """Mutable: what was done to how many requests."""

    requests: int = 0
    spoilt: int = 0
    """Requests and connections."""
    connections: int = 0


@dataclass(slots=True, eq=False)
class _Pair:
    """A client's connection and the one to the store that belongs to it. Mutable."""

    client: asyncio.StreamWriter
    store: asyncio.StreamWriter
    doomed: dict[int, Literal["swallow", "fail"]] = field(default_factory=dict)
    """Streams whose next answer the client must not see as it is."""
    late: int = 0

    def close(self) -> None:
        """Close both."""
        self.client.close()
        self.store.close()


class Proxy:
    """Listens on a port of loopback and hands on to the store. Owns a thread with an event loop."""

    def __init__(self, port: int, store_port: int, *, seed: int) -> None:
        """Begin to listen when `start` is called; port 0 takes a free one."""
        self.port, self._store_port = port, store_port
        self._chance = random.Random(seed)  # noqa: S311 - the same seed must give the same faults
        self._spoil = Spoil()
        self._pairs: set[_Pair] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self.tally = Tally()

    def start(self) -> None:
        """Listen."""
        self._thread.start()
        self._wait(self._listen())

    @property
    def listens(self) -> bool:
        """Tell whether it was started."""
        return self._thread.is_alive()

    def spoil(self, spoil: Spoil) -> None:
        """Treat frames so from now on; `refuse` closes what is open."""
        self._wait(self._set(spoil))

    def unspoil(self, spoil: Spoil) -> None:
        """Hand frames on as they are again, unless something else was asked for meanwhile."""
        if self._spoil is spoil:
            self.spoil(Spoil())

    def stop(self) -> None:
        """Close everything."""
        self._wait(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait(self, work: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, backlog=BACKLOG
        )
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def _set(self, spoil: Spoil) -> None:
        self._spoil = spoil
        if spoil.mode == "refuse":
            for pair in tuple(self._pairs):
                self.tally.spoilt += 1
                pair.close()

    async def _close(self) -> None:
        self._server.close()
        for pair in tuple(self._pairs):
            pair.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tally.connections += 1
        if self._spoil.mode == "refuse":
            self.tally.spoilt += 1
            writer.close()
            return
        try:
            store_reader, store = await asyncio.open_connection("127.0.0.1", self._store_port)
        except OSError:  # the store is down: so is what stands before it
            writer.close()
            return
        pair = _Pair(client=writer, store=store)
        self._pairs.add(pair)
        self._spawn(self._answers(pair, store_reader))
        self._spawn(self._requests(pair, reader))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _requests(self, pair: _Pair, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                version, flags, stream, opcode, body = await _read(reader)
                if version > VERSION:
                    _write(pair.client, 0, stream, ERROR, error_body(0x000A, TOLD))
                elif not self._spoiled(pair, flags, stream, opcode, body):
                    _write(pair.store, flags, stream, opcode, body, response=False)
                    await pair.store.drain()
        except (OSError, asyncio.IncompleteReadError):
            self._drop(pair)

    async def _answers(self, pair: _Pair, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                _, flags, stream, opcode, body = await _read(reader)
                fate = pair.doomed.pop(stream, None)
                if stream >= LATE_STREAM or fate == "swallow":
                    continue
                if fate == "fail":
                    flags, opcode, body = 0, ERROR, ERRORS["write_timeout"]
                if self._spoil.mode == "slow" and self._chance.random() < self._spoil.share:
                    self.tally.spoilt += 1
                    self._spawn(self._later(pair, flags, stream, opcode, body))
                else:
                    _write(pair.client, flags, stream, opcode, body)
                    await pair.client.drain()
        except (OSError, asyncio.IncompleteReadError):
            self._drop(pair)

    def _spoiled(self, pair: _Pair, flags: int, stream: int, opcode: int, body: bytes) -> bool:
        """Do what was asked for to a request; tells whether it is done with."""
        if opcode not in (EXECUTE, BATCH):
            return False
        self.tally.requests += 1
        spoil = self._spoil
        if spoil.mode in ("pass", "slow", "refuse") or self._chance.random() >= spoil.share:
            return False
        self.tally.spoilt += 1
        if spoil.mode in ("swallow", "fail_after"):
            pair.doomed[stream] = "swallow" if spoil.mode == "swallow" else "fail"
            return False
        kind = "write_timeout" if spoil.mode == "late" else self._chance.choice(sorted(ERRORS))
        _write(pair.client, 0, stream, ERROR, ERRORS[kind])
        if spoil.mode == "late":
            self._spawn(self._write_late(pair, flags, opcode, body))
        return True

    async def _later(self, pair: _Pair, flags: int, stream: int, opcode: int, body: bytes) -> None:
        await asyncio.sleep(self._chance.uniform(0, self._spoil.seconds))
        if pair in self._pairs:
            _write(pair.client, flags, stream, opcode, body)

    async def _write_late(self, pair: _Pair, flags: int, opcode: int, body: bytes) -> None:
        """Let a request reach the store when its client has long been told that it timed out."""
        pair.late = (pair.late + 1) % 2_000
        stream = LATE_STREAM + pair.late
        await asyncio.sleep(self._chance.uniform(0, self._spoil.seconds))
        if pair in self._pairs:
            _write(pair.store, flags, stream, opcode, body, response=False)

    def _drop(self, pair: _Pair) -> None:
        self._pairs.discard(pair)
        pair.close()


async def _read(reader: asyncio.StreamReader) -> tuple[int, int, int, int, bytes]:
    """Read one frame: version without direction, flags, stream, opcode, body."""
    header = await reader.readexactly(HEADER.size)
    version, flags, stream, opcode, length = HEADER.unpack(header)
    return version & ~RESPONSE, flags, stream, opcode, await reader.readexactly(length)


def _write(
    writer: asyncio.StreamWriter,
    flags: int,
    stream: int,
    opcode: int,
    body: bytes,
    *,
    response: bool = True,
) -> None:
    if not writer.is_closing():
        version = VERSION | (RESPONSE if response else 0)
        writer.write(HEADER.pack(version, flags, stream, opcode, len(body)) + body)
