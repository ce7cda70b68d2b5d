"""How a request waits for the store, and for other requests: in its thread, or on an event loop.

What a request does is written once, in coroutines that are handed a `Waits`. That of `Blocking`
never suspends them, so `finish` runs them to their end without an event loop.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from feature_platform.serving.circuit import Circuit
from feature_platform.serving.deadline import Deadline
from feature_platform.serving.meters import Meters
from feature_platform.store.base import Outcome, Requests

T = TypeVar("T")


class Waits(Protocol):
    """What a request waits for, until its deadline."""

    @property
    def deadline(self) -> Deadline:
        """Of the request."""
        ...

    async def read(self, table: str, requests: Requests) -> list[Outcome]:
        """Read rows of entities; failures are answers."""
        ...

    async def ended(self, other: Future[None]) -> None:
        """Wait for the end of another request's read; return at the deadline if it has none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading(ABC):
    """Reads through a client's circuit, and measures it."""

    circuit: Circuit
    deadline: Deadline
    meters: Meters

    async def read(self, table: str, requests: Requests) -> list[Outcome]:
        """Read rows of entities; failures are answers."""
        left_s = self.deadline.left_s
        if not left_s:
            missed = self.deadline.missed()
            return [missed for _ in requests]
        began_s = time.perf_counter()
        outcomes = await self._read(table, requests, left_s)
        self.meters.read(time.perf_counter() - began_s, outcomes)
        return outcomes

    @abstractmethod
    async def _read(self, table: str, requests: Requests, timeout_s: float) -> list[Outcome]:
        """Ask the circuit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocking(_Reading):
    """Waits in the thread that asks."""

    async def _read(self, table: str, requests: Requests, timeout_s: float) -> list[Outcome]:
        return self.circuit.read_tiles(table, requests, timeout_s=timeout_s)

    async def ended(self, other: Future[None]) -> None:
        """Wait for the end of another request's read, or the deadline. Blocks."""
        wait([other], self.deadline.left_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnLoop(_Reading):
    """Waits on the event loop that runs: others run meanwhile, and may cancel it."""

    async def _read(self, table: str, requests: Requests, timeout_s: float) -> list[Outcome]:
        return await self.circuit.aread_tiles(table, requests, timeout_s=timeout_s)

    async def ended(self, other: Future[None]) -> None:
        """Wait for the end of another request's read, or the deadline."""
        await asyncio.wait([asyncio.wrap_future(other)], timeout=self.deadline.left_s)


def finish(request: Coroutine[Any, Any, T]) -> T:
    """Run a request that waits by `Blocking` to its result.

    Raises:
        RuntimeError: It wanted to wait on an event loop.
    """
    try:
        request.send(None)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]  # what the coroutine returns
    request.close()
    msg = "a blocking request suspended itself"
    raise RuntimeError(msg)
