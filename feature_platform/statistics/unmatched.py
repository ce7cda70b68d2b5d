"""Says of a feature that takes no event of a day why that is, as far as the events say. Pure."""

from collections.abc import Iterator, Sequence

from feature_platform.definition.operands import Compared, EventRows
from feature_platform.statistics.column import ColumnStatistics
from feature_platform.statistics.day import DayStatistics
from feature_platform.statistics.sketches import short

EVENTS = "(events)"
"""The line of all events: those that the WHEREs let through, of all there are."""
DEAD_LETTERS = "(dead letters)"
"""In brackets, as no feature can be."""
COLUMN = "({})"
"""The line of a text that a FILTER compares: what events have there."""
IN_WHERE = "(WHERE {})"
SHOWN = 3
"""How many of the most frequent texts are named."""
CHARACTERS = 40
"""Of each of them."""


def unmatched(events: EventRows, day: DayStatistics) -> dict[str, str]:
    """Return why features take no event of a day, by feature; empty for a day without events.

    Args:
        events: The query over single events.
        day: What they were on the day.
    """
    whole = _of(day, EVENTS)
    if whole is None or not whole.seen:
        return {}
    if not whole.rows:
        found = _compared(day, events.compared, IN_WHERE)
        why = _joined(f"the WHERE of the query lets no event of {_date(day)} through", found)
        return {taken.feature: f"{taken.feature}: {why}" for taken in events.taken}
    return {
        taken.feature: _joined(
            f"{taken.feature}: no event of {_date(day)} matches FILTER (WHERE {taken.filter})",
            _compared(day, taken.compared, COLUMN),
        )
        for taken in events.taken
        if taken.filter and not _rows(day, taken.feature)
    }


def _date(day: DayStatistics) -> str:
    return day.date if day.sample == 1 else f"{day.date}, of which 1 of {day.sample:,} were read,"


def _rows(day: DayStatistics, feature: str) -> int:
    return sum(each.rows for each in day.columns.values() if each.name == feature)


def _of(day: DayStatistics, name: str) -> ColumnStatistics | None:
    return next((each for each in day.columns.values() if each.name == name), None)


def _joined(text: str, found: Sequence[str]) -> str:
    return "; ".join([text, *found])


def _compared(day: DayStatistics, compared: Sequence[Compared], line: str) -> list[str]:
    """Say what texts there are where the condition compares some; each column once."""
    names = dict.fromkeys(each.name for each in compared)
    return [
        text
        for name in names
        if (column := _of(day, line.format(name)))
        for text in _told(name, column, compared)
    ]


def _told(name: str, column: ColumnStatistics, compared: Sequence[Compared]) -> Iterator[str]:
    literals = dict.fromkeys(
        literal for each in compared if each.name == name for literal in each.literals
    )
    there = [each for each in literals if column.texts.get_lower_bound(short(each))]
    parts = [f"{text[:CHARACTERS]!r} {rows / column.rows:.0%}" for text, rows in column.top[:SHOWN]]
    if column.nulls:
        parts.append(f"NULL {column.nulls / column.rows:.0%}")
    yield f"{name} has {', '.join(parts)}"
    if there:
        named = ", ".join(map(repr, there))
        yield f"{named} occurs in {name}, but not together with the rest of the condition"
