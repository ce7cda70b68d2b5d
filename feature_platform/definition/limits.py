"""What the statistics of a feature list may be, as frozen values: `statistics:` in its YAML."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from feature_platform.definition.served import LIST_OF

EVERY = "*"
"""Instead of a feature's name: all of them, as far as a measure is one of their type."""
ROWS_MIN = 1_000
DAYS_BEFORE = 7
"""The same day of the week, unless a list says otherwise."""

SHARES = ("nulls", "zeros", "not_finite")
QUANTILES = {
    "p01": 0.01,
    "p05": 0.05,
    "p25": 0.25,
    "p50": 0.5,
    "p75": 0.75,
    "p95": 0.95,
    "p99": 0.99,
}
DRIFTS = ("psi", "js")
MATCHED = "matched"
"""Of events: the share that a FILTER lets through of those that the WHERE does."""
OF_NUMBERS = ("not_finite", "mean", "min", "max", *QUANTILES)
"""Measures that texts and booleans have not; of a list they are of its length."""
OF_EVENTS = ("rows", MATCHED, *DRIFTS)
"""Measures of COUNT(*), whose events have no value."""
MEASURES = ("rows", "nulls", "zeros", "not_finite", "distinct", *OF_NUMBERS[1:], *DRIFTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Between which values a measure of a feature has to be, both taken in."""

    feature: str
    """The column's name in the answer, or `EVERY`."""
    measure: str
    low: float | None = None
    high: float | None = None

    def allows(self, value: float) -> bool:
        """Return whether a value is within it."""
        above = self.low is None or value >= self.low
        return above and (self.high is None or value <= self.high)

    def __str__(self) -> str:
        """Write it as in YAML."""
        if self.low is None:
            return f"<= {self.high:g}"
        return f">= {self.low:g}" if self.high is None else f"[{self.low:g}, {self.high:g}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsRules:
    """How the statistics of a day of a feature list are judged."""

    against: date | None = None
    """The day that others are compared with; None: `days_before` each of them."""
    days_before: int = DAYS_BEFORE
    rows_min: int = ROWS_MIN
    """A day with fewer rows of a feature says nothing about it."""
    limits: tuple[Limit, ...] = ()

    def reference(self, day: date) -> date:
        """Return the day that a day is compared with."""
        return self.against or day - timedelta(days=self.days_before)

    def of(self, column: str, measures: Sequence[str]) -> tuple[Limit, ...]:
        """Return the limits of a feature; its own before those of `EVERY`.

        Args:
            column: The feature.
            measures: Those that its type has.
        """
        found = {each.measure: each for each in self.limits if each.feature == EVERY}
        found |= {each.measure: each for each in self.limits if each.feature == column}
        return tuple(each for each in found.values() if each.measure in measures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurable:
    """What can be measured of a feature."""

    what: str
    """What it is, for messages: `serves BIGINT`."""
    measures: tuple[str, ...]


def of_served(served_type: str) -> Measurable:
    """Return what is measured of a feature of a list.

    Args:
        served_type: See `definition.served.served_type`.
    """
    return Measurable(what=f"serves {served_type}", measures=_measures_of(served_type))


def of_operand(type_name: str) -> Measurable:
    """Return what is measured of a feature of a feature set.

    Args:
        type_name: Of what is aggregated; empty for COUNT(*).
    """
    if not type_name:
        return Measurable(what="counts events alone", measures=OF_EVENTS)
    rows, *others = _measures_of(type_name)
    return Measurable(what=f"takes {type_name}", measures=(rows, MATCHED, *others))


def _measures_of(served_type: str) -> tuple[str, ...]:
    counted = not served_type.startswith(LIST_OF) and served_type in {"STRING", "BOOLEAN"}
    return tuple(each for each in MEASURES if not (counted and each in OF_NUMBERS))
