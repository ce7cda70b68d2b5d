"""`tests:` as they are written: what is taken, and the report of each mistake."""

from collections.abc import Callable, Mapping

import pytest

from feature_platform.definition.examples import DefinitionTest, GivenEvent
from feature_platform.definition.loading import Project

Load = Callable[[Mapping[str, str | bytes]], Project]
SET = """\
featureset: posts
entity: post_id
source: post_events
sql: SELECT post_id, COUNT(*) AS views, LAST_N(action, 2) AS seen FROM post_events GROUP BY post_id
features: {views: {windows: [30m]}, seen: latest}
"""
GOOD = "{name: one, events: [], entity: 1, expect: {views_30m: 0}}"


def test_a_test_is_read(load: Load) -> None:
    """Each value as it is written, numbers digit for digit."""
    event = (
        "{post_id: 1, big: 1.50, on: true, none: null, list: [1, 'é'], ts: 2026-01-31T15:00:00Z}"
    )
    project = load(
        {
            "posts.yaml": f"{SET}tests:\n  - name: one\n    events:\n      - {event}\n"
            "      - {event: {post_id: 2}, appended: 1970-01-01T00:00:05Z}\n"
            "    at: 2026-01-31T15:00:00Z\n    entity: '1'\n"
            "    expect: {views_30m: 1, seen: [a, b]}\n"
        }
    )

    assert project.problems == ()
    value = (
        '{"post_id": 1, "big": 1.50, "on": true, "none": null, "list": [1, "é"], '
        '"ts": "2026-01-31T15:00:00Z"}'
    )
    assert project.featuresets["posts"].tests == (
        DefinitionTest(
            name="one",
            events=(
                GivenEvent(value=value, appended_ms=None, line=9),
                GivenEvent(value='{"post_id": 2}', appended_ms=5_000, line=10),
            ),
            entity="1",
            at_ms=1_769_871_600_000,
            expected=(("views_30m", 1), ("seen", ["a", "b"])),
            line=7,
            column=5,
        ),
    )


def test_tests_change_no_fingerprint_and_are_not_deployed(load: Load) -> None:
    """Nothing is planned because of them, and the registry does not keep them."""
    without = load({"posts.yaml": SET})
    tested = load({"posts.yaml": f"{SET}tests: [{GOOD}]\n"})

    before, after = without.featuresets["posts"], tested.featuresets["posts"]
    assert after.tests != before.tests
    assert (after.data_fingerprint, after.metadata_fingerprint, after.sql_fingerprint) == (
        before.data_fingerprint,
        before.metadata_fingerprint,
        before.sql_fingerprint,
    )
    assert tested.raw == without.raw


@pytest.mark.parametrize(
    ("tests", "place", "problem"),
    [
        ("x", (6, 8), "`tests` must be a list of 1 to 200 tests"),
        ("[]", (6, 8), "`tests` must be a list of 1 to 200 tests"),
        ("[x]", (6, 9), "a test must be a mapping with name, events"),
        (f"[{GOOD.replace('entity', 'x: 1, entity')}]", (6, 33), "unknown key `x` of a test"),
        (f"[{GOOD.replace('name: one, ', '')}]", (6, 9), "`name` is missing of a test"),
        (f"[{GOOD.replace('entity: 1', 'entity: []')}]", (6, 41), "`entity` of a test must be a"),
        (f"[{GOOD.replace('entity: 1', 'at: noon, entity: 1')}]", (6, 37), "`at` must be an inst"),
        (f"[{GOOD.replace('[]', '{}')}]", (6, 29), "`events` of a test must be a list of at most"),
        (f"[{GOOD.replace('[]', '[x]')}]", (6, 30), "an event is a JSON object"),
        (f"[{GOOD.replace('[]', '[{a: 010}]')}]", (6, 34), "JSON has no value that is written `0"),
        (f"[{GOOD.replace('[]', '[{a: yes}]')}]", (6, 34), "put a string in quotes, 'yes'"),
        (f"[{GOOD.replace('[]', '[{a: .nan}]')}]", (6, 34), "JSON has no value that is written `."),
        (
            f"[{GOOD.replace('[]', '[{event: {}, append: 1}]')}]",
            (6, 42),
            "unknown key `append` of an event with `appended`; did you mean `appended`?",
        ),
        (f"[{GOOD.replace('views_30m: 0', '')}]", (6, 52), "`expect` of a test is empty"),
        (f"[{GOOD.replace('views_30m', 'view_30m')}]", (6, 53), "unknown feature `view_30m` in"),
        (
            f"[{GOOD.replace('views_30m: 0', 'views_30m: x')}]",
            (6, 64),
            "`views_30m` serves a",
        ),
        (f"[{GOOD.replace('views_30m: 0', 'views_30m: 0.5')}]", (6, 64), "not the number `0.5`"),
        (f"[{GOOD.replace('views_30m: 0', 'seen: a')}]", (6, 59), "`seen` serves a list of items"),
        (f"[{GOOD.replace('views_30m: 0', 'seen: [1]')}]", (6, 59), "each a string such as 'en'"),
        (f"[{GOOD.replace('views_30m: 0', 'seen: []')}]", (6, 59), "or null, not an empty list"),
    ],
)
def test_a_mistake_is_reported_with_its_place(
    load: Load, tests: str, place: tuple[int, int], problem: str
) -> None:
    """And the feature set is not valid."""
    project = load({"posts.yaml": f"{SET}tests: {tests}\n"})

    (found,) = project.problems
    assert problem in found.message
    assert (found.line, found.column) == place
    assert project.featuresets == {}


def test_mistakes_of_tests_are_reported_with_others(load: Load) -> None:
    """All of a file at once; what is expected of unknown features is not judged."""
    text = SET.replace("entity: post_id", "entity: post")
    project = load({"posts.yaml": f"{text}tests: [{GOOD.replace('name', 'nam')}]\n"})

    messages = [each.message for each in project.problems]
    assert any("unknown column `post`" in each for each in messages)
    assert any("unknown key `nam` of a test" in each for each in messages)
    assert not any("views_30m" in each for each in messages)
