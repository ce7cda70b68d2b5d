"""What a tile holds of some columns, and how two of them differ, in words. Pure."""

from collections.abc import Iterable, Mapping

from feature_platform.clock import to_iso
from feature_platform.rows.partials import Row
from feature_platform.store.base import TileKey
from feature_platform.tiles.grid import Grid, format_duration
from feature_platform.tiles.layout import LayoutColumn

Held = Mapping[str, int | bytes]
"""Counters and encoded features of a tile by column name; what is not there is left out."""


def values_of(
    row: Row, columns: Iterable[LayoutColumn], level: int, lifetime: int
) -> dict[str, int | bytes]:
    """Return what a row of a level holds of columns that this level keeps."""
    everything: Mapping[int, int | bytes] = {**row.counters, **row.features}
    return {
        column.name: everything[column.id]
        for column in columns
        if column.id in everything
        and (column.lifetime if level == lifetime else level in column.levels)
    }


def name_tile(grid: Grid, key: TileKey) -> str:
    """Name a tile for a person."""
    level, start_ms = key
    if level == grid.lifetime_level:
        return "lifetime"
    if level > grid.lifetime_level:
        return f"level {level} at {to_iso(start_ms)}"
    return f"{format_duration(grid.levels_ms[level])} tile of {to_iso(start_ms)}"


def differing(entity: str, key: TileKey, was: Held, now: Held, grid: Grid) -> list[str]:
    """Say of each column that differs what it was and what it is."""
    return [
        f"{name} of {entity!r}, {name_tile(grid, key)}: was {spell(was.get(name))}, "
        f"is {spell(now.get(name))}"
        for name in sorted(was.keys() | now.keys())
        if was.get(name) != now.get(name)
    ]


def spell(value: int | bytes | None) -> str:
    """Write what a tile holds for a person."""
    if value is None:
        return "nothing"
    return value.hex() if isinstance(value, bytes) else str(value)
