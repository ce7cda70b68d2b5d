"""Days of a feature set's events, made line by line."""

import pyarrow as pa

from feature_platform.definition.limits import Limit, StatisticsRules
from feature_platform.definition.operands import Compared, EventRows, Taken
from feature_platform.statistics.column import ColumnStatistics, kind_of
from feature_platform.statistics.day import DayStatistics
from feature_platform.statistics.judge import Subject
from feature_platform.statistics.unmatched import COLUMN

DATE = "2026-12-01"


def lines(*columns: ColumnStatistics, sample: int = 1) -> DayStatistics:
    """Return a day of columns."""
    return DayStatistics(
        date=DATE,
        files=frozenset(),
        columns={(each.name, each.kind): each for each in columns},
        sample=sample,
    )


def events(name: str, rows: int, seen: int) -> ColumnStatistics:
    """Return a line of events without a value."""
    made = ColumnStatistics(name=name, kind="event")
    made.add_rows(rows, seen, 1)
    return made


def texts(name: str, *values: str | None) -> ColumnStatistics:
    """Return a line of texts."""
    made = ColumnStatistics(name=name, kind=kind_of(pa.string()))
    made.add(pa.array(values, pa.string()), 1)
    return made


def taken(*literals: str, filter_: str = "action = 'veiw'", column: str = "action") -> Taken:
    """Return a feature that compares a column with literals."""
    compared = (Compared(name=column, column="__v1", literals=literals),) if literals else ()
    return Taken(feature="opens", matched="__v0", operand="", filter=filter_, compared=compared)


ACTIONS = texts(COLUMN.format("action"), *["view"] * 61, *["click"] * 37, None, None)


def subject(*limits: Limit, rows_min: int = 50) -> Subject:
    """Return a feature set that counts opens, whose FILTER compares the action."""
    return Subject(
        kind="featureset",
        name="mails",
        rules=StatisticsRules(limits=limits, rows_min=rows_min),
        features=("opens",),
        events=EventRows(taken=(taken("veiw"),)),
    )
