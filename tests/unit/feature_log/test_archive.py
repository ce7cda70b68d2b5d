"""What is archived is what was served, once: over versions, types, crashes and broken records."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from feature_platform.errors import CallerError, EventLogError
from feature_platform.event_log.archiver import SMALL_FILES_MAX
from feature_platform.feature_log import archive as archiving
from feature_platform.feature_log.archive import dead_letters
from feature_platform.feature_log.read import Period
from feature_platform.feature_log.sample import Sample
from feature_platform.feature_log.schemas import is_key
from feature_platform.serving.matrix import Column
from tests.unit.feature_log.samples import column, matrix, sample
from tests.unit.feature_log.test_round_trip import exact, samples
from tests.unit.feature_log.topic import (
    TAKEN_MS,
    CrashError,
    MemoryTopic,
    archived,
    folder_of,
    opened,
    settings_of,
)

DAY_MS = 86_400_000
INSTANT_MS = 1_700_000_000_123


def served(
    values: Mapping[str, tuple[str, list[Any]]], *, number: int = 0, version: int = 1
) -> Sample:
    """Return an answer about posts that count up."""
    count = len(next(iter(values.values()))[1])
    columns = {name: (type_, column(type_, each)) for name, (type_, each) in values.items()}
    made = matrix(columns, {"post": tuple(f"p{row}" for row in range(count))})
    return replace(
        sample(made, written={"posts": [(4 << 30) + 17, *[0] * (count - 1)]}, version=version),
        request_id=f"{number:016x}",
        instant_ms=INSTANT_MS + number,
    )


def rows_of(table: pa.Table, *names: str) -> list[tuple[Any, ...]]:
    """Return some columns, row by row, in the order of their requests."""
    ordered = table.sort_by([("fp_request_id", "ascending"), ("fp_row", "ascending")])
    return [*zip(*(ordered[name].to_pylist() for name in names), strict=True)]


def cell(value: Any) -> Any:  # noqa: ANN401 (any value that is served)
    """Return a value so that floats are equal by their bits, except that NaN is NaN."""
    if isinstance(value, list):
        return [cell(item) for item in value]
    return "NaN" if isinstance(value, float) and value != value else exact(value)  # noqa: PLR0124


@settings(max_examples=25)
@given(st.lists(samples(), min_size=1, max_size=6), st.sampled_from([500, 1_000_000]))
def test_what_is_archived_is_what_was_served(given_: list[Sample], bytes_max: int) -> None:
    """Every type and value, default and gap, key, status, age and writer; whatever commits hold."""
    each = [replace(one, request_id=f"{number:016x}") for number, one in enumerate(given_)]
    topic = MemoryTopic()
    topic.send_samples(*each, bytes_max=bytes_max)
    with TemporaryDirectory() as name:
        folder = Path(name)
        log = archived(topic, folder)
        found = opened(folder).to_arrow()

    assert log.records == len(found) + dead_letters(log)
    by_key = {
        (row["fp_request_id"], row["post"], row["fp_status"]): row for row in found.to_pylist()
    }
    if bytes_max > 500:
        assert len(found) == sum(one.count for one in each)
    for one in each:
        made = one.logged.matrix
        for row in range(one.count):
            key = one.request_id, made.keys["post"][row], made.status[row]
            if bytes_max == 500 or len(set(made.keys["post"])) < one.count:
                continue  # a row may be larger than a record, or not be told from another
            stored = by_key[key]
            assert stored["fp_instant_ms"] == one.instant_ms
            assert stored["fp_age_ms"] == (None if made.ages_ms is None else made.ages_ms[row])
            written = int(one.logged.written["posts"][row])
            attempt = None if written == 0 else written >> 30
            assert stored["fp_attempt_posts"] == attempt
            for place, feature in enumerate(made.names):
                names = [feature, *(n for n in found.column_names if n.startswith(f"{feature} ("))]
                values = [stored[n] for n in names if stored[n] is not None]
                expected = made.columns[place].to_list()[row]
                assert [*map(cell, values)] == ([] if expected is None else [cell(expected)])


def test_rows_say_where_they_are_from(tmp_path: Path) -> None:
    """Request, instant, version, status, attempt and flush of the head, place in the topic."""
    topic = MemoryTopic(partitions=1)
    topic.send_samples(served({"views": ("BIGINT", [1, None])}, version=7))
    archived(topic, tmp_path)
    found = opened(tmp_path)

    assert found.rows == 2
    first, second = found.to_arrow().to_pylist()
    assert first == {
        "fp_request_id": "0" * 16,
        "fp_instant_ms": INSTANT_MS,
        "fp_version": 7,
        "fp_row": 0,
        "fp_status": "ok",
        "fp_age_ms": None,
        "fp_attempt_posts": 4,
        "fp_flush_posts": 17,
        "fp_partition": 0,
        "fp_offset": 0,
        "fp_record_ms": TAKEN_MS,
        "post": "p0",
        "views": 1,
    }
    assert (second["fp_attempt_posts"], second["fp_flush_posts"]) == (None, None)
    assert (second["post"], second["views"]) == ("p1", None)


def test_columns_come_and_go_with_versions(tmp_path: Path) -> None:
    """A column that a version has not is null in its rows; the newest version's come first."""
    topic = MemoryTopic()
    topic.send_samples(
        served({"views": ("BIGINT", [1]), "old": ("STRING", ["x"])}, number=1, version=1),
        served({"new": ("DOUBLE", [0.5]), "views": ("BIGINT", [2])}, number=2, version=2),
    )
    archived(topic, tmp_path)
    found = opened(tmp_path).to_arrow()

    assert rows_of(found, "fp_version", "views", "old", "new") == [
        (1, 1, "x", None),
        (2, 2, None, 0.5),
    ]
    assert found.column_names[-4:] == ["post", "new", "views", "old"]


