"""Walking plans: what is running, what is recorded, and what a failure or a crash leaves behind."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from feature_platform.clock import Clock
from feature_platform.definition.loading import load_project
from feature_platform.deploy.apply import make_plans
from feature_platform.deploy.control import delete, stop
from feature_platform.deploy.execute import execute
from feature_platform.deploy.generation import GRACE_MS, drop_expired
from feature_platform.deploy.recover import ensure_running
from feature_platform.errors import (
    JobFailedError,
    LeaseHeldError,
    PlanRefusedError,
    StoreUnavailableError,
    UnknownFeatureError,
)
from feature_platform.registry.memory import MemoryRegistry
from feature_platform.store.base import RowWrite
from tests.unit.stage import CrashError, Stage

EDIT = ("action = 'view'", "action = 'play'")


def crash() -> None:
    """Die."""
    raise CrashError


class FailingOwner(MemoryRegistry):
    """Another's registry, with a store that is down when an owner is set."""

    def __init__(self, clock: Clock, other: MemoryRegistry) -> None:
        """Share everything with the other one."""
        super().__init__(clock)
        vars(self).update(vars(other))

    def set_owner(self, name: str, generation: int, deployment: str) -> None:
        """Fail."""
        msg = f"setting the owner of {name} {generation} to {deployment} failed"
        raise StoreUnavailableError(msg)


def test_renaming_a_file_changes_nothing(stage: Stage) -> None:
    """A definition's name is in it."""
    assert stage.apply().error is None
    (stage.folder / "posts.yaml").rename(stage.folder / "engagement.yaml")
    (plan,) = make_plans(stage.world, load_project(stage.folder), ["posts"])
    assert plan.stages == ()


def test_a_new_feature_set_runs_from_the_first_event(stage: Stage) -> None:
    """Topics, table, owner, job and snapshot are there, and the lease is free again."""
    stage.topics.ends = {"post_events/0": 7}
    outcome = stage.apply()
    assert outcome.error is None
    assert outcome.snapshot == stage.deployed
    assert stage.deployed.state == "running"
    assert stage.flink.running == [stage.deployed.job_id]
    assert stage.registry.owner("posts", 1) == stage.deployed.deployment
    assert stage.tiles.tables == {"tiles_posts_g1"}
    assert stage.topics.created == ["post_events", "post_events.dead_letters"]
    assert stage.registry.lease("posts") is None
    start = stage.flink.specs[0].start
    assert (start.start, start.end_offsets) == ("earliest", {"post_events/0": 7})


def test_applying_again_does_nothing(stage: Stage) -> None:
    """The plan has no stages."""
    stage.apply()
    before = stage.deployed
    assert stage.apply().change == "none"
    assert stage.deployed == before
    assert len(stage.flink.specs) == 1


def test_an_upgrade_goes_on_from_the_savepoint(stage: Stage) -> None:
    """The old job is finished, the new one owns the generation, and ids stay."""
    stage.apply()
    old = stage.deployed
    stage.clock.advance(1_000)
    assert stage.apply(EDIT).error is None
    new = stage.deployed
    assert stage.flink.running == [new.job_id]
    assert stage.flink.known[old.job_id].state == "FINISHED"
    assert stage.flink.restored[1] == stage.flink.checkpoints[old.job_id].path
    assert stage.flink.specs[1].start.start == "savepoint"
    assert (new.generation, new.table, new.layout) == (old.generation, old.table, old.layout)
    assert new.features[0].valid_from_ms == stage.clock.now_ms()
    assert (new.savepoint, stage.registry.progress("posts")) == ("", "")


def test_metadata_leaves_the_job_alone(stage: Stage) -> None:
    """The registry alone changes."""
    stage.apply()
    outcome = stage.apply(("Seen.", "Looked at."))
    assert outcome.change == "metadata"
    assert stage.deployed.features[0].description == "Looked at."
    assert stage.deployed.features[0].valid_from_ms == 0
    assert len(stage.flink.specs) == 1


