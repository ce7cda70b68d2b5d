"""What a comparison of served values has found: rates per feature, and what is wrong."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from feature_platform.checks.result import MATCH_RATE, CheckResult, Findings
from feature_platform.match.judge import EXPLAINED, Verdict
from feature_platform.words import counted

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


@dataclass(slots=True, kw_only=True)
class Tally:
    """What was found of values, by feature (mutable)."""

    verdicts: dict[str, Counter[Verdict]] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    """Values that were not compared, by reason."""

    def add(self, feature: str, verdict: Verdict) -> None:
        """Count a value."""
        self.verdicts.setdefault(feature, Counter())[verdict] += 1

    @property
    def total(self) -> Counter[Verdict]:
        """All features together."""
        return sum(self.verdicts.values(), Counter())


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureRate:
    """How many values of a feature are what the events say."""

    verdicts: Mapping[Verdict, int]

    @property
    def compared(self) -> int:
        """How many values were judged."""
        return sum(self.verdicts.values()) - self.verdicts.get("undecided", 0)

    @property
    def equal(self) -> float:
        """Share of the values that know all that was known."""
        return self.verdicts.get("equal", 0) / max(1, self.compared)

    @property
    def matched(self) -> float:
        """Share of the values that are equal or explained."""
        return 1 - self.verdicts.get("different", 0) / max(1, self.compared)

    def to_json(self) -> dict[str, Any]:
        """Return the form that `fp check --match --json` prints."""
        return {
            "compared": self.compared,
            "equal_share": round(self.equal, 6),
            "matched_share": round(self.matched, 6),
            **{verdict: self.verdicts[verdict] for verdict in VERDICTS if verdict in self.verdicts},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchReport:
    """What was found of a list."""

    result: CheckResult
    rows: int = 0
    """Of the sample."""
    rates: Mapping[str, FeatureRate] = field(default_factory=dict)
    """By column of the list."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Values that were not compared, by reason."""
    explained: tuple[str, ...] = ()
    """Some values that are explained, each with the events."""

    @property
    def is_red(self) -> bool:
        """Whether a value is neither equal nor explained."""
        return self.result.status == "red"

    def to_json(self) -> dict[str, Any]:
        """Return the form that `fp check --match --json` prints."""
        return {
            **self.result.to_json(),
            "rows": self.rows,
            "rates": {name: rate.to_json() for name, rate in self.rates.items()},
            "left_out": dict(self.left_out),
            "explained": list(self.explained),
        }


def nothing(name: str, why: str, left_out: Mapping[str, int] | None = None) -> MatchReport:
    """Return the report of a list of which nothing was compared."""
    summary = f"nothing was compared: {why}"
    result = CheckResult(featureset=name, check=MATCH_RATE, status="skipped", summary=summary)
    return MatchReport(result=result, left_out=left_out or {})


def reported(
    name: str, rows: int, tally: Tally, findings: Findings, explained: tuple[str, ...]
) -> MatchReport:
    """Return the report on a comparison."""
    total = tally.total
    judged = sum(total.values()) - total["undecided"]
    if not judged:
        why = "; ".join(f"{reason}: {count:,}" for reason, count in tally.left_out.items())
        undecided = f"undecided: {total['undecided']:,}" if total["undecided"] else ""
        told = "; ".join(text for text in (why, undecided) if text)
        return nothing(name, told or "no row was served", tally.left_out)
    parts = [f"{counted(judged, 'value')} of {counted(rows, 'row')}"]
    parts += [
        f"{verdict}: {total[verdict]:,}"
        for verdict in ("equal", *EXPLAINED, "different", "undecided")
        if total[verdict]
    ]
    parts += [f"not compared, {why}: {count:,}" for why, count in tally.left_out.items()]
    findings.count = total["different"]
    result = findings.result(name, MATCH_RATE, "; ".join(parts), _next(name))
    return MatchReport(
        result=result,
        rows=rows,
        rates={feature: FeatureRate(verdicts=each) for feature, each in tally.verdicts.items()},
        left_out=tally.left_out,
        explained=explained,
    )


def _next(name: str) -> str:
    return f"fp check compares the tiles of all feature sets of {name} with their events"
