"""The limit on windows counts at least as many tiles as any cover has."""

from hypothesis import given
from hypothesis import strategies as st

from feature_platform.definition.features import cover_tiles_max
from feature_platform.tiles.cover import cover
from feature_platform.tiles.grid import MINUTE_MS, Grid

GRIDS = (Grid.of(), Grid.of(("1m", "30m", "1d", "5d")), Grid.of(("1m",)), Grid.of(("5m", "1h")))


@given(st.sampled_from(GRIDS), st.integers(1, 400), st.integers(0, 10**12))
def test_no_cover_is_larger_than_the_bound(grid: Grid, length: int, now_ms: int) -> None:
    """A window asked for at any instant is answered from at most the bound's number of tiles."""
    window_ms = length * grid.levels_ms[0]
    levels = grid.levels_for_window(window_ms)

    tiles = cover(grid, levels, window_ms, now_ms, "now").tiles

    assert len(tiles) <= cover_tiles_max(grid, window_ms)


def test_the_bound_of_the_default_grid() -> None:
    """Two hours take the front, at most four half hours, and finer tiles at the edge."""
    assert cover_tiles_max(Grid.of(), 120 * MINUTE_MS) == 1 + 4 + 4 + 5
