"""Layouts: ids, levels, keeping times, and what stored tiles can answer."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from feature_platform.plan.layout import answers_window, build_layout, covers
from feature_platform.tiles.grid import MINUTE_MS
from feature_platform.tiles.layout import Layout

HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
IDS = {
    "_events": 0,
    "views": 1,
    "watch_ms": 2,
    "watch_ms#high": 3,
    "mean_watch_ms#sum": 4,
    "mean_watch_ms#count": 5,
    "mean_watch_ms#high": 6,
    "language": 7,
}


@pytest.fixture
def layout(project: Callable[..., Any]) -> Layout:
    """The layout of the definition that the tests of planning share."""
    return build_layout(project().featuresets["posts"], IDS)


def test_columns_stand_under_their_ids_in_the_order_of_the_query(layout: Layout) -> None:
    """`_events` is the first."""
    assert {column.name: column.id for column in layout.columns} == IDS


def test_a_tile_is_kept_as_long_as_a_window_can_reach_it(layout: Layout) -> None:
    """The longest window that uses the level, and `keep` longer; 0 where no window does."""
    kept = [length // HOUR_MS for length in layout.retention_ms]
    assert kept == [25, 25, 25, 25, 25, 0]


def test_a_short_window_does_not_use_long_tiles(project: Callable[..., Any]) -> None:
    """Each level is kept for the windows that use it alone."""
    short = project(("{windows: [1d]}", "{lifetime: true}")).featuresets["posts"]
    kept = [length / HOUR_MS for length in build_layout(short, IDS).retention_ms]
    assert kept == [3, 3, 3, 0, 0, 0]


def test_stored_tiles_answer_windows_up_to_what_is_kept(layout: Layout) -> None:
    """Levels and keeping time must both suffice."""
    views = layout.column("views")
    assert [answers_window(layout, views, w) for w in (5 * MINUTE_MS, 2 * HOUR_MS)] == [True, True]
    assert not answers_window(layout, views, DAY_MS)
    assert not answers_window(layout, layout.column("watch_ms"), 2 * DAY_MS)


def test_rows_cover_what_asks_for_less(layout: Layout) -> None:
    """Fewer levels or a shorter keeping time need no other job."""
    columns = tuple(replace(column, levels=column.levels[:1]) for column in layout.columns)
    less = replace(layout, columns=columns, retention_ms=(HOUR_MS,) * 6)
    assert covers(replace(layout, retention_ms=(DAY_MS,) * 6), less)
    assert not covers(less, layout)


def test_rows_do_not_cover_another_id_or_order(layout: Layout) -> None:
    """The query's result columns are read by place."""
    other = replace(layout.columns[1], id=99)
    assert not covers(
        layout, replace(layout, columns=(layout.columns[0], other, *layout.columns[2:]))
    )
    assert not covers(layout, replace(layout, columns=layout.columns[:-1]))
    assert not covers(layout, replace(layout, columns=layout.columns[::-1]))
