"""Flink restarts jobs by itself: each start is an attempt of its own, and one job alone writes."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from feature_platform.deploy.execute import execute
from feature_platform.deploy.recover import make_recover_plan
from feature_platform.engines.flink import FlinkRest
from feature_platform.engines.flink_submitter import FlinkSubmitter
from tests.integration.available import JOB_MANAGER, TASK_MANAGER, AvailableFlink, available_flink
from tests.integration.case import Case, MakeProject, drawn_name, files_of, open_case
from tests.integration.waiting import until

RESCALED = ("parallelism: 2", "parallelism: 3")


@pytest.fixture
def flink(project: MakeProject, tmp_path: Path) -> Iterator[AvailableFlink]:
    """A Flink of this test's own that survives its job manager."""
    shared = project(files_of(drawn_name("failover")))
    with available_flink(shared, tmp_path / "available") as made:
        yield made


@pytest.fixture
def case(flink: AvailableFlink) -> Iterator[Case]:
    """A feature set on it, with a third of its events counted."""
    (path,) = flink.settings.featuresets.glob("*.yaml")
    with (
        closing(FlinkSubmitter(flink.settings)) as submitter,
        open_case(flink.settings, submitter, path.stem) as made,
    ):
        yield made


class Blind(FlinkRest):
    """A deployer's view of a cluster that it does not reach: it sees no job and ends none."""

    def cancel(self, job_id: str) -> None:
        """Do nothing, as if the job had ended."""


def test_attempts_rise_whoever_restarts_the_job(flink: AvailableFlink, case: Case) -> None:
    """Nothing but Flink itself brings the job back; then two jobs live, and one is refused."""
    job_id = case.job_id
    for lost in ((TASK_MANAGER,), (JOB_MANAGER,), (JOB_MANAGER, TASK_MANAGER)):
        before = len(attempts(case))
        flink.replace(*lost)
        case.send(1 / 9)
        until(partial(_has_more, case, before), f"an attempt after {lost}")
        case.wait()
        assert case.job_id == job_id
    assert case.differences()[:10] == []
    case.deploy(RESCALED)
    case.send(1 / 9)
    assert case.differences()[:10] == []

    # A second job, of a deployer that does not see the first one; then both are restarted.
    first = case.job_id
    blind = replace(case.world, cluster=Blind(case.settings.flink.rest_url))
    execute(make_recover_plan(blind, case.name, "store"), blind)
    assert case.job_id != first
    flink.replace(TASK_MANAGER)
    case.send(1)
    until(lambda: "is owned by" in case.world.cluster.root_exception(first), "a refusal")
    assert case.differences()[:10] == []
    case.world.cluster.cancel(first)

    found = attempts(case)
    assert [number for number, _ in found] == list(range(1, len(found) + 1))
    assert len({execution for _, execution in found}) == len(found)
    owners = [deployment for _, deployment, _ in _claims(case)]
    assert first not in owners[owners.index(case.job_id) :], "once another one owned the rows"


def _has_more(case: Case, number: int) -> bool:
    return len(attempts(case)) > number


def attempts(case: Case) -> list[tuple[int, str]]:
    """Return number and execution of each attempt."""
    return [(number, execution) for number, _, execution in _claims(case)]


def _claims(case: Case) -> list[tuple[int, str, str]]:
    found = case.world.registry.attempts(case.name, 1)
    return [(item.attempt, item.deployment, item.execution) for item in found]
