"""What became of each event of an entity, and what is said of it."""

from dataclasses import replace

import pytest

from feature_platform.debug.account import account, until
from feature_platform.debug.event_links import bars, events_link, query_link, reading_link
from feature_platform.debug.records import FoundRecord, Searched
from feature_platform.testing.deployed import snapshot_of
from tests.unit.debug.debug_case import DEFINITION, MINUTE_MS, NOW_MS, accounted, featureset, record


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


def _with_text(offset: int, text: str) -> FoundRecord:
    made = record(offset)
    return replace(made, event=replace(made.event, value=text.encode()))


def test_one_event_that_is_too_deep_is_a_dead_letter() -> None:
    """It is the entity's by its text, and the others are judged all the same."""
    deep = f'{{"user_id": 7, "deep": {"[" * 3_000}{"]" * 3_000}}}'
    made = accounted([record(1), _with_text(2, deep), _with_text(3, deep.replace("7", "8"))])
    assert dict(made.outcomes) == {"counted": 1, "dead letter": 1}
    assert [each.reason for each in made.dead] == ["too_deep"]


@pytest.mark.parametrize(
    ("key", "is_own"), [("7.0", True), ('"7.00"', True), ("1" * 401 + ".0", False), ("7.5", False)]
)
def test_a_key_with_a_point(key: str, is_own: bool) -> None:
    """However long it is: no number is made of it."""
    made = accounted([record(1), _with_text(2, f'{{"user_id": {key}, "ms": "many"}}')])
    assert len(made.dead) == is_own


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


def test_a_filter_that_an_own_event_matches_is_right() -> None:
    """However rare it is: none of the newest events proves anything against it."""
    made = accounted([record(1, action="lkie"), record(2)])
    others = accounted([record(number) for number in range(3, 9)])
    rows = [each.row for each in others.counted if each.row]
    link = query_link(made, ["likes"], rows)
    assert link.state == "fine"
    assert link.details == ("likes: 1 of 2 events match its FILTER",)


def test_a_filter_on_something_rare_is_a_note() -> None:
    """No event has it, and nothing like it: nobody can say that it is wrong."""
    made = accounted([record(1, action="share")])
    rows = [each.row for each in made.counted if each.row]
    link = query_link(made, ["likes"], rows)
    assert link.state == "note"
    assert (
        "FILTER (WHERE action = 'lkie') matches none of the topic's newest 1 event"
        in (link.details[0])
    )
    assert link.details[0].endswith("; nor does it match any of this entity's 1 event")
    assert "if such events are not just rare, correct the FILTER" in link.next_step


@pytest.mark.parametrize(
    ("constant", "sent", "state"),
    [
        ("veiw", "view", "wrong"),
        ("View", "view", "wrong"),
        ("views", "view", "wrong"),
        ("veew", "view", "wrong"),
        ("unlike", "like", "note"),
        ("US", "UK", "note"),
        ("level_10", "level_1", "note"),
        ("level_2", "level_1", "note"),
        ("share", "view", "note"),
    ],
)
def test_a_constant_is_wrong_if_it_is_a_slip(constant: str, sent: str, state: str) -> None:
    """What is a little alike may be rare, and right."""
    deployed = featureset(DEFINITION.replace("'lkie'", f"'{constant}'"))
    made = account(deployed, snapshot_of(deployed).layout, "7", [record(1, action=sent)])
    rows = [each.row for each in made.counted if each.row]
    assert query_link(made, ["likes"], rows).state == state


def test_a_filter_matches_where_its_operand_is_null() -> None:
    """What is aggregated is another matter than what is let through."""
    definition = DEFINITION.replace("SUM(ms)  AS", "SUM(ms) FILTER (WHERE action = 'view') AS")
    definition = definition.replace("WHERE ms > 0", "WHERE user_id > 0")
    deployed = featureset(definition)
    records = [record(1, ms=None), record(2, ms=None, action="share")]
    made = account(deployed, snapshot_of(deployed).layout, "7", records)
    rows = [each.row for each in made.counted if each.row]
    link = query_link(made, ["total"], rows)
    assert link.state == "fine"
    assert link.details == (
        "total: 1 of 2 events match its FILTER; what it aggregates is NULL in all of them",
    )


def test_an_entity_that_where_leaves_out_is_a_note() -> None:
    """It may be so on purpose."""
    link = query_link(accounted([record(1, ms=0), record(2, ms=0)]), ["views"], [])
    assert link.state == "note"
    assert link.summary == "0 events of it count, 2 left out by WHERE"
    assert "not left out on purpose, correct WHERE" in link.next_step


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


def test_events_of_a_span_of_time() -> None:
    """From its start on, without those at its end; several may have one time."""
    made = accounted([record(9, minutes=2), *(record(number) for number in (1, 2, 3))])
    start_ms, end_ms = NOW_MS - 2 * MINUTE_MS, NOW_MS - MINUTE_MS
    assert [each.place for each in made.counted_within(start_ms, end_ms)] == ["0/2", "0/9"]
    assert made.counted_within(0, NOW_MS) == made.counted
    assert made.counted_within(end_ms + 1, NOW_MS) == []


def test_bars_hold_every_event() -> None:
    """However many there are."""
    made = accounted([record(number, ms=number % 3) for number in range(1, 1_000)])
    drawn = bars(made)
    assert sum(each.events for each in drawn) == 999
    assert len(drawn) <= 160
    assert sum(each.left_out for each in drawn) == 333
