"""Runs many statements of the driver at a time, all of them within one deadline.

The driver's own `execute_concurrent` gives its statements no timeout at all: with a node that is
frozen, not dead, it waits until the heartbeat of a connection has failed, half a minute or more.
"""

import threading
import time
from collections.abc import Iterable, Sequence
from typing import Any

import cassandra
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


def run_all(
    session: Any,  # noqa: ANN401 - the driver is untyped
    statements: Iterable[object],
    *,
    in_flight_max: int,
    timeout_s: float,
    expected: tuple[type[Exception], ...],
) -> Sequence[list[Row] | Exception]:
    """Run statements; return for each its rows, or what the driver raised. Blocks.

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
        left_s = max(LATE_S, deadline - time.monotonic())
        try:
            future = session.execute_async(statement, timeout=left_s)
        except expected as error:
            room.release()
            begun.append(error)
        else:
            future.add_callbacks(lambda _: room.release(), lambda _: room.release())
            begun.append(future)
    return [each if isinstance(each, Exception) else _outcome(each, expected) for each in begun]


def _outcome(
    future: Any,  # noqa: ANN401 - the driver is untyped
    expected: tuple[type[Exception], ...],
) -> list[Row] | Exception:
    try:
        return list(future.result())
    except expected as error:
        return error


def is_timeout(error: BaseException | None) -> bool:
    """Return whether nothing came before the deadline, by the clock of this side."""
    return isinstance(error, cassandra.OperationTimedOut)