def test_a_failing_upgrade_brings_the_old_job_back(stage: Stage) -> None:
    """The error tells the cause and what runs now; ids of the failed one are not used again."""
    stage.apply()
    old = stage.deployed
    stage.flink.broken_sql = "play"
    added = (
        ("AS views", "AS views, MAX(watch_ms) AS top"),
        ("features:", "features:\n  top: {windows: [2h]}"),
    )
    outcome = stage.apply(EDIT, *added)
    assert isinstance(outcome.error, JobFailedError)
    assert "boom" in str(outcome.error)
    assert "the previous version is running again" in str(outcome.error)
    now = stage.deployed
    assert stage.flink.running == [now.job_id]
    assert (now.flink_sql, now.state) == (old.flink_sql, "running")
    assert stage.flink.specs[-1].job.sql == old.flink_sql
    assert stage.flink.restored[-1] == stage.flink.checkpoints[old.job_id].path
    assert [item.retired for item in stage.registry.feature_ids("posts")] == [False, True]
    assert stage.registry.owner("posts", 1) == now.deployment


def test_a_failing_first_version_leaves_nothing_behind(stage: Stage) -> None:
    """The table may hold what it wrote, so it goes; the next try begins anew."""
    stage.flink.broken_sql = "view"
    outcome = stage.apply()
    assert "nothing is deployed" in str(outcome.error)
    assert stage.registry.snapshot("posts") is None
    assert stage.flink.running == []
    assert stage.tiles.tables == frozenset()
    stage.flink.broken_sql = ""
    assert stage.apply().error is None
    assert stage.tiles.tables == {stage.deployed.table} == {"tiles_posts_g2"}


def test_a_refused_submission_brings_the_old_job_back_when_it_can(stage: Stage) -> None:
    """If that is refused, too, the savepoint is kept and the next apply goes on from it."""
    stage.apply()
    old = stage.deployed
    stage.flink.refused = True
    assert "restarting the previous version failed too" in str(stage.apply(EDIT).error)
    assert stage.deployed.state == "deploying"
    stage.flink.refused = False
    assert stage.apply(EDIT).error is None
    assert stage.flink.restored[-1] == stage.flink.checkpoints[old.job_id].path


def test_a_graph_that_flink_refuses_stops_nothing(stage: Stage) -> None:
    """It is built before the job that runs is stopped; ids that were allocated are retired."""
    stage.apply()
    before = stage.deployed
    stage.flink.unbuildable = True
    assert "no such function; nothing else was changed" in str(stage.apply(EDIT).error)
    assert stage.deployed == before
    assert stage.flink.running == [before.job_id]
    assert stage.flink.known[before.job_id].state == "RUNNING"
    stage.flink.unbuildable = False
    assert stage.apply(EDIT).error is None
    assert [spec.job.sql for spec in stage.flink.prepared] == [stage.flink.specs[-1].job.sql]


def test_a_savepoint_without_the_kernel_is_not_relied_upon(stage: Stage) -> None:
    """The upgrade stops there, and the old job is brought back from the store."""
    stage.topics.ends = {"post_events/0": 9}
    stage.apply()
    stage.run_to(1, 3, p0=5)
    stage.flink.uids = ("source", "intake")
    outcome = stage.apply(EDIT)
    assert "has no state for kernel" in str(outcome.error)
    assert "is running again, from the store" in str(outcome.error)
    assert stage.flink.specs[-1].start.offsets == {"post_events/0": 5}
    assert stage.deployed.state == "running"
    assert stage.flink.running == [stage.deployed.job_id]


def test_a_job_that_cannot_be_stopped_goes_on(stage: Stage) -> None:
    """Nothing else was changed."""
    stage.apply()
    before = stage.deployed
    stage.flink.unstoppable = True
    assert "no disk" in str(stage.apply(EDIT).error)
    assert stage.deployed == before
    assert stage.flink.running == [before.job_id]


