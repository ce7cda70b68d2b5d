"""Events that came too late to be kept are told, with by how much."""

from dataclasses import replace

from feature_platform.debug.event_links import reading_link
from feature_platform.debug.late import told_of, too_late
from feature_platform.debug.records import FoundRecord
from tests.unit.debug.debug_case import MINUTE_MS, NOW_MS, accounted, record, snapshot

DEPLOYED = snapshot()
LONGEST_MS = max(DEPLOYED.layout.retention_ms)


def late(offset: int, by_ms: int) -> FoundRecord:
    """Return an event that the broker took now, and whose time was so long ago."""
    made = record(offset, at=NOW_MS - by_ms)
    return replace(made, event=replace(made.event, timestamp_ms=NOW_MS))


def told(*records: FoundRecord) -> tuple[str, ...]:
    """Return what is said of events."""
    return told_of(DEPLOYED, too_late(DEPLOYED, accounted(records)), 5)


def test_an_event_after_the_time_of_its_tiles() -> None:
    """It says how late it was, and by how much too late; that is no fault."""
    longest_ms = LONGEST_MS + DEPLOYED.layout.grid.levels_ms[DEPLOYED.layout.used_levels[-1]]
    (first,) = told(record(1), late(7, longest_ms + 61 * MINUTE_MS))
    assert first.startswith("event 0/7 of ")
    assert "its tiles had expired at" in first
    assert "too late by 1 h " in first
    assert "nothing is wrong with that" in first
    link = reading_link(accounted([record(1)]), "users", (first,))
    assert (link.state, link.details) == ("note", (first,))
    assert link.next_step.startswith("keep in settings, now 1h, keeps tiles longer")


def test_an_event_that_was_late_and_is_kept() -> None:
    """One of its tiles takes it."""
    assert told(record(1), late(7, LONGEST_MS - MINUTE_MS)) == ()


def test_an_old_event_that_is_the_newest_of_its_entity() -> None:
    """Its tiles are in the head, which does not expire."""
    assert told(late(7, 30 * LONGEST_MS)) == ()


def test_an_event_that_its_source_does_not_take() -> None:
    """A dead letter says how old it was, and what is allowed."""
    (dead,) = accounted([late(7, (30 * 24 * 60 + 150) * MINUTE_MS)]).dead
    assert dead.reason == "event_time_too_old"
    assert "720 h" not in dead.hint
    assert "722 h 30 min before the broker took it" in dead.hint
    assert "max_past of source posts is 30d: too old by 2 h 30 min" in dead.hint
