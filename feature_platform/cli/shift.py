"""Moves event times of JSON lines so that the last one is now; no other byte changes."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from feature_platform.clock import from_iso, to_iso

if TYPE_CHECKING:
    from feature_platform.definition.model import TimeUnit

_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\n\r]*")


TICKS_PER_SECOND: Mapping["TimeUnit", int] = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def last_time_ms(lines: Iterable[bytes], column: str, unit: "TimeUnit" = "ms") -> int | None:
    """Return the latest event time of the lines; None if no line has a readable one."""
    found = (_find_time(line, column, unit) for line in lines)
    return max((place[2] for place in found if place), default=None)


def shift(line: bytes, column: str, by_ms: int, unit: "TimeUnit" = "ms") -> bytes | None:
    """Return the line with its event time moved by so much; None if it has no readable time.

    The time is written back as it was found: a number as a number, ISO-8601 as ISO-8601 in UTC.
    """
    place = _find_time(line, column, unit)
    if place is None:
        return None
    start, end, time_ms, is_text = place
    try:
        ticks = (time_ms + by_ms) * TICKS_PER_SECOND[unit] // 1000
        moved = f'"{to_iso(time_ms + by_ms)}"' if is_text else str(ticks)
    except (ValueError, OverflowError):
        return None
    text = line.decode()
    return f"{text[:start]}{moved}{text[end:]}".encode()


def _find_time(line: bytes, column: str, unit: "TimeUnit") -> tuple[int, int, int, bool] | None:
    """Find the event time in a line: start, end, the time, and whether it is written as text."""
    try:
        text = line.decode()
        ((start, end, value),) = [
            (start, end, value) for key, value, start, end in _members(text) if key == column
        ]
        is_text = isinstance(value, str)
        time_ms = from_iso(value) if is_text else _ms(value, unit)
    except (ValueError, OverflowError, RecursionError):
        return None
    return None if time_ms is None else (start, end, time_ms, is_text)


def _ms(value: object, unit: "TimeUnit") -> int | None:
    """Return a whole number of the unit in milliseconds; it may be written as 5.0."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value * 1000 // TICKS_PER_SECOND[unit] if type(value) is int else None


def _members(text: str) -> Iterator[tuple[str, Any, int, int]]:
    """Yield key, value, and the value's start and end, of each member of a JSON object.

    Raises:
        ValueError: The text is not one JSON object.
    """
    at = _after(text, 0, "{")
    more = text[at : at + 1] != "}"
    while more:
        key, at = _DECODER.raw_decode(text, at)
        start = _after(text, at, ":")
        value, end = _DECODER.raw_decode(text, start)
        yield key, value, start, end
        at = _skip(text, end)
        more = text[at : at + 1] != "}"
        at = _after(text, at, ",") if more else at
    if _skip(text, at + 1) != len(text):
        msg = "unexpected text after the object"
        raise ValueError(msg)


def _after(text: str, at: int, mark: str) -> int:
    """Return where the next token after this mark starts."""
    at = _skip(text, at)
    if text[at : at + 1] != mark:
        msg = f"expected {mark} at character {at}"
        raise ValueError(msg)
    return _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at