def test_a_crash_after_the_submission_is_continued_with_the_same_job(stage: Stage) -> None:
    """The job that was started is adopted: no second one, no second savepoint."""
    stage.apply()
    stage.flink.on_submit = crash
    with pytest.raises(CrashError):
        stage.apply(EDIT)
    begun = stage.flink.running
    stage.flink.on_submit = lambda: None
    assert stage.apply(EDIT).error is None
    assert stage.flink.running == begun == [stage.deployed.job_id]
    assert len(stage.flink.specs) == 2


def test_a_crash_followed_by_another_wish_cancels_the_job_of_the_first(stage: Stage) -> None:
    """Taking the change back starts the old definition again from its savepoint."""
    stage.apply()
    old = stage.deployed
    stage.flink.on_submit = crash
    with pytest.raises(CrashError):
        stage.apply(EDIT)
    stage.flink.on_submit = lambda: None
    outcome = stage.apply()
    assert (outcome.change, outcome.error) == ("start", None)
    assert stage.flink.running == [stage.deployed.job_id]
    assert stage.flink.specs[-1].job.sql == old.flink_sql


def test_a_crash_of_a_first_deployment_is_continued_with_its_rows(stage: Stage) -> None:
    """The table of an adopted job is not emptied under it."""
    stage.flink.on_submit = crash
    with pytest.raises(CrashError):
        stage.apply()
    row = RowWrite(level=0, start_ms=0, payload=b"x")
    stage.tiles.write("tiles_posts_g1", "e", [row], written=1)
    stage.flink.on_submit = lambda: None
    assert stage.apply().error is None
    assert len(stage.tiles.read_entity("tiles_posts_g1", "e")) == 1
    assert len(stage.flink.specs) == 1


def test_a_repeated_first_deployment_begins_with_an_empty_table(stage: Stage) -> None:
    """If its job is gone, what that wrote would be counted twice."""
    stage.flink.on_submit = crash
    with pytest.raises(CrashError):
        stage.apply()
    row = RowWrite(level=0, start_ms=0, payload=b"x")
    stage.tiles.write("tiles_posts_g1", "e", [row], written=1)
    stage.flink.fail(stage.flink.running[0])
    stage.flink.on_submit = lambda: None
    assert stage.apply().error is None
    assert stage.tiles.read_entity("tiles_posts_g1", "e") == []


def test_a_stop_that_nobody_noted_is_not_repeated(stage: Stage) -> None:
    """The job is finished; its savepoint is found at the cluster."""
    stage.apply()
    old = stage.deployed
    path = stage.flink.stop_with_savepoint(old.job_id)
    assert stage.apply(EDIT).error is None
    assert stage.flink.restored[-1] == path


def test_a_dead_job_is_revived_before_it_is_upgraded(stage: Stage) -> None:
    """So that the upgrade starts from everything it has counted."""
    stage.apply()
    dead = stage.deployed.job_id
    checkpoint = stage.flink.checkpoints[dead].path
    stage.flink.fail(dead)
    assert stage.apply(EDIT).error is None
    assert stage.flink.restored[1] == checkpoint
    assert "savepoint" in stage.flink.restored[2]
    assert stage.flink.running == [stage.deployed.job_id]


def test_a_plan_that_is_out_of_date_is_refused(stage: Stage) -> None:
    """Somebody else applied in between."""
    plan = make_plans(stage.world, stage.define(EDIT), ["posts"])[0]
    stage.apply()
    with pytest.raises(PlanRefusedError, match="changed by someone else"):
        execute(plan, stage.world)


def test_two_deployments_of_one_feature_set_exclude_each_other(stage: Stage) -> None:
    """The second is told who holds the lease."""
    stage.registry.take_lease("posts", "somebody", stage.clock.now_ms())
    error = stage.apply().error
    assert isinstance(error, LeaseHeldError)
    assert "somebody" in str(error)
    assert stage.flink.specs == []


def test_a_stopped_feature_set_stays_stopped(stage: Stage) -> None:
    """Whoever revives dead jobs leaves it alone; applying starts it from its savepoint."""
    stage.apply()
    stopped = stop(stage.world, "posts")
    assert (stopped.state, stage.flink.running) == ("stopped", [])
    assert ensure_running(stage.world, "posts") is False
    assert stage.apply().change == "start"
    assert stage.flink.restored[-1] == stopped.savepoint
    assert stage.deployed.state == "running"


