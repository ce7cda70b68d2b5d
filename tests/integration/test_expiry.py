"""State that ends after seconds, under entities that come back: rows equal the recount."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from feature_platform.engines.flink_metrics import job_metrics
from feature_platform.engines.job_spec import JobSpec
from feature_platform.engines.ports import Submitter
from feature_platform.testing.submitter import EditedSubmitter
from tests.integration.case import Case, MakeProject, drawn_name, files_of, open_case
from tests.integration.waiting import until

TTL_MS = 2_000
"""A definition may say no less than a minute."""
WAVES = 3
WAVE = 1_200


def forgetting(spec: JobSpec) -> JobSpec:
    """Let state end soon: that of the SQL, and that of the kernel."""
    settings = replace(spec.job.settings, state_ttl_ms=TTL_MS, sql_state_ttl_ms=TTL_MS)
    return replace(spec, job=replace(spec.job, settings=settings))


@pytest.fixture
def case(project: MakeProject, submitter: Submitter) -> Iterator[Case]:
    """A feature set with a third of its events counted, by a job that forgets."""
    name = drawn_name("expiry")
    with open_case(project(files_of(name)), EditedSubmitter(submitter, forgetting), name) as made:
        yield made


def test_what_a_job_forgot_is_read_back(case: Case) -> None:
    """Waves of the same events, so of the same entities and minutes, each after all has ended."""
    wave = case.events[case.sent :][:WAVE]
    case.reorder(wave * WAVES)
    for _ in range(WAVES):
        time.sleep(2 * TTL_MS / 1000)
        case.send(WAVE / len(case.events))
        case.wait()
    assert case.sent == len(case.events)
    assert case.differences()[:10] == []
    assert _read_back_rows(case) > 0


def _read_back_rows(case: Case) -> int:
    """Ask until Flink has fetched the metric."""

    def rows() -> int | None:
        return job_metrics(case.world.cluster, case.job_id).whole("read_back_rows")

    return until(rows, "rows that were read back")
