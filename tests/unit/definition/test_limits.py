"""`statistics:` of a feature list: what is taken, and the report of each mistake."""

from collections.abc import Callable, Mapping
from datetime import date

import pytest

from feature_platform.definition.limits import MEASURES, Limit, StatisticsRules, of_served
from feature_platform.definition.loading import Project
from tests.unit.definition.test_lists import HEAD, files

Load = Callable[[Mapping[str, str | bytes]], Project]
FEATURES = "features: [{name: posts.views_30m, as: views}, posts.title, posts.seen, users.flag]\n"


def test_rules_are_read(load: Load) -> None:
    """Bounds of each form, of one feature and of all."""
    text = f"""{HEAD}{FEATURES}statistics:
  against: 2026-11-01
  rows_min: 5000
  limits:
    "*": {{nulls: <= 0.1, psi: <=0.2}}
    views: {{mean: [1, 1e3], zeros: [0, 0.5], rows: ">= 100"}}
    posts.title: {{distinct: [2, 50.5]}}
"""
    project = load(files(text))

    assert project.problems == ()
    rules = project.lists["feed"].statistics
    assert rules == StatisticsRules(
        against=date(2026, 11, 1),
        rows_min=5_000,
        limits=(
            Limit(feature="*", measure="nulls", high=0.1),
            Limit(feature="*", measure="psi", high=0.2),
            Limit(feature="views", measure="mean", low=1, high=1_000),
            Limit(feature="views", measure="zeros", low=0, high=0.5),
            Limit(feature="views", measure="rows", low=100),
            Limit(feature="posts.title", measure="distinct", low=2, high=50.5),
        ),
    )
    assert [str(each) for each in rules.limits[1:5:3]] == ["<= 0.2", ">= 100"]
    assert str(rules.limits[2]) == "[1, 1000]"
    assert "statistics" not in project.lists["feed"].to_json()


def test_the_usual_rules(load: Load) -> None:
    """No limits; a day is compared with the same day of the week before."""
    rules = load(files(f"{HEAD}{FEATURES}")).lists["feed"].statistics
    assert rules == StatisticsRules()
    assert rules.reference(date(2026, 12, 8)) == date(2026, 12, 1)
    later = load(files(f"{HEAD}{FEATURES}statistics: {{against: 28d}}")).lists["feed"].statistics
    assert later.reference(date(2026, 12, 29)) == date(2026, 12, 1)


def test_limits_need_no_new_version(load: Load) -> None:
    """What a version promises is its features."""
    one = load(files(f"{HEAD}{FEATURES}")).lists["feed"]
    other = load(files(f'{HEAD}{FEATURES}statistics: {{limits: {{"*": {{nulls: <= 1}}}}}}'))
    assert other.lists["feed"].content == one.content


def test_an_own_limit_is_before_that_of_all() -> None:
    """By measure; what a feature's type has not is left out."""
    rules = StatisticsRules(
        limits=(
            Limit(feature="x", measure="nulls", high=0.5),
            Limit(feature="*", measure="nulls", high=0.1),
            Limit(feature="*", measure="mean", high=1),
        )
    )
    assert [each.high for each in rules.of("x", MEASURES)] == [0.5, 1]
    assert [each.high for each in rules.of("y", of_served("STRING").measures)] == [0.1]
    assert Limit(feature="x", measure="mean", low=1, high=2).allows(2)
    assert not Limit(feature="x", measure="mean", low=1).allows(0.5)
    assert not Limit(feature="x", measure="mean", low=1).allows(float("nan"))


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        ("statistics: 5", "`statistics` must be a mapping"),
        ("statistics: {limit: {}}", "unknown key `limit` of statistics; did you mean `limits`?"),
        ("statistics: {against: yesterday}", "must be a day such as 2026-01-31, or whole days"),
        ("statistics: {against: 2026-02-30}", "must be a day such as 2026-01-31"),
        ("statistics: {against: 36h}", "or whole days before such as 7d (at most 3,650d)"),
        ("statistics: {against: 9999d}", "at most 3,650d"),
        ("statistics: {against: 7}", "must be a string"),
        ("statistics: {rows_min: 0}", "`rows_min` of statistics must be an integer from 1"),
        ("statistics: {limits: [nulls]}", "`limits` of statistics must be a mapping"),
        ("statistics: {limits: {view: {nulls: <= 1}}}", "unknown feature `view` in this list"),
        (
            "statistics: {limits: {posts.views_30m: {nulls: <= 1}}}",
            "names the column of the answer",
        ),
        ("statistics: {limits: {views: 5}}", "limits of `views` must be such as {nulls: <= 0.1}"),
        ("statistics: {limits: {views: {nul: <= 1}}}", "unknown measure `nul`; did you mean"),
        (
            "statistics: {limits: {posts.title: {mean: <= 1}}}",
            "`posts.title` serves STRING, which has no mean; it has `rows`, `nulls`",
        ),
        ("statistics: {limits: {users.flag: {p50: <= 1}}}", "serves BOOLEAN, which has no p50"),
        ("statistics: {limits: {views: {nulls: 0.1}}}", "must be such as <= 0.1, "),
        ("statistics: {limits: {views: {nulls: < 0.1}}}", "must be such as <= 0.1, "),
        ("statistics: {limits: {views: {mean: <= .inf}}}", "must be such as <= 0.1, "),
        ("statistics: {limits: {views: {mean: <= 1e999}}}", "must be such as <= 0.1, "),
        ("statistics: {limits: {views: {mean: [1]}}}", "must be such as <= 0.1, "),
        ("statistics: {limits: {views: {mean: [1, x]}}}", "must be such as <= 0.1, "),
        ("statistics: {limits: {views: {mean: [1, [2]]}}}", "must be such as <= 0.1, "),
        ("statistics: {limits: {views: {mean: [2, 1]}}}", "allows nothing: 2 is above 1"),
        ("statistics: {limits: {views: {nulls: <= 10}}}", "`nulls` is a share, from 0 to 1"),
    ],
)
def test_a_mistake_is_reported_with_its_place(load: Load, rules: str, problem: str) -> None:
    """In the line of the rules; the list is not taken."""
    project = load(files(f"{HEAD}{FEATURES}{rules}"))

    (found,) = project.problems
    assert problem in found.message
    assert (found.file, found.line) == ("featuresets/lists/feed.yaml", 6)
    assert project.lists == {}


