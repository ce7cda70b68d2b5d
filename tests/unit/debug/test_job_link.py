"""Who writes, who may, and whose values rows hold."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from feature_platform.debug.job_link import Writers, job_link
from feature_platform.debug.report import Link
from feature_platform.engines.flink import FlinkJob
from feature_platform.plan.ids import ColumnKey, FeatureId
from feature_platform.registry.base import Attempt
from feature_platform.rows.encode import encode_head_of, encode_tile
from feature_platform.rows.partials import Row
from feature_platform.store.base import HEAD_LEVEL, StoredRow, write_timestamp
from tests.unit.debug.debug_case import snapshot

DEPLOYED = replace(snapshot(), deployment="first", job_id="first")
RUNNING = FlinkJob(id="first", name="users_g1", state="RUNNING", started_ms=1)
SECOND = replace(RUNNING, id="second", state="RESTARTING")
IDS = [
    FeatureId(
        id=column.id,
        column=ColumnKey(name=column.name, kind=column.kind, carrier=column.carrier, scale=0),
    )
    for column in DEPLOYED.layout.columns
    if column.id
]


def attempt(number: int, deployment: str, restore_point: tuple[int, int]) -> Attempt:
    """Return an attempt of a deployment's job."""
    return Attempt(
        attempt=number,
        execution=f"{deployment}-{number}",
        deployment=deployment,
        kind="stream",
        restore_point=restore_point,
        end_offsets={},
        claimed_ms=number * 60_000,
    )


FIRST = attempt(1, "first", (0, 0))
ONLY = Writers(attempts=[FIRST], owner="first")


def row(number: int, *, level: int = 0, ids: Sequence[int] = (0, 1)) -> StoredRow:
    """Return a row that an attempt has written."""
    payload = encode_tile(Row(counters=dict.fromkeys(ids, 1), features={}))
    if level == HEAD_LEVEL:
        payload = encode_head_of({(0, 0): payload})
    written = write_timestamp(number, 1)
    return StoredRow(level=level, start_ms=0, payload=payload, written=written)


def found(
    writers: Writers,
    *jobs: FlinkJob,
    rows: Sequence[StoredRow] = (),
    ids: Sequence[FeatureId] = IDS,
    restarts: int = 0,
) -> Link:
    """Return what is said."""
    return job_link(DEPLOYED, jobs, writers, ids, rows, restarts)


def test_one_job_whose_attempt_wrote_everything() -> None:
    """Nothing is said but which."""
    link = found(ONLY, RUNNING, rows=[row(1), row(1, level=HEAD_LEVEL)])
    assert (link.state, link.details) == ("fine", ())
    assert link.summary == "job first runs, attempt 1"


@pytest.mark.parametrize("state", ["RESTARTING", "FAILING"])
def test_a_job_that_fails_again_and_again(state: str) -> None:
    """It is there, and counts nothing."""
    link = found(ONLY, replace(RUNNING, state=state), restarts=7)
    assert link.state == "wrong"
    assert link.summary == f"job first is {state}: no new events are counted"
    assert link.details == ("Flink has restarted it 7 times by itself",)
    assert link.next_step.startswith("fp status users ")


def test_a_job_whose_tasks_wait() -> None:
    """At its start it will soon run; after a failure it may never."""
    waiting = replace(RUNNING, tasks_waiting=3)
    assert found(ONLY, replace(RUNNING, state="INITIALIZING")).state == "note"
    link = found(ONLY, waiting)
    assert (link.state, link.next_step) == ("note", "fp status users")
    assert (
        link.summary == "job first is RUNNING, 3 tasks not running yet: no new events are counted"
    )
    assert found(ONLY, waiting, restarts=1).state == "wrong"
    link = found(ONLY, RUNNING, restarts=1)
    assert (link.state, link.details) == ("fine", ("Flink has restarted it 1 time by itself",))


def test_a_second_job_that_is_fenced_off() -> None:
    """It is named, and that it cannot write."""
    link = found(ONLY, RUNNING, SECOND)
    assert link.state == "wrong"
    assert "not the deployed one: second (it has no attempt; it is fenced off" in link.summary
    assert "deployment first owns the generation" in link.summary


def test_a_second_job_that_was_refused() -> None:
    """It has ended by itself; an older one that failed is none of that."""
    failed = replace(SECOND, state="FAILED", started_ms=2)
    link = found(ONLY, RUNNING, failed, replace(failed, id="zeroth", started_ms=0))
    assert link.state == "note"
    (told,) = link.details
    assert "job second of the same name was submitted" in told
    assert "has failed: it has no attempt; it is fenced off" in told


def test_a_second_job_that_writes() -> None:
    """Its attempt is the newest: the deployed job is the one that cannot write."""
    attempts = [FIRST, attempt(2, "second", (1, 5))]
    link = found(Writers(attempts=attempts, owner="second"), RUNNING, SECOND, rows=[row(1), row(2)])
    assert "second (its attempt 2 is the newest: it is not fenced off" in link.summary
    assert link.next_step.startswith("cancel every job named users_g1 on Flink's page; fp recover")
    told = "\n".join(link.details)
    assert "attempt 2, the newest, is of deployment second, which is not the deployed one" in told
    assert "attempt 1 (stream, deployment first, claimed 1970-01-01T00:01:00" in told
    assert "wrote 1 row; it is fenced off, and attempt 2 builds on its rows" in told


def test_a_deployment_under_way_is_no_second_writer() -> None:
    """Its attempt comes before it is recorded."""
    attempts = [FIRST, attempt(2, "second", (1, 5))]
    writers = Writers(attempts=attempts, owner="second", deploying=True)
    assert found(writers, RUNNING).state == "fine"
    assert found(replace(writers, deploying=False), RUNNING).state == "wrong"


def test_rows_of_an_abandoned_attempt() -> None:
    """They are as a crash leaves them: nothing is wrong."""
    attempts = [FIRST, attempt(2, "first", (1, 5)), attempt(3, "first", (1, 5))]
    link = found(Writers(attempts=attempts, owner="first"), RUNNING, rows=[row(2), row(3)])
    assert link.state == "fine"
    assert "it is abandoned and fenced off: attempt 3 undoes its rows" in link.details[1]


def test_rows_of_an_attempt_that_nobody_was_given() -> None:
    """Somebody writes past the registry."""
    link = found(ONLY, RUNNING, rows=[row(1), row(9), row(9, level=HEAD_LEVEL)])
    assert link.state == "wrong"
    assert "2 rows of it were written by attempt 9, which the registry does not know" in (
        link.summary
    )


def test_ids_that_nobody_was_given() -> None:
    """In a row of its own, or inside the head."""
    for level in (0, HEAD_LEVEL):
        link = found(ONLY, RUNNING, rows=[row(1, level=level, ids=(0, 1, 77))])
        assert "its rows hold values under id 77, which no column was ever given" in link.summary


def test_ids_of_another_column() -> None:
    """The registry and what is deployed disagree."""
    mixed = [replace(IDS[0], id=IDS[1].id), replace(IDS[1], id=IDS[0].id), *IDS[2:]]
    first, second = IDS[0], IDS[1]
    link = found(ONLY, RUNNING, ids=mixed)
    assert link.summary == (
        f"column {first.column.name} has id {first.id}, which is that of {second.column.name}"
    )
