"""Adds up how many events tiles hold, by day and level, and compares with the event log (pure)."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from math import lcm

import numpy as np

from feature_platform.checks.scope import Scope
from feature_platform.plan.snapshot import Snapshot
from feature_platform.rows.partials import Row
from feature_platform.rows.wire import Ints
from feature_platform.store.base import TileKey
from feature_platform.tiles.grid import DAY_MS, floor_ms, format_duration
from feature_platform.tiles.layout import EVENTS_ID
from feature_platform.words import counted


def bucket_ms(length_ms: int) -> int:
    """Return by what a level's tiles are added up: the days, or what spans whole tiles."""
    return lcm(length_ms, DAY_MS)


class Counts:
    """Events by level and bucket (mutable)."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Begin with none."""
        self._snapshot = snapshot
        self._held: Counter[tuple[int, int]] = Counter()

    def add(self, tiles: Mapping[TileKey, Row]) -> None:
        """Take in an entity's tiles."""
        grid = self._snapshot.layout.grid
        for (level, start_ms), row in tiles.items():
            if level in self._snapshot.layout.used_levels:
                bucket = floor_ms(start_ms, bucket_ms(grid.levels_ms[level]))
                self._held[level, bucket] += row.counters.get(EVENTS_ID, 0)
            elif level == grid.lifetime_level:
                self._held[level, 0] += row.counters.get(EVENTS_ID, 0)

    def add_arrays(self, levels: Ints, starts_ms: Ints, events: Ints) -> None:
        """Take in many entities' tiles: of each its level, start and number of events."""
        grid = self._snapshot.layout.grid
        for level in (*self._snapshot.layout.used_levels, grid.lifetime_level):
            here = levels == level
            is_lifetime = level == grid.lifetime_level
            length_ms = 1 if is_lifetime else bucket_ms(grid.levels_ms[level])
            buckets = starts_ms[here] - starts_ms[here] % length_ms
            found, places = np.unique(0 * buckets if is_lifetime else buckets, return_inverse=True)
            totals = np.zeros(len(found), dtype=np.int64)
            np.add.at(totals, places, events[here])
            for bucket, total in zip(found.tolist(), totals.tolist(), strict=True):
                self._held[level, bucket] += total

    def compare(
        self, logged: Mapping[int, Mapping[int, int]], scope: Scope
    ) -> tuple[int, list[str]]:
        """Compare with the log.

        Args:
            logged: Events that the SQL counts, by bucket length and bucket start.
            scope: What may be judged, after the last tile was read.

        Returns:
            How many numbers were compared, and what differs.
        """
        wrong, compared = [], 0
        for level, start_ms, expected in self._comparable(logged, scope):
            compared += 1
            held = self._held[level, start_ms]
            if held != expected:
                wrong.append(
                    f"{self._name(level, start_ms)} have {counted(held, 'event')}, the event log "
                    f"has {expected:,}"
                )
        return compared, wrong

    def _comparable(
        self, logged: Mapping[int, Mapping[int, int]], scope: Scope
    ) -> Iterator[tuple[int, int, int]]:
        """Yield level, bucket and the log's number where all tiles of a bucket may be judged."""
        layout = self._snapshot.layout
        events = layout.columns[0]
        for level in layout.used_levels:
            length_ms = bucket_ms(layout.grid.levels_ms[level])
            if scope.span and length_ms != DAY_MS:
                continue  # a bucket may reach over the span's end
            seen = {start for found, start in self._held if found == level}
            for start_ms in sorted(logged.get(length_ms, {}).keys() | seen):
                if events in scope.columns((level, start_ms)):
                    yield level, start_ms, logged.get(length_ms, {}).get(start_ms, 0)
        lifetime = layout.grid.lifetime_level
        if events in scope.columns((lifetime, 0)):
            yield lifetime, 0, sum(logged.get(DAY_MS, {}).values())

    def _name(self, level: int, start_ms: int) -> str:
        grid = self._snapshot.layout.grid
        if level == grid.lifetime_level:
            return "the lifetime tiles"
        day = datetime.fromtimestamp(start_ms / 1000, UTC).date()
        return f"the {format_duration(grid.levels_ms[level])} tiles of {day.isoformat()}"
