"""A day's statistics are those of its rows, each counted once, whatever was archived when."""

import os
from collections import Counter
from pathlib import Path

import pyarrow.compute as pc
import pytest

from feature_platform.clock import SystemClock
from feature_platform.errors import CallerError, EventLogError
from feature_platform.event_log.archiver import SMALL_FILES_MAX
from feature_platform.feature_log.read import ServedLog
from feature_platform.statistics import kept as keeping
from feature_platform.statistics.kept import KeptStatistics, path_of
from feature_platform.statistics.rows import ServedRows
from tests.unit.feature_log.topic import MemoryTopic, archived, folder_of, opened
from tests.unit.statistics.days import DAYS, ROWS, Values, answer, drawn, served


class Said(list[str]):
    """What was reported (mutable)."""

    def __call__(self, text: str) -> None:
        """Keep a report."""
        self.append(text)


def days(folder: Path) -> tuple[KeptStatistics, Said]:
    """Open what is kept, and what is said."""
    said = Said()
    return KeptStatistics(ServedRows(opened(folder)), said), said


def test_a_day_is_measured_once(tmp_path: Path) -> None:
    """Counts are those of the log's rows of the day; the second time nothing is read."""
    served(tmp_path, [0, 1])
    kept, said = days(tmp_path)
    found = kept.day(DAYS[1]).shown()
    table = opened(tmp_path).to_arrow()
    there = table.filter(pc.greater(table["fp_instant_ms"], 1_700_006_400_000))
    languages = Counter(there["language"].to_pylist())

    assert found["views"].rows == len(there) == 20 * ROWS
    assert found["views"].nulls == there["views"].null_count
    assert found["views"].mean == pytest.approx(pc.mean(there["views"]).as_py())
    assert dict(found["language"].top) == languages
    assert found["post"].role == "key"
    assert found["post"].distinct == ROWS
    assert found["fp_status"].top == [("ok", 1_000)]
    assert said == [f"{DAYS[1]}: measuring 1,000 rows"]

    again, said = days(tmp_path)
    assert {name: each.measures() for name, each in again.day(DAYS[1]).shown().items()} == {
        name: each.measures() for name, each in found.items()
    }
    assert said == []


def test_what_is_archived_later_is_added(tmp_path: Path) -> None:
    """The new files alone are read; the result is that of all rows."""
    topic = served(tmp_path, [0], answers=5)
    days(tmp_path)[0].day(DAYS[0])
    for number in range(5, 12):
        topic.send_samples(answer(drawn(number), number=number))
    archived(topic, tmp_path, records_max=1_000)
    kept, said = days(tmp_path)
    found = kept.day(DAYS[0]).shown()

    assert said == [f"{DAYS[0]}: measuring 350 rows"]
    (folder_of(tmp_path).root / path_of(DAYS[0])).unlink()
    whole = days(tmp_path)[0].day(DAYS[0]).shown()
    assert found["views"].measures() == pytest.approx(whole["views"].measures())
    assert found["language"].top == whole["language"].top


def test_rows_that_a_compaction_moved_are_counted_once(tmp_path: Path) -> None:
    """Other files with the same rows: the day is read again, not added to itself."""
    topic = MemoryTopic()
    for number in range(SMALL_FILES_MAX + 4):
        topic.send_samples(answer(drawn(number), number=number))
        log = archived(topic, tmp_path, records_max=1_000)
        if number == 5:
            days(tmp_path)[0].day(DAYS[0])
    assert log.replaced
    found = days(tmp_path)[0].day(DAYS[0]).shown()

    assert found["views"].rows == (SMALL_FILES_MAX + 4) * ROWS


def test_a_day_that_cannot_be_read_is_computed_again(tmp_path: Path) -> None:
    """A table that was cut off, or is of another format; it is said."""
    served(tmp_path, [0])
    days(tmp_path)[0].day(DAYS[0])
    path = folder_of(tmp_path).root / path_of(DAYS[0])
    path.write_bytes(path.read_bytes()[:-50])
    kept, said = days(tmp_path)

    assert kept.day(DAYS[0]).shown()["views"].rows == 1_000
    assert said[0].startswith(f"{DAYS[0]}: statistics/date={DAYS[0]}.parquet cannot be read")
    assert days(tmp_path)[0].day(DAYS[0]).shown()["views"].rows == 1_000


