"""Which tiles answer a window: the smallest exact set of aligned tiles between two instants.

Pure arithmetic on the grid, decided once per request for all entities; knows no heads or rows.
"""

from dataclasses import dataclass
from typing import Literal

from feature_platform.tiles.grid import Grid

Mode = Literal["now", "past"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """The interval a window is answered for and the tiles that make it up.

    Invariants: the tiles ascend in time, do not overlap, and their union is `[lo_ms, hi_ms)`.
    """

    lo_ms: int
    hi_ms: int
    tiles: tuple[tuple[int, int], ...]
    """Level and start of each tile."""


def cover(
    grid: Grid,
    levels: tuple[int, ...],
    window_ms: int,
    at_ms: int,
    mode: Mode,
    *,
    edge_ms: int = 0,
) -> Cover:
    """Choose the tiles that answer a window.

    Args:
        grid: The levels of the feature set.
        levels: The levels that may be used, finest first, at least one.
        window_ms: Length of the window, no shorter than the finest of the levels.
        at_ms: The instant asked about.
        mode: `now` takes the tile in progress too, as large as fits, so the interval ends after the
            instant; `past` takes only tiles that ended by it.
        edge_ms: How much longer than asked the window may become for fewer tiles: its tail edge is
            floored to the largest level that is no longer than this.

    Raises:
        ValueError: No level is given, or the window is shorter than the finest.
    """
    if not levels or grid.levels_ms[levels[0]] > window_ms:
        msg = f"a window of {window_ms} ms has no cover of the levels {levels} of {grid}"
        raise ValueError(msg)
    finest = levels[0]
    edge = max((level for level in levels if grid.levels_ms[level] <= edge_ms), default=finest)
    lo_ms = grid.floor(at_ms - window_ms, edge)
    if mode == "past":
        hi_ms = grid.floor(at_ms, finest)
        return Cover(lo_ms=lo_ms, hi_ms=hi_ms, tiles=_fill(grid, levels, lo_ms, hi_ms))
    front = max(level for level in levels if grid.floor(at_ms, level) >= lo_ms)
    start_ms = grid.floor(at_ms, front)
    return Cover(
        lo_ms=lo_ms,
        hi_ms=start_ms + grid.levels_ms[front],
        tiles=(*_fill(grid, levels, lo_ms, start_ms), (front, start_ms)),
    )


def _fill(
    grid: Grid, levels: tuple[int, ...], lo_ms: int, hi_ms: int
) -> tuple[tuple[int, int], ...]:
    """Fill `[lo_ms, hi_ms)` from its end backwards, always with the largest tile that fits."""
    tiles: list[tuple[int, int]] = []
    end_ms = hi_ms
    while end_ms > lo_ms:
        level = max(
            level
            for level in levels
            if end_ms % grid.levels_ms[level] == 0 and end_ms - grid.levels_ms[level] >= lo_ms
        )
        end_ms -= grid.levels_ms[level]
        tiles.append((level, end_ms))
    return tuple(reversed(tiles))
