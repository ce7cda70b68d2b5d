"""Judges the statistics of a day by the limits in the list's YAML. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from feature_platform.definition.limits import DRIFTS, MEASURES, OF_NUMBERS, Limit, StatisticsRules
from feature_platform.statistics.column import ColumnStatistics
from feature_platform.statistics.day import DayStatistics
from feature_platform.statistics.drift import Drift, drift
from feature_platform.words import counted

Verdict = Literal["green", "red", "skipped"]


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

    list: str
    date: str
    against: str
    """The day that drift is measured from; empty if there is nothing of it."""
    features: tuple[FeatureVerdict, ...]
    notes: tuple[str, ...] = field(default=())
    """What a reader must know of the whole."""

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
            "list": self.list,
            "date": self.date,
            "against": self.against or None,
            "status": self.status,
            "notes": list(self.notes),
            "columns": [each.to_json() for each in self.features],
        }


def judge(
    name: str,
    rules: StatisticsRules,
    listed: tuple[str, ...],
    day: DayStatistics,
    reference: DayStatistics | None,
) -> StatisticsReport:
    """Judge a day.

    Args:
        name: The list.
        rules: Its limits.
        listed: The columns of its features; the limits are theirs.
        day: What was served.
        reference: The day that drift is measured from; None: there is nothing of it.
    """
    shown, before = day.shown(), reference.shown() if reference else {}
    missing = [each for each in listed if each not in shown]
    verdicts = [
        _verdict(rules, column, shown.get(column), before.get(column), judged=column in listed)
        for column in [*shown, *missing]
    ]
    return StatisticsReport(
        list=name,
        date=day.date,
        against=reference.date if reference else "",
        features=tuple(verdicts),
    )


def _verdict(
    rules: StatisticsRules,
    name: str,
    column: ColumnStatistics | None,
    before: ColumnStatistics | None,
    *,
    judged: bool,
) -> FeatureVerdict:
    if column is None:
        absent = ("no row of the day was served with it",)
        return FeatureVerdict(name=name, status="skipped", measures={}, why=absent)
    moved = drift(before, column) if before and column.role == "feature" else None
    measures = column.measures()
    if moved:
        measures |= {"psi": moved.psi, "js": moved.js}
    limits = rules.of(name, _measures(column)) if judged else ()
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
    counts = column.kind in {"text", "boolean"}
    return tuple(each for each in MEASURES if not (counts and each in OF_NUMBERS))


def _skipped(
    rules: StatisticsRules,
    limit: Limit,
    column: ColumnStatistics,
    before: ColumnStatistics | None,
) -> str:
    """Say why a limit says nothing of this day; empty if it does."""
    if limit.measure == "rows":
        return ""
    if column.rows < rules.rows_min:
        return f"{counted(column.rows, 'row')}, fewer than rows_min = {rules.rows_min:,}"
    return _incomparable(rules, column, before) if limit.measure in DRIFTS else ""


def _incomparable(
    rules: StatisticsRules, column: ColumnStatistics, before: ColumnStatistics | None
) -> str:
    """Say why the drift of a column is not known; empty if it is."""
    if before is None:
        return "the reference day has no row with it: no drift is known"
    if before.kind != column.kind:
        return f"it was {before.kind} on the reference day and is {column.kind}: not comparable"
    if before.rows < rules.rows_min:
        rows = counted(before.rows, "row")
        return f"{rows} on the reference day, fewer than rows_min = {rules.rows_min:,}"
    return ""


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
    return f"{text}; of {counted(column.rows, 'row')}"
