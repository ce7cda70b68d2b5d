"""Tests of definitions as they are run: what is compared, and why an event does not count."""

from pathlib import Path

import pytest

from feature_platform.author.run_tests import EVENTS_SHOWN, Difference, run_tests
from feature_platform.definition.loading import DefinitionFile, Project, load_files

SOURCE = """\
source: events
topic: events
event_time: ts
max_future: 5m
max_past: 30d
columns: {id: BIGINT, action: STRING, ms: INT, price: DOUBLE, cost: 'DECIMAL(10,2)',
          flag: BOOLEAN, seen: TIMESTAMP, ts: TIMESTAMP}
"""
SET = """\
featureset: posts
entity: id
source: events
sql: |
  SELECT id,
         COUNT(*) FILTER (WHERE action = 'view') AS views,
         SUM(ms)            AS ms,
         AVG(price)         AS price,
         SUM(cost)          AS cost,
         LAST_VALUE(flag)   AS flag,
         MAX(seen)          AS seen,
         FIRST_VALUE(action) AS first_action,
         LAST_N(action, 2)  AS actions
  FROM events
  WHERE action <> 'test'
  GROUP BY id
features:
  views: {windows: [30m], lifetime: true}
  ms:    {windows: [30m]}
  price: {windows: [1d], scale: 2}
  cost:  {windows: [1d], scale: 2}
  flag:  latest
  seen:  {windows: [1d]}
  first_action: latest
  actions: latest
"""
DAY = "2026-01-31T"


def project(tests: str) -> Project:
    """Load a project whose feature set has these tests."""
    files = {"sources/events.yaml": SOURCE, "posts.yaml": f"{SET}tests:\n{tests}"}
    return load_files(
        [DefinitionFile(path=path, data=text.encode()) for path, text in files.items()]
    )


def differences(events: str, expect: str, *more: str) -> list[Difference]:
    """Return what one test finds."""
    lines = "".join(f"    {line}\n" for line in more)
    loaded = project(
        f"  - name: one\n    entity: 1\n    events: {events}\n    expect: {expect}\n{lines}"
    )
    assert loaded.problems == ()
    (result,) = run_tests(loaded.featuresets["posts"])
    assert result.passed is not bool(result.differences)
    return list(result.differences)


def test_every_type_is_compared() -> None:
    """As it is served; what is not named may be anything."""
    event = (
        f"{{id: 1, action: view, ms: 7, price: 2.5, cost: 1.10, flag: true, seen: '{DAY}12:00:00Z',"
        f" ts: '{DAY}15:00:00Z'}}"
    )
    right = (
        "{views_30m: 1, views_lifetime: 1, ms_30m: 7, price_1d: 2.5, cost_1d: 1.1, flag: true, "
        f"seen_1d: {DAY}12:00:00Z, first_action: view, actions: [view]}}"
    )
    wrong = (
        "{views_30m: 2, views_lifetime: null, ms_30m: 8, price_1d: 2.51, cost_1d: 1, "
        f"flag: false, seen_1d: {DAY}12:00:01Z, first_action: '', actions: [view, view]}}"
    )

    assert differences(f"[{event}]", right) == []
    found = {each.name: (each.expected, each.got) for each in differences(f"[{event}]", wrong)}
    assert found == {
        "views_30m": (2, 1),
        "views_lifetime": (None, 1),
        "ms_30m": (8, 7),
        "price_1d": (2.51, 2.5),
        "cost_1d": (1.0, 1.1),
        "flag": (False, True),
        "seen_1d": (1_769_860_801_000, 1_769_860_800_000),
        "first_action": ("", "view"),
        "actions": (["view", "view"], ["view"]),
    }


