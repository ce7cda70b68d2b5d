"""A FILTER that matches no event of a day is explained by what events have instead."""

from feature_platform.definition.operands import Compared, EventRows
from feature_platform.statistics.unmatched import EVENTS, IN_WHERE, unmatched
from tests.unit.statistics.event_lines import ACTIONS, DATE, events, lines, taken, texts


def test_a_typo_is_told_with_what_is_there() -> None:
    """The literal is in the condition; the column's texts are named with their shares."""
    day = lines(events(EVENTS, 100, 120), events("opens", 0, 100), ACTIONS)
    assert unmatched(EventRows(taken=(taken("veiw"),)), day) == {
        "opens": f"opens: no event of {DATE} matches FILTER (WHERE action = 'veiw'); "
        "action has 'view' 61%, 'click' 37%, NULL 2%"
    }


def test_what_occurs_alone_is_told() -> None:
    """One of the literals is there: the rest of the condition leaves its events out."""
    day = lines(events(EVENTS, 100, 100), events("opens", 0, 100), ACTIONS)
    found = unmatched(EventRows(taken=(taken("view", filter_="action = 'view' AND ms < 0"),)), day)
    assert found["opens"].endswith(
        "NULL 2%; 'view' occurs in action, but not together with the rest of the condition"
    )


def test_nothing_is_said_without_cause() -> None:
    """A FILTER that matches, none at all, and a day without events."""
    day = lines(events(EVENTS, 100, 100), events("opens", 1, 100), ACTIONS)
    assert unmatched(EventRows(taken=(taken("veiw"),)), day) == {}
    no_filter = lines(events(EVENTS, 100, 100), events("opens", 0, 100))
    assert unmatched(EventRows(taken=(taken(filter_=""),)), no_filter) == {}
    empty = lines(events(EVENTS, 0, 0), events("opens", 0, 0))
    assert unmatched(EventRows(taken=(taken("veiw"),)), empty) == {}


def test_a_condition_without_texts_is_named_alone() -> None:
    """And a sample is said to be one."""
    day = lines(events(EVENTS, 100, 100), events("opens", 0, 100), sample=3)
    assert unmatched(EventRows(taken=(taken(filter_="ms < 0"),)), day) == {
        "opens": f"opens: no event of {DATE}, of which 1 of 3 were read, matches FILTER "
        "(WHERE ms < 0)"
    }


def test_a_where_that_lets_nothing_through_is_told() -> None:
    """The texts are those of all events."""
    day = lines(
        events(EVENTS, 0, 4),
        events("opens", 0, 0),
        texts(IN_WHERE.format("kind"), "a", "a", "b", "a" * 60),
    )
    compared = (Compared(name="kind", column="__w0", literals=("x",)),)
    found = unmatched(EventRows(taken=(taken("veiw"),), compared=compared), day)
    assert found == {
        "opens": f"opens: the WHERE of the query lets no event of {DATE} through; "
        f"kind has 'a' 50%, '{'a' * 40}' 25%, 'b' 25%"
    }
