"""What `fp check --match` prints and ends with, whatever the comparison finds."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from feature_platform import extras
from feature_platform.checks.result import Findings
from feature_platform.cli.output import EXIT_CHECKS_RED, EXIT_FAILED, output
from feature_platform.definition.feature_list import FeatureList, ListedFeature
from feature_platform.engines import world as worlds
from feature_platform.errors import UnknownFeatureError
from feature_platform.feature_log.read import Period
from feature_platform.match import run
from feature_platform.match.judge import Verdict
from feature_platform.match.report import MatchReport, Tally, nothing, reported
from feature_platform.match.run import MatchRequest
from feature_platform.registry.memory import MemoryRegistry
from feature_platform.testing.clock import ManualClock
from tests.unit.cli.running import DAY_MS, NOW_MS, RunFp

FINDING = "sold of '[red]a[/red]' at 12:00: served 7, recomputed 8; events of events/0: 17"
EXPLAINED = "sold of 'b' at 12:00: late: served 1, by all that was known 2; events: events/1: 5"


def rated(name: str, equal: int, late: int = 0, different: int = 0) -> MatchReport:
    """Return a report about one feature."""
    tally, findings = Tally(left_out=Counter({"no later cut yet": 3})), Findings()
    counts: dict[Verdict, int] = {"equal": equal, "late": late, "different": different}
    for verdict, count in counts.items():
        for _ in range(count):
            tally.add("sold", verdict)
    findings.add([FINDING] * different)
    return reported(name, 10, tally, findings, (EXPLAINED,) if late else ())


@dataclass(kw_only=True)
class Matching:
    """What is found of each list, and what was asked for (mutable)."""

    found: Mapping[str, MatchReport] = field(default_factory=dict)
    asked: list[tuple[str, MatchRequest]] = field(default_factory=list)

    def match(
        self, _: object, name: str, ask: MatchRequest, __: Callable[[str], None]
    ) -> MatchReport:
        """Answer as `match.run.match` does."""
        self.asked.append((name, ask))
        if name not in self.found:
            msg = f"there is no list {name}"
            raise UnknownFeatureError(msg)
        return self.found[name]


@pytest.fixture(name="matching")
def _matching(monkeypatch: pytest.MonkeyPatch) -> Matching:
    made = Matching()
    features = (ListedFeature(name="shop.sold_30m"),)
    registry = MemoryRegistry(ManualClock(NOW_MS))
    for name in ("feed", "gone", "home"):
        registry.save_list(FeatureList(name=name, version=1, features=features))
    registry.remove_list("gone")

    @contextmanager
    def opened(_: object) -> Iterator[object]:
        yield SimpleNamespace(registry=registry)

    monkeypatch.setattr(worlds, "open_world", opened)
    monkeypatch.setattr(run, "match", made.match)
    monkeypatch.setattr(extras, "require", lambda *_: None)
    monkeypatch.setattr(output, "_width", 160)
    return made


def test_rates_and_what_was_explained_are_shown(fp: RunFp, matching: Matching) -> None:
    """Of all lists that are stored, if none is named."""
    matching.found = {"feed": nothing("feed", "no row was served"), "home": rated("home", 6, 2)}

    ran = fp("check", "--match")

    assert ran.code == 0
    assert [name for name, _ in matching.asked] == ["feed", "home"]
    assert matching.asked[0][1] == MatchRequest()
    assert "nothing was compared: no row was served" in ran.out
    assert "8 values of 10 rows; equal: 6; late: 2; not compared, no later cut yet: 3" in ran.out
    (row,) = [line.split() for line in ran.out.splitlines() if " sold " in line and "%" in line]
    assert [each for each in row if each[0].isalnum()] == [
        "home",
        "sold",
        "8",
        "75.00%",
        "100.0000%",
    ]
    assert f"home: explained: {EXPLAINED}" in ran.out


def test_a_value_that_differs_ends_with_3_and_is_named(fp: RunFp, matching: Matching) -> None:
    """In full, whatever is in it, with what to do next; also if another list cannot be asked."""
    matching.found = {"home": rated("home", 6, 0, 2)}

    ran = fp("check", "--match", "lost", "home")

    assert ran.code == EXIT_CHECKS_RED
    assert "there is no list lost" in ran.messages
    assert ran.out.count(f"home: {FINDING}") == 2
    assert "next: fp check compares the tiles" in ran.out
    assert "75.0000%" in ran.out


def test_a_list_that_cannot_be_compared_ends_with_1(fp: RunFp, matching: Matching) -> None:
    """The others are compared."""
    matching.found = {"home": rated("home", 6)}

    ran = fp("check", "--match", "lost", "home")

    assert ran.code == EXIT_FAILED
    assert "6 values" in ran.out


def test_json_has_rates_findings_and_what_was_left_out(fp: RunFp, matching: Matching) -> None:
    """An object for each list; days are those of the instants."""
    matching.found = {"home": rated("home", 5, 1, 2)}

    ran = fp("check", "--match", "home", "--day", "2026-01-01", "--day", "2026-01-02", "--json")

    assert ran.code == EXIT_CHECKS_RED
    (facts,) = json.loads(ran.out)
    assert (facts["status"], facts["rows"], facts["found"]) == ("red", 10, 2)
    assert facts["rates"]["sold"] == {
        "compared": 8,
        "equal_share": 0.625,
        "matched_share": 0.75,
        "equal": 5,
        "late": 1,
        "different": 2,
    }
    assert facts["left_out"] == {"no later cut yet": 3}
    assert facts["findings"] == [FINDING, FINDING]
    first_ms = 1_767_225_600_000
    period = Period(start_ms=first_ms, end_ms=first_ms + 2 * DAY_MS)
    assert matching.asked == [("home", MatchRequest(period=period))]


@pytest.mark.parametrize("option", [("--repair",), ("--sample", "1%")])
def test_options_of_the_other_check_are_refused(
    fp: RunFp, matching: Matching, option: tuple[str, ...]
) -> None:
    """Nothing is repaired, and nothing else is sampled than was asked."""
    ran = fp("check", "--match", "home", *option)

    assert ran.code == 2
    assert "neither --repair nor --sample" in " ".join(ran.messages.split())
    assert matching.asked == []
