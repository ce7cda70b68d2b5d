"""What a window counts: before, at and after each of its edges; late, out of order, in the future.

A window is answered in whole minutes: it starts with the minute that holds `now - window`, and for
now it ends with the open tile, so nothing that has arrived is left out.
"""

from typing import Protocol

import pytest

from feature_platform.rows.partials import Value
from feature_platform.testing import Deployed


class Story(Protocol):
    """See conftest."""

    def view(self, at: str, *, arrives: str | None = None, language: str | None = None) -> None:
        """A view happens."""

    def served(self, now: str, name: str, *, at: str | None = None) -> Value:
        """Return a served value."""

    def deployed(self, now: str) -> Deployed:
        """Return everything as it stands."""


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("15:31:59.999", 0),
        ("15:32:00", 1),
        ("15:32:29", 1),
        ("15:36:59", 1),
        ("15:37:30", 1),
    ],
)
def test_edges_of_a_window_now(story: Story, at: str, expected: int) -> None:
    """At 15:37:30 the last 5 minutes start with the minute 15:32.

    15:31     15:32     15:33  ...  15:37     15:38
      |         [=========================now===)
    """
    story.view(at)

    assert expected == story.served("15:37:30", "views_5m")


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("15:31:59.999", 0),
        ("15:32:00", 1),
        ("15:36:59.999", 1),
        ("15:37:00", 0),
        ("15:37:29", 0),
    ],
)
def test_edges_of_a_window_in_the_past(story: Story, at: str, expected: int) -> None:
    """As of 15:37:30 only minutes that had ended count, asked half an hour later.

    15:31     15:32     15:33  ...  15:37     15:38
      |         [=====================)  at
    """
    story.view(at)

    assert expected == story.served("16:07:00", "views_5m", at="15:37:30")


def test_a_window_moves_on(story: Story) -> None:
    """An event is counted for five minutes and as long as its minute is the oldest one.

    15:00 ....... view at 15:02:30
    15:02:30 ---> 15:07:59 counted, 15:08:00 no more
    """
    story.view("15:02:30")

    assert [
        story.served(now, "views_5m")
        for now in ("15:02:30", "15:06:59", "15:07:59.999", "15:08:00")
    ] == [1, 1, 1, 0]


def test_a_late_event_is_counted_where_it_belongs(story: Story) -> None:
    """An event of 13:40 that arrives at 15:36 adds to the two hours, not to the five minutes."""
    story.view("15:35:00")
    story.view("13:40:00", arrives="15:36:00")

    assert (story.served("15:35:59", "views_2h"), story.served("15:35:59", "views_5m")) == (1, 1)
    assert (story.served("15:37:00", "views_2h"), story.served("15:37:00", "views_5m")) == (2, 1)
    assert story.served("15:37:00", "views_lifetime") == 2


def test_a_past_question_sees_late_events(story: Story) -> None:
    """Asked later about 14:00, an event of 13:40 counts although it arrived after."""
    story.view("13:40:00", arrives="14:10:00")

    assert story.served("14:00:00", "views_2h") == 0
    assert story.served("14:15:00", "views_2h", at="14:00:00") == 1


def test_an_event_from_the_near_future_is_in_the_open_tile(story: Story) -> None:
    """A clock that runs ahead by less than `max_future` opens a tile ahead; the window holds it.

    now 15:37      event 15:39, inside the open half hour 15:30-16:00
    """
    story.view("15:39:00", arrives="15:37:00")

    assert story.served("15:37:00", "views_2h") == 1
    assert story.served("15:37:00", "views_5m", at="15:37:00") == 0


def test_an_event_from_the_far_future_does_not_count(story: Story) -> None:
    """A clock that runs ahead by more than `max_future` makes a dead letter."""
    story.view("15:43:00", arrives="15:37:00")

    deployed = story.deployed("15:37:00")

    assert [letter.reason for letter in deployed.oracle.dead_letters] == ["future_event_time"]
    assert story.served("15:37:00", "views_lifetime") == 0


def test_the_latest_value_goes_by_event_time(story: Story) -> None:
    """What happened last wins, whatever arrived last; NULL is no value."""
    story.view("15:10:00", language="hi")
    story.view("15:20:00", language="ta")
    story.view("15:15:00", arrives="15:21:00", language="en")
    story.view("15:30:00")

    assert story.served("15:40:00", "language") == "ta"
    assert story.served("15:40:00", "recent") == ["ta", "en"]


def test_of_the_same_instant_the_later_offset_wins(story: Story) -> None:
    """Events of one millisecond are ordered by partition and offset."""
    story.view("15:10:00", language="hi")
    story.view("15:10:00", language="en")

    assert story.served("15:10:00", "recent") == ["en", "hi"]


def test_the_head_moves_with_the_events_not_with_the_clock(story: Story) -> None:
    """Hours after the last event its tiles are still in the head; a new event pushes them out."""
    story.view("09:00:00")
    quiet = story.deployed("15:00:00").oracle.entity("p")
    story.view("15:00:00")
    woken = story.deployed("15:00:00").oracle.entity("p")

    assert quiet is not None
    assert woken is not None
    assert quiet.closed == ()
    assert [(tile.level, tile.expires_ms is not None) for tile in woken.closed] == [
        (0, True),
        (1, True),
        (2, True),
    ]
    assert story.served("15:00:00", "views_2h") == 1
