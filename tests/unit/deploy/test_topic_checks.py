"""A topic that was made anew, or lacks what came after a checkpoint, is noticed at every start."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from feature_platform.deploy.control import delete, stop
from feature_platform.deploy.execute import execute
from feature_platform.deploy.recover import (
    ensure_running,
    make_recover_plan,
    make_rollback_plan,
)
from feature_platform.errors import JobFailedError, PlanRefusedError, RestoreFailedError
from feature_platform.monitor.failures import gave_up
from feature_platform.plan.stages import Start
from tests.unit.deploy.edits import ENTITY
from tests.unit.stage import Stage

EDIT = ("action = 'view'", "action = 'play'")
ANEW = (
    r"topic post_events was deleted and recreated"
    r".*id first, but the id is now second.*fp delete posts"
)
GONE = r"post_events/0: offsets 5 to 7 are gone"


@pytest.fixture
def stage(stage: Stage) -> Stage:
    """A world with a feature set whose job has counted five of nine events."""
    stage.topics.ends = {"post_events/0": 9}
    stage.apply()
    stage.run_to(1, 1, p0=5)  # of its first checkpoint
    stage.cut(1, 2, p0=5)  # of its savepoint
    return stage


def test_the_topics_id_is_kept(stage: Stage) -> None:
    """From when a generation begins, through stops, upgrades and starts of all kinds."""
    assert stage.deployed.topic_id == "first"
    stop(stage.world, "posts")
    assert stage.apply(EDIT).error is None
    stage.flink.fail(stage.deployed.job_id)
    assert ensure_running(stage.world, "posts") is True
    assert stage.deployed.topic_id == "first"


@pytest.mark.parametrize("start", ["checkpoint", "savepoint", "store"])
def test_no_start_goes_on_with_a_topic_that_was_made_anew(stage: Stage, start: Start) -> None:
    """Though it was filled past all offsets that were read."""
    stop(stage.world, "posts")
    stage.topics.id, stage.topics.ends = "second", {"post_events/0": 900}
    with pytest.raises((PlanRefusedError, RestoreFailedError), match=ANEW):
        make_recover_plan(stage.world, "posts", start)
    assert len(stage.flink.specs) == 1


def test_an_upgrade_is_refused_before_the_job_is_stopped(stage: Stage) -> None:
    """What goes on from its savepoint would count other events."""
    stage.topics.id = "second"
    with pytest.raises(PlanRefusedError, match=ANEW):
        raise stage.apply(EDIT).error or AssertionError
    assert stage.flink.running == [stage.deployed.job_id]


def test_a_rebuild_up_to_a_cut_of_the_topic_before_is_refused(stage: Stage) -> None:
    """The offsets of the deployed generation are another topic's."""
    stage.topics.id = "second"
    with pytest.raises(PlanRefusedError, match=ANEW):
        raise stage.apply(*ENTITY).error or AssertionError
    assert stage.backfiller.done == []


def test_a_topic_made_anew_during_a_backfill_is_noticed(stage: Stage) -> None:
    """The job would go on at the offsets where the backfill ended."""
    stage.crash_before = "submit the job"
    with pytest.raises(Exception, match=r"^$"):
        stage.apply(*ENTITY)
    stage.registry.save(replace(stage.deployed, topic_id=""))
    stage.crash_before, stage.topics.id = "", "second"
    with pytest.raises(PlanRefusedError, match=ANEW):
        raise stage.apply(*ENTITY).error or AssertionError


def test_a_generation_begun_with_the_new_topic_has_its_id(stage: Stage) -> None:
    """Without the history of the one before; to which nothing leads back."""
    stage.topics.id = "second"
    assert stage.apply(*ENTITY, start_empty=True).error is None
    assert stage.deployed.topic_id == "second"
    with pytest.raises(PlanRefusedError, match=ANEW):
        make_rollback_plan(stage.world, "posts")


def test_counting_anew_is_the_way_on(stage: Stage) -> None:
    """As the message says."""
    stage.topics.id = "second"
    delete(stage.world, "posts")
    assert stage.apply().error is None
    assert (stage.deployed.generation, stage.deployed.topic_id) == (2, "second")


@pytest.mark.parametrize(("kept", "present"), [("", "second"), ("first", "")])
def test_an_id_that_is_not_known_refuses_nothing(stage: Stage, kept: str, present: str) -> None:
    """Deployed before ids were kept, or the broker gives none; one that is given is kept then."""
    stage.registry.save(replace(stage.deployed, topic_id=kept))
    stage.topics.id = present
    stage.flink.fail(stage.deployed.job_id)
    assert ensure_running(stage.world, "posts") is True
    assert stage.deployed.topic_id == (kept or present)


def lose_a_checkpoint(stage: Stage) -> None:
    """Let a job die; only its checkpoint is left."""
    stage.flink.fail(stage.deployed.job_id)


def stop_it(stage: Stage) -> None:
    """Stop with a savepoint."""
    stop(stage.world, "posts")


