"""Upgrades that do not reach their end, on real servers: rows equal the recount all the same."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from feature_platform.deploy.apply import make_plans
from feature_platform.deploy.execute import execute
from feature_platform.engines.job_spec import JobSpec
from feature_platform.engines.ports import Submitter
from feature_platform.errors import JobFailedError
from feature_platform.testing.submitter import EditedSubmitter
from tests.integration.case import Case, MakeProject, drawn_name, files_of, open_case
from tests.integration.judge import load

SPELLINGS = (
    "watch_ms >= 101",
    "NOT (watch_ms <= 100)",
    "watch_ms > 100 AND watch_ms > 10",
    "watch_ms > 100 OR watch_ms > 1000",
)
"""Of the definition's condition: upgrades that change no row."""
STAGES = (
    "stop job",
    "make the new deployment the only writer",
    "wait for the first checkpoint",
    "record the deployed version",
)


def misled(spec: JobSpec) -> JobSpec:
    """Let the first spelling's job find no table: it fails whenever it starts."""
    if SPELLINGS[0].partition(" ")[2] not in spec.job.sql:
        return spec
    return replace(spec, store=replace(spec.store, table="nobody_made_this"))


class DeadError(BaseException):
    """What ends a deploying process: nothing is tidied up."""


@pytest.fixture
def case(project: MakeProject, submitter: Submitter) -> Iterator[Case]:
    """A feature set with a third of its events counted."""
    name = drawn_name("broken_off")
    with open_case(project(files_of(name)), submitter, name) as made:
        yield made


def test_a_version_that_does_not_run_gives_way_to_the_old_one(case: Case) -> None:
    """It says why it failed, and the old version goes on from its savepoint."""
    before = case.world.registry.snapshot(case.name)
    assert before is not None
    case.define(("watch_ms > 100", SPELLINGS[0]))
    world = replace(case.world, submitter=EditedSubmitter(case.world.submitter, misled))
    (plan,) = make_plans(world, load(case.settings), [case.name])
    case.send(1 / 3)
    with pytest.raises(JobFailedError, match="nobody_made_this") as failed:
        execute(plan, world)
    after = case.world.registry.snapshot(case.name)
    assert after is not None
    assert after.job.sql == before.job.sql
    assert after.job_id != before.job_id, "the old version's job is another one"
    assert "the previous version is running again, from its savepoint" in str(failed.value)
    case.define()
    case.send(1)
    assert case.differences()[:10] == []


def test_an_upgrade_that_died_before_a_stage_is_continued(case: Case) -> None:
    """Each time the next apply ends what was begun, and no event is lost or counted twice."""
    for stage, spelling in zip(STAGES, SPELLINGS, strict=True):
        edit = ("watch_ms > 100", spelling)
        case.define(edit)
        case.send(1 / 9)
        _die_before(case, stage)
        case.send(1 / 9)
        case.deploy(edit)
    case.send(1)
    assert case.differences()[:10] == []


def _die_before(case: Case, stage: str) -> None:
    def report(text: str) -> None:
        if text.startswith(stage):
            raise DeadError

    (plan,) = make_plans(case.world, load(case.settings), [case.name])
    with pytest.raises(DeadError):
        execute(plan, case.world, report)
