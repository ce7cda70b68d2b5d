"""How long the last upgrade took, from what attempts and cuts say."""

from dataclasses import replace

from feature_platform.checks.repair import make_repair_plan
from feature_platform.checks.result import CheckReport
from feature_platform.deploy.apply import make_plans
from feature_platform.deploy.downtime import UPGRADE_MS_MAX, measured_downtime_ms
from feature_platform.deploy.recover import make_recover_plan, make_rollback_plan
from feature_platform.plan.costs import DOWNTIME_DEFAULT_MS
from tests.unit.stage import Stage

FLUSH_MS = 1_000


def upgraded(
    stage: Stage,
    gap_ms: int,
    *,
    deployment: str = "another",
    kind: str = "stream",
    clean: bool = True,
) -> int | None:
    """Let a job stop at a cut and another one claim after a gap; return what was measured."""
    snapshot = stage.apply().snapshot
    assert snapshot is not None
    stage.run_to(1, 4, p0=5)
    stage.clock.advance(gap_ms)
    owner = deployment or snapshot.deployment
    stage.claim(2, (1, 4), deployment=owner, kind=kind, clean=clean)
    return measured_downtime_ms(stage.registry, snapshot)


def test_it_is_from_the_last_cut_to_the_first_flush(stage: Stage) -> None:
    """The next plan is explained by it."""
    assert upgraded(stage, 7_000) == 7_000 + FLUSH_MS
    edited = stage.define(("action = 'view'", "action = 'play'"))
    costs = make_plans(stage.world, edited, ["posts"])[0].costs
    assert costs is not None
    assert costs.downtime_ms == 7_000 + FLUSH_MS


def test_plans_without_a_definition_are_explained_by_it_too(stage: Stage) -> None:
    """Whatever stops a job and starts one."""
    stage.topics.ends = {"post_events/0": 9}
    stage.apply()
    stage.run_to(1, 1, p0=5)
    stage.cut(1, 2, p0=5)  # of the savepoint, which is the second checkpoint
    stage.clock.advance(7_000)
    settings = ("features:", "settings: {parallelism: 2}\nfeatures:")
    assert stage.apply(settings).error is None
    stage.claim(2, (1, 2), base_checkpoint_id=2, clean=True)
    found = CheckReport(results=(), wrong=("e",))
    plans = [
        make_rollback_plan(stage.world, "posts"),
        make_recover_plan(stage.world, "posts", "store"),
        make_repair_plan(stage.world, "posts", found),
    ]
    stage.registry.save(replace(stage.deployed, unswept=True))
    stage.flink.fail(stage.deployed.job_id)
    plans.append(make_rollback_plan(stage.world, "posts"))
    costs = [plan.costs for plan in plans if plan]
    assert [item.downtime_ms for item in costs if item] == [7_000 + FLUSH_MS] * 4


def test_flinks_own_restart_is_no_upgrade(stage: Stage) -> None:
    """The same deployment claims again."""
    assert upgraded(stage, 7_000, deployment="") is None


def test_what_follows_a_crash_is_no_upgrade(stage: Stage) -> None:
    """Its newest cut is from before it died, so the gap is how long that went unseen, too."""
    assert upgraded(stage, 7_000, clean=False) is None


def test_a_rollback_is_no_upgrade(stage: Stage) -> None:
    """Its sweep claims at once, and the old job starts after it."""
    assert upgraded(stage, 7_000, kind="sweep") is None
    stage.cut(2, 1, p0=5)
    stage.clock.advance(7_000)
    stage.claim(3, (2, 1), deployment="third", clean=True)
    assert measured_downtime_ms(stage.registry, stage.deployed) is None


def test_a_long_stop_is_no_upgrade(stage: Stage) -> None:
    """Somebody had stopped the job, or servers were down."""
    assert upgraded(stage, UPGRADE_MS_MAX + 1) is None


def test_a_later_restart_does_not_hide_the_upgrade(stage: Stage) -> None:
    """The newest one that was an upgrade counts."""
    upgraded(stage, 7_000)
    snapshot = stage.registry.snapshot("posts")
    assert snapshot is not None
    stage.claim(3, (2, 9), deployment="another")
    assert measured_downtime_ms(stage.registry, snapshot) == 7_000 + FLUSH_MS


def test_without_an_upgrade_there_is_a_default(stage: Stage) -> None:
    """It says that it is one."""
    stage.apply()
    edited = stage.define(("action = 'view'", "action = 'play'"))
    costs = make_plans(stage.world, edited, ["posts"])[0].costs
    assert costs is not None
    assert costs.downtime_ms == DOWNTIME_DEFAULT_MS
    assert "default" in costs.downtime_basis
