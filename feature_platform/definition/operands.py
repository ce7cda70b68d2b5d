"""What a query takes of a single event, as frozen values; `event_rows` makes them."""

from dataclasses import dataclass

COUNTED = "__counted"
"""The column of the answer that says whether all WHEREs of the query let the event through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A text that a condition compares with constants, by `=` or IN."""

    name: str
    """Of the text, as SQL."""
    column: str
    """Of the query's answer, with the text of each event."""
    literals: tuple[str, ...]
    """What it is compared with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What a feature takes of an event."""

    feature: str
    matched: str
    """The column of the answer that says whether WHERE and FILTER let the event through."""
    operand: str
    """The column with what is aggregated; empty for COUNT(*)."""
    filter: str
    """The FILTER's condition as written; empty without one."""
    compared: tuple[Compared, ...]
    """In the FILTER."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRows:
    """The query of a feature set over single events."""

    sql: str = ""
    """For Spark: a row for each event of the source, with `COUNTED` and the columns of `taken`."""
    taken: tuple[Taken, ...] = ()
    """By feature, in the order of the query."""
    compared: tuple[Compared, ...] = ()
    """In the query's WHEREs."""
