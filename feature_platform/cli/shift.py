"""Moves event times of JSON lines so that the last one is now; no other byte changes."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from feature_platform.clock import from_iso, to_iso

_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\n\r]*")


def last_time_ms(lines: Iterable[bytes], column: str) -> int | None:
    """Return the latest event time of the lines; None if no line has a readable one."""
    found = (_find_time(line, column) for line in lines)
    return max((place[2] for place in found if place), default=None)


def shift(line: bytes, column: str, by_ms: int) -> bytes | None:
    """Return the line with its event time moved by so much; None if it has no readable time.

    The time is written back as it was found: a number as a number, ISO-8601 as ISO-8601 in UTC.
    """
    place = _find_time(line, column)
    if place is None:
        return None
    start, end, time_ms, is_text = place
    try:
        moved = f'"{to_iso(time_ms + by_ms)}"' if is_text else str(time_ms + by_ms)
    except (ValueError, OverflowError):
        return None
    text = line.decode()
    return f"{text[:start]}{moved}{text[end:]}".encode()


def _find_time(line: bytes, column: str) -> tuple[int, int, int, bool] | None:
    """Find the event time in a line: start, end, the time, and whether it is written as text."""
    try:
        text = line.decode()
        ((start, end, value),) = [
            (start, end, value) for key, value, start, end in _members(text) if key == column
        ]
        is_text = isinstance(value, str)
        time_ms = from_iso(value) if is_text else value
    except (ValueError, OverflowError, RecursionError):
        return None
    return (start, end, time_ms, is_text) if type(time_ms) is int else None


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
        msg = "text follows the object"
        raise ValueError(msg)


def _after(text: str, at: int, mark: str) -> int:
    """Return where the next token after this mark starts."""
    at = _skip(text, at)
    if text[at : at + 1] != mark:
        msg = f"no {mark} at character {at}"
        raise ValueError(msg)
    return _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at
