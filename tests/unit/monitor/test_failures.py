"""Why jobs failed last, and which were not let write: metrics of a task that ended are gone."""

from dataclasses import replace

import pytest

from feature_platform.engines.flink import FlinkJob
from feature_platform.monitor.failures import JOBS_ASKED_MAX, is_refusal, refused_jobs
from feature_platform.monitor.health import Health
from feature_platform.monitor.status import status
from tests.unit.stage import Stage

KERNEL = "io.featureplatform.kernel"
FENCED = f"{KERNEL}.lineage.ReadBack$FencedException: attempt 3 has written this row"


@pytest.mark.parametrize(
    ("cause", "refused"),
    [
        (FENCED, True),
        (f"{KERNEL}.store.ClaimRefusedException: deployment a may not write", True),
        (f"{KERNEL}.lineage.Age$TooOldException: rows are dirty since", True),
        (f"{KERNEL}.store.StoreDownException: no host; a ClaimRefusedException is none", False),
        ("", False),
    ],
)
def test_a_refusal_is_told_by_its_class(cause: str, *, refused: bool) -> None:
    """Not by what a message quotes."""
    assert is_refusal(cause) is refused


def test_a_replaced_job_that_was_fenced_is_told(stage: Stage) -> None:
    """It is not the deployed one, and Flink may be about to start it again."""
    stage.apply()
    old = stage.deployed.job_id
    stage.flink.known["z"] = FlinkJob(id="z", name="posts_g1", state="RESTARTING", started_ms=0)
    stage.flink.known["other"] = FlinkJob(id="other", name="posts_g1", state="FAILED", started_ms=0)
    stage.flink.known["try"] = FlinkJob(id="try", name="posts.try_g1", state="FAILED", started_ms=0)
    stage.flink.causes = {"z": FENCED, "other": "java.lang.Error: boom", "try": FENCED}
    found = status(stage.world, stage.deployed)
    assert (found.refused, found.last_failure) == ({"z": FENCED}, "")
    assert found.snapshot.job_id == old
    health = Health.of(replace(found, last_failure="x.y: boom"))
    assert (health.refused, health.last_failure) == ({"z": FENCED}, "x.y: boom")


def test_a_dead_job_says_why(stage: Stage) -> None:
    """And one that Flink has restarted, but no other."""
    stage.apply()
    job = stage.deployed.job_id
    stage.flink.causes = {job: "java.lang.Error: boom"}
    assert status(stage.world, stage.deployed).last_failure == ""
    stage.flink.broken_sql = "view"  # so that it counts restarts
    assert status(stage.world, stage.deployed).last_failure == "java.lang.Error: boom"
    stage.flink.broken_sql = ""
    stage.flink.fail(job)
    assert status(stage.world, stage.deployed).last_failure == "java.lang.Error: boom"
    stage.flink.known.clear()
    assert status(stage.world, stage.deployed).last_failure == ""


def test_a_few_of_many_jobs_are_asked_for(stage: Stage) -> None:
    """The newest; each costs a request."""
    jobs = [
        FlinkJob(id=f"j{number}", name="posts_g1", state="FAILED", started_ms=-number)
        for number in range(9)
    ]
    stage.flink.causes = {job.id: FENCED for job in jobs}
    assert list(refused_jobs(stage.flink, jobs, "posts")) == [
        f"j{number}" for number in range(JOBS_ASKED_MAX)
    ]
