"""Judges the statistics of a day by the limits in the list's YAML. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from feature_platform.definition.limits import (
    DRIFTS,
    MATCHED,
    MEASURES,
    OF_EVENTS,
    OF_NUMBERS,
    Limit,
    StatisticsRules,
)
from feature_platform.definition.operands import EventRows
from feature_platform.statistics.column import ColumnStatistics
from feature_platform.statistics.day import DayStatistics
from feature_platform.statistics.drift import Drift, drift
from feature_platform.statistics.unmatched import unmatched
from feature_platform.words import counted

Verdict = Literal["green", "red", "skipped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What the statistics are of, and how they are judged."""

    kind: Literal["list", "featureset"]
    name: str
    rules: StatisticsRules
    features: tuple[str, ...]
    """Columns that the limits are about."""
    events: EventRows | None = None
    """Of a feature set: its query over single events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureVerdict:
    """What is known of one column, and whether it is within its limits."""

    name: str
    status: Verdict
    """Skipped: nothing was judged, `why` says why."""
    measures: Mapping[str, float]
    """Those that the day has, `psi` and `js` too."""
    column: ColumnStatistics | None = None
    """None: the day has no row with it."""
    drift: Drift | None = None
    findings: tuple[str, ...] = ()
    why: tuple[str, ...] = ()
    """What could not be judged, and why."""

    def to_json(self) -> dict[str, Any]:
        """Return the form that `fp statistics --json` prints."""
        about = self.column
        return {
            "name": self.name,
            "role": about.role if about else "feature",
            "kind": about.kind if about else None,
            "status": self.status,
            **dict(self.measures),
            "top": [{"value": text, "rows": rows} for text, rows in about.top] if about else [],
            "findings": list(self.findings),
            "skipped": list(self.why),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsReport:
    """The statistics of a day of a list, judged."""

    of: Subject
    date: str
    against: str
    """The day that drift is measured from; empty if there is nothing of it."""
    features: tuple[FeatureVerdict, ...]
    notes: tuple[str, ...] = field(default=())
    """What a reader must know of the whole."""
    unmatched: Mapping[str, str] = field(default_factory=dict)
    """By feature that takes no event of the day: why that is, as far as the events say."""
    sample: int = 1
    """Of how many rows one was measured."""

    @property
    def status(self) -> Verdict:
        """Red if any feature is; skipped if nothing was judged."""
        found = {each.status for each in self.features}
        if "red" in found:
            return "red"
        return "green" if "green" in found else "skipped"

    @property
    def findings(self) -> tuple[str, ...]:
        """Everything that is not within its limits."""
        return tuple(text for each in self.features for text in each.findings)

    @property
    def warned(self) -> tuple[str, ...]:
        """What is said of features that take no event, and have no limit of how many they take."""
        own = {each.feature for each in self.of.rules.limits if each.measure in {"rows", MATCHED}}
        return tuple(text for name, text in self.unmatched.items() if name not in own)

    @property
    def summary(self) -> str:
        """Say in one line what was judged."""
        judged = [each for each in self.features if each.status != "skipped"]
        against = f" against {self.against}" if self.against else ""
        red = sum(each.status == "red" for each in judged)
        beyond = f", {red:,} not within limits" if red else ""
        return f"{self.date}{against}: {counted(len(judged), 'feature')} judged{beyond}"

    def to_json(self) -> dict[str, Any]:
        """Return the form that `fp statistics --json` prints."""
        return {
            self.of.kind: self.of.name,
            "date": self.date,
            "against": self.against or None,
            "status": self.status,
            "notes": list(self.notes),
            **({"unmatched": dict(self.unmatched)} if self.of.kind == "featureset" else {}),
            **({"sample": self.sample} if self.sample > 1 else {}),
            "columns": [each.to_json() for each in self.features],
        }


def judge(of: Subject, day: DayStatistics, reference: DayStatistics | None) -> StatisticsReport:
    """Judge a day.

    Args:
        of: What it is a day of.
        day: What is known of it.
        reference: The day that drift is measured from; None: there is nothing of it.
    """
    shown, before = day.shown(), reference.shown() if reference else {}
    missing = [each for each in of.features if each not in shown]
    verdicts = [
        _verdict(of, column, shown.get(column), before.get(column), day.sample)
        for column in [*shown, *missing]
    ]
    return StatisticsReport(
        of=of,
        date=day.date,
        against=reference.date if reference else "",
        features=tuple(verdicts),
        notes=_notes(day),
        unmatched=unmatched(of.events, day) if of.events else {},
        sample=day.sample,
    )


def _notes(day: DayStatistics) -> tuple[str, ...]:
    if day.sample == 1:
        return ()
    text = (
        f"1 of {day.sample:,} events was measured, chosen by a hash of partition and offset; "
        "numbers of rows are estimates"
    )
    return (text,)


def _verdict(
    of: Subject,
    name: str,
    column: ColumnStatistics | None,
    before: ColumnStatistics | None,
    sample: int,
) -> FeatureVerdict:
    rules = of.rules
    if column is None:
        absent = ("no row of the day was served with it",)
        return FeatureVerdict(name=name, status="skipped", measures={}, why=absent)
    moved = drift(before, column) if before and column.role == "feature" else None
    measures = column.measures()
    measures["rows"] *= sample
    if moved:
        measures |= {"psi": moved.psi, "js": moved.js}
    limits = rules.of(name, _measures(column)) if name in of.features else ()
    findings: list[str] = []
    why: list[str] = []
    passed = 0
    for limit in limits:
        skipped = _skipped(rules, limit, column, before)
        if skipped:
            why.append(skipped)
        elif text := _finding(limit, name, column, measures, moved):
            findings.append(text)
        else:
            passed += 1
    status: Verdict = "red" if findings else "green" if passed else "skipped"
    return FeatureVerdict(
        name=name,
        status=status,
        measures=measures,
        column=column,
        drift=moved,
        findings=tuple(findings),
        why=tuple(dict.fromkeys(why)),
    )


def _measures(column: ColumnStatistics) -> tuple[str, ...]:
    """Return the measures that a column's kind has."""
    if column.kind == "event":
        return OF_EVENTS
    counts = column.kind in {"text", "boolean"}
    measures = tuple(each for each in MEASURES if not (counts and each in OF_NUMBERS))
    return (*measures, MATCHED) if column.seen else measures


