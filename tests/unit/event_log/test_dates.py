"""Which files hold the records of a date: their folders tell, if the source still reads as then."""

from dataclasses import replace
from typing import Any

import pytest

from feature_platform.event_log.commits import DATA, Log, LogCommit, LogFile
from feature_platform.event_log.dates import of_dates, reading
from feature_platform.plan.job_source import JobSource, SourceColumn

COLUMNS = (
    SourceColumn(name="at", type="TIMESTAMP"),
    SourceColumn(name="sent", type="TIMESTAMP"),
    SourceColumn(name="price", type="DECIMAL", precision=10, scale=2),
)
SOURCE = JobSource(
    name="clicks",
    topic="clicks",
    format="json",
    event_time="at",
    event_time_unit="ms",
    max_future_ms=1000,
    max_past_ms=5000,
    columns=COLUMNS,
)
FIRST, SECOND = f"{DATA}/date=2026-01-01/x", f"{DATA}/date=2026-01-02/x"


def log_of(*readings: str) -> Log:
    """Return a log with commits that were read in some ways, each with a file of two dates."""
    return Log.of(
        LogCommit(
            number=number,
            at_ms=0,
            added=tuple(
                LogFile(path=f"{path}{number}", records=1, bytes=1) for path in (FIRST, SECOND)
            ),
            reading=each,
        )
        for number, each in enumerate(readings)
    )


def test_files_of_other_dates_are_left_out() -> None:
    """Without dates, all are meant."""
    log = log_of(reading(SOURCE))
    assert of_dates(log, SOURCE, ["2026-01-02"]) == [f"{SECOND}0"]
    assert of_dates(log, SOURCE, []) == []
    assert of_dates(log, SOURCE, None) == [f"{FIRST}0", f"{SECOND}0"]


@pytest.mark.parametrize(
    "change",
    [
        {"event_time": "sent"},
        {"max_future_ms": 2000},
        {"format": "avro"},
        {"event_time_unit": "s"},
        {"max_past_ms": 2000},
        {"columns": (SourceColumn(name="at", type="BIGINT"), *COLUMNS[1:])},
    ],
)
def test_files_of_a_source_that_read_otherwise_are_all_needed(change: dict[str, Any]) -> None:
    """Their records may have another event time now; so may those that nobody knows anything of."""
    log = log_of(reading(replace(SOURCE, **change)), reading(SOURCE), "")
    assert of_dates(log, SOURCE, ["2026-01-02"]) == [
        *(f"{FIRST}0", f"{SECOND}0"),
        f"{SECOND}1",
        *(f"{FIRST}2", f"{SECOND}2"),
    ]


@pytest.mark.parametrize("columns", [COLUMNS[::-1], COLUMNS[:1], COLUMNS[:2]])
def test_what_a_source_is_called_and_other_columns_change_no_date(
    columns: tuple[SourceColumn, ...],
) -> None:
    """Nor does its topic, whose log is another anyhow: every feature set has the same dates."""
    other = replace(SOURCE, name="x", topic="y", columns=columns)
    assert reading(other) == reading(SOURCE)
