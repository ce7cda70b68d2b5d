"""The page is whole, and shows what others have written as text."""

from dataclasses import replace
from html.parser import HTMLParser

from feature_platform.clock import to_iso
from feature_platform.debug.event_links import (
    bars,
    event_lines,
    named_events,
    query_link,
    reading_link,
)
from feature_platform.debug.page import page
from feature_platform.debug.report import EVENTS_SHOWN, DebugReport, Link, TileLine, ValueLine
from tests.unit.debug.debug_case import NOW_MS, accounted, record

EVIL = "<script>alert('x')</script>"


class Tags(HTMLParser):
    """Collects the names of tags (mutable)."""

    def __init__(self) -> None:
        """Begin with none."""
        super().__init__()
        self.names: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take a tag, and see that nothing is loaded from elsewhere."""
        self.names.append(tag)
        assert not {"src", "href", "onload", "onclick"} & {name for name, _ in attrs}


def report() -> DebugReport:
    """Return a report with texts of the outside in every place."""
    made = accounted([record(1, action=EVIL), record(2, ms=EVIL)])
    links = (
        reading_link(made, "users"),
        query_link(made, ["events"], []),
        Link(place="rows", state="wrong", summary=EVIL, details=(EVIL,), next_step=EVIL),
    )
    tile = TileLine(
        level="1m",
        start_ms=NOW_MS - 60_000,
        length_ms=60_000,
        place="head",
        writer="1/2",
        stored={"events": 1},
        expected={"events": 2},
        differs=True,
    )
    return DebugReport(
        featureset="users",
        entity=EVIL,
        at_ms=NOW_MS,
        is_past=False,
        links=links,
        events=event_lines(made, ["events"], 10),
        events_total=len(made.events),
        bars=bars(made),
        tiles=(tile,),
        values=(ValueLine(name="events_2h", served=EVIL, recomputed=1, state="differs"),),
    )


def test_texts_stay_texts() -> None:
    """No tag is made of what an event holds."""
    tags = Tags()
    tags.feed(page(report()))
    assert "script" not in tags.names
    assert {"svg", "rect", "table"} <= set(tags.names)


def test_events_that_a_place_names_are_shown() -> None:
    """However old; cuts, which are written alike, are none."""
    made = accounted([record(each) for each in range(1, 40)])
    old, older = made.events[1], made.events[0]
    links = (
        Link(
            place="rows",
            state="wrong",
            summary=f"as if event {old.place} of {to_iso(old.time_ms)} had not been counted",
            details=(f"as of cut {older.place} of {to_iso(NOW_MS)}",),
        ),
    )
    named = named_events(links)
    assert named == {old.place}
    for most in (10, 100):
        lines = event_lines(made, ["events"], most, named)
        shown = replace(report(), events=lines, links=links).shown_events
        assert [each.place for each in shown] == [
            each.place for each in (old, *made.events[-EVENTS_SHOWN:])
        ]


def test_json_has_the_first_place() -> None:
    """The first that is wrong, in the order of the places."""
    facts = report().to_json()
    assert facts["first"] == "reading"
    assert facts["verdict"].startswith("goes wrong first at reading: ")