def _skipped(
    rules: StatisticsRules,
    limit: Limit,
    column: ColumnStatistics,
    before: ColumnStatistics | None,
) -> str:
    """Say why a limit says nothing of this day; empty if it does."""
    if limit.measure == "rows":
        return ""
    if limit.measure == MATCHED:
        few = column.seen < rules.rows_min
        return f"{counted(column.seen, 'event')}, {_fewer(rules)}" if few else ""
    if column.base < rules.rows_min:
        return f"{counted(column.base, 'row')}, {_fewer(rules)}"
    return _incomparable(rules, column, before) if limit.measure in DRIFTS else ""


def _incomparable(
    rules: StatisticsRules, column: ColumnStatistics, before: ColumnStatistics | None
) -> str:
    """Say why the drift of a column is not known; empty if it is."""
    if before is None:
        return "the reference day has no row with it: no drift is known"
    if before.kind != column.kind:
        return f"it was {before.kind} on the reference day and is {column.kind}: not comparable"
    if before.base < rules.rows_min:
        rows = counted(before.base, "row")
        return f"{rows} on the reference day, {_fewer(rules)}"
    return ""


def _fewer(rules: StatisticsRules) -> str:
    return f"fewer than rows_min = {rules.rows_min:,}"


def _finding(
    limit: Limit,
    name: str,
    column: ColumnStatistics,
    measures: Mapping[str, float],
    moved: Drift | None,
) -> str:
    """Say what is wrong; empty if it is within the limit."""
    value = measures.get(limit.measure)
    if value is None:
        return f"{name}: no {limit.measure}, because no row has a number; the limit is {limit}"
    if limit.allows(value):
        return ""
    text = f"{name}: {limit.measure} is {value:.4g}, the limit is {limit}"
    if limit.measure in DRIFTS and moved:
        return f"{text}; most changed: {moved.most}"
    return f"{text}; of {counted(column.seen or column.rows, 'event' if column.seen else 'row')}"
