"""Metrics of a job: put together from its operators, tolerant of those that are not there."""

from collections.abc import Mapping
from dataclasses import dataclass

from feature_platform.engines.flink_metrics import METRICS, How, JobMetrics, job_metrics
from feature_platform.monitor.status import status
from tests.unit.stage import Stage

Told = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Reader:
    """A Flink that answers what a test says, by operator."""

    told: Told

    def metrics(self, job_id: str, vertex: str, metrics: Mapping[str, How]) -> Mapping[str, float]:
        """Answer what was asked."""
        assert job_id == "j1"
        return {name: value for name, value in self.told[vertex].items() if name in metrics}


def test_what_two_operators_tell_becomes_one_number() -> None:
    """Failures add up, the worse of two ages counts, and both must be recovered."""
    told: Told = {
        "intake": {"cut_failures": 1.0, "attempt": 7.0, "recovered": 1.0, "dead_letters": 3.0},
        "kernel": {"cut_failures": 2.0, "attempt": 7.0, "recovered": 0.0, "cut_age_ms": 900.0},
    }
    metrics = job_metrics(Reader(told), "j1")
    assert metrics.values == {
        "cut_failures": 3.0,
        "attempt": 7.0,
        "recovered": 0.0,
        "dead_letters": 3.0,
        "cut_age_ms": 900.0,
    }


def test_a_metric_that_is_not_there_is_null() -> None:
    """Every name is in the JSON, whatever the job knows."""
    told = JobMetrics({"fenced": 0.0}).to_json()
    assert set(told) == {*METRICS, "hot"}
    assert (told["fenced"], told["recovered"], told["hot"]) == (0, None, None)


def test_hot_is_the_share_found_in_state() -> None:
    """Of the entities that flushes asked for."""
    assert JobMetrics({"state_hits": 3.0, "state_misses": 1.0}).hot == 0.75
    assert JobMetrics({"state_hits": 0.0, "state_misses": 0.0}).hot is None


def test_the_status_holds_the_metrics_of_a_job_that_lives(stage: Stage) -> None:
    """And none of one that does not."""
    deployed = stage.apply().snapshot
    assert deployed is not None
    stage.flink.told[deployed.job_id, "kernel"] = {"written_rows": 12.0, "undone_rows": 2.0}
    assert status(stage.world, deployed).metrics.values == {
        "written_rows": 12.0,
        "undone_rows": 2.0,
    }
    stage.flink.fail(deployed.job_id)
    assert status(stage.world, deployed).metrics.values == {}
