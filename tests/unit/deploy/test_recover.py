"""Bringing a job back: from its checkpoint, else from the store, else a person is asked."""

import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from feature_platform.deploy.execute import execute
from feature_platform.deploy.recover import ensure_running, make_recover_plan
from feature_platform.errors import JobFailedError, PlanRefusedError
from feature_platform.monitor.failures import gave_up
from feature_platform.plan.explain import explain
from tests.unit.stage import Stage

HOUR_MS = 3_600_000
EDIT = ("action = 'view'", "action = 'play'")


def running(stage: Stage) -> str:
    """Deploy, let attempt 1 record a cut at 5 of 9 events, and return the job's id."""
    stage.topics.ends = {"post_events/0": 9}
    stage.apply()
    stage.run_to(1, 3, p0=5)
    return stage.deployed.job_id


def folder(stage: Stage, job: str) -> Path:
    """Return where a job's checkpoint is."""
    return Path(urlsplit(stage.flink.checkpoints[job].path).path)


def test_a_checkpoint_whose_folder_is_gone_leads_to_the_store(stage: Stage) -> None:
    """Flink remembers the path; a look tells at once."""
    job = running(stage)
    shutil.rmtree(folder(stage, job))
    stage.flink.fail(job)
    assert ensure_running(stage.world, "posts", stage.said.append) is True
    start = stage.flink.specs[-1].start
    assert (start.start, start.offsets) == ("store", {"post_events/0": 5})
    assert (*start.restore_point, start.clean) == (1, 3, False)
    assert start.dirty_since_ms == stage.clock.now_ms()
    assert stage.flink.restored[-1] == ""
    assert stage.deployed.tried == ()
    assert any("restarting it from the store" in line for line in stage.said)


def test_damaged_metadata_leads_to_the_store(stage: Stage) -> None:
    """It was cut off, or holds something else."""
    job = running(stage)
    (folder(stage, job) / "_metadata").write_bytes(b"?")
    stage.flink.fail(job)
    assert ensure_running(stage.world, "posts") is True
    assert stage.flink.specs[-1].start.start == "store"


def test_a_job_without_any_checkpoint_is_started_from_the_store(stage: Stage) -> None:
    """Also when it has not even a cut: the empty table is one, at the beginning of the topic."""
    stage.topics.ends = {"post_events/0": 9}
    stage.apply()
    stage.claim(1)
    stage.flink.known.clear()
    stage.flink.checkpoints.clear()
    assert ensure_running(stage.world, "posts") is True
    start = stage.flink.specs[-1].start
    assert (start.start, start.offsets, start.restore_point[0]) == ("store", {}, 0)


def test_a_missing_checkpoint_names_one_next_step(stage: Stage) -> None:
    """To apply again would end the same."""
    job = running(stage)
    stage.flink.fail(job)
    stage.flink.checkpoints.clear()
    error = str(stage.apply().error)
    assert error.endswith("from the store: fp recover posts; nothing else was changed")


def test_state_that_cannot_be_read_leads_to_the_store(stage: Stage) -> None:
    """The job fails while it restores, which is told at its first failure."""
    job = running(stage)
    stage.flink.fail(job)
    stage.flink.broken_sql, stage.flink.restore_fails = "view", True
    stage.flink.on_submit = lambda: _mend_after(stage, 2)
    assert ensure_running(stage.world, "posts") is True
    assert [spec.start.start for spec in stage.flink.specs[1:]] == ["savepoint", "store"]


def _mend_after(stage: Stage, submissions: int) -> None:
    if len(stage.flink.specs) > submissions:
        stage.flink.broken_sql = ""


def test_a_job_that_fails_for_another_reason_is_not_started_from_the_store(stage: Stage) -> None:
    """A store that is down would not get better by it."""
    job = running(stage)
    stage.flink.fail(job)
    stage.flink.broken_sql = "view"
    with pytest.raises(JobFailedError, match="boom"):
        ensure_running(stage.world, "posts")
    assert len(stage.flink.specs) == 2
    assert stage.deployed.tried == ()


def test_after_so_many_starts_a_person_is_needed(stage: Stage) -> None:
    """The message tells all that was tried; success forgets it."""
    job = running(stage)
    stage.flink.fail(job)
    stage.flink.broken_sql, stage.flink.restore_fails = "view", True
    for _ in range(3):
        with pytest.raises(JobFailedError, match="boom"):
            ensure_running(stage.world, "posts")
    assert [item.start for item in stage.deployed.tried] == ["checkpoint", "store"] * 3
    assert gave_up(stage.deployed, 3)
    submitted = len(stage.flink.specs)
    with pytest.raises(
        JobFailedError, match=r"failed to start 6 times: .*from store: .*fp recover posts"
    ):
        ensure_running(stage.world, "posts")
    assert len(stage.flink.specs) == submitted
    stage.flink.broken_sql = ""
    execute(make_recover_plan(stage.world, "posts"), stage.world)
    assert stage.deployed.tried == ()
    assert stage.flink.running == [stage.deployed.job_id]


def test_a_cut_that_a_start_has_passed_by_is_not_used(stage: Stage) -> None:
    """Attempt 1 recorded cut 4 and crashed before the checkpoint was complete; 2 restored 3."""
    job = running(stage)
    stage.cut(1, 4, p0=7)
    stage.claim(2, (1, 3), base_checkpoint_id=3)
    stage.flink.fail(job)
    execute(make_recover_plan(stage.world, "posts", "store"), stage.world)
    start = stage.flink.specs[-1].start
    assert (*start.restore_point, start.offsets) == (1, 3, {"post_events/0": 5})