@pytest.mark.parametrize(
    ("event", "fate"),
    [
        ("{id: 1, action: view, ms: 1, ts: 2026-01-31T15:00:00Z}", "counts"),
        ("{id: 2, action: view, ms: 1, ts: 2026-01-31T15:00:00Z}", "is of another entity: '2'"),
        ("{id: 1, action: test, ms: 1, ts: 2026-01-31T15:00:00Z}", "left out by WHERE"),
        (
            "{id: 1, action: like, ms: 1, ts: 2026-01-31T15:00:00Z}",
            "left out by FILTER (WHERE action = 'view')",
        ),
        (
            "{id: 1, action: view, ms: 1, ts: 2026-01-31T14:00:00Z}",
            "too old: the window begins at 2026-01-31T14:40:00Z",
        ),
        (
            "{id: 1, action: view, ms: 1, ts: 2026-01-31T16:00:00Z}",
            "too new: the window ends at 2026-01-31T15:30:00Z",
        ),
        ("{id: 1, action: view, ms: x, ts: 2026-01-31T15:00:00Z}", "dead letter: wrong_type"),
        ("{action: view, ts: 2026-01-31T15:00:00Z}", "dead letter: missing_entity"),
        (
            "{event: {id: 1, ts: 2026-01-31T15:00:00Z}, appended: 2026-01-31T14:54:59Z}",
            "dead letter: future_event_time",
        ),
        (
            "{event: {id: 1, ts: 2026-01-31T15:00:00Z}, appended: 2026-03-31T14:54:59Z}",
            "dead letter: event_time_too_old",
        ),
    ],
)
def test_each_event_has_its_reason(event: str, fate: str) -> None:
    """Why it does not count, for the feature that differs."""
    (found,) = differences(f"[{event}]", "{views_30m: 99}", f"at: {DAY}15:10:00Z")

    assert [each.fate for each in found.events] == [fate]
    assert found.got == (1 if fate == "counts" else found.got)


def test_null_is_not_counted() -> None:
    """What is aggregated is NULL."""
    (found,) = differences("[{id: 1, action: view, ts: 2026-01-31T15:00:00Z}]", "{ms_30m: 1}")

    assert [each.fate for each in found.events] == ["has no value: what is aggregated is NULL"]


def test_without_an_instant_it_is_that_of_the_newest_event() -> None:
    """Events arrive when they happen: old ones are no dead letters."""
    old = "{id: 1, action: view, ms: 1, ts: 2020-01-01T00:00:00Z}"
    new = "{id: 1, action: view, ms: 2, ts: 2026-01-31T15:00:00Z}"

    assert differences(f"[{new}, {old}]", "{views_lifetime: 2, ms_30m: 2}") == []


def test_later_in_the_list_is_newer_of_the_same_time() -> None:
    """As in one partition of the topic."""
    events = ", ".join(
        f"{{id: 1, action: {action}, ts: 2026-01-31T15:00:00Z}}" for action in ("a", "b", "c")
    )

    assert differences(f"[{events}]", "{first_action: a, actions: [c, b]}") == []


def test_many_events_are_cut() -> None:
    """A failing test stays readable."""
    event = "{id: 1, action: view, ts: 2026-01-31T15:00:00Z}"
    (found,) = differences(f"[{', '.join([event] * 25)}]", "{views_30m: 1}")

    assert (found.got, len(found.events), found.left) == (25, EVENTS_SHOWN, 25 - EVENTS_SHOWN)


def test_no_events_leave_zeros_and_nulls() -> None:
    """As for a key that was never seen."""
    assert differences("[]", "{views_30m: 0, actions: null}") == []


def test_numbers_are_sent_as_they_are_written() -> None:
    """A number that a double cannot hold, and one with a zero that DECIMAL keeps."""
    event = "{id: 9223372036854775807, action: view, cost: 0.10, ts: 1769860800000}"
    loaded = project(
        f"  - name: large\n    entity: 9223372036854775807\n    events: [{event}]\n"
        "    expect: {views_lifetime: 1, cost_1d: 0.1}\n"
    )

    assert loaded.problems == ()
    assert all(result.passed for result in run_tests(loaded.featuresets["posts"]))


def test_the_starters_tests_pass(tmp_path: Path) -> None:
    """And say something: there are several."""
    from feature_platform.definition.loading import load_project
    from feature_platform.starter.project import write_project

    write_project(tmp_path / "new", "0", 1_800_000_000_000)
    featureset = load_project(tmp_path / "new" / "featuresets").featuresets["post_engagement"]

    assert [result.passed for result in run_tests(featureset)] == [True, True]
