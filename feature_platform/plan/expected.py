"""Which columns of a tile surely hold all that the events say: what may be compared at all. Pure.

Three things may make a right tile differ from one recomputed from the events by today's definition:
its column counts only since a change, a layout of before let it expire, or the event log begins
later. Checks, repairs and the comparison of generations ask here, so that none of them takes such
a tile for wrong.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from feature_platform.plan.layout import answers_window
from feature_platform.plan.snapshot import Snapshot, since_of
from feature_platform.rows.wire import Ints, Mask
from feature_platform.tiles.layout import LayoutColumn
from feature_platform.tiles.retention import Retention

EXPIRY_MARGIN_MS = 600_000
"""Tiles whose time ends this soon may be missing on one side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """Says of every tile of a feature set which of its columns can be expected to be whole."""

    snapshot: Snapshot
    kept: Retention
    levels: Mapping[int, tuple[tuple[int, LayoutColumn], ...]]
    """By level, lifetime too: its columns, each with the start of the first tile that is whole."""

    @classmethod
    def of(cls, snapshot: Snapshot, complete_ms: int = 0) -> "Expected":
        """Work it out.

        Args:
            snapshot: What is deployed.
            complete_ms: Events that the broker took after this are all in the log; 0: all are.
        """
        layout = snapshot.layout
        return cls(
            snapshot=snapshot,
            kept=snapshot.kept,
            levels={
                level: tuple(
                    (ms + snapshot.max_future_ms if ms else 0, column)
                    for column in layout.columns
                    if column.stands_in(level, layout.grid.lifetime_level)
                    for ms in (max(since_of(snapshot, column, level), complete_ms),)
                )
                for level in (*layout.used_levels, layout.grid.lifetime_level)
            },
        )

    def columns(self, level: int, start_ms: int, now_ms: int) -> tuple[LayoutColumn, ...]:
        """Return the columns of a tile that are whole now; none if it may be gone."""
        columns = self.levels.get(level, ())
        if level == self.snapshot.layout.grid.lifetime_level:
            return tuple(column for whole_ms, column in columns if not whole_ms)
        if not columns or not self.lasts(level, start_ms, now_ms):
            return ()
        return tuple(column for whole_ms, column in columns if start_ms >= whole_ms)

    def mask(self, level: int, starts_ms: Ints, now_ms: int, column: LayoutColumn | None) -> Mask:
        """Return for many tiles of a level whether a column, or any of `columns`, is whole."""
        whole = [
            whole_ms
            for whole_ms, found in self.levels.get(level, ())
            if column is None or found.id == column.id
        ]
        if not whole:
            return np.zeros(len(starts_ms), dtype=np.bool_)
        if level == self.snapshot.layout.grid.lifetime_level:
            return np.full(len(starts_ms), min(whole) == 0)
        kept_ms = np.full(len(starts_ms), self.kept.kept_ms[level])
        for step in reversed(self.kept.earlier[level]):
            kept_ms[starts_ms < step.before_ms] = step.kept_ms
        ends_ms = starts_ms + self.snapshot.layout.grid.levels_ms[level]
        lasts = ends_ms + kept_ms - now_ms > EXPIRY_MARGIN_MS
        known = starts_ms >= self.kept.unknown_before_ms
        found: Mask = lasts & known & (starts_ms >= min(whole))
        return found

    def lasts(self, level: int, start_ms: int, now_ms: int) -> bool:
        """Return whether a closed tile surely has not expired yet, whichever layout wrote it."""
        kept_ms = self.kept.lasts_ms(level, start_ms)
        end_ms = start_ms + self.snapshot.layout.grid.levels_ms[level]
        return kept_ms is not None and end_ms + kept_ms - now_ms > EXPIRY_MARGIN_MS

    def whole_from_ms(self, column: LayoutColumn, level: int) -> int:
        """Return the start of a column's first tile of a level that is whole; 0: all are."""
        return next(ms for ms, found in self.levels[level] if found.id == column.id)

    @property
    def since_ms(self) -> dict[str, int]:
        """By column that is not whole in all its tiles: the start of the first that is."""
        found: dict[str, int] = {}
        for columns in self.levels.values():
            for whole_ms, column in columns:
                if whole_ms:
                    found[column.name] = max(whole_ms, found.get(column.name, 0))
        return found

    def shorter_before_ms(self, now_ms: int) -> int:
        """Return up to which start tiles are left out that the layout of today would keep."""
        layout, kept = self.snapshot.layout, self.kept
        return max(
            (
                before_ms
                for level in layout.used_levels
                for before_ms in (
                    kept.unknown_before_ms,
                    *(step.before_ms for step in kept.earlier[level]),
                )
                if before_ms + kept.kept_ms[level] > now_ms
            ),
            default=0,
        )


def answers_from_ms(deployed: Snapshot, column: LayoutColumn, window_ms: int) -> int | None:
    """Return since when the stored tiles of a column are there for as long as a window needs them.

    Returns:
        0: always; None: they are not even now.
    """
    levels, kept = deployed.layout.grid.levels_for_window(window_ms), deployed.kept
    if not answers_window(deployed.layout, column, window_ms):
        return None
    if any(kept.kept_ms[level] < window_ms for level in levels):
        return None  # a job that was begun and not recorded keeps less
    return max(
        ms
        for level in levels
        for ms in (kept.answers_from_ms(level, window_ms), since_of(deployed, column, level))
    )
