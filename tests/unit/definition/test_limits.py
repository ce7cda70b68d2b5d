"""`statistics:` of a feature list: what is taken, and the report of each mistake."""

from collections.abc import Callable, Mapping
from datetime import date

import pytest

from feature_platform.definition.limits import MEASURES, Limit, StatisticsRules, measures_of
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
    assert [each.high for each in rules.of("y", measures_of("STRING"))] == [0.1]
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
