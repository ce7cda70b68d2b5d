"""The picture of late events is well-formed SVG that says what was counted."""

from pathlib import Path
from xml.etree import ElementTree as ET

from feature_platform.statistics.late_picture import CLASSES, DAYS_MAX, picture
from feature_platform.statistics.lateness import LATE_MS, Lateness
from tests.unit.statistics.late_log import DATE, DAY_MS, FIRST_MS, Event, archive

SVG = "{http://www.w3.org/2000/svg}"


def drawn(folder: Path, events: list[Event]) -> tuple[list[str], list[str]]:
    """Draw the days of some events; return the texts, and the colours of all fields."""
    archive(folder, events)
    log = Lateness(folder.as_uri(), "posts", "posts")
    svg = picture([log.day(date, []) for date in log.dates])
    root = ET.fromstring(svg)  # noqa: S314 (our own)
    texts = [each.text or "" for each in root.iter(f"{SVG}text")]
    return texts, [each.attrib["fill"] for each in root.iter(f"{SVG}rect")][1:]


def test_each_day_is_a_row_of_counts(tmp_path: Path) -> None:
    """With its quantiles; the fullest field is the deepest, one without events the palest."""
    late = [*[0] * 90, *[5_000] * 9, 2 * DAY_MS]
    texts, colours = drawn(tmp_path, [(FIRST_MS, each) for each in late])
    assert [each for each in texts if each in CLASSES] == list(CLASSES)
    row = texts[texts.index(DATE) :]
    assert row == [DATE, "90", "9", "1", "0.00s", "5.00s", "2.0d"]
    assert len(colours) == len(LATE_MS) + 1
    assert (colours[0], colours[2]) == ("#0a3d80", "#eaf2fb")
    assert len({*colours}) == 4


def test_only_so_many_days_are_drawn(tmp_path: Path) -> None:
    """The newest ones, the newest at the bottom; no day is no picture."""
    events = [(FIRST_MS + number * DAY_MS, 0) for number in range(DAYS_MAX + 2)]
    texts, _ = drawn(tmp_path, events)
    dates = [each for each in texts if each.startswith("2024-")]
    assert (dates[0], dates[-1], len(dates)) == ("2024-10-06", "2024-11-05", DAYS_MAX)
    assert picture([]) == ""
