"""How large a row can become: limits that hold whatever events say, and keep a store able to write.

Each text is cut by its own length before anything is merged, so what a row holds depends on the set
of events alone; that all of them together fit is checked when a definition is read.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

from feature_platform.tiles.grid import Grid
from feature_platform.tiles.layout import COUNTERS, Carrier, Kind

TEXT_BYTES_MAX = 4_096
"""Of a longer text FIRST_VALUE, LAST_VALUE and LAST_N keep the whole characters before this byte of
its UTF-8; the kernel's `FeatureAccumulator` has the same number."""
HEAD_BYTES_MAX = 8_388_608
"""What an entity's head may take at most: half of what Cassandra and ScyllaDB accept in one write
unless configured otherwise (half a segment of the commit log of 32 MiB)."""

TILE_BYTES = 40
COUNTER_BYTES = 16
FEATURE_BYTES = 32
ORDER_BYTES = 25
VALUE_BYTES: dict[Carrier, int] = {"int": 10, "real": 8, "text": 4 + TEXT_BYTES_MAX}


class Column(Protocol):
    """A stored column, of a definition or of a layout."""

    @property
    def kind(self) -> Kind:
        """How it aggregates."""
        ...

    @property
    def carrier(self) -> Carrier:
        """What its values are."""
        ...

    @property
    def n(self) -> int:
        """How many items LAST_N keeps."""
        ...

    @property
    def levels(self) -> tuple[int, ...]:
        """Levels whose tiles hold it."""
        ...

    @property
    def lifetime(self) -> bool:
        """Whether the lifetime holds it."""
        ...


def head_bytes_max(grid: Grid, columns: Sequence[Column]) -> int:
    """Return how many bytes an entity's head takes at most, whatever its events hold."""
    tiles = sum(grid.depth[level] for level in range(len(grid.levels_ms))) + 1
    return tiles * TILE_BYTES + sum(column_bytes_max(grid, column) for column in columns)


def column_bytes_max(grid: Grid, column: Column) -> int:
    """Return how many bytes a column takes at most in all tiles of a head."""
    tiles = sum(grid.depth[level] for level in column.levels) + (1 if column.lifetime else 0)
    return tiles * _value_bytes(column)


def holds_texts(columns: Iterable[Column]) -> bool:
    """Return whether the size of a row depends on texts."""
    return any(column.carrier == "text" for column in columns)


def _value_bytes(column: Column) -> int:
    if column.kind in COUNTERS:
        return COUNTER_BYTES
    return FEATURE_BYTES + max(column.n, 1) * (ORDER_BYTES + VALUE_BYTES[column.carrier])