def test_a_feature_with_a_mistake_is_reported_once(load: Load) -> None:
    """Its limits are no second mistake."""
    rules = "statistics: {limits: {posts.nothing: {psi: <= 1}}}"
    text = f"{HEAD}features: [posts.nothing]\n{rules}"
    (found,) = load(files(text)).problems
    assert "unknown feature `nothing` of `posts`" in found.message


def test_a_list_has_the_measures_of_its_length(load: Load) -> None:
    """LAST_N is a number of items."""
    text = f"{HEAD}{FEATURES}statistics: {{limits: {{posts.seen: {{mean: [0, 3]}}}}}}"
    assert load(files(text)).problems == ()


SOURCE = """source: clicks
topic: clicks
event_time: at
columns: {user_id: BIGINT, action: STRING, ms: INT, at: TIMESTAMP}
"""
CLICKS = """featureset: clicks
description: d
owner: o
entity: user_id
source: clicks
sql: |
  SELECT user_id, COUNT(*) FILTER (WHERE action = 'click') AS n, SUM(ms) AS ms,
         LAST_VALUE(action) AS action, LAST_N(ms, 3) AS last_ms
  FROM clicks GROUP BY user_id
features: {n: {windows: [1d]}, ms: {windows: [1d]}, action: latest, last_ms: latest}
"""


def clicks(statistics: str) -> dict[str, str | bytes]:
    """Return a project with a feature set."""
    return {"sources/clicks.yaml": SOURCE, "clicks.yaml": CLICKS + statistics}


def test_a_feature_set_has_limits(load: Load) -> None:
    """They name aggregates; what is deployed does not depend on them."""
    project = load(
        clicks(
            """statistics:
  rows_min: 10
  limits:
    "*": {psi: <= 0.2, matched: ">= 0.001"}
    n: {rows: ">= 5"}
    last_ms: {mean: <= 100}
"""
        )
    )
    assert project.problems == ()
    found = project.featuresets["clicks"]
    assert found.statistics == StatisticsRules(
        rows_min=10,
        limits=(
            Limit(feature="*", measure="psi", high=0.2),
            Limit(feature="*", measure="matched", low=0.001),
            Limit(feature="n", measure="rows", low=5),
            Limit(feature="last_ms", measure="mean", high=100),
        ),
    )
    without = load(clicks("")).featuresets["clicks"]
    assert without.statistics == StatisticsRules()
    assert found.data_fingerprint == without.data_fingerprint
    assert found.metadata_fingerprint == without.metadata_fingerprint
    assert found.sql_fingerprint == without.sql_fingerprint


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (
            "n: {mean: <= 1}",
            "`n` counts events alone, which has no mean; it has `rows`, `matched`, `psi` and `js`",
        ),
        (
            "action: {p50: <= 1}",
            "`action` takes STRING, which has no p50; it has `rows`, `matched`",
        ),
        ("n_1d: {rows: <= 1}", "unknown feature `n_1d` in this feature set (a limit names the ag"),
        ("n: {machted: <= 1}", "unknown measure `machted`; did you mean `matched`?"),
        ("n: {matched: <= 10}", "`matched` is a share, from 0 to 1: write 0.1 for 10 %"),
    ],
)
def test_a_wrong_limit_of_a_feature_set_is_named(load: Load, limits: str, message: str) -> None:
    """With the remedy, in its place."""
    (problem,) = load(clicks(f"statistics: {{limits: {{{limits}}}}}\n")).problems
    assert problem.message.startswith(message)
    assert problem.line == 11


def test_limits_are_read_beside_a_wrong_query(load: Load) -> None:
    """The mistake of the query is named, and none of the limits because of it."""
    files = clicks("statistics: {limits: {n: {mean: <= 1}, ms: {p50: <= 1}}}\n")
    files["clicks.yaml"] = str(files["clicks.yaml"]).replace("SUM(ms)", "SUM(mss)")
    (problem,) = load(files).problems
    assert "mss" in problem.message
