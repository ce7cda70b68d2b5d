"""Tests of a definition, as frozen values: events that are given, and values that must follow."""

from dataclasses import dataclass

Expected = int | float | str | bool | list[int] | list[float] | list[str] | list[bool] | None
"""A value as it is served; None: there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenEvent:
    """An event of a test."""

    value: str
    """JSON, numbers as they are written."""
    appended_ms: int | None
    """The record's timestamp; None: whatever the event's time is, it arrives when it happens."""
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinitionTest:
    """One test of a feature set."""

    name: str
    events: tuple[GivenEvent, ...]
    """In the order in which they arrive."""
    entity: str
    """The key whose values are compared."""
    at_ms: int | None
    """The instant of the request; None: that of the newest event."""
    expected: tuple[tuple[str, Expected], ...]
    """By served name; what is not named may be anything."""
    line: int
    column: int
