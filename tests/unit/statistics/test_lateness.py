"""How late events came, by day, compared with a plain count."""

import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_platform.errors import CallerError
from feature_platform.statistics.lateness import LATE_MS, Lateness
from tests.unit.debug.debug_case import featureset
from tests.unit.statistics.late_log import DATE, DAY_MS, FIRST_MS, Event, archive


def log_of(folder: Path, events: list[Event]) -> Lateness:
    """Archive events, and open their log."""
    archive(folder, events)
    return Lateness(folder.as_uri(), "posts", "posts")


times = st.integers(FIRST_MS, FIRST_MS + DAY_MS - 1)
lates = st.integers(-5_000, 3 * DAY_MS)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(times, lates), min_size=1, max_size=30))
def test_it_is_a_plain_count(tmp_path_factory: pytest.TempPathFactory, events: list[Event]) -> None:
    """Bars, early ones, and the tiles that had ended or were gone."""
    made = log_of(tmp_path_factory.mktemp("log"), events).day(DATE, [featureset()])
    assert made.events == len(events)
    assert made.early == sum(late < -1_000 for _, late in events)
    edges = [-(10**12), *LATE_MS, 10**15]
    expected = [
        sum(low < late <= high for _, late in events) for low, high in itertools.pairwise(edges)
    ]
    assert list(made.bars) == expected
    (minute, *_) = made.levels
    assert minute.level == "1m"
    ends = [(time // 60_000 + 1) * 60_000 for time, _ in events]
    came = [time + late for time, late in events]
    assert minute.ended == sum(at >= end for at, end in zip(came, ends, strict=True))
    assert minute.gone <= minute.ended
    assert made.measures["max"] == max(late for _, late in events)


def test_days_that_are_not_there(tmp_path: Path) -> None:
    """It says which are, or how to archive some."""
    with pytest.raises(CallerError, match="run fp archive posts first"):
        Lateness(tmp_path.as_uri(), "posts", "posts")
    made = log_of(tmp_path, [(FIRST_MS, 0)])
    with pytest.raises(CallerError, match="there is 2024-10-04 to 2024-10-04"):
        made.day("2024-10-05", [])


def test_the_newest_days_that_are_over(tmp_path: Path) -> None:
    """Not today; no more than have so many records together, but one in any case."""
    days = ["2024-10-04", "2024-10-05", "2024-10-06", "2024-10-07"]
    made = log_of(tmp_path, [(FIRST_MS + number * DAY_MS, 0) for number in range(4)])
    assert made.dates == days
    assert made.newest(2, "2024-10-07") == days[1:3]
    assert made.newest(9, "2024-10-09") == days
    assert made.newest(9, "2024-10-09", events_max=4) == days[2:]
    assert made.newest(9, "2024-10-09", events_max=1) == days[3:]
    assert made.newest(9, "2024-10-01") == days[3:]
