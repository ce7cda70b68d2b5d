"""What became of each event of an entity, and what is said of it."""

import pytest

from feature_platform.debug.account import until
from feature_platform.debug.event_links import bars, events_link, query_link, reading_link
from feature_platform.debug.records import Searched
from tests.unit.debug.debug_case import NOW_MS, accounted, record


def test_each_event_has_one_outcome() -> None:
    """Counted, left out, refused; another entity's is none of its events."""
    made = accounted(
        [
            record(1),
            record(2, ms=0),
            record(3, ms="many"),
            record(4, user_id=8),
            record(5, user_id=8, ms="many"),
        ]
    )
    assert dict(made.outcomes) == {"counted": 1, "left out by WHERE": 1, "dead letter": 1}
    assert [each.place for each in made.events] == ["0/3", "0/2", "0/1"]
    assert [each.reason for each in made.dead] == ["wrong_type"]


@pytest.mark.parametrize(("ticks", "words"), [(1_000, "in seconds"), (0.001, "in microseconds")])
def test_a_time_in_another_unit_is_recognised(ticks: float, words: str) -> None:
    """The unit in which it would be when the broker took it."""
    made = accounted([record(0, at=round(NOW_MS / ticks))])
    assert made.outcomes["dead letter"] == 1
    link = reading_link(made, "users")
    assert link.state == "wrong"
    assert words in link.details[0]


def test_events_that_cannot_be_parsed_are_its_own_by_their_text() -> None:
    """A record that is cut off still names the entity."""
    whole = record(1)
    cut = whole.event.value or b""
    broken = type(whole)(
        event=type(whole.event)(
            value=cut[:-5], partition=0, offset=1, timestamp_ms=whole.event.timestamp_ms
        ),
        origin="Kafka",
    )
    assert accounted([broken]).outcomes["dead letter"] == 1


def test_a_filter_that_nothing_matches_is_named() -> None:
    """With what its field has instead; one that matches says how many."""
    made = accounted([record(1), record(2, action="like")])
    rows = [each.row for each in made.counted if each.row]
    link = query_link(made, ["events", "views", "likes"], rows)
    assert link.state == "wrong"
    assert "FILTER (WHERE action = 'lkie') matches none of the topic's newest 2 events" in (
        link.summary
    )
    assert "it has 'like' 50%, 'view' 50%; did you mean 'like'?" in link.summary
    assert "views: 1 of 2 events match its FILTER" in link.details


def test_a_filter_that_only_this_entity_lacks_is_a_note() -> None:
    """Others have such events, so the FILTER may be right."""
    made = accounted([record(1)])
    others = accounted([record(2, action="lkie")])
    rows = [each.row for each in others.counted if each.row]
    link = query_link(made, ["likes"], rows)
    assert link.state == "note"
    assert "matches none of this entity's 1 event" in link.details[0]


def test_no_event_at_all() -> None:
    """It is wrong if everything was looked at, and unknown if not."""
    made = accounted([])
    assert events_link(Searched(looked_at={"Kafka": 5}), made, "user_id").state == "wrong"
    found = events_link(Searched(notes=["Kafka cannot be read"]), made, "user_id")
    assert found.state == "unknown"
    assert bars(made) == ()


def test_events_up_to_a_cut() -> None:
    """Those below its positions alone."""
    made = accounted([record(number) for number in (1, 2, 3)])
    assert [each.place for each in until(made, {0: 3}).events] == ["0/2", "0/1"]
    assert not until(made, {}).events


def test_bars_hold_every_event() -> None:
    """However many there are."""
    made = accounted([record(number, ms=number % 3) for number in range(1, 1_000)])
    drawn = bars(made)
    assert sum(each.events for each in drawn) == 999
    assert len(drawn) <= 160
    assert sum(each.left_out for each in drawn) == 333
