"""The job of a verification: on a topic of its own, restarted, and nothing of it is left."""

import pytest

from feature_platform.deploy import verification as module
from feature_platform.deploy.control import delete
from feature_platform.deploy.verification import VerifiedJob, verification
from feature_platform.errors import JobFailedError, LeaseHeldError, RestoreFailedError
from feature_platform.plan.snapshot import Snapshot
from feature_platform.plan.trial import trial_name
from feature_platform.report import silent
from tests.unit.stage import EDIT, Stage

PARTITIONS = 3
NAME = "posts.verify"


@pytest.fixture(autouse=True)
def _topics(monkeypatch: pytest.MonkeyPatch, stage: Stage) -> None:
    """Let the fake broker make the topic of events."""

    def make(_: object, topic: str, partitions: int) -> None:
        assert partitions == PARTITIONS
        stage.topics.create([topic])
        stage.topics.ends = {f"{topic}/{part}": 0 for part in range(partitions)}

    monkeypatch.setattr(module, "make_scratch_topic", make)


@pytest.fixture
def deployed(stage: Stage) -> Snapshot:
    """A feature set that runs."""
    stage.topics.ends = {"post_events/0": 10}
    snapshot = stage.apply().snapshot
    assert snapshot is not None
    return snapshot


def untouched(stage: Stage, before: Snapshot) -> None:
    """Make sure that there is nothing but what was deployed."""
    assert stage.registry.snapshot("posts") == before
    assert stage.flink.running == [before.job_id]
    assert stage.tiles.tables == {before.table}
    assert stage.registry.generations(NAME) == []
    assert (stage.registry.progress(NAME), stage.registry.lease(NAME)) == ("", None)
    assert [topic for topic in stage.topics.created if ".verify" in topic] == []


def test_it_runs_beside_restarts_and_is_removed(stage: Stage, deployed: Snapshot) -> None:
    """Both jobs read the topic of drawn events; the second begins at the first's checkpoint."""
    wanted = stage.define(EDIT).featuresets["posts"]
    with verification(stage.world, wanted, PARTITIONS, silent) as job:
        job.start()
        first, job_id = stage.flink.specs[-1], job.snapshot.job_id
        assert (first.job.featureset, first.trial) == (NAME, False)
        assert first.job.source.topic == job.topic != "post_events"
        assert "play" in first.job.sql
        assert stage.tiles.tables == {deployed.table, job.snapshot.table}
        stage.world.cluster.trigger_checkpoint(job_id)
        path = stage.flink.retained_checkpoint(job_id)

        job.crash_and_restart()

        second = stage.flink.specs[-1]
        assert job.snapshot.job_id != job_id
        assert set(stage.flink.running) == {deployed.job_id, job.snapshot.job_id}
        assert stage.flink.restored[-1] == path
        assert (second.start.start, second.start.clean, second.trial) == ("savepoint", False, True)
        assert second.job == first.job
        owner = stage.registry.owner(NAME, job.snapshot.generation)
        assert owner == second.deployment == job.snapshot.job_id
    untouched(stage, deployed)
    assert stage.flink.discarded == [path]


@pytest.mark.parametrize("error", [KeyboardInterrupt, JobFailedError])
def test_an_interrupted_one_is_removed(
    stage: Stage, deployed: Snapshot, error: type[BaseException]
) -> None:
    """With the checkpoints of a job that was never restarted."""
    wanted = stage.define().featuresets["posts"]

    def interrupted(job: VerifiedJob) -> None:
        job.start()
        stage.world.cluster.trigger_checkpoint(job.snapshot.job_id)
        raise error

    with (
        pytest.raises(error),
        verification(stage.world, wanted, PARTITIONS, silent) as job,
    ):
        interrupted(job)
    untouched(stage, deployed)
    assert len(stage.flink.discarded) == 1


def test_what_a_killed_one_left_is_removed(stage: Stage, deployed: Snapshot) -> None:
    """By the next one, or by a delete; one that runs is let alone."""
    wanted = stage.define().featuresets["posts"]
    made = module._made(stage.world, wanted, PARTITIONS, silent)
    made.start()
    stage.clock.advance(1_000)
    with verification(stage.world, wanted, PARTITIONS, silent) as job:
        job.start()
        assert set(stage.flink.running) == {deployed.job_id, job.snapshot.job_id}
        with (
            pytest.raises(LeaseHeldError, match=r"posts\.verify has been in use"),
            verification(stage.world, wanted, PARTITIONS, silent),
        ):
            pass
    untouched(stage, deployed)
    stage.clock.advance(1_000)
    module._made(stage.world, wanted, PARTITIONS, silent).start()
    stage.topics.ends = {"post_events/0": 10}
    delete(stage.world, "posts")
    assert stage.flink.running == []
    assert stage.registry.progress(trial_name("posts", "verify")) == ""


def test_a_job_without_a_checkpoint_cannot_be_restarted(stage: Stage, deployed: Snapshot) -> None:
    """It says so, and is removed."""
    wanted = stage.define().featuresets["posts"]
    with verification(stage.world, wanted, PARTITIONS, silent) as job:
        job.start()
        with pytest.raises(RestoreFailedError, match="no checkpoint"):
            job.crash_and_restart()
    untouched(stage, deployed)


def test_a_checkpoint_that_stays_is_told(
    stage: Stage, deployed: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything else goes all the same."""
    monkeypatch.setattr(type(stage.flink), "discard", lambda *_: "no rights")
    said: list[str] = []
    wanted = stage.define().featuresets["posts"]
    with verification(stage.world, wanted, PARTITIONS, said.append) as job:
        job.start()
        stage.world.cluster.trigger_checkpoint(job.snapshot.job_id)
    assert any("stays, delete it by hand: no rights" in text for text in said)
    untouched(stage, deployed)