def test_stopping_twice_is_harmless(stage: Stage) -> None:
    """The savepoint of the first stop stays."""
    stage.apply()
    assert stop(stage.world, "posts") == stop(stage.world, "posts")


@pytest.mark.parametrize("state", ["RESTARTING", "FAILED"])
def test_a_job_that_fails_all_the_time_can_be_stopped_and_deleted(stage: Stage, state: str) -> None:
    """Without a savepoint it goes on from its newest checkpoint."""
    stage.apply()
    job = stage.deployed.job_id
    checkpoint = stage.flink.checkpoints[job].path
    stage.flink.known[job] = replace(stage.flink.known[job], state=state)
    assert stop(stage.world, "posts").savepoint == checkpoint
    assert stage.flink.running == []
    assert stage.apply().error is None
    assert stage.flink.restored[-1] == checkpoint
    job = stage.deployed.job_id
    stage.flink.known[job] = replace(stage.flink.known[job], state=state)
    delete(stage.world, "posts")
    assert stage.flink.running == []


def test_a_job_that_runs_is_left_alone(stage: Stage) -> None:
    """Nothing to revive."""
    stage.apply()
    assert ensure_running(stage.world, "posts") is False
    assert len(stage.flink.specs) == 1


def test_a_dead_job_is_started_from_its_newest_checkpoint(stage: Stage) -> None:
    """As it was deployed, whatever the files say by now."""
    stage.apply()
    dead = stage.deployed
    stage.flink.fail(dead.job_id)
    assert ensure_running(stage.world, "posts") is True
    assert stage.flink.restored[-1] == stage.flink.checkpoints[dead.job_id].path
    assert stage.deployed.features == dead.features
    assert stage.flink.running == [stage.deployed.job_id]


def test_a_broken_off_deployment_is_revived_from_its_savepoint(stage: Stage) -> None:
    """A stop never leaves a feature set without a job unless it says so."""
    stage.apply()
    stage.flink.refused = True
    stage.apply(EDIT)
    stage.flink.refused = False
    assert ensure_running(stage.world, "posts") is True
    assert stage.flink.running == [stage.deployed.job_id]


def test_a_deleted_feature_set_is_unknown_and_its_table_goes_later(stage: Stage) -> None:
    """Its number is never used again: a new one begins with a new table and new ids."""
    stage.apply()
    delete(stage.world, "posts")
    assert stage.registry.snapshot("posts") is None
    assert stage.flink.running == []
    assert stage.tiles.tables == {"tiles_posts_g1"}
    stage.apply()
    assert stage.deployed.table == "tiles_posts_g2"
    assert stage.deployed.layout.column("views").id == 2
    stage.clock.advance(GRACE_MS)
    drop_expired(stage.world, "posts")
    assert stage.tiles.tables == {"tiles_posts_g2"}


@pytest.mark.parametrize("act", [stop, delete, ensure_running])
def test_what_is_not_deployed_cannot_be_changed(stage: Stage, act: Callable[..., object]) -> None:
    """The message says what is deployed and how to deploy it."""
    with pytest.raises(UnknownFeatureError, match=r"'psots' is not deployed.*fp apply psots"):
        act(stage.world, "psots")


def test_every_stage_is_told_before_it_is_done(stage: Stage) -> None:
    """In the words of the plan."""
    stage.apply()
    assert stage.said[0] == "posts: take the lease, so that nobody else can change it meanwhile"
    assert len(stage.said) == 9


def test_a_store_that_fails_in_the_middle_leaves_a_plan_to_continue(stage: Stage) -> None:
    """The error is the store's; the next apply does the rest."""
    stage.apply()
    world = stage.world
    stage.world = replace(world, registry=FailingOwner(stage.clock, stage.registry))
    assert isinstance(stage.apply(EDIT).error, StoreUnavailableError)
    stage.world = world
    stage.clock.advance(61_000)
    assert stage.apply(EDIT).error is None
    assert stage.flink.running == [stage.deployed.job_id]