@pytest.mark.parametrize(
    ("end", "start", "what"),
    [
        (lose_a_checkpoint, "checkpoint", "cannot restore its newest checkpoint"),
        (stop_it, "savepoint", "cannot restore its last savepoint"),
    ],
)
def test_events_after_a_checkpoint_that_are_gone_are_named(
    stage: Stage, end: Callable[[Stage], None], start: Start, what: str
) -> None:
    """Flink would fail with them, again and again."""
    end(stage)
    stage.topics.begins = {"post_events/0": 8}
    with pytest.raises(RestoreFailedError, match=rf"{what}.*{GONE}.*--from store"):
        make_recover_plan(stage.world, "posts", start)


@pytest.mark.parametrize(
    ("present", "end", "said"), [("second", 9, ANEW), ("first", 2, "its end offset is 2")]
)
def test_no_cut_helps_a_topic_that_was_made_anew(
    stage: Stage, present: str, end: int, said: str
) -> None:
    """The store, which would be refused for the same, is not named as a way on."""
    lose_a_checkpoint(stage)
    stage.topics.id, stage.topics.ends = present, {"post_events/0": end}
    with pytest.raises(RestoreFailedError, match=said) as caught:
        make_recover_plan(stage.world, "posts", "checkpoint")
    assert "--from store" not in str(caught.value)


def test_a_stop_remembers_its_offsets_longer_than_its_cut_is_kept(stage: Stage) -> None:
    """Kafka may drop events later than the registry drops cuts."""
    stop(stage.world, "posts")
    stage.registry._parts.clear()
    stage.topics.begins = {"post_events/0": 8}
    with pytest.raises(RestoreFailedError, match=GONE):
        raise stage.apply().error or AssertionError
    assert stage.deployed.state == "stopped"


def test_offsets_that_are_not_known_refuse_nothing(stage: Stage) -> None:
    """The cut of a checkpoint was never recorded."""
    stage.registry._parts.clear()
    stage.flink.fail(stage.deployed.job_id)
    stage.topics.begins = {"post_events/0": 8}
    assert ensure_running(stage.world, "posts") is True
    assert stage.flink.specs[-1].start.start == "savepoint"


def test_the_store_is_tried_where_its_cut_is_younger(stage: Stage) -> None:
    """Events are gone that came after the checkpoint and before the cut."""
    stage.cut(1, 3, p0=8)
    stage.flink.fail(stage.deployed.job_id)
    stage.topics.begins = {"post_events/0": 8}
    assert ensure_running(stage.world, "posts") is True
    assert stage.flink.specs[-1].start.start == "store"


@pytest.mark.parametrize(
    ("present", "begins", "said"), [("second", 0, ANEW), ("first", 8, GONE)], ids=["anew", "gone"]
)
def test_the_sensor_gives_up_and_says_why(
    stage: Stage, present: str, begins: int, said: str
) -> None:
    """Neither checkpoint nor store helps; trying for ever would hide it."""
    stage.flink.fail(stage.deployed.job_id)
    stage.topics.id, stage.topics.begins = present, {"post_events/0": begins}
    for _ in range(3):
        with pytest.raises(PlanRefusedError, match=said):
            ensure_running(stage.world, "posts")
    assert gave_up(stage.deployed, 3)
    with pytest.raises(JobFailedError, match=said):
        ensure_running(stage.world, "posts")
    assert len(stage.flink.specs) == 1


def test_a_savepoint_that_is_still_there_is_gone_on_from(stage: Stage) -> None:
    """The offsets after it are all kept."""
    stop(stage.world, "posts")
    stage.topics.begins = {"post_events/0": 5}
    execute(make_recover_plan(stage.world, "posts"), stage.world)
    assert stage.flink.specs[-1].start.start == "savepoint"


def test_a_job_that_is_revived_for_an_upgrade_gets_an_id(stage: Stage) -> None:
    """It was deployed before ids were kept."""
    stage.registry.save(replace(stage.deployed, topic_id=""))
    stage.flink.fail(stage.deployed.job_id)
    stage.crash_before = "check that the savepoint"
    with pytest.raises(Exception, match=r"^$"):
        stage.apply(EDIT)
    assert stage.deployed.topic_id == "first"


def test_a_rollback_to_what_had_no_id_keeps_that_of_the_generation(stage: Stage) -> None:
    """What is gone back to was deployed before ids were kept; the topic is the same."""
    stage.registry.save(replace(stage.deployed, topic_id=""))
    assert stage.apply(EDIT).error is None
    stage.claim(2, (1, 2), base_checkpoint_id=2, clean=True)
    execute(make_rollback_plan(stage.world, "posts"), stage.world)
    assert (stage.deployed.topic_id, stage.deployed.state) == ("first", "running")
    stage.topics.id = "second"
    with pytest.raises(RestoreFailedError, match=ANEW):
        make_recover_plan(stage.world, "posts", "checkpoint")
