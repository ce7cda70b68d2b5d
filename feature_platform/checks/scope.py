"""What may be judged: tiles that last, of columns that have counted all their events. Pure.

A feature that counts since an upgrade, or a log whose first events are gone, would be a false alarm
in every older tile.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from feature_platform.deploy.tile_values import lasts
from feature_platform.plan.snapshot import Snapshot
from feature_platform.store.base import TileKey
from feature_platform.tiles.layout import EVENTS_COLUMN, LayoutColumn

DAY_MS = 86_400_000


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

    snapshot: Snapshot
    now_ms: int
    span: Span | None
    """Tiles inside it alone; None: all, lifetime too."""
    since_ms: Mapping[str, int]
    """By column, the first instant from which it has counted all events; 0: always."""

    @classmethod
    def of(cls, snapshot: Snapshot, now_ms: int, span: Span | None, complete_ms: int) -> "Scope":
        """Work it out.

        Args:
            snapshot: What is deployed.
            now_ms: The present; tiles that do not last are left out.
            span: Tiles inside it alone.
            complete_ms: Events that the broker took after this are all in the log; 0: all are.
        """
        ahead_ms = int(snapshot.job["source"]["max_future_ms"])
        since_ms = {
            name: (ms + ahead_ms if ms else 0)
            for name, began_ms in _began_ms(snapshot).items()
            for ms in (max(began_ms, complete_ms),)
        }
        return cls(snapshot=snapshot, now_ms=now_ms, span=span, since_ms=since_ms)

    def at(self, now_ms: int) -> "Scope":
        """Return the same for a later present; it never goes back."""
        return replace(self, now_ms=max(now_ms, self.now_ms))

    def columns(self, key: TileKey) -> tuple[LayoutColumn, ...]:
        """Return the columns that may be judged in a tile; none if it may not be judged at all."""
        layout, (level, start_ms) = self.snapshot.layout, key
        if level == layout.grid.lifetime_level:
            if self.span:
                return ()
            return tuple(
                column
                for column in layout.columns
                if column.lifetime and self.since_ms[column.name] == 0
            )
        if level not in layout.used_levels or not self._is_inside(key):
            return ()
        return tuple(
            column
            for column in layout.columns
            if level in column.levels and start_ms >= self.since_ms[column.name]
        )

    def _is_inside(self, key: TileKey) -> bool:
        level, start_ms = key
        end_ms = start_ms + self.snapshot.layout.grid.levels_ms[level]
        inside = self.span is None or (
            self.span.start_ms <= start_ms and end_ms <= self.span.end_ms
        )
        return inside and lasts(self.snapshot.layout, key, self.now_ms)

    @property
    def left_out(self) -> str:
        """Say which columns are judged in younger tiles only; empty if none is."""
        names = sorted(name for name, ms in self.since_ms.items() if ms)
        if not names:
            return ""
        since = datetime.fromtimestamp(max(self.since_ms.values()) / 1000, UTC)
        return (
            f"; of {', '.join(names)} tiles from {since:%Y-%m-%dT%H:%MZ} on, because not all "
            f"events before that are counted or kept"
        )


def _began_ms(snapshot: Snapshot) -> dict[str, int]:
    """Return since when each column counts; `_events` since everything does."""
    began = dict.fromkeys((column.name for column in snapshot.layout.columns), 0)
    for feature in snapshot.features:
        since = max(feature.valid_from_ms, *feature.added_ms.values(), 0)
        for name in (*feature.columns, EVENTS_COLUMN):
            began[name] = max(began.get(name, 0), since)
    return began


def _midnight_ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
