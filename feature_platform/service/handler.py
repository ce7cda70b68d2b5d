"""What both doors do with a request: find its list, read within its deadline, encode the answer.

The event loop of a worker waits, threads read: reading blocks, and encoding is left to the thread,
too. A thread that outlives its request's deadline keeps its place among those under way until it is
done, so that a store that hangs fills `requests_max` and no memory.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from feature_platform.errors import (
    DeadlineExceededError,
    FeaturePlatformError,
    NoEntityError,
    OverloadedError,
    UnknownFeatureError,
)
from feature_platform.service.answers import Answers
from feature_platform.service.encode import About, Form
from feature_platform.service.failures import Failure, failure, internal
from feature_platform.service.features_pb2 import ListDescription
from feature_platform.service.lists import Served, ServedLists, Wanted
from feature_platform.service.metrics import Metrics
from feature_platform.service_settings import ServiceSettings
from feature_platform.serving import FeatureClient, FeatureMatrix

T = TypeVar("T")
LOG = logging.getLogger("feature_platform.service")
OK, CANCELLED = "OK", "CANCELLED"
OTHER = ""
"""How metrics name the list of a request that names none, or one that there is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request for features."""

    wanted: Wanted
    entities: Mapping[str, object] = field(default_factory=dict)
    """By kind a list of keys, or one key for all rows."""
    at_ms: int | None = None
    form: Form = field(default_factory=Form)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A request as it came in."""

    door: str
    left_s: float | None
    """Until its deadline; None: it has none of its own."""


STORE_SHARE = 0.8
"""Of the time that is left when a thread begins, what reading may take: the rest is for encoding
and the way back."""
Render = Callable[[FeatureMatrix, About, Form], bytes]
"""Writes an answer in the format of a door; called in a thread. Without one the answer is a message
of gRPC, of entities' bytes."""


