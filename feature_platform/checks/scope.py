"""What may be judged: tiles that last, of columns that have counted all their events. Pure.

What a tile can be expected to hold is decided in `plan.expected`; here the days are added that a
person asks for.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

import numpy as np

from feature_platform.plan.expected import Expected
from feature_platform.plan.snapshot import Snapshot
from feature_platform.rows.wire import Ints, Mask
from feature_platform.store.base import TileKey
from feature_platform.tiles.grid import DAY_MS
from feature_platform.tiles.layout import LayoutColumn


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Event times `[start_ms, end_ms)` of whole UTC days."""

    start_ms: int
    end_ms: int

    @classmethod
    def of_days(cls, first: date, last: date) -> "Span":
        """Return the span from the first day to the last, both taken in."""
        return cls(start_ms=_midnight_ms(first), end_ms=_midnight_ms(last) + DAY_MS)

    @property
    def days(self) -> tuple[str, ...]:
        """The days as ISO dates."""
        starts = range(self.start_ms, self.end_ms, DAY_MS)
        return tuple(
            datetime.fromtimestamp(start / 1000, UTC).date().isoformat() for start in starts
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Says of every tile which of its columns may be judged."""

    expected: Expected
    now_ms: int
    span: Span | None
    """Tiles inside it alone; None: all, lifetime too."""

    @classmethod
    def of(cls, snapshot: Snapshot, now_ms: int, span: Span | None, complete_ms: int) -> "Scope":
        """Work it out.

        Args:
            snapshot: What is deployed.
            now_ms: The present; tiles that do not last are left out.
            span: Tiles inside it alone.
            complete_ms: Events that the broker took after this are all in the log; 0: all are.
        """
        return cls(expected=Expected.of(snapshot, complete_ms), now_ms=now_ms, span=span)

    @property
    def snapshot(self) -> Snapshot:
        """What is deployed."""
        return self.expected.snapshot

    def at(self, now_ms: int) -> "Scope":
        """Return the same for a later present; it never goes back."""
        return replace(self, now_ms=max(now_ms, self.now_ms))

    def columns(self, key: TileKey) -> tuple[LayoutColumn, ...]:
        """Return the columns that may be judged in a tile; none if it may not be judged at all."""
        level, start_ms = key
        if self.span and not self._is_inside(self.span, level, start_ms):
            return ()
        return self.expected.columns(level, start_ms, self.now_ms)

    def mask(self, level: int, starts_ms: Ints, column: LayoutColumn | None) -> Mask:
        """Return for tiles of a level whether a column, or any of `columns`, may be judged."""
        grid = self.snapshot.layout.grid
        found = self.expected.mask(level, starts_ms, self.now_ms, column)
        if self.span is None:
            return found
        if level == grid.lifetime_level:
            return np.zeros(len(starts_ms), dtype=np.bool_)
        ends_ms = starts_ms + grid.levels_ms[level]
        return found & (starts_ms >= self.span.start_ms) & (ends_ms <= self.span.end_ms)

    def _is_inside(self, span: Span, level: int, start_ms: int) -> bool:
        grid = self.snapshot.layout.grid
        if not 0 <= level < grid.lifetime_level:
            return False
        return span.start_ms <= start_ms and start_ms + grid.levels_ms[level] <= span.end_ms

    @property
    def left_out(self) -> str:
        """Say which tiles are not judged, and why; empty if all that are kept are."""
        text, since_ms = "", self.expected.since_ms
        if since_ms:
            text += (
                f"; {', '.join(sorted(since_ms))} only from {_minute(max(since_ms.values()))}, "
                "because earlier events are not all counted or kept"
            )
        shorter_ms = self.expected.shorter_before_ms(self.now_ms)
        if shorter_ms:
            text += (
                f"; without tiles from before {_minute(shorter_ms)} that an earlier version did "
                "not keep"
            )
        return text


def _minute(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%dT%H:%MZ}"


def _midnight_ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
