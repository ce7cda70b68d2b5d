"""Many statements at a time, with a small class in place of the driver's session."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import cassandra
import pytest

from feature_platform.store.concurrently import arun_all, run_all

ERRORS = (cassandra.DriverException, OSError)


class Future:
    """Answers when it is told to, or never, which the driver's own timer ends."""

    def __init__(self, rows: list[Any] | Exception | None, timeout_s: float) -> None:
        """Answer rows, raise, or time out."""
        self.rows = cassandra.OperationTimedOut() if rows is None else rows
        delay_s = timeout_s if rows is None else 0.0
        self.done = threading.Event()
        self.callbacks: list[Callable[[object], None]] = []
        self.timer = threading.Timer(delay_s, self._end)

    def add_callbacks(
        self, callback: Callable[[object], None], errback: Callable[[object], None]
    ) -> None:
        """Take what is called at the end, and begin."""
        self.callbacks = [errback if isinstance(self.rows, Exception) else callback]
        self.timer.start()

    def _end(self) -> None:
        for callback in self.callbacks:
            callback(self.rows)
        self.done.set()

    def result(self) -> list[Any]:
        """Wait for the end."""
        self.done.wait()
        if isinstance(self.rows, Exception):
            raise self.rows
        return self.rows


class Session:
    """Mutable: counts what is under way."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.timeouts_s: list[float] = []
        self.sent: list[Future] = []

    def execute_async(self, statement: object, timeout: float) -> Future:
        """Begin a statement: a list is its rows, None never comes, an OSError cannot be sent."""
        self.timeouts_s.append(timeout)
        if isinstance(statement, OSError):
            raise statement
        assert statement is None or isinstance(statement, list | Exception)
        self.sent.append(Future(statement, timeout))
        return self.sent[-1]


def test_each_statement_has_its_own_outcome() -> None:
    """In order: rows, what the store refused, what could not be sent."""
    refused, unsent = cassandra.InvalidRequest("no"), OSError("no socket")
    statements = [[(1,)], refused, unsent, [], [(2,), (3,)]]
    outcomes = run_all(Session(), statements, in_flight_max=2, timeout_s=60, expected=ERRORS)
    assert outcomes == [[(1,)], refused, unsent, [], [(2,), (3,)]]
    awaited = arun_all(Session(), statements, in_flight_max=2, timeout_s=60, expected=ERRORS)
    assert asyncio.run(awaited) == outcomes


def test_all_of_them_share_one_deadline() -> None:
    """A store that never answers costs it once, however few statements may be under way."""
    session = Session()
    statements: list[object] = [None] * 6
    outcomes = run_all(session, statements, in_flight_max=2, timeout_s=0.2, expected=ERRORS)
    assert all(isinstance(each, cassandra.OperationTimedOut) for each in outcomes)
    assert session.timeouts_s[0] > 0.1
    assert max(session.timeouts_s[2:]) < 0.1, "begun when the first ones had used it up"


def test_a_cancelled_read_sends_no_more_statements() -> None:
    """Those under way end by themselves, also after the event loop has."""
    session = Session()
    statements: list[object] = [None] * 6

    async def cancelled() -> None:
        reading = arun_all(session, statements, in_flight_max=2, timeout_s=0.2, expected=ERRORS)
        await asyncio.wait_for(reading, 0.05)

    with pytest.raises(TimeoutError):
        asyncio.run(cancelled())
    for future in session.sent:
        assert future.done.wait(30)
    assert len(session.sent) == 2
