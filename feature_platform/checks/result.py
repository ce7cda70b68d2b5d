"""What a check has found: for people, for programs and for Dagster."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

Check = Literal["count", "conservation", "parity", "decode", "freshness", "match_rate"]
Status = Literal["green", "red", "skipped"]

CHECKS: dict[Check, str] = {
    "count": "Tiles have as many events as the event log, by day and level.",
    "conservation": "Tiles of each level add up to those of the next, up to lifetime.",
    "parity": "Recomputed tiles equal stored ones, byte for byte.",
    "decode": "Every stored row can be read.",
    "freshness": "The job counts events soon after they arrive.",
}
MATCH_RATE: Check = "match_rate"
"""Of a feature list; the others are of a feature set."""
FINDINGS_MAX = 20
"""How many are named; how many there are is always said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One check of one feature set."""

    featureset: str
    """Its name; of `match_rate` that of the feature list."""
    check: Check
    status: Status
    summary: str
    """What was compared, or why nothing was."""
    findings: tuple[str, ...] = ()
    """What is wrong, the first of it."""
    found: int = 0
    """How much is wrong in all."""
    next_step: str = ""
    """The command to run next."""

    def to_json(self) -> dict[str, Any]:
        """Return the form that `fp check --json` prints."""
        return {
            "featureset": self.featureset,
            "check": self.check,
            "status": self.status,
            "summary": self.summary,
            "findings": list(self.findings),
            "found": self.found,
            "next": self.next_step,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """What the checks of one feature set have found."""

    results: tuple[CheckResult, ...]
    wrong: tuple[str, ...] = ()
    """Entities whose rows are not what their events say."""
    damage: tuple[str, ...] = ()
    """What is wrong with the files of the event log that were looked at."""

    @property
    def is_red(self) -> bool:
        """Whether any check is."""
        return any(result.status == "red" for result in self.results)


class Findings:
    """Collects what is wrong; keeps the first few and counts the rest (mutable)."""

    def __init__(self) -> None:
        """Begin with nothing wrong."""
        self.first: list[str] = []
        self.count = 0

    def add(self, texts: Iterable[str]) -> None:
        """Take in some more."""
        for text in texts:
            self.count += 1
            if len(self.first) < FINDINGS_MAX:
                self.first.append(text)

    def result(
        self, featureset: str, check: Check, summary: str, next_step: str = ""
    ) -> CheckResult:
        """Return the check's result: red if anything is wrong."""
        return CheckResult(
            featureset=featureset,
            check=check,
            status="red" if self.count else "green",
            summary=summary,
            findings=tuple(self.first),
            found=self.count,
            next_step=next_step if self.count else "",
        )
