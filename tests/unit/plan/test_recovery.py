"""Ways back and starts that look at no definition: stages, what they cost, and for how long."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from feature_platform.plan.costs import DOWNTIME_DEFAULT_MS
from feature_platform.plan.explain import explain
from feature_platform.plan.planner import Plan
from feature_platform.plan.recovery import (
    plan_recover,
    plan_repair,
    plan_restart,
    plan_return,
    plan_rollback,
    plan_sweep,
)
from feature_platform.plan.snapshot import Snapshot, Stop
from tests.unit.plan.golden import check_golden

STOP = Stop(path="/s", attempt=1, checkpoint_id=2, taken_ms=1, clean=True)
ADDED = (
    ("AS language", "AS language,\n  MIN(watch_ms) AS low"),
    ("  language: latest", "  language: latest\n  low: {windows: [2h]}"),
)
REASON = "its job is not running"


def unswept(deployed: Snapshot, **more: Any) -> Snapshot:  # noqa: ANN401 (fields)
    """Return what is deployed when a rollback was broken off."""
    return replace(deployed, unswept=True, stop=STOP, savepoint="/s", **more)


@pytest.fixture
def upgraded(upgrade: Callable[..., Plan], deployed: Snapshot) -> Snapshot:
    """What is deployed after a column was added."""
    target = upgrade(*ADDED).target
    assert target is not None
    before = replace(deployed, state="deploying", savepoint="/s", stop=STOP)
    return replace(target, job_id="b" * 32, state="running", previous=before, stop=STOP)


RECOVERIES: dict[str, Callable[[Snapshot], Plan]] = {
    "restart_unswept": lambda old: plan_restart(unswept(old)),
    "restart_unswept_accepted": lambda old: plan_restart(unswept(old), accept_age=True),
    "start_unswept_accepted": lambda old: plan_restart(
        unswept(old, state="deploying"), accept_age=True
    ),
    "recover_checkpoint": lambda old: plan_recover(old, "checkpoint", REASON),
    "recover_savepoint": lambda old: plan_recover(old, "savepoint", "a recovery was requested"),
    "recover_store": lambda old: plan_recover(old, "store", REASON, downtime_ms=4_000),
    "recover_store_accepted": lambda old: plan_recover(old, "store", REASON, accept_age=True),
    "recover_store_unswept": lambda old: plan_recover(unswept(old), "store", REASON),
    "recover_savepoint_unswept": lambda old: plan_recover(unswept(old), "savepoint", REASON),
    "sweep": lambda old: plan_sweep(unswept(old)),
    "sweep_accepted": lambda old: plan_sweep(unswept(old), accept_age=True),
    "repair": lambda old: plan_repair(old, ["a", "b"], begun=False),
    "repair_begun": lambda old: plan_repair(old, ["a", "b"], begun=True, downtime_ms=4_000),
}


@pytest.mark.parametrize("name", RECOVERIES)
def test_a_recovery_is_listed_as_in_its_file(name: str, deployed: Snapshot) -> None:
    """The same is served before and after, so it costs time alone."""
    check_golden(name, explain(RECOVERIES[name](deployed)))


def test_a_rollback_is_listed_as_in_its_file(upgraded: Snapshot) -> None:
    """Rows and bytes become those of before."""
    before = upgraded.previous
    assert before is not None
    check_golden("rollback", explain(plan_rollback(upgraded, before, downtime_ms=4_000)))
    stopped = replace(upgraded, state="stopped", savepoint="/t")
    check_golden("rollback_stopped", explain(plan_rollback(stopped, before)))


def test_a_return_is_listed_as_in_its_file(upgraded: Snapshot, deployed: Snapshot) -> None:
    """The present job goes on meanwhile."""
    before = replace(deployed, state="stopped", savepoint="/s", stop=STOP)
    present = replace(upgraded, generation=2, table="tiles_posts_g2", older=before)
    check_golden("return", explain(plan_return(present, before)))


def test_costs_are_in_the_json_too(deployed: Snapshot) -> None:
    """With the estimate's reason."""
    costs = plan_repair(deployed, ["a"], begun=False).to_json()["costs"]
    assert costs["downtime_ms"] == DOWNTIME_DEFAULT_MS
    assert costs["downtime_basis"].endswith("Spark takes to recompute the entities")
    assert costs["rows_before"] == costs["rows_after"]
