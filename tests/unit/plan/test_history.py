"""A source's history: who begins with it, who is rebuilt for it, and who does not notice."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from feature_platform.deploy.comparison import same_columns
from feature_platform.errors import PlanRefusedError
from feature_platform.plan.planner import Facts, Plan, plan
from feature_platform.plan.snapshot import Snapshot
from feature_platform.plan.stages import Backfill, SubmitJob
from feature_platform.plan.target import settled

HISTORY = """\
history:
  files: posts/*.parquet
  until: 2026-01-01T00:00:00Z
  columns: {post_id: p, user_id: u, action: a, watch_ms: w, language: l, price: null, ts: t}
"""
BEGUN = ("columns:\n", f"{HISTORY}columns:\n")
Make = Callable[..., Any]


def test_a_new_feature_set_begins_with_it(project: Make, make_plan: Make) -> None:
    """By a backfill, though its changes are carried out in place."""
    made = make_plan(project(BEGUN), None)

    assert {each.why for each in made.verdicts} == {"from the source's history and the event log"}
    assert {each.verdict for each in made.verdicts} == {"recomputed"}
    assert [stage for stage in made.stages if isinstance(stage, Backfill)]
    assert [each.start for each in made.stages if isinstance(each, SubmitJob)] == ["store"]


@pytest.mark.parametrize("is_deployed", [False, True])
def test_nobody_begins_without_it(project: Make, deployed: Snapshot, *, is_deployed: bool) -> None:
    """Every check would count it."""
    wanted = project(BEGUN).featuresets["posts"]

    with pytest.raises(PlanRefusedError, match="posts cannot begin empty: its source post_ev"):
        plan(wanted, deployed if is_deployed else None, Facts(), start_empty=True)


def test_a_source_that_gets_one_is_read_anew(
    upgrade: Callable[..., Plan], deployed: Snapshot
) -> None:
    """The rows before have nothing that could be compared."""
    item = upgrade(BEGUN)

    assert (item.change.kind, item.change.reasons) == ("rebuild", ("the source has a history",))
    assert item.target is not None
    assert same_columns(deployed, item.target) == ()
    assert same_columns(deployed, deployed) != ()


@pytest.mark.parametrize(
    ("edit", "kind", "reason"),
    [
        (("until: 2026-01", "until: 2026-02"), "rebuild", "the source's history changed"),
        (("watch_ms: w", "watch_ms: v"), "rebuild", "the source's history changed"),
        ((BEGUN[1], BEGUN[0]), "rebuild", "the source no longer has its history"),
        (("price: null", "price: paid"), "metadata", "the definition changed without effect"),
        (("{post_id: p, user_id: u,", "{user_id: u, post_id: p,"), "none", ""),
    ],
)
def test_what_it_gives_decides(
    upgrade: Callable[..., Plan], edit: tuple[str, str], kind: str, reason: str
) -> None:
    """To the columns that are read; others are nobody's business."""
    first = upgrade(BEGUN).target
    assert first is not None
    before = replace(settled(first, 1_000), state="running")
    text = BEGUN[1].replace(*edit)
    assert text != BEGUN[1]

    item = upgrade((BEGUN[0], text), deployed=before)

    assert item.change.kind == kind
    assert "; ".join(item.change.reasons).startswith(reason)
