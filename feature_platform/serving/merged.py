"""What finishing needs to know of tiles: counters merged over windows, features still encoded."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from feature_platform.rows.wire import Ints, Mask
from feature_platform.tiles.layout import LayoutColumn

LIFETIME = 0
"""The window of lifetime and of latest values."""


class Merged(Protocol):
    """Tiles of many entities, merged over the covers of windows."""

    @property
    def entity_count(self) -> int:
        """How many entities there are."""
        ...

    def total(self, column: LayoutColumn, window_ms: int) -> Ints:
        """Return the sum of a counter for each entity, as int64 wraps."""
        ...

    def totals(self, lines: Sequence[tuple[int, int]]) -> Ints:
        """Return sums of many counters: a row for each entity, a column for each line.

        Args:
            lines: Windows and ids of counters.
        """
        ...

    def extreme(self, column: LayoutColumn, window_ms: int) -> tuple[Ints, Mask]:
        """Return the minimum or maximum for each entity, and where there is one."""
        ...

    def encoded(self, column: LayoutColumn, window_ms: int) -> Iterator[tuple[int, bytes]]:
        """Yield entity and encoded value of a feature, tile by tile, by ascending entity."""
        ...