def test_a_type_that_changes_loses_no_value(tmp_path: Path) -> None:
    """The newest type has the name alone; others have a column of their own."""
    topic = MemoryTopic()
    topic.send_samples(
        served({"spend": ("BIGINT", [2**53 + 1])}, number=1),
        served({"spend": ("STRING", ["much"])}, number=2),
        served({"spend": ("DOUBLE", [0.25])}, number=3),
    )
    archived(topic, tmp_path)
    found = opened(tmp_path)
    table = found.to_arrow()

    assert table.schema.field("spend").type == pa.float64()
    assert rows_of(table, "spend", "spend (string)", "spend (int64)") == [
        (None, None, 2**53 + 1),
        (None, "much", None),
        (0.25, None, None),
    ]
    only_old = Period(end_ms=INSTANT_MS + 2)
    assert rows_of(found.to_arrow(only_old), "spend") == [(2**53 + 1,)]


def test_sums_beyond_64_bits_are_decimals(tmp_path: Path) -> None:
    """With the others of their column; exact."""
    topic = MemoryTopic()
    large = Column(data=np.array([0, 5]), present=np.array([True, True]), large={0: 2**70 + 1})
    made = matrix({"total": ("BIGINT", large)}, {"post": ("a", "b")})
    topic.send_samples(served({"total": ("BIGINT", [-3])}))
    topic.send_samples(replace(sample(made), request_id="f"))
    archived(topic, tmp_path)
    table = opened(tmp_path).to_arrow()

    assert table.schema.field("total").type == pa.decimal128(38, 0)
    assert [int(value) for (value,) in rows_of(table, "total")] == [-3, 2**70 + 1, 5]


def test_what_cannot_be_decoded_is_kept_and_counted(tmp_path: Path) -> None:
    """With its place, its bytes and why; the records around it are archived."""
    topic = MemoryTopic(partitions=1)
    other = replace(served({"views": ("BIGINT", [1])}), list="away")
    never = replace(served({"views": ("BIGINT", [1])}), instant_ms=2**62)
    twice = replace(served({"fp_row": ("BIGINT", [1])}), list="home")
    topic.send_samples(served({"views": ("BIGINT", [1])}))
    topic.send(b"\xff\xff", None)
    topic.send_samples(other, never, twice, served({"views": ("BIGINT", [2])}, number=1))
    log = archived(topic, tmp_path)
    found = opened(tmp_path)

    assert dead_letters(log) == 5
    assert (found.rows, rows_of(found.to_arrow(), "views")) == (2, [(1,), (2,)])
    letters = sorted(found.dead_letters().to_pylist(), key=lambda row: row["fp_offset"])
    assert [row["fp_offset"] for row in letters] == [1, 2, 3, 4, 5]
    assert [row["value"] for row in letters[:2]] == [b"\xff\xff", None]
    reasons = [row["reason"] for row in letters]
    assert "not a record" in reasons[0]
    assert reasons[1] == "the record is empty"
    assert "list 'away'" in reasons[2]
    assert "has no date" in reasons[3]
    assert "same name: fp_row" in reasons[4]


@pytest.mark.parametrize("steps", range(0, 60, 3))
def test_killed_anywhere_each_row_is_there_once(tmp_path: Path, steps: int) -> None:
    """Also while small files are merged; what a killed run left is gone."""
    topic = MemoryTopic()
    given_ = [
        served({"views": ("BIGINT", [number, None]), "tag": ("STRING", ["a", "b"])}, number=number)
        for number in range(2 * SMALL_FILES_MAX + 2)
    ]
    topic.send_samples(*given_)
    files = folder_of(tmp_path)
    files.steps_left = steps
    try:
        archived(topic, tmp_path, files, records_max=2)
    except CrashError:
        for left in (tmp_path / "scratch").iterdir():
            left.unlink()
    files.steps_left = -1
    log = archived(topic, tmp_path, files, records_max=2)
    table = opened(tmp_path).to_arrow()

    expected = [
        (one.request_id, row, value, tag)
        for number, one in enumerate(given_)
        for row, value, tag in ((0, number, "a"), (1, None, "b"))
    ]
    assert rows_of(table, "fp_request_id", "fp_row", "views", "tag") == expected
    assert log.records == len(expected)
    assert len(log.files) <= SMALL_FILES_MAX


