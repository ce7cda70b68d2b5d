"""How a table's types are written into events; what they mean there, the integration tests ask."""

from dataclasses import replace

import pytest

from feature_platform.event_log.table import (
    NANOS,
    TableColumns,
    event_sql,
    problem_sql,
    value_sql,
)
from feature_platform.plan.job_history import HistoryColumn
from tests.unit.event_log.test_history import HISTORY


@pytest.mark.parametrize(
    ("name", "type_", "kind", "unit", "sql"),
    [
        ("id", "BIGINT", "int", "ms", "`c`"),
        ("id", "STRING", "bigint", "ms", "CAST(`c` AS STRING)"),
        ("id", "DECIMAL(9,2)", "decimal(12,4)", "ms", "`c`"),
        ("id", "BIGINT", "string", "ms", "CAST(`c` AS STRING)"),
        ("seen", "TIMESTAMP", "timestamp", "us", "unix_millis(CAST(`c` AS TIMESTAMP))"),
        ("at", "TIMESTAMP", "date", "ms", "unix_millis(CAST(`c` AS TIMESTAMP))"),
        ("at", "BIGINT", "timestamp", "s", "unix_seconds(CAST(`c` AS TIMESTAMP))"),
        ("at", "BIGINT", "timestamp", "us", "unix_micros(CAST(`c` AS TIMESTAMP))"),
        ("at", "BIGINT", "timestamp_ntz", "ns", "unix_micros(CAST(`c` AS TIMESTAMP)) * 1000L"),
        (
            "at", "TIMESTAMP", "timestamp", "s",
            r"date_format(CAST(`c` AS TIMESTAMP), 'yyyy-MM-dd\'T\'HH:mm:ss.SSS\'Z\'')",
        ),
        (
            "seen", "BIGINT", NANOS, "s",
            "unix_millis(timestamp_micros((`c` - pmod(`c`, 1000L)) DIV 1000L))",
        ),
    ],
)  # fmt: skip
def test_values(name: str, type_: str, kind: str, unit: str, sql: str) -> None:
    """A time is a number in the unit of its column; text and numbers are what they are."""
    history = replace(HISTORY, event_time_unit=unit)
    assert value_sql(HistoryColumn(name=name, type=type_, column="c"), kind, history) == sql


def test_odd_names_are_quoted() -> None:
    """A table may name its columns as it likes."""
    columns = (HistoryColumn(name="at", type="STRING", column="a `b' \\c"),)
    found = TableColumns(types={"a `b' \\c": "string"})
    history = replace(HISTORY, columns=columns, format="csv")

    assert event_sql(found, history) == (
        "CAST(to_json(named_struct('at', CAST(`a ``b' \\c` AS STRING))) AS BINARY)"
    )
    assert r"THEN 'column a `b\' \\c is not UTF-8'" in problem_sql(found, history)
    assert problem_sql(TableColumns(types={"ts": "date"}), HISTORY) == "CAST(NULL AS STRING)"