class Handler:
    """Answers requests of one worker. Mutable; used by one event loop."""

    def __init__(self, client: FeatureClient, settings: ServiceSettings) -> None:
        """Serve through a client, whose `Limits` hold for each request."""
        self.metrics = Metrics()
        self.settings = settings
        self._client = client
        if client.log is not None:
            self.metrics.watch(client.log.stats)
        self._lists = ServedLists(client)
        self._answers = Answers(client, settings.bytes_cache_bytes)
        self._pool = ThreadPoolExecutor(settings.threads, thread_name_prefix="fp-serve")
        self._free = threading.BoundedSemaphore(settings.requests_max)

    async def features(
        self, arrival: Arrival, parse: Callable[[], Awaitable[Asked]], render: Render | None = None
    ) -> bytes | Failure:
        """Answer a request for features.

        Args:
            arrival: Where it came in, and until when.
            parse: Reads it; may raise what is wrong with it, or lacks its token.
            render: Writes the answer, unless it is a message of gRPC.
        """
        said, until_s = _Said(), time.monotonic() + self._allowed_s(arrival)

        async def answer() -> bytes:
            with self.metrics.stage("parse"):
                asked = await parse()
            served = await self._lists.find(asked.wanted)
            said.list = served.about.name
            work = self._joined if render is None else partial(self._rendered, render)
            try:
                return await self._compute(lambda: work(served, asked, until_s))
            except UnknownFeatureError:  # a deployment: its version of the list may fit
                fits = await self._lists.renewed(asked.wanted, served)
                return await self._compute(lambda: work(fits, asked, until_s))

        return await self._answered(arrival, said, answer())

    async def describe(
        self, arrival: Arrival, parse: Callable[[], Awaitable[Wanted]]
    ) -> ListDescription | Failure:
        """Answer which columns and kinds of entity a list has."""
        said = _Said()

        async def answer() -> ListDescription:
            served = await self._lists.find(await parse())
            said.list = served.about.name
            return served.describe()

        return await self._answered(arrival, said, answer())

    async def close(self) -> None:
        """Take no more; threads that still read are left to their store's timeout."""
        await self._lists.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _answered(self, arrival: Arrival, said: "_Said", answer: Awaitable[T]) -> T | Failure:
        """Return an answer or its failure, within the deadline, and count it."""
        begun, code = time.monotonic(), CANCELLED
        try:
            found = await self._in_time(arrival, answer)
            code = OK
        except FeaturePlatformError as error:
            made = failure(error)
            code = made.name
            return made
        except Exception:
            LOG.exception("a request failed")
            made = internal()
            code = made.name
            return made
        else:
            return found
        finally:
            self.metrics.answered(arrival.door, said.list, code, time.monotonic() - begun)

    async def _in_time(self, arrival: Arrival, answer: Awaitable[T]) -> T:
        """Wait for an answer until the deadline.

        Raises:
            DeadlineExceededError: It did not come.
        """
        allowed_s = self._allowed_s(arrival)
        try:
            async with asyncio.timeout(allowed_s):
                return await answer
        except TimeoutError as error:
            msg = (
                f"no answer within {allowed_s * 1000:.0f} ms: ask for fewer entities, or with a "
                "later deadline (service.deadline_max_ms is the longest)"
            )
            raise DeadlineExceededError(msg) from error

    def _allowed_s(self, arrival: Arrival) -> float:
        longest_s = self.settings.deadline_max_ms / 1000
        left_s = self.settings.deadline_ms / 1000 if arrival.left_s is None else arrival.left_s
        return max(0.0, min(left_s, longest_s))

    async def _compute(self, work: Callable[[], bytes]) -> bytes:
        """Do something in a thread, if a place is free.

        Raises:
            OverloadedError: None is.
        """
        if not self._free.acquire(blocking=False):
            msg = (
                f"{self.settings.requests_max} requests are under way (service.requests_max): "
                "ask again later, or another replica"
            )
            raise OverloadedError(msg)
        self.metrics.begun()
        submitted = time.monotonic()

        def timed() -> bytes:
            self.metrics.took("wait", time.monotonic() - submitted)
            return work()

        try:
            future = self._pool.submit(timed)
        except RuntimeError as error:  # the worker has ended
            self._release()
            msg = "the service is shutting down: ask another replica"
            raise OverloadedError(msg) from error
        future.add_done_callback(self._release)
        return await asyncio.wrap_future(future)

    def _release(self, _: Future[bytes] | None = None) -> None:
        self._free.release()
        self.metrics.ended()

    def _joined(self, served: Served, asked: Asked, until_s: float) -> bytes:
        """Join entities' bytes, those of some after reading them. Blocks."""
        with self.metrics.stage("read"):
            found = self._answers.find(
                served,
                asked.wanted,
                asked.entities,
                asked.at_ms,
                asked.form,
                deadline_ms=_store_ms(until_s),
            )
        self._check(served, found.rows, found.unavailable(), found.errors)
        with self.metrics.stage("encode"):
            written = found.write()
        if asked.at_ms is None:
            self._answers.note(served, found)
        self.metrics.keeps(self._answers.stats)
        return written

    def _rendered(self, render: Render, served: Served, asked: Asked, until_s: float) -> bytes:
        """Read and encode in the format of a door. Blocks."""
        with self.metrics.stage("read"):
            matrix = served.prepared.get(
                asked.entities, at=asked.at_ms, deadline_ms=_store_ms(until_s)
            )
        unavailable = matrix.status.count("unavailable")
        self._check(served, len(matrix.status), unavailable, matrix.errors)
        with self.metrics.stage("encode"):
            return render(matrix, served.about, asked.form)

    def _check(
        self, served: Served, rows: int, unavailable: int, errors: Mapping[str, str]
    ) -> None:
        """Count the rows of an answer.

        Raises:
            NoEntityError: The store answered for none of them.
        """
        self.metrics.rows(served.about.name, rows, unavailable)
        if unavailable and unavailable == rows:
            raise _no_entity(rows, errors)


@dataclass(slots=True)
class _Said:
    """What is known of a request so far (mutable)."""

    list: str = OTHER


def _store_ms(until_s: float) -> float:
    """Return how long the store may take for what must be answered by an instant."""
    return STORE_SHARE * max(0.0, until_s - time.monotonic()) * 1000


def _no_entity(rows: int, errors: Mapping[str, str]) -> NoEntityError:
    label, reason = next(iter(errors.items()), ("", ""))
    msg = (
        f"the store answered for none of {rows} rows; of {label}: {reason}. "
        "Ask again, or use the last values that are known"
    )
    return NoEntityError(msg, errors, rows)
