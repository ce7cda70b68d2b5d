"""Covers: exact, disjoint, of allowed levels only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_platform.clock import from_iso
from feature_platform.tiles.cover import Cover, Mode, cover
from feature_platform.tiles.grid import DEFAULT_LEVELS, Grid

SIX = Grid.of(DEFAULT_LEVELS)
FOUR = Grid.of(("1m", "30m", "1d", "5d"))
HOUR_MS = 3_600_000


def _named(grid: Grid, answer: Cover) -> list[str]:
    day_ms = from_iso("2024-05-01")
    return [
        f"{grid.level_name(level)} {(start - day_ms) // HOUR_MS:02}:"
        f"{(start - day_ms) % HOUR_MS // 60_000:02}"
        for level, start in answer.tiles
    ]


@pytest.mark.parametrize(
    ("grid", "expected"),
    [
        pytest.param(
            SIX,
            [
                "1m 13:37",
                "1m 13:38",
                "1m 13:39",
                "5m 13:40",
                "5m 13:45",
                "5m 13:50",
                "5m 13:55",
                "30m 14:00",
                "30m 14:30",
                "30m 15:00",
                "30m 15:30",
            ],
            id="six levels",
        ),
        pytest.param(
            FOUR,
            [f"1m 13:{minute}" for minute in range(37, 60)]
            + ["30m 14:00", "30m 14:30", "30m 15:00", "30m 15:30"],
            id="four levels",
        ),
    ],
)
def test_15_37_the_last_two_hours(grid: Grid, expected: list[str]) -> None:
    """At 15:37 the last two hours are half hours, one open at the front, small tiles behind."""
    answer = cover(
        grid, grid.levels_for_window(2 * HOUR_MS), 2 * HOUR_MS, from_iso("2024-05-01T15:37"), "now"
    )

    assert expected == _named(grid, answer)
    assert from_iso("2024-05-01T16:00") == answer.hi_ms


def test_15_37_the_last_two_hours_as_of_then() -> None:
    """The same question about a past instant ends there and uses only tiles that ended."""
    answer = cover(
        SIX, SIX.levels_for_window(2 * HOUR_MS), 2 * HOUR_MS, from_iso("2024-05-01T15:37"), "past"
    )

    assert _named(SIX, answer)[-3:] == ["5m 15:30", "1m 15:35", "1m 15:36"]
    assert from_iso("2024-05-01T15:37") == answer.hi_ms


def test_a_coarser_edge_needs_fewer_tiles() -> None:
    """An edge of half an hour floors the tail to half hours and leaves the front alone."""
    answer = cover(
        SIX,
        SIX.levels_for_window(2 * HOUR_MS),
        2 * HOUR_MS,
        from_iso("2024-05-01T15:37"),
        "now",
        edge_ms=HOUR_MS // 2,
    )

    assert _named(SIX, answer) == ["30m 13:30", "30m 14:00", "30m 14:30", "30m 15:00", "30m 15:30"]


def test_a_window_shorter_than_the_finest_level_is_refused() -> None:
    """No tile fits a window of half a minute."""
    with pytest.raises(ValueError, match="30000 ms has no cover"):
        cover(SIX, (0,), 30_000, 0, "now")


@st.composite
def _questions(draw: st.DrawFn) -> tuple[Grid, tuple[int, ...], int, int]:
    lengths = [draw(st.integers(1, 60)) * 1_000]
    for _ in range(draw(st.integers(0, 5))):
        lengths.append(lengths[-1] * draw(st.integers(2, 12)))
    grid = Grid(levels_ms=tuple(lengths), depth=tuple(1 for _ in lengths))
    levels = draw(
        st.sets(st.integers(0, len(lengths) - 1), min_size=1).map(
            lambda chosen: tuple(sorted(chosen))
        )
    )
    window_ms = lengths[levels[0]] * draw(st.integers(1, 500)) + draw(st.integers(0, 999))
    return grid, levels, window_ms, draw(st.integers(0, 10**12))


@given(question=_questions(), mode=st.sampled_from(["now", "past"]), edge_ms=st.integers(0, 10**7))
def test_a_cover_is_exact(
    question: tuple[Grid, tuple[int, ...], int, int], mode: Mode, edge_ms: int
) -> None:
    """Tiles are aligned, of allowed levels, without gap or overlap, and hold or end by then."""
    grid, levels, window_ms, at_ms = question

    answer = cover(grid, levels, window_ms, at_ms, mode, edge_ms=edge_ms)

    position_ms = answer.lo_ms
    for level, start_ms in answer.tiles:
        assert level in levels
        assert position_ms == start_ms == grid.floor(start_ms, level)
        position_ms += grid.levels_ms[level]
    assert position_ms == answer.hi_ms
    longest_edge_ms = max(edge_ms, grid.levels_ms[levels[0]])
    assert at_ms - window_ms - longest_edge_ms <= answer.lo_ms <= at_ms - window_ms
    if mode == "now":
        assert answer.hi_ms - grid.levels_ms[answer.tiles[-1][0]] <= at_ms < answer.hi_ms
    else:
        assert at_ms - grid.levels_ms[levels[0]] < answer.hi_ms <= at_ms
