"""What is said of served values."""

import pytest

from feature_platform.debug.account import account
from feature_platform.debug.report import ValueLine
from feature_platform.debug.row_links import served_link
from feature_platform.debug.value_lines import value_lines
from feature_platform.testing.deployed import snapshot_of
from tests.unit.debug.debug_case import DEFINITION, NOW_MS, featureset, record


def line(state: str, served: int = 3) -> ValueLine:
    """Return a served value of which the events say 3."""
    return ValueLine(name="events_2h", served=served, recomputed=3, state=state)


@pytest.mark.parametrize(
    ("lines", "state", "words"),
    [
        ([line("same")], "fine", "1 value served as the events say"),
        ([line("same"), line("behind", 2)], "note", "1 value without the newest events"),
        ([line("same"), line("differs", 2)], "wrong", "events_2h is served as 2, its events say 3"),
        (
            [line("same"), line("younger", 9), line("behind", 2)],
            "note",
            "by the definition of now all its events give 3, but it counts so only since 2026-12-0",
        ),
        ([line("present only", 0)], "fine", "1 value served"),
        ([line("younger", 9), line("differs", 2)], "wrong", "events_2h is served as 2"),
        ([line("at is not kept any more")], "unknown", "nothing was served: at is not kept"),
    ],
)
def test_served_values(lines: list[ValueLine], state: str, words: str) -> None:
    """What could not be served is not taken for right."""
    link = served_link(lines, "fine", 1, {"events_2h": NOW_MS - 86_400_000})
    assert link.state == state
    assert words in link.summary


def test_right_values_of_wrong_rows() -> None:
    """Windows have passed what is wrong: who was served it can still be shown it."""
    link = served_link([line("same")], "wrong", 0, {})
    assert link.state == "fine"
    assert "none of them reads what is wrong in the rows now: --at shows when one did" in (
        link.summary
    )


def test_what_has_no_past() -> None:
    """A lifetime is not served for a past instant: nothing is compared."""
    whole = DEFINITION.replace("events: {windows: [2h]}", "events: {windows: [2h], lifetime: true}")
    defined = featureset(whole)
    made = account(defined, snapshot_of(defined).layout, "7", [record(1)])
    served = {"events_2h": 1, "events_lifetime": None}
    lines = value_lines(served, made, made, NOW_MS, NOW_MS, ())
    assert [each.state for each in lines] == ["same", "present only"]
