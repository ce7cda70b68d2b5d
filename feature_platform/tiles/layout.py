"""What the rows of one deployed feature set hold: the fact that kernel, serving and oracle share.

A `Layout` is plain data: JSON in the kernel's job spec, and in the registry for readers.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from feature_platform.tiles.grid import Grid

Kind = Literal["count", "sum", "min", "max", "first", "last", "last_n"]
Carrier = Literal["int", "real", "text"]

EVENTS_ID = 0
EVENTS_COLUMN = "_events"
ADDITIVE: frozenset[Kind] = frozenset({"count", "sum"})
EXTREMES: frozenset[Kind] = frozenset({"min", "max"})
COUNTERS: frozenset[Kind] = ADDITIVE | EXTREMES
HIGH = "#high"
"""After a feature's name: the column with the high halves of what its SUM or AVG adds up."""
BEYOND = "#beyond"
"""After a feature's name: how many values its SUM or AVG could not take."""


def is_high(column: str) -> bool:
    """Return whether a stored column holds high halves."""
    return column.endswith(HIGH)


def is_beyond(column: str) -> bool:
    """Return whether a stored column counts what could not be summed."""
    return column.endswith(BEYOND)


def completes(column: str) -> bool:
    """Return whether a stored column only completes its feature's others: without it they hold."""
    return is_high(column) or is_beyond(column)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutColumn:
    """One stored column: a partial the kernel keeps, under an id that is never used again."""

    id: int
    name: str
    kind: Kind
    carrier: Carrier
    n: int
    """How many items LAST_N keeps; 0 for the others."""
    levels: tuple[int, ...]
    """Levels whose tiles hold this column, finest first; without lifetime."""
    lifetime: bool

    def stands_in(self, level: int, lifetime_level: int) -> bool:
        """Return whether tiles of a level, or lifetime, hold it."""
        return self.lifetime if level == lifetime_level else level in self.levels


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Grid, keeping times and columns of a feature set's rows. Column 0 is `_events`."""

    grid: Grid
    retention_ms: tuple[int, ...]
    """By level, how long after its end a closed tile is kept; 0 where the level is not used."""
    columns: tuple[LayoutColumn, ...]

    @property
    def used_levels(self) -> tuple[int, ...]:
        """The levels that have tiles at all, finest first."""
        return self.columns[0].levels

    def column(self, name: str) -> LayoutColumn:
        """Return the column of this name.

        Raises:
            KeyError: There is none.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def to_json(self) -> dict[str, Any]:
        """Return the form that is in the job spec and in the registry."""
        return {
            "levels_ms": list(self.grid.levels_ms),
            "depth": list(self.grid.depth),
            "retention_ms": list(self.retention_ms),
            "columns": [
                asdict(column) | {"levels": list(column.levels)} for column in self.columns
            ],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Layout":
        """Read what `to_json` wrote."""
        return cls(
            grid=Grid(levels_ms=tuple(data["levels_ms"]), depth=tuple(data["depth"])),
            retention_ms=tuple(data["retention_ms"]),
            columns=tuple(
                LayoutColumn(**(column | {"levels": tuple(column["levels"])}))
                for column in data["columns"]
            ),
        )
