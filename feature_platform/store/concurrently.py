"""Runs many statements of the driver at a time, all of them within one deadline.

The driver's own `execute_concurrent` gives its statements no timeout at all: with a node that is
frozen, not dead, it waits until the heartbeat of a connection has failed, half a minute or more.
"""

import asyncio
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, islice
from typing import Any

from cassandra.query import BoundStatement, PreparedStatement

Row = tuple[Any, ...]
LATE_S = 0.001
"""What a statement gets that is begun after the deadline: the driver takes 0 for no limit."""


class RoutedStatement(BoundStatement):  # type: ignore[misc]  # the driver is untyped
    """A statement that goes to a node that has its partition, also where `IN` hides it."""

    def __init__(self, prepared: PreparedStatement, key: bytes) -> None:
        """Route a statement by the bytes of its partition key."""
        super().__init__(prepared)
        self._key = key

    @property
    def routing_key(self) -> bytes:
        """The bytes that the token is computed from."""
        return self._key


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """One statement, to be run with many values."""

    statement: str
    """A SELECT."""
    values: Sequence[tuple[str, Sequence[object]]]
    """For each run the partition key that it goes by, and what is bound."""
    in_flight_max: int
    """How many at a time."""
    timeout_s: float
    """For all of them together."""

    def bound(self, prepared: PreparedStatement) -> Iterator[BoundStatement]:
        """Yield what is to be sent."""
        for key, values in self.values:
            yield RoutedStatement(prepared, key.encode()).bind(values)


Ended = list[Row] | Exception
"""The rows of a statement, or what the driver raised."""


def run_all(
    session: Any,  # noqa: ANN401 - the driver is untyped
    statements: Iterable[object],
    *,
    in_flight_max: int,
    timeout_s: float,
    expected: tuple[type[Exception], ...],
) -> Sequence[Ended]:
    """Run statements; return what came of each. Blocks.

    Args:
        session: Of the driver.
        statements: Bound ones.
        in_flight_max: How many at a time.
        timeout_s: For all of them together.
        expected: What the driver may raise.
    """
    deadline = time.monotonic() + timeout_s
    room = threading.BoundedSemaphore(in_flight_max)
    begun: list[Any] = []
    """Of each statement the driver's future, or why it could not be sent."""
    for statement in statements:
        room.acquire()
        sent = _send(session, statement, deadline, expected)
        begun.append(sent)
        if isinstance(sent, Exception):
            room.release()
        else:
            sent.add_callbacks(lambda _: room.release(), lambda _: room.release())
    return [_outcome(each, expected) for each in begun]


async def arun_all(
    session: Any,  # noqa: ANN401 - the driver is untyped
    statements: Iterable[object],
    *,
    in_flight_max: int,
    timeout_s: float,
    expected: tuple[type[Exception], ...],
) -> Sequence[Ended]:
    """Do what `run_all` does on an event loop; if cancelled, no more statements are sent."""
    deadline = time.monotonic() + timeout_s
    left = iter(statements)
    outcomes: list[Ended] = []
    while wave := list(islice(left, in_flight_max)):
        begun = [_send(session, statement, deadline, expected) for statement in wave]
        await _all_ended([each for each in begun if not isinstance(each, Exception)])
        outcomes += [_outcome(each, expected) for each in begun]
    return outcomes


async def _all_ended(futures: Sequence[Any]) -> None:
    """Wait for the driver's futures, whose callbacks run in its thread."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    left = count(len(futures) - 1, -1)

    def one_ended(_: object) -> None:
        if next(left) == 0:
            with suppress(RuntimeError):  # whoever waited was cancelled, and the loop has ended
                loop.call_soon_threadsafe(ended.set)

    for future in futures:
        future.add_callbacks(one_ended, one_ended)
    if futures:
        await ended.wait()


def _send(
    session: Any,  # noqa: ANN401 - the driver is untyped
    statement: object,
    deadline: float,
    expected: tuple[type[Exception], ...],
) -> Any:  # noqa: ANN401 - the driver is untyped
    """Send a statement; return the driver's future, or why it could not be sent."""
    try:
        return session.execute_async(statement, timeout=max(LATE_S, deadline - time.monotonic()))
    except expected as error:
        return error


def _outcome(
    sent: Any,  # noqa: ANN401 - the driver is untyped
    expected: tuple[type[Exception], ...],
) -> Ended:
    if isinstance(sent, Exception):
        return sent
    try:
        return list(sent.result())
    except expected as error:
        return error
