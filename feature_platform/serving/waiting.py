"""How a request waits for the store, and for other requests: in its thread, or on an event loop.

What a request does is written once, in coroutines that are handed a `Waits`. That of `Blocking`
never suspends them, so `finish` runs them to their end without an event loop.
"""

import asyncio
import time
from collections.abc import Coroutine
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from feature_platform.errors import StoreUnavailableError
from feature_platform.serving.deadline import Deadline
from feature_platform.serving.meters import Meters
from feature_platform.store.base import Outcome, Requests, TileReader

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
class Blocking:
    """Waits in the thread that asks."""

    reader: TileReader
    deadline: Deadline
    meters: Meters

    async def read(self, table: str, requests: Requests) -> list[Outcome]:
        """Read rows of entities; failures are answers. Blocks."""
        left_s = self.deadline.left_s
        if not left_s:
            return _all_failed(requests, self.deadline.missed())
        began_s = time.perf_counter()
        try:
            outcomes = self.reader.read_tiles(table, requests, timeout_s=left_s)
        except StoreUnavailableError as error:
            outcomes = _all_failed(requests, error)
        self.meters.read(time.perf_counter() - began_s, outcomes)
        return outcomes

    async def ended(self, other: Future[None]) -> None:
        """Wait for the end of another request's read, or the deadline. Blocks."""
        wait([other], self.deadline.left_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnLoop:
    """Waits on the event loop that runs: others run meanwhile, and may cancel it."""

    reader: TileReader
    deadline: Deadline
    meters: Meters

    async def read(self, table: str, requests: Requests) -> list[Outcome]:
        """Read rows of entities; failures are answers."""
        left_s = self.deadline.left_s
        if not left_s:
            return _all_failed(requests, self.deadline.missed())
        began_s = time.perf_counter()
        try:
            outcomes = await self.reader.aread_tiles(table, requests, timeout_s=left_s)
        except StoreUnavailableError as error:
            outcomes = _all_failed(requests, error)
        self.meters.read(time.perf_counter() - began_s, outcomes)
        return outcomes

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


def _all_failed(requests: Requests, error: StoreUnavailableError) -> list[Outcome]:
    return [error for _ in requests]