def test_another_format_is_computed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sketches with other parameters do not merge."""
    served(tmp_path, [0])
    days(tmp_path)[0].day(DAYS[0])
    monkeypatch.setattr(keeping, "FORMAT", keeping.FORMAT + 1)
    kept, said = days(tmp_path)

    assert kept.day(DAYS[0]).shown()["views"].rows == 1_000
    assert "this code reads format 2" in said[0]


def test_a_killed_writer_leaves_the_old_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table is there whole or not at all; what was begun is tidied up."""
    served(tmp_path, [0])

    def fail(*_: object, **__: object) -> None:
        msg = "no space"
        raise OSError(msg)

    with monkeypatch.context() as patched:
        patched.setattr("pyarrow.parquet.write_table", fail)
        with pytest.raises(OSError, match="no space"):
            days(tmp_path)[0].day(DAYS[0])
    assert days(tmp_path)[0].dates() == [DAYS[0]]
    assert not [*(folder_of(tmp_path).root / "statistics").iterdir()]
    assert days(tmp_path)[0].day(DAYS[0]).shown()["views"].rows == 1_000


def test_the_next_write_deletes_what_a_killed_one_left(tmp_path: Path) -> None:
    """Old unfinished files go, whatever day they are of; one that may be in work stays."""
    served(tmp_path, [0])
    folder = folder_of(tmp_path).root / "statistics"
    folder.mkdir()
    now = SystemClock().now_ms() / 1_000
    ages = {"date=2001-01-01.parquet.0a.new": 3_700, f"date={DAYS[0]}.parquet.0b.new": 3_500}
    ages["other.parquet"] = 9_000
    for name, age in ages.items():
        (folder / name).write_bytes(b"PAR1")
        os.utime(folder / name, (now - age, now - age))
    days(tmp_path)[0].day(DAYS[0])

    assert sorted(each.name for each in folder.iterdir()) == sorted(
        [f"date={DAYS[0]}.parquet", f"date={DAYS[0]}.parquet.0b.new", "other.parquet"]
    )


def test_a_kept_day_outlives_its_files(tmp_path: Path) -> None:
    """What was archived may be deleted: its statistics stay a reference."""
    served(tmp_path, [0, 1])
    days(tmp_path)[0].day(DAYS[0])
    log = opened(tmp_path)
    left = {path: file for path, file in log.log.files.items() if DAYS[0] not in path}
    object.__setattr__(log.log, "files", left)
    kept = KeptStatistics(ServedRows(ServedLog("home", log.folder, log.log)), Said())

    assert kept.dates() == [DAYS[0], DAYS[1]]
    assert kept.day(DAYS[0]).shown()["views"].rows == 1_000


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    """A day without rows; a list of which nothing is archived."""
    with pytest.raises(EventLogError, match="fp archive feature_log/home"):
        days(tmp_path)
    served(tmp_path, [0, 2])
    with pytest.raises(
        CallerError,
        match=f"home on {DAYS[1]} is archived .there is {DAYS[0]} to {DAYS[2]}.; to archive",
    ):
        days(tmp_path)[0].day(DAYS[1])


def test_a_column_counts_the_rows_that_had_it(tmp_path: Path) -> None:
    """A feature that is new in a version, in files that a compaction has merged."""
    topic = MemoryTopic()
    for number in range(2 * SMALL_FILES_MAX + 2):
        values: Values = {"views": ("BIGINT", [1, None])}
        if number % 2:
            values["fresh"] = ("BIGINT", [2, None])
        topic.send_samples(answer(values, number=number, version=1 + number % 2))
        log = archived(topic, tmp_path, records_max=1_000)
    assert log.replaced
    found = days(tmp_path)[0].day(DAYS[0]).shown()

    assert (found["views"].rows, found["views"].nulls) == (68, 34)
    assert (found["fresh"].rows, found["fresh"].nulls) == (34, 17)


def test_a_type_that_changes_within_a_day_has_two_lines(tmp_path: Path) -> None:
    """The newest kind has the name; whole numbers and reals are one kind."""
    topic = MemoryTopic()
    for number, (type_, value) in enumerate(
        [("STRING", "a"), ("STRING", "b"), ("BIGINT", 1), ("DOUBLE", 2.5)]
    ):
        topic.send_samples(answer({"changed": (type_, [value])}, number=number))
    archived(topic, tmp_path)
    found = days(tmp_path)[0].day(DAYS[0]).shown()

    assert (found["changed"].kind, found["changed"].rows) == ("number", 2)
    assert found["changed"].mean == 1.75
    assert (found["changed (text)"].kind, found["changed (text)"].rows) == ("text", 2)
