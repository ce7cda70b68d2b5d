"""Limits of what a feature set takes of a day's events."""

import pytest

from feature_platform.definition.limits import Limit
from feature_platform.statistics.judge import FeatureVerdict, StatisticsReport, judge
from feature_platform.statistics.unmatched import EVENTS
from tests.unit.statistics.event_lines import ACTIONS, DATE, events, lines, subject

PSI = Limit(feature="*", measure="psi", high=0.2)


def opens(found: StatisticsReport) -> FeatureVerdict:
    """Return the verdict on the feature."""
    return next(each for each in found.features if each.name == "opens")


def test_the_share_that_is_matched_drifts() -> None:
    """COUNT(*) has no value: it is compared by how many events it counts of those there are."""
    before = lines(events(EVENTS, 100, 120), events("opens", 61, 100), ACTIONS)
    after = lines(events(EVENTS, 100, 120), events("opens", 5, 100), ACTIONS)
    found = judge(subject(PSI), after, before)

    assert (found.status, found.against) == ("red", DATE)
    (text,) = found.findings
    assert text.startswith("opens: psi is ")
    assert text.endswith("most changed: matched: 61.0% -> 5.0%")
    assert judge(subject(PSI), before, before).status == "green"
    assert found.unmatched == {}


def test_a_filter_that_matches_nothing_has_drifted_too() -> None:
    """No row is no reason not to judge: there were events to match."""
    before = lines(events(EVENTS, 100, 120), events("opens", 61, 100), ACTIONS)
    after = lines(events(EVENTS, 100, 120), events("opens", 0, 100), ACTIONS)
    found = judge(subject(PSI), after, before)

    assert found.status == "red"
    assert list(found.unmatched) == ["opens"]
    assert found.to_json()["unmatched"] == dict(found.unmatched)
    assert found.to_json()["featureset"] == "mails"


@pytest.mark.parametrize(
    ("rows", "seen", "status"), [(10, 100, "green"), (9, 100, "red"), (0, 40, "skipped")]
)
def test_a_limit_of_the_share_is_judged_by_the_events(rows: int, seen: int, status: str) -> None:
    """However few match; too few events say nothing."""
    limit = Limit(feature="opens", measure="matched", low=0.1)
    day = lines(events(EVENTS, seen, seen), events("opens", rows, seen))
    assert opens(judge(subject(limit), day, None)).status == status


def test_a_finding_says_of_how_many_events() -> None:
    """The share alone says little."""
    limit = Limit(feature="opens", measure="matched", low=0.5)
    day = lines(events(EVENTS, 1_000, 1_000), events("opens", 300, 1_000))
    assert judge(subject(limit), day, None).findings == (
        "opens: matched is 0.3, the limit is >= 0.5; of 1,000 events",
    )


def test_rows_of_a_sample_are_estimates() -> None:
    """Their limits are of the whole day; what is judged at all is by what was measured."""
    limit = Limit(feature="opens", measure="rows", low=200)
    day = lines(events(EVENTS, 100, 100), events("opens", 60, 100), sample=4)
    found = judge(subject(limit), day, None)

    assert opens(found).measures["rows"] == 240
    assert found.status == "green"
    assert found.notes[0].startswith("1 of 4 events was measured")
    assert found.to_json()["sample"] == 4


def test_who_has_a_limit_of_its_own_is_not_warned_of() -> None:
    """A FILTER may match nothing on some days: then its author says so."""
    day = lines(events(EVENTS, 100, 100), events("opens", 0, 100), ACTIONS)
    limit = Limit(feature="opens", measure="rows", low=0)

    assert len(judge(subject(), day, None).warned) == 1
    found = judge(subject(limit), day, None)
    assert (found.warned, found.status) == ((), "green")
    assert list(found.unmatched) == ["opens"]
