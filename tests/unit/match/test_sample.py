"""Which answers are compared: the same ones each time, of the version that is asked about."""

from dataclasses import replace
from pathlib import Path

import pytest

from feature_platform.feature_log.read import Period, ServedLog
from feature_platform.match.sample import Sample, sample
from feature_platform.serving.matrix import Status
from tests.unit.feature_log import samples
from tests.unit.feature_log.topic import MemoryTopic, archived, settings_of

FIRST_MS = 1_700_000_000_000
EVERY = Period(start_ms=FIRST_MS, end_ms=FIRST_MS + 86_400_000)
COLUMNS = ("fp_partition", "fp_offset", "fp_row", "fp_version", "fp_status", "views", "other")
ANSWERS, ROWS = 30, 7


def send(topic: MemoryTopic, first: int, count: int, version: int, *status: Status) -> None:
    """Send answers, a second apart; each row of all has a value of its own."""
    for number in range(first, first + count):
        values = [number * ROWS + row for row in range(ROWS)]
        columns = {"views": ("BIGINT", samples.column("BIGINT", values))}
        keys = {"post": tuple(f"p{row}" for row in range(ROWS))}
        made = samples.sample(samples.matrix(columns, keys, status), version=version)
        instant_ms = FIRST_MS + 1_000 * number
        topic.send_samples(replace(made, request_id=f"{number:016x}", instant_ms=instant_ms))


def taken(folder: Path, rows_max: int, period: Period = EVERY) -> Sample:
    """Take a sample of what is archived."""
    return sample(ServedLog.open(settings_of(folder), "home"), period, 1, COLUMNS, rows_max)


def views(of: Sample) -> list[int]:
    """Return which rows are in a sample."""
    return sorted(of.rows["views"].to_pylist())


@pytest.fixture(name="topic")
def _topic(tmp_path: Path) -> MemoryTopic:
    made = MemoryTopic()
    send(made, 0, ANSWERS, 1)
    archived(made, tmp_path, records_max=1_000)
    return made


def test_all_rows_of_a_period_are_taken_if_they_are_few(tmp_path: Path, topic: MemoryTopic) -> None:
    """Those before it and from its end on are not; a column that no file has is left out."""
    assert topic.count == ANSWERS
    period = Period(start_ms=FIRST_MS + 5_000, end_ms=FIRST_MS + 8_000)

    found = taken(tmp_path, 1_000, period)

    assert views(found) == list(range(5 * ROWS, 8 * ROWS))
    assert (found.logged, found.unavailable, found.other_versions) == (3 * ROWS, 0, 0)
    assert found.rows.column_names == [name for name in COLUMNS if name != "other"]


@pytest.mark.parametrize("rows_max", [1, 10, 50, 209])
def test_a_sample_is_stable(tmp_path: Path, topic: MemoryTopic, rows_max: int) -> None:
    """The same rows each time, and a larger sample has those of a smaller one."""
    found = views(taken(tmp_path, rows_max))

    assert len(found) == len(set(found)) == rows_max
    assert views(taken(tmp_path, rows_max)) == found
    assert set(found) < set(views(taken(tmp_path, rows_max + 1)))
    send(topic, ANSWERS, 5, 1)
    archived(topic, tmp_path, records_max=1_000)
    period = Period(start_ms=FIRST_MS, end_ms=FIRST_MS + ANSWERS * 1_000)
    assert views(taken(tmp_path, rows_max, period)) == found


def test_a_sample_is_of_all_answers_and_rows(tmp_path: Path, topic: MemoryTopic) -> None:
    """Not of the first ones, nor of one partition."""
    assert topic.partitions == 2
    found = taken(tmp_path, 60)

    assert len({view // ROWS for view in views(found)}) > ANSWERS / 2
    assert {view % ROWS for view in views(found)} == set(range(ROWS))
    assert set(found.rows["fp_partition"].to_pylist()) == {0, 1}


def test_what_cannot_be_compared_is_counted(tmp_path: Path, topic: MemoryTopic) -> None:
    """Rows without an answer, and of another version: none is in the sample."""
    statuses: list[Status] = ["unavailable", "no_data", "unavailable", "ok", "ok", "ok", "ok"]
    send(topic, ANSWERS, 2, 1, *statuses)
    send(topic, ANSWERS + 2, 3, 2, *statuses)
    archived(topic, tmp_path, records_max=1_000)

    found = taken(tmp_path, 1_000)

    assert found.logged == (ANSWERS + 5) * ROWS
    assert (found.unavailable, found.other_versions) == (2 * 2, 3 * ROWS)
    assert len(found.rows) == ANSWERS * ROWS + 2 * (ROWS - 2)
    assert "unavailable" not in found.rows["fp_status"].to_pylist()
    assert set(found.rows["fp_version"].to_pylist()) == {1}
