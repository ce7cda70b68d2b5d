"""The driver's errors are translated once, and every one of them."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

import cassandra
import pytest
from cassandra.cluster import NoHostAvailable

from feature_platform.errors import StoreUnavailableError
from feature_platform.settings import StoreSettings
from feature_platform.store.connect import DRIVER_ERRORS, connect, translate, translating

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
        (cassandra.Unauthorized("no"), "the role may not do this"),
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
