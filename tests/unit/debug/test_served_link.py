"""What is said of served values."""

import pytest

from feature_platform.debug.report import ValueLine
from feature_platform.debug.row_links import served_link
from tests.unit.debug.debug_case import NOW_MS


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
        ([line("younger", 9), line("differs", 2)], "wrong", "events_2h is served as 2"),
        ([line("at is not kept any more")], "unknown", "nothing was served: at is not kept"),
    ],
)
def test_served_values(lines: list[ValueLine], state: str, words: str) -> None:
    """What could not be served is not taken for right."""
    link = served_link(lines, "fine", 1, {"events_2h": NOW_MS - 86_400_000})
    assert link.state == state
    assert words in link.summary
