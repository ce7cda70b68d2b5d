"""Plans as Markdown for a pull request: what is urgent first, and nothing in it is markup."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from feature_platform.definition.feature_list import FeatureList, ListedFeature
from feature_platform.errors import Problem
from feature_platform.plan.explain import explain
from feature_platform.plan.lists import ListPlan
from feature_platform.plan.markdown import escaped, markdown
from feature_platform.plan.planner import Plan

KIND = ("SUM(watch_ms) AS watch_ms", "MAX(watch_ms) AS watch_ms")
GRID = ("entity: post_id", "entity: post_id\ngrid: [1m, 30m, 1d, 5d]")
OWNER = ("owner: ranking", "owner: growth")


def named(item: Plan, name: str) -> Plan:
    """Return a plan of another feature set."""
    return replace(item, featureset=name)


def test_what_is_refused_or_loses_history_is_first(upgrade: Callable[..., Plan]) -> None:
    """Then what is rebuilt, then the others; what does not change is one line."""
    plans = [
        named(upgrade(), "a_same"),
        named(upgrade(OWNER), "b_owner"),
        named(upgrade(GRID), "c_rebuilt"),
        named(upgrade(KIND), "d_loses"),
        replace(named(upgrade(OWNER), "e_refused"), refusals=("a list uses it",)),
    ]

    text = markdown(plans, [])

    heads = re.findall(r"^### (\w+)&#95;\w+&#58; (.*)$|^### (.*): (.*)$", text, re.MULTILINE)
    assert [(last or first).split("&#95;")[0] for first, _, last, _ in heads] == list("edcb")
    assert "### e&#95;refused: REFUSED" in text
    assert "* **refused:** a list uses it" in text
    assert text.endswith("No changes: a&#95;same.")


def test_each_feature_is_in_the_table_and_each_stage_is_listed(
    upgrade: Callable[..., Plan],
) -> None:
    """Nothing that the plan for a terminal says is missing."""
    item = upgrade(KIND)

    text = markdown([item], [])

    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == {
        each.name for each in item.verdicts
    }
    assert any("`watch_ms_1d`" in row and "**counts from now on**" in row for row in rows)
    assert all(escaped(stage.words) in text for stage in item.stages)
    assert all(escaped(line) in text for line in explain(item).splitlines() if "storage:" in line)


@pytest.mark.parametrize("text", ["| a |", "<b>", "@team", "#12", "[x](http://y)", "`x`", "a\nb"])
def test_texts_are_shown_as_they_are(upgrade: Callable[..., Plan], text: str) -> None:
    """A reason may quote anything: it opens no cell, mentions nobody and links nothing."""
    item = upgrade(OWNER)
    change = replace(item.change, reasons=(text,))

    made = markdown([replace(item, change=change)], [])

    (line,) = [line for line in made.splitlines() if line.startswith("* because ")]
    assert not set(line.removeprefix("* because ").replace("&#", "")) & set("|<>@#[]`():")


def test_lists_and_mistakes_are_shown() -> None:
    """A refused list before others; mistakes are at the top."""
    wanted = FeatureList(name="feed", version=2, features=(ListedFeature(name="posts.views_30m"),))
    lists = [
        ListPlan(name="feed", kind="added", wanted=wanted, stored=None),
        ListPlan(name="home", kind="added", wanted=wanted, stored=None, refusal="lower version"),
        ListPlan(name="same", kind="none", wanted=wanted, stored=wanted),
    ]
    problem = Problem(file="featuresets/x.yaml", line=3, column=1, message="unknown key `a`")

    text = markdown([], lists, [problem])

    places = [text.index(part) for part in ("unknown key", "home", "lower version", "feed")]
    assert places == sorted(places)
    assert "**1 mistake**" in text
    assert text.endswith("No changes: feature list same.")


def test_nothing_is_said_in_words() -> None:
    """An empty comment would look like a failure."""
    assert markdown([], []).endswith("Nothing is defined.")