def test_an_outage_longer_than_the_undo_time_asks(stage: Stage) -> None:
    """It says since when, by how many events, of which attempts; a person may accept it."""
    job = running(stage)
    stage.clock.advance(1000)
    stage.claim(2, (1, 3), end_offsets={"post_events/0": 8}, dirty_since_ms=stage.clock.now_ms())
    stage.cut(2, 4, p0=6)
    stage.flink.fail(job)
    stage.clock.advance(11 * HOUR_MS + 1)
    with pytest.raises(PlanRefusedError) as caught:
        make_recover_plan(stage.world, "posts", "store")
    message = str(caught.value)
    assert "Since 2023-11-14T22:13:21Z abandoned attempts (2)" in message
    assert "the 3 events after cut 2/4" in message
    assert "fp recover posts --from store --accept-age" in message
    plan = make_recover_plan(stage.world, "posts", "store", accept_age=True)
    assert "although some rows may be wrong" in explain(plan)
    execute(plan, stage.world)
    assert stage.flink.specs[-1].start.accepted_ms == stage.clock.now_ms()


def test_the_sensor_does_not_decide_what_a_person_must(stage: Stage) -> None:
    """The refusal is remembered as a try."""
    job = running(stage)
    shutil.rmtree(folder(stage, job))
    stage.flink.fail(job)
    stage.clock.advance(12 * HOUR_MS)
    with pytest.raises(PlanRefusedError, match="--accept-age"):
        ensure_running(stage.world, "posts")
    assert [item.start for item in stage.deployed.tried] == ["checkpoint", "store"]


@pytest.mark.parametrize(
    ("begins", "ends", "said"),
    [
        ({"post_events/0": 8}, {"post_events/0": 9}, "post_events/0: offsets 5 to 7 are gone"),
        ({}, {"post_events/0": 4}, "post_events/0: its end offset is 4, but 5 had been reached"),
        ({}, {}, "post_events/0: its end offset is 0, but 5 had been reached"),
        (
            {"post_events/1": 2},
            {"post_events/0": 9, "post_events/1": 3},
            "post_events/1: offsets 0 to 1 are gone",
        ),
    ],
)
def test_events_that_kafka_no_longer_holds_are_named(
    stage: Stage, begins: dict[str, int], ends: dict[str, int], said: str
) -> None:
    """A topic that was truncated, made anew, or whose events were deleted."""
    job = running(stage)
    stage.flink.fail(job)
    stage.topics.begins, stage.topics.ends = begins, ends
    with pytest.raises(PlanRefusedError, match=said):
        make_recover_plan(stage.world, "posts", "store")
    assert len(stage.flink.specs) == 1


def test_a_running_job_is_left_alone_unless_a_person_says_where_from(stage: Stage) -> None:
    """Then it is cancelled first."""
    job = running(stage)
    with pytest.raises(PlanRefusedError, match="posts is running as job"):
        make_recover_plan(stage.world, "posts")
    execute(make_recover_plan(stage.world, "posts", "store"), stage.world)
    assert stage.flink.known[job].state == "CANCELED"
    assert stage.flink.running == [stage.deployed.job_id]


def test_a_savepoint_that_was_passed_by_is_refused(stage: Stage) -> None:
    """The job that started from it was itself gone back behind."""
    running(stage)
    stage.apply(EDIT)
    assert stage.deployed.stop is not None
    stage.claim(2, (1, 3))
    with pytest.raises(
        PlanRefusedError, match="the last savepoint belongs to attempt 1, checkpoint 2"
    ):
        _passed_by(stage)


def _passed_by(stage: Stage) -> None:
    stage.registry._attempts["posts", 1].clear()
    stage.claim(1)
    stage.claim(2, (1, 1))
    make_recover_plan(stage.world, "posts", "savepoint")


def test_the_last_savepoint_is_gone_back_to_when_asked(stage: Stage) -> None:
    """The definition that went on from it starts from it again."""
    job = running(stage)
    stage.apply(EDIT)
    path = stage.flink.checkpoints[job].path
    stop = stage.deployed.stop
    assert stop is not None
    assert (stop.path, stop.attempt, stop.checkpoint_id, stop.clean) == (path, 1, 2, True)
    stage.claim(2, (1, 2), base_checkpoint_id=2)
    execute(make_recover_plan(stage.world, "posts", "savepoint"), stage.world)
    assert stage.flink.restored[-1] == path
    start = stage.flink.specs[-1].start
    assert (start.start, start.restore_point[0], start.clean) == ("savepoint", 0, False)


def test_an_upgrade_of_a_dead_job_without_checkpoints_starts_it_from_the_store(
    stage: Stage,
) -> None:
    """And then goes on from the savepoint that it makes."""
    job = running(stage)
    shutil.rmtree(folder(stage, job))
    stage.flink.fail(job)
    assert stage.apply(EDIT).error is None
    froms = [spec.start.start for spec in stage.flink.specs]
    assert froms == ["earliest", "store", "savepoint"]


def test_a_plan_says_what_it_goes_on_from(stage: Stage) -> None:
    """In the order checkpoint, store."""
    job = running(stage)
    stage.flink.fail(job)
    text = explain(make_recover_plan(stage.world, "posts"))
    assert "because it restarts from its newest checkpoint" in text
    stage.flink.checkpoints.clear()
    text = explain(make_recover_plan(stage.world, "posts"))
    assert "because its job is not running and left no checkpoint" in text
    assert "submit the job with empty state, from the store's last cut" in text
