"""The only place that reads the system clock; everything else is handed a `Clock`.

Times in the whole project are integers of epoch milliseconds, UTC.
"""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Returns the present; a test hands in one that it moves itself (`testing.clock`)."""

    def now_ms(self) -> int:
        """Return the present as epoch milliseconds, UTC."""
        ...


class WaitingClock(Clock, Protocol):
    """A clock by which something is waited for, too."""

    def monotonic_s(self) -> float:
        """Return seconds since some instant, which nobody sets back: for what is waited for."""
        ...

    def sleep_s(self, seconds: float) -> None:
        """Return after this many seconds."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        """Return the present as epoch milliseconds, UTC."""
        return time.time_ns() // 1_000_000  # noqa: TID251 - this is the one place

    def monotonic_s(self) -> float:
        """Return seconds since some instant, which nobody sets back."""
        return time.monotonic()

    def sleep_s(self, seconds: float) -> None:
        """Return after this many seconds."""
        time.sleep(seconds)


def to_iso(time_ms: int) -> str:
    """Write epoch milliseconds as ISO-8601 in UTC, with milliseconds only where there are any."""
    moment = datetime.fromtimestamp(time_ms / 1000, tz=UTC)
    timespec = "milliseconds" if time_ms % 1000 else "seconds"
    return moment.isoformat(timespec=timespec).replace("+00:00", "Z")


def from_iso(text: str) -> int:
    """Read ISO-8601 (no zone means UTC) as epoch milliseconds.

    Raises:
        ValueError: The text is not ISO-8601.
    """
    moment = datetime.fromisoformat(text)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1000)
