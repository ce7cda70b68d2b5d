"""The driver's errors are translated once, and every one of them."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from typing import Any

import cassandra
import pytest
from cassandra.cluster import NoHostAvailable

from feature_platform.errors import StoreUnavailableError
from feature_platform.settings import StoreSettings
from feature_platform.store.connect import Connection, connect
from feature_platform.store.driver_errors import DRIVER_ERRORS, translate, translating

MODULES = ("cluster", "connection", "pool", "protocol", "query", "policies", "auth", "concurrent")


def driver_errors() -> Iterator[type[Exception]]:
    """Yield every exception class that the driver's modules define."""
    modules = [cassandra, *(importlib.import_module(f"cassandra.{name}") for name in MODULES)]
    for module in modules:
        for _, found in inspect.getmembers(module, inspect.isclass):
            if issubclass(found, Exception) and found.__module__.startswith("cassandra"):
                yield found


def test_no_error_of_the_driver_is_left_untranslated() -> None:
    """A new version of the driver with a new kind of error turns this red."""
    assert [found for found in driver_errors() if not issubclass(found, DRIVER_ERRORS)] == []


def test_the_modules_that_are_looked_at_are_there() -> None:
    """Or the test above would look at nothing."""
    names = {module.name for module in pkgutil.iter_modules(cassandra.__path__)}
    assert set(MODULES) <= names


def test_the_cause_is_kept() -> None:
    """For whoever reads the trace."""
    original = cassandra.OperationTimedOut()
    with pytest.raises(StoreUnavailableError) as caught, translating("reading t at h:1"):
        raise original
    assert caught.value.__cause__ is original


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (cassandra.AuthenticationFailed("no"), "check the FP_..._PASSWORD"),
        (NoHostAvailable("x", {"h": cassandra.AuthenticationFailed("no")}), "FP_..._PASSWORD"),
        (NoHostAvailable("x", {"h": OSError("refused")}), "is the store up?"),
        (NoHostAvailable("x", []), "is the store up?"),
        (cassandra.Unauthorized("no"), "this role is not allowed to do this"),
        (cassandra.InvalidRequest("no table"), "fp apply"),
        (cassandra.OperationTimedOut(), "is the store up?"),
    ],
)
def test_each_kind_says_what_to_do(error: Exception, remedy: str) -> None:
    """With what was tried, and what the driver said."""
    text = str(translate(error, "reading t at h:1"))
    assert text.startswith(f"reading t at h:1 failed: {type(error).__name__}")
    assert remedy in text


def test_a_store_that_is_down_is_named() -> None:
    """With its address and the user."""
    settings = StoreSettings(host="127.0.0.1", port=1)
    with pytest.raises(StoreUnavailableError, match=r"store at 127.0.0.1:1 as fp_service"):
        connect(settings, "fp_service", "secret")


class BusySession:
    """A session that does not answer the first times. Mutable: it counts what it is asked."""

    def __init__(self, unanswered: int) -> None:
        """Let so many requests time out."""
        self.unanswered, self.asked = unanswered, list[str]()

    def prepare(self, statement: str) -> str:
        """Prepare, if it answers."""
        return self._answer(f"prepare {statement}", statement)

    def execute(self, statement: str, _: object) -> list[tuple[str]]:
        """Run, if it answers."""
        return [(self._answer(statement, statement),)]

    def _answer(self, asked: str, answer: str) -> str:
        self.asked.append(asked)
        if self.unanswered:
            self.unanswered -= 1
            raise cassandra.OperationTimedOut
        return answer


def busy(unanswered: int) -> tuple[BusySession, Connection]:
    """Return a connection over a busy session."""
    session = BusySession(unanswered)
    cluster: Any = None
    return session, Connection(lambda: (cluster, session), StoreSettings())


def test_what_only_reads_is_asked_twice() -> None:
    """A store that was busy for a moment fails no command."""
    session, connection = busy(1)
    assert connection.run("SELECT 1") == [("SELECT 1",)]
    session.unanswered = 1
    assert connection.run("SELECT 1") == [("SELECT 1",)]

    assert session.asked == ["prepare SELECT 1"] * 2 + ["SELECT 1"] * 3


def test_a_store_that_never_answers_is_told() -> None:
    """Two tries, then the error."""
    session, connection = busy(9)
    with pytest.raises(StoreUnavailableError, match="OperationTimedOut"):
        connection.run("SELECT 1")

    assert session.asked == ["prepare SELECT 1"] * 2


def test_a_write_is_sent_once() -> None:
    """It may have been applied: whoever wrote it knows what that means."""
    session, connection = busy(0)
    connection.run("UPDATE t")
    session.unanswered = 1
    with pytest.raises(StoreUnavailableError):
        connection.run("UPDATE t")

    assert session.asked == ["prepare UPDATE t", "UPDATE t", "UPDATE t"]


def test_a_conditional_statement_is_asked_twice() -> None:
    """Its callers read what is stored before they conclude anything from a False."""
    session, connection = busy(1)
    assert connection.try_lwt("UPDATE t IF a = 1", ()) is True
    session.unanswered = 1
    assert connection.try_lwt("UPDATE t IF a = 1", ()) is True

    assert session.asked == ["prepare UPDATE t IF a = 1"] * 2 + ["UPDATE t IF a = 1"] * 3
