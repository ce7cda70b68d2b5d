"""`fp rollback` to the generation that the deployed one has replaced."""

import pytest

from feature_platform.deploy.execute import execute
from feature_platform.deploy.generation import GRACE_MS
from feature_platform.deploy.recover import make_rollback_plan
from feature_platform.errors import JobFailedError, PlanRefusedError
from feature_platform.plan.explain import explain
from feature_platform.plan.snapshot import Snapshot
from tests.unit.deploy.edits import ENTITY
from tests.unit.stage import Stage


def expiries(stage: Stage) -> list[int]:
    """Return when the generations' tables go."""
    return [item.drop_after_ms for item in stage.registry.generations("posts")]


def rebuilt(stage: Stage) -> Snapshot:
    """Deploy, and replace it by a new generation; returns the first, as it was deployed."""
    stage.topics.ends = {"post_events/0": 9}
    stage.apply()
    first = stage.deployed
    stage.run_to(1, 1, p0=3)
    stage.cut(1, 3, p0=5)  # of the savepoint, which is the third checkpoint
    assert stage.apply(*ENTITY, start_empty=True).error is None
    return first


def roll_back(stage: Stage) -> None:
    """Do it as `fp rollback` does."""
    execute(make_rollback_plan(stage.world, "posts"), stage.world, stage.tell)


def test_a_rollback_returns_to_the_generation_before(stage: Stage) -> None:
    """Its job goes on from its savepoint; what replaced it is kept for its grace."""
    first = rebuilt(stage)
    second = stage.deployed
    roll_back(stage)
    now = stage.deployed
    assert (now.generation, now.entity, now.state) == (1, "post_id", "running")
    assert now.features == first.features
    assert stage.flink.running == [now.job_id]
    assert stage.flink.restored[-1] == stage.flink.checkpoints[first.job_id].path
    assert stage.registry.owner("posts", 1) == now.deployment
    assert stage.registry.owner("posts", 2) != second.deployment
    assert expiries(stage) == [0, stage.clock.now_ms() + GRACE_MS]
    retired = {item.id for item in stage.registry.feature_ids("posts") if item.retired}
    assert retired.isdisjoint(column.id for column in first.layout.columns)
    assert stage.apply().change == "none"


def test_a_return_goes_forward_again(stage: Stage) -> None:
    """What was left is the generation before, and catches up in its turn."""
    rebuilt(stage)
    stage.claim(1, generation=2)
    roll_back(stage)
    roll_back(stage)
    now = stage.deployed
    assert (now.generation, now.entity) == (2, "watch_ms")
    assert stage.flink.running == [now.job_id]
    assert expiries(stage) == [stage.clock.now_ms() + GRACE_MS, 0]
    assert stage.apply(*ENTITY).change == "none"


def test_readers_return_only_once_it_has_caught_up(stage: Stage) -> None:
    """Until then the job that they read from goes on."""
    rebuilt(stage)
    second = stage.deployed
    stage.crash_before = "wait until the new job has caught up"
    with pytest.raises(Exception, match=r"^$"):
        roll_back(stage)
    stage.claim(2, (1, 3), base_checkpoint_id=3, end_offsets={"post_events/0": 9})
    stage.crash_before = "9 events"
    with pytest.raises(Exception, match=r"^$"):
        roll_back(stage)
    assert stage.deployed == second
    assert second.job_id in stage.flink.running
    stage.crash_before = ""
    stage.cut(2, 4, p0=9)
    roll_back(stage)
    assert stage.deployed.generation == 1
    assert len(stage.flink.running) == 1
    assert len(stage.flink.specs) == 3  # the job was submitted once


def test_a_return_is_explained(stage: Stage) -> None:
    """Every name, and every stage; the old job is stopped last."""
    rebuilt(stage)
    lines = explain(make_rollback_plan(stage.world, "posts")).splitlines()
    assert lines[0] == "posts: return to the generation that the deployed one replaced"
    assert (
        "  views_2h, views_lifetime: keeps history (as if the upgrade had never happened)" in lines
    )
    assert "wait until the new job has caught up" in lines[-4]
    assert f"stop job {stage.deployed.job_id} with a savepoint" in lines[-2]


RETURN_STAGES = (
    "check that the savepoint",
    "cancel the scheduled drop of generation 1's table",
    "make the new deployment the only writer",
    "submit the job",
    "wait for the first checkpoint",
    "record the deployed version",
    "stop job",
    "release the lease",
)


@pytest.mark.parametrize("text", RETURN_STAGES)
def test_a_return_that_crashed_is_finished_by_an_apply(stage: Stage, text: str) -> None:
    """One job runs, of what readers see; the other generation has its time set."""
    rebuilt(stage)
    stage.claim(1, generation=2)
    stage.crash_before = text
    with pytest.raises(Exception, match=r"^$"):
        roll_back(stage)
    stage.crash_before = ""
    edits = ENTITY if stage.deployed.generation == 2 else ()
    assert stage.apply(*edits).error is None
    assert stage.flink.running == [stage.deployed.job_id]
    assert stage.tiles.tables == {"tiles_posts_g1", "tiles_posts_g2"}
    assert sorted(expiries(stage)) == [0, stage.clock.now_ms() + GRACE_MS]
    assert stage.apply(*edits).change == "none"
    roll_back(stage)  # there is still a way to the other
    assert len(stage.flink.running) == 1


def test_a_return_that_fails_changes_nothing(stage: Stage) -> None:
    """The present job goes on; the next apply sets the other's time again."""
    rebuilt(stage)
    second = stage.deployed
    stage.flink.broken_sql = "GROUP BY `post_id`"
    with pytest.raises(JobFailedError, match="nothing else was changed"):
        roll_back(stage)
    assert stage.deployed == second
    assert stage.flink.running == [second.job_id]
    stage.flink.broken_sql = ""
    assert stage.apply(*ENTITY).error is None
    assert expiries(stage) == [stage.clock.now_ms() + GRACE_MS, 0]


def test_a_return_needs_what_came_meanwhile(stage: Stage) -> None:
    """What Kafka has deleted cannot be counted; a change under way is finished first."""
    rebuilt(stage)
    stage.topics.begins = {"post_events/0": 9}
    with pytest.raises(PlanRefusedError, match="offsets 5 to 8 are gone"):
        make_rollback_plan(stage.world, "posts")


def test_a_change_that_was_broken_off_is_finished_first(stage: Stage) -> None:
    """Before that the old job runs, and nothing knows where it will stop."""
    stage.apply()
    stage.crash_before = "stop job"
    with pytest.raises(Exception, match=r"^$"):
        stage.apply(*ENTITY, start_empty=True)
    with pytest.raises(PlanRefusedError, match="Finish it first: fp apply posts"):
        make_rollback_plan(stage.world, "posts")
