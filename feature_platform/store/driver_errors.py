"""What the driver raises, translated once into the platform's errors, each with what to do next."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import cassandra
from cassandra.cluster import NoHostAvailable, QueryExhausted, UserTypeDoesNotExist
from cassandra.connection import ConnectionBusy, ConnectionException, ProtocolError
from cassandra.pool import NoConnectionsAvailable
from cassandra.protocol import ErrorMessage, InternalError, NotSupportedError
from cassandra.query import TraceUnavailable
from cassandra.segment import CrcException

from feature_platform.errors import StoreDownError, StoreUnavailableError

ERROR_TEXT_MAX = 500
TLS, UNTRUSTED = "[SSL", "CERTIFICATE_VERIFY_FAILED"
"""In the text of the driver's errors: it raises an OSError of its own instead of Python's."""

DRIVER_ERRORS: tuple[type[Exception], ...] = (
    cassandra.DriverException,
    cassandra.DependencyException,
    NoHostAvailable,
    NoConnectionsAvailable,
    ConnectionException,
    ConnectionBusy,
    ProtocolError,
    ErrorMessage,
    InternalError,
    NotSupportedError,
    QueryExhausted,
    TraceUnavailable,
    UserTypeDoesNotExist,
    CrcException,
    OSError,
)
"""Everything the driver can raise; a test walks its modules and finds no other."""
SILENCE = (
    cassandra.OperationTimedOut,
    NoHostAvailable,
    NoConnectionsAvailable,
    ConnectionException,
    OSError,
)
"""What the driver raises where no node answers, or none in time by the clock of this side."""


def translate(error: Exception, doing: str, hidden: Sequence[str] = ()) -> StoreUnavailableError:
    """Return the platform's error for one of the driver's.

    Args:
        error: What the driver raised.
        doing: What was tried, as in "reading tiles_posts_g1 at 127.0.0.1:9042".
        hidden: Secrets, which the store may have repeated.
    """
    text = f"{type(error).__name__}: {error}"
    for secret in filter(None, hidden):
        text = text.replace(secret, "***")
    text = text[:ERROR_TEXT_MAX]
    kind = StoreDownError if _is_silence(error) else StoreUnavailableError
    translated = kind(f"{doing} failed: {text}; {_remedy(error)}")
    translated.__cause__ = error
    return translated


def _is_silence(error: Exception) -> bool:
    """Return whether no node answered at all: what one answered is in the error otherwise."""
    if isinstance(error, ErrorMessage):
        return False
    return isinstance(error, SILENCE) and not any(
        isinstance(cause, ErrorMessage | cassandra.AuthenticationFailed) for cause in _causes(error)
    )


def _remedy(error: Exception) -> str:
    causes = _causes(error)
    if any(isinstance(cause, cassandra.AuthenticationFailed) for cause in causes):
        return (
            "the store refused the user or password: check the FP_..._PASSWORD of this role (the "
            "environment overrides .fp/secrets)"
        )
    if any(UNTRUSTED in str(cause) for cause in causes):
        return (
            "each node's certificate must be signed by an authority in store.tls.ca_file and name "
            "the address used to connect: the name in store.host, or the IP address"
        )
    if any(TLS in str(cause) for cause in causes):
        return (
            "check store.tls.enabled, which must match the store, and the client certificate if "
            "the store requires one"
        )
    if isinstance(error, cassandra.Unauthorized):
        return (
            "this role is not allowed to do this: use another role, or let `fp up` set the roles "
            "again"
        )
    if isinstance(error, (cassandra.InvalidRequest, ErrorMessage)):
        return "if a table is missing, run `fp apply`, which creates it"
    return "is the store up? See `fp status`"


def is_refused_login(error: StoreUnavailableError) -> bool:
    """Return whether the store answered, and refused the user or the password."""
    cause = error.__cause__
    causes = _causes(cause) if isinstance(cause, Exception) else []
    return any(isinstance(each, cassandra.AuthenticationFailed) for each in causes)


def is_untrusted(error: StoreUnavailableError) -> bool:
    """Return whether the store answered, and its certificate was refused."""
    return UNTRUSTED in str(error.__cause__)


def _causes(error: Exception) -> list[object]:
    """Return what went wrong at each node; the driver has a list instead where it knew none."""
    if not isinstance(error, NoHostAvailable):
        return [error]
    return list(error.errors.values() if isinstance(error.errors, dict) else error.errors)


@contextmanager
def translating(doing: str, hidden: Sequence[str] = ()) -> Iterator[None]:
    """Translate what the driver raises in the block.

    Raises:
        StoreUnavailableError: The driver raised anything.
    """
    try:
        yield
    except DRIVER_ERRORS as error:
        raise translate(error, doing, hidden) from error