def test_small_files_of_one_version_become_one(tmp_path: Path) -> None:
    """As few as columns and types allow: a null in a file is one that was served."""
    topic = MemoryTopic()
    kinds: list[tuple[str, Any]] = [("BIGINT", 1), ("DOUBLE", 0.5)]
    for number in range(3 * SMALL_FILES_MAX):
        type_, value = kinds[number % 2]
        name = f"f{number % 5}"
        topic.send_samples(
            served({"changed": (type_, [value]), name: ("BIGINT", [number])}, number=number)
        )
    log = archived(topic, tmp_path, records_max=2)
    table = opened(tmp_path).to_arrow()

    merged = [path for path, file in log.files.items() if file.records > 2]
    assert len(merged) == 10
    for path in merged:
        found = parquet.read_schema(folder_of(tmp_path).root / path)
        assert sum(name.startswith("f") and not name.startswith("fp_") for name in found.names) == 1
        assert [field.name for field in found if is_key(field)] == ["post"]
    for number, row in enumerate(rows_of(table, *(f"f{each}" for each in range(5)))):
        assert row == tuple(number if each == number % 5 else None for each in range(5))
    assert len(table) == 3 * SMALL_FILES_MAX


def test_many_dates_at_once_are_written_some_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that is wrong does not open a file for each day there is."""
    monkeypatch.setattr(archiving, "OPEN_MAX", 3)
    monkeypatch.setattr(archiving, "GROUP_BYTES", 100)
    monkeypatch.setattr(archiving, "HELD_BYTES_MAX", 500)
    monkeypatch.setattr(archiving, "FILE_BYTES", 2_000)
    topic = MemoryTopic(partitions=1)
    for number in range(20):
        one = served({"views": ("BIGINT", [*range(5)])}, number=number)
        topic.send_samples(replace(one, instant_ms=INSTANT_MS + number % 7 * DAY_MS))
    log = archived(topic, tmp_path, records_max=100)

    assert {file.folder for file in log.files.values()} == {
        f"data/date=2023-11-{14 + day}" for day in range(7)
    }
    table = opened(tmp_path).to_arrow()
    assert rows_of(table, "views") == [(value,) for value in [*range(5)] * 20]


def test_a_reader_chooses_columns_and_a_period(tmp_path: Path) -> None:
    """In batches, as Arrow, and as pandas with exact whole numbers."""
    topic = MemoryTopic()
    for number in range(10):
        values: dict[str, tuple[str, list[Any]]] = {
            "views": ("BIGINT", [number, None]),
            "tag": ("STRING", ["a", "b"]),
        }
        topic.send_samples(served(values, number=number))
    archived(topic, tmp_path)
    found = opened(tmp_path)
    period = Period(start_ms=INSTANT_MS + 3, end_ms=INSTANT_MS + 6)

    frame = found.to_pandas(period, ["post", "views"])
    assert [*frame.columns] == ["post", "views"]
    assert str(frame["views"].dtype) == "Int64"
    assert sorted(frame["views"].dropna().tolist()) == [3, 4, 5]
    assert sum(len(batch) for batch in found.batches(period)) == 6
    assert len(found.to_arrow(Period(end_ms=1))) == 0
    with pytest.raises(CallerError, match="no column 'view'; did you mean"):
        found.to_arrow(columns=["view"])


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    """Nothing was archived; or a file was deleted."""
    with pytest.raises(EventLogError, match="fp archive feature_log/home"):
        opened(tmp_path)
    topic = MemoryTopic()
    topic.send_samples(served({"views": ("BIGINT", [1])}))
    (path,) = archived(topic, tmp_path).files
    (folder_of(tmp_path).root / path).unlink()
    with pytest.raises(EventLogError, match="cannot be read"):
        opened(tmp_path).to_arrow()


def test_the_log_of_a_list_is_beside_those_of_sources(tmp_path: Path) -> None:
    """In a folder of its own, by topic."""
    topic = MemoryTopic()
    topic.send_samples(served({"views": ("BIGINT", [1])}))
    archived(topic, tmp_path)
    tops = [path.relative_to(tmp_path) for path in chain((tmp_path / "log").rglob("commits"))]
    assert [str(each) for each in tops] == ["log/feature_log/home/feature_log.home/commits"]
    assert settings_of(tmp_path).feature_log.share == 0
