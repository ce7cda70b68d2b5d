"""Features that do not count since the first event: what is said, and which values it concerns."""

from dataclasses import replace
from typing import Any

import pytest
import yaml

from feature_platform.debug.event_links import definition_link
from feature_platform.debug.report import DebugReport, Link
from feature_platform.debug.since import told_since
from feature_platform.debug.value_lines import mixed_names, value_lines
from feature_platform.plan.snapshot import Snapshot
from tests.unit.debug.debug_case import (
    DEFINITION,
    MINUTE_MS,
    NOW_MS,
    SOURCE,
    accounted,
    featureset,
    record,
    snapshot,
)

SINCE_MS = NOW_MS - 30 * MINUTE_MS
VIEWED = "COUNT(*) FILTER (WHERE action = 'view')"


def definition(views: str = VIEWED) -> dict[str, Any]:
    """Return a definition as the registry keeps it."""
    own = yaml.safe_load(DEFINITION.replace(VIEWED, views))
    return dict(own) | {"source": yaml.safe_load(SOURCE)}


def edited(**last: object) -> Snapshot:
    """Return what is deployed after `views` was changed, with what was deployed before."""
    now = replace(snapshot(), definition=definition())
    features = tuple(
        replace(each, valid_from_ms=SINCE_MS, meaning="new") if each.name == "views" else each
        for each in now.features
    )
    return replace(now, features=features, previous=replace(now, **last))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("last", "words"),
    [
        (
            {"definition": definition("COUNT(*) FILTER (WHERE action IN ('view', 'like'))")},
            "stays: its FILTER was (WHERE action IN ('view', 'like')), and is (WHERE action = 'vi",
        ),
        ({"definition": definition("COUNT(*)")}, "stays: its FILTER was none, and is (WHERE"),
        ({"definition": definition()}, "stays: by another expression or WHERE"),
        ({"definition": {}}, "stays: by another definition"),
        ({"features": ()}, "before, there was none"),
        ({"generation": 0}, "what was counted before, if it was, stays"),
        ({"features": edited().features}, "what an earlier definition counted before stays"),
    ],
)
def test_what_counted_before(last: dict[str, object], words: str) -> None:
    """As far as it is known: of what was deployed last."""
    (told,) = told_since(edited(**last), ["events", "views"])
    assert told.startswith("views counts as it is defined now since 2026-12-02T20:50:00")
    assert words in told


def test_another_id_begins_with_nothing() -> None:
    """What the old id has counted is not in the new one's values."""
    made = edited()
    columns = tuple(
        replace(each, id=99) if each.name == "views" else each for each in made.layout.columns
    )
    made = replace(made, layout=replace(made.layout, columns=columns))
    (told,) = told_since(made, ["views"])
    assert "what it counted before is not in it any more" in told


def test_a_value_that_reaches_back_is_not_judged() -> None:
    """A window of two hours does, 30 minutes after the change; three hours after it does not."""
    made = accounted([record(5), record(50, action="like"), record(70)])
    mixed = mixed_names(edited(), NOW_MS, "now")
    assert mixed == {"views_2h": SINCE_MS}
    assert mixed_names(edited(), NOW_MS + 180 * MINUTE_MS, "now") == {}
    served = {"events_2h": 3, "views_2h": 3}
    states = [each.state for each in value_lines(served, made, made, NOW_MS, None, mixed)]
    assert states == ["same", "younger"]
    states = [each.state for each in value_lines(served, made, made, NOW_MS, None, ())]
    assert states == ["same", "differs"]


def test_notes_are_in_the_verdict() -> None:
    """Who reads the last lines alone learns where there is more, and what to do."""
    link = definition_link(edited(), featureset(), ["views"])
    assert link.state == "note"
    fine = Link(place="rows", state="fine", summary="")
    report = DebugReport(featureset="users", entity="7", at_ms=0, is_past=False, links=(link, fine))
    assert report.verdict == "nothing is wrong; read the notes at: definition"
    assert "--reset COLUMN" in report.next_step
    unknown = replace(fine, state="unknown")
    report = replace(report, links=(link, unknown))
    assert report.verdict == (
        "nothing is wrong as far as could be seen; read the notes at: definition; unknown: rows"
    )
    wrong = replace(fine, state="wrong", next_step="repair")
    assert replace(report, links=(link, wrong)).next_step == "repair"


def test_a_cache_is_not_forgotten() -> None:
    """Where nothing is wrong and no service was asked, it may be what is."""
    fine = Link(place="rows", state="fine", summary="")
    report = DebugReport(featureset="users", entity="7", at_ms=0, is_past=False, links=(fine,))
    assert "--service HOST:PORT" in report.next_step
    assert not replace(report, is_past=True).next_step
    assert not replace(report, links=(fine, replace(fine, place="service"))).next_step


def test_how_to_know_what_is_unknown() -> None:
    """Said where nothing else has a next step."""
    unknown = Link(place="state", state="unknown", summary="gone", next_step="recover")
    note = Link(place="job", state="note", summary="new", next_step="wait")
    wrong = Link(place="served", state="wrong", summary="differs")
    report = DebugReport(featureset="users", entity="7", at_ms=0, is_past=False, links=(unknown,))
    assert report.next_step == "recover"
    assert replace(report, links=(unknown, replace(note, next_step=""))).next_step == "recover"
    assert replace(report, links=(unknown, note)).next_step == "wait"
    assert replace(report, links=(note, unknown, wrong)).next_step == "recover"
    assert not replace(report, links=(note, wrong)).next_step
