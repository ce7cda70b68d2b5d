"""What a history's table is like, and how its columns become the events' fields. Pure.

A row becomes the JSON object that its event would have had in the topic; the kernel's parser reads
that as it reads every other event. So the table's types decide here how a value is written, and the
source's types decide there what it means.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from feature_platform.errors import EventLogError
from feature_platform.plan.job_history import HistoryColumn, JobHistory

NANOS = "timestamp in nanoseconds"
"""Which Spark reads as a number."""
CORRUPT = "__corrupt"
"""Text of a CSV row that has another number of fields than its header."""
COLUMNS_SHOWN = 20
_TIMES = frozenset({"date", "timestamp", "timestamp_ntz", NANOS})
_NUMBERS = frozenset({"tinyint", "smallint", "int", "bigint", "float", "double", "boolean"})
_ISO = r"yyyy-MM-dd\'T\'HH:mm:ss.SSS\'Z\'"
_PER_UNIT = {"s": "unix_seconds({0})", "ms": "unix_millis({0})", "us": "unix_micros({0})"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFile:
    """A file of the table, as it was when the import began."""

    path: str
    """Its whole address."""
    bytes: int
    modified_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TableColumns:
    """What a file holds: names and types of its columns, as Spark writes them."""

    types: Mapping[str, str]

    def is_like(self, other: "TableColumns") -> bool:
        """Return whether both may be read together: CSV goes by the order of the columns."""
        return [*self.types.items()] == [*other.types.items()]


def check_columns(source: str, path: str, found: TableColumns, history: JobHistory) -> None:
    """Refuse a file that lacks a column of the mapping, or has one that nothing can be made of.

    Raises:
        EventLogError: It does; the message names file and column, and says what to do.
    """
    for column in history.columns:
        kind = found.types.get(column.column)
        if kind is None:
            shown = ", ".join([*found.types][:COLUMNS_SHOWN])
            msg = (
                f"source {source}: {path} of its history has no column {column.column}, which "
                f"`columns` names for {column.name}; it has {shown}. Correct `columns`, or write "
                f"`{column.name}: null`"
            )
            raise EventLogError(msg)
        if not _is_known(kind):
            msg = (
                f"source {source}: column {column.column} in {path} of its history is {kind}, from "
                f"which no field can be made; map another column to {column.name}, or null"
            )
            raise EventLogError(msg)


def event_sql(found: TableColumns, history: JobHistory) -> str:
    """Return Spark's SQL of an event's JSON."""
    fields = [
        f"{_quoted_text(column.name)}, {value_sql(column, found.types[column.column], history)}"
        for column in history.columns
    ]
    return f"CAST(to_json(named_struct({', '.join(fields)})) AS BINARY)"


def value_sql(column: HistoryColumn, kind: str, history: JobHistory) -> str:
    """Return Spark's SQL of a field's value.

    Args:
        column: Of the source.
        kind: The type of the table's column.
        history: Says which column is the event time, and in what unit it is.
    """
    name = quoted(column.column)
    if kind in _TIMES:
        return _time_sql(column, _instant(name, kind), history)
    return f"CAST({name} AS STRING)" if column.type == "STRING" or _is_text(kind) else name


def problem_sql(found: TableColumns, history: JobHistory) -> str:
    """Return Spark's SQL of what makes a row no event at all, in words; NULL for most."""
    texts = [each.column for each in history.columns if _is_text(found.types[each.column])]
    cases = [
        f"WHEN NOT is_valid_utf8({quoted(text)}) THEN {_quoted_text(f'column {text} is not UTF-8')}"
        for text in texts
    ]
    if history.format == "csv":
        wide = "the row has more or fewer fields than the header"
        odd = [
            f"WHEN contains({quoted(text)}, '\\uFFFD') THEN "
            f"{_quoted_text(f'column {text} is not UTF-8')}"
            for text in texts
        ]
        cases = [f"WHEN {CORRUPT} IS NOT NULL THEN {_quoted_text(wide)}", *odd]
    return f"CASE {' '.join(cases)} END" if cases else "CAST(NULL AS STRING)"


def quoted(name: str) -> str:
    """Quote a column's name."""
    return f"`{name.replace('`', '``')}`"


def _quoted_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _is_known(kind: str) -> bool:
    return kind in _TIMES | _NUMBERS or kind.startswith("decimal(") or _is_text(kind)


def _is_text(kind: str) -> bool:
    return kind == "string" or kind.startswith(("char(", "varchar("))


def _instant(name: str, kind: str) -> str:
    """Return SQL of an instant; a time without a zone is in UTC, as it is in an event."""
    if kind == NANOS:
        return f"timestamp_micros(({name} - pmod({name}, 1000L)) DIV 1000L)"
    return f"CAST({name} AS TIMESTAMP)"


def _time_sql(column: HistoryColumn, instant: str, history: JobHistory) -> str:
    """Return SQL of a time in the form that its column takes without losing anything."""
    unit = history.event_time_unit if column.name == history.event_time else "ms"
    iso = f"date_format({instant}, '{_ISO}')"
    if column.type == "STRING" or (column.type == "TIMESTAMP" and unit != "ms"):
        return iso
    if unit == "ns":
        return f"unix_micros({instant}) * 1000L"
    return _PER_UNIT[unit].format(instant)
