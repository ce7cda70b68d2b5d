"""Waiting until what was sent is counted."""

import pytest

from feature_platform.deploy.wait import wait
from feature_platform.errors import JobFailedError, UnknownFeatureError
from feature_platform.lineage.attempts import behind
from feature_platform.monitor.status import statuses
from tests.unit.stage import Stage


def test_a_cut_at_the_ends_is_the_proof(stage: Stage) -> None:
    """Every partition is there."""
    stage.apply()
    stage.topics.ends = {"post_events/0": 5, "post_events/1": 0}
    stage.run_to(1, 3, p0=5)
    assert wait(stage.world, "posts").checkpoint_id == 3


def test_a_marker_at_the_end_is_not_waited_for(stage: Stage) -> None:
    """A transaction's; no position passes it before the next event comes."""
    stage.apply()
    stage.topics.ends, stage.topics.markers = {"post_events/0": 6}, 1
    stage.run_to(1, 3, p0=5)
    assert wait(stage.world, "posts", timeout_s=0).checkpoint_id == 3


def test_a_cut_of_an_earlier_attempt_proves_nothing(stage: Stage) -> None:
    """What a dead attempt wrote may be replayed right now."""
    stage.apply()
    stage.topics.ends = {"post_events/0": 5}
    stage.run_to(1, 3, p0=5)
    stage.run_to(2, 1, p0=4)
    with pytest.raises(JobFailedError, match=r"still 1 event behind after 0 s.*--timeout"):
        wait(stage.world, "posts", timeout_s=0)


def test_without_a_cut_it_says_so(stage: Stage) -> None:
    """The job has not recorded anything."""
    stage.topics.ends = {"post_events/0": 5}
    stage.apply()
    with pytest.raises(JobFailedError, match="still without a cut"):
        wait(stage.world, "posts", timeout_s=0)


def test_a_topic_that_is_gone_is_not_taken_for_an_empty_one(stage: Stage) -> None:
    """Nothing to count would look as if all were counted."""
    stage.apply()
    stage.run_to(1, 3)
    with pytest.raises(JobFailedError, match="topic post_events does not exist in Kafka"):
        wait(stage.world, "posts", timeout_s=0)


def test_a_dead_job_is_not_waited_for(stage: Stage) -> None:
    """The message names its state and the command that starts it."""
    stage.apply()
    stage.topics.ends = {"post_events/0": 5}
    stage.flink.fail(stage.flink.running[0])
    with pytest.raises(JobFailedError, match=r"is FAILED.*fp apply posts"):
        wait(stage.world, "posts")


def test_what_is_not_deployed_cannot_be_waited_for(stage: Stage) -> None:
    """Nobody computes it."""
    with pytest.raises(UnknownFeatureError):
        wait(stage.world, "posts")


@pytest.mark.parametrize(
    ("positions", "expected"),
    [({}, 7), ({"t/0": 5}, 2), ({"t/0": 9, "t/1": 1}, 1), ({"t/0": 5, "t/1": 2}, 0)],
)
def test_events_behind_are_counted_by_partition(positions: dict[str, int], expected: int) -> None:
    """Being ahead in one does not make up for another."""
    assert behind(positions, {"t/0": 5, "t/1": 2}) == expected


def test_status_tells_how_a_feature_set_is(stage: Stage) -> None:
    """Job, attempt, cut and lag in one value."""
    stage.apply()
    stage.topics.ends = {"post_events/0": 5, "post_events/1": 2}
    stage.run_to(1, 3, p0=4)
    (found,) = statuses(stage.world)
    assert (found.job_state, found.attempt, found.restarts) == ("RUNNING", 1, 0)
    assert found.lag == {"post_events/0": 1, "post_events/1": 2}
    assert found.checkpoint is not None
    assert found.changed_by == ""


def test_status_of_a_forgotten_job_is_unknown(stage: Stage) -> None:
    """The cluster was started anew."""
    stage.apply()
    stage.flink.known.clear()
    assert [found.job_state for found in statuses(stage.world)] == ["UNKNOWN"]
