"""What else a caller passes, checked where it comes in: names, addresses, instants."""

import math
import operator
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import SupportsIndex

from feature_platform.clock import from_iso
from feature_platform.errors import CallerError

Instant = SupportsIndex | float | str
"""Epoch milliseconds, or ISO-8601."""
CQL_PORT = 9042
PORT_MAX = 65_535
REQUEST_ID_CHARACTERS_MAX = 128
_ADDRESS = re.compile(
    r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<host>[^\s:\[\]]+|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f.]*))"
    r"(?::(?P<port>[0-9]{1,5}))?",
)
"""A name or an IPv4 address with or without a port, or an IPv6 one, in brackets if with a port."""


def names_asked(what: str, names: Iterable[str]) -> tuple[str, ...]:
    """Return a list of texts as a tuple.

    Args:
        what: What they are, for the error.
        names: What was passed.

    Raises:
        CallerError: It is one text, or holds something that is none.
    """
    if isinstance(names, str | bytes) or not isinstance(names, Iterable):
        msg = f"{what} is {names!r}, not a list; write [{names!r}]"
        raise CallerError(msg)
    listed = tuple(names)
    for place, name in enumerate(listed):
        if not isinstance(name, str):
            msg = f"{what}[{place}] is {name!r}, not a string"
            raise CallerError(msg)
    return listed


def contact(address: str) -> tuple[str, int]:
    """Return host and port of an address such as `10.0.0.1:9042`, `db1` or `[::1]:9042`.

    Raises:
        CallerError: It is none.
    """
    found = _ADDRESS.fullmatch(address)
    host = found["ipv6"] or found["host"] if found else ""
    port = int(found["port"] or CQL_PORT) if found else 0
    if not host or not 0 < port <= PORT_MAX:
        msg = f"{address!r} is not an address; write HOST:PORT, such as 10.0.0.1:9042"
        raise CallerError(msg)
    return host, port


def instant_ms(at: Instant | None) -> int | None:
    """Return an instant as epoch milliseconds; None stays None, which means now.

    Raises:
        CallerError: It is neither a whole number nor a text.
        ValueError: The text is not ISO-8601.
    """
    if at is None:
        return None
    if isinstance(at, str):
        return from_iso(at)
    if isinstance(at, float) and math.isfinite(at) and at.is_integer():
        return int(at)
    if isinstance(at, SupportsIndex) and not isinstance(at, bool):
        return operator.index(at)
    msg = f"at is {at!r}; write epoch milliseconds, or ISO-8601 such as '2026-01-31T15:37:00Z'"
    raise CallerError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a request is to be answered."""

    now_ms: int
    """The present."""
    at_ms: int | None
    """The instant that is asked about; None: the present."""
    explain: bool
    """Whether to add receipts."""
    max_staleness_ms: int | None
    """How long ago what is kept may have been read; None: what the client allows."""
    request_id: str = ""
    """What the feature log calls the answer; empty: it makes an id."""


def options(
    now_ms: int,
    at: Instant | None,
    max_staleness_ms: int | None,
    *,
    explain: bool,
    request_id: str = "",
) -> Options:
    """Return what was passed, checked.

    Raises:
        CallerError: The instant is none, the bound is negative, or the id is too long.
        ValueError: The instant is not ISO-8601.
    """
    if len(request_id) > REQUEST_ID_CHARACTERS_MAX:
        msg = (
            f"request_id has {len(request_id)} characters; the limit is {REQUEST_ID_CHARACTERS_MAX}"
            " (REQUEST_ID_CHARACTERS_MAX)"
        )
        raise CallerError(msg)
    return Options(
        request_id=request_id,
        now_ms=now_ms,
        at_ms=instant_ms(at),
        explain=explain,
        max_staleness_ms=None
        if max_staleness_ms is None
        else int(not_negative("max_staleness_ms", max_staleness_ms)),
    )


def not_negative(name: str, milliseconds: float) -> float:
    """Return a time.

    Raises:
        CallerError: It is negative, or not a number.
    """
    if not milliseconds >= 0:
        msg = f"{name} is {milliseconds}; write 0 or more milliseconds"
        raise CallerError(msg)
    return milliseconds
