"""A repair: rows become what the events say, at a stop of the job, whatever ends it on the way."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from feature_platform.checks.repair import make_repair_plan
from feature_platform.checks.result import CheckReport
from feature_platform.deploy.execute import execute
from feature_platform.deploy.recover import ensure_running, make_recover_plan
from feature_platform.deploy.repair import ENTITIES_MAX, check_repairable
from feature_platform.deploy.start import epoch_of, unfinished_repair
from feature_platform.engines.spark_facts import EntityRows, EventsFound, LogRead, RecountFact
from feature_platform.engines.spark_request import EventsTask, RecountTask
from feature_platform.errors import (
    JobFailedError,
    PlanRefusedError,
    SparkFailedError,
    StoreUnavailableError,
)
from feature_platform.plan.explain import explain
from feature_platform.plan.recovery import plan_repair
from feature_platform.rows.partials import Row
from feature_platform.rows.undo import RowKey, UndoKey, encode_undo
from feature_platform.store.base import (
    HEAD_LEVEL,
    UNDO_LEVEL,
    RowWrite,
    write_timestamp,
    written_by,
)
from feature_platform.testing.reference_rows import encode_decoded, encode_head
from tests.unit.stage import Stage

HEAD = (HEAD_LEVEL, 0)
LIFETIME = 6
GOOD, WRONG = (
    encode_head({(LIFETIME, 0): encode_decoded(Row(counters={0: number}, features={}))})
    for number in (9, 7)
)
ENTITIES = ("altered", "added", "removed", "right", "dead")
"""What is wrong with each; the last was written by an attempt that is void."""


@dataclass
class Recounter:
    """Says what every entity's head must be; fails, or has a damaged log, if told so."""

    fails: bool = False
    damage: Sequence[str] = ()
    complete_ms: int = 0

    def recount(self, task: RecountTask) -> Iterator[RecountFact]:
        """Tell the heads of those that are asked for."""
        if self.fails:
            msg = f"feature set {task.job.job.featureset}: Spark ended at {dict(task.until)}"
            raise SparkFailedError(msg)
        yield LogRead(complete_ms=self.complete_ms, damage=tuple(self.damage))
        for entity in sorted(set(task.wanted.entities or ()) - {"added"}):
            yield EntityRows.of(entity, {HEAD: GOOD})

    def events_of(self, task: EventsTask) -> Iterator[EventsFound]:
        """A repair does not ask."""
        pytest.fail(f"asked for {task}")


@pytest.fixture
def stage(stage: Stage) -> Stage:
    """A feature set that has counted nine events; four of five entities are wrong.

    Attempt 2 has written one of them and is void: attempt 3 went on from before it.
    """
    stage.topics.ends = {"post_events/0": 9}
    stage.apply()
    stage.run_to(1, 1, p0=9)
    stage.claim(2, (1, 1))
    stage.claim(3, (1, 1))
    stage.cut(3, 2, p0=9)
    stage.clock.advance(10_000_000)
    for entity, payload in (("altered", WRONG), ("added", WRONG), ("right", GOOD), ("dead", WRONG)):
        write(stage, entity, payload, attempt=2 if entity == "dead" else 1)
    stage.world = replace(stage.world, recounter=Recounter())
    return stage


def write(stage: Stage, entity: str, payload: bytes, *, attempt: int) -> None:
    """Write a head."""
    rows = [RowWrite(level=HEAD_LEVEL, start_ms=0, payload=payload)]
    stage.tiles.write(stage.deployed.table, entity, rows, written=write_timestamp(attempt, 1))


def stop_at_cut(stage: Stage) -> None:
    """Let the job record the cut of the savepoint that it is going to be stopped with."""
    stage.cut(3, len(stage.flink.checkpoints) + 1, p0=9)


def repair(stage: Stage, *, begun: bool = False) -> None:
    """Plan and do it."""
    execute(plan_repair(stage.deployed, ENTITIES, begun=begun), stage.world, stage.tell)


def heads(stage: Stage) -> dict[str, bytes]:
    """Return the heads that stand in the store."""
    return {
        entity: row.payload
        for entity in ENTITIES
        for row in stage.tiles.read_entity(stage.deployed.table, entity)
        if row.level == HEAD_LEVEL
    }


def test_rows_are_corrected_while_no_job_runs(stage: Stage) -> None:
    """Altered, added, removed and unknowable ones; what is right is not written."""
    stop_at_cut(stage)
    job = stage.deployed.job_id
    repair(stage)
    assert heads(stage) == dict.fromkeys(("altered", "removed", "right", "dead"), GOOD)
    (right,) = stage.tiles.read_entity(stage.deployed.table, "right")
    assert written_by(right.written) == (1, 1)
    claimed = stage.registry.attempts("posts", 1)[-1]
    assert (claimed.kind, claimed.restore_point[0], claimed.clean) == ("repair", 3, True)
    start = stage.flink.specs[-1].start
    assert (start.start, *start.restore_point) == ("store", claimed.attempt, 1)
    assert (start.offsets, start.clean) == ({"post_events/0": 9}, True)
    assert stage.deployed.job_id != job
    assert "4 rows of 5 entities were corrected" in stage.said


def test_the_plan_says_what_it_does(stage: Stage) -> None:
    """As all plans do."""
    text = explain(plan_repair(stage.deployed, ENTITIES, begun=False))
    assert "posts: correct rows from the events" in text
    assert "recompute 5 entities with Spark and correct the rows in tiles_posts_g1" in text


@pytest.mark.parametrize(
    ("recounter", "why"),
    [
        (Recounter(fails=True), "Spark ended at "),
        (Recounter(damage=("a file is short",)), "a file is short: restore the event log"),
    ],
)
def test_a_recount_that_fails_changes_nothing(stage: Stage, recounter: Recounter, why: str) -> None:
    """Nothing was written yet: the job is brought back."""
    stop_at_cut(stage)
    before = heads(stage)
    stage.world = replace(stage.world, recounter=recounter)
    with pytest.raises(JobFailedError, match=rf"{why}.* is running again, from its savepoint"):
        repair(stage)
    assert heads(stage) == before
    assert unfinished_repair(stage.world, stage.deployed) is None
    assert stage.flink.running


def test_a_stop_without_a_cut_says_how_to_go_on(stage: Stage) -> None:
    """Nobody knows which events its rows hold; the job runs again."""
    stage.flink.trigger_checkpoint("another job")  # so that no cut has the number of the savepoint
    before = heads(stage)
    with pytest.raises(
        JobFailedError, match=r"the cut again: fp check posts --repair; if .* fp delete"
    ):
        repair(stage)
    assert heads(stage) == before
    assert stage.flink.running


def test_a_broken_off_repair_is_finished_before_anything_else(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its number stays the same, no job starts beside it, and everybody is told the way on."""
    stop_at_cut(stage)
    real, calls = stage.tiles.write, [0]

    def breaks(*args: Any, **more: Any) -> None:  # noqa: ANN401 (as the port)
        calls[0] += 1
        if calls[0] > 1:
            msg = "no quorum"
            raise StoreUnavailableError(msg)
        real(*args, **more)

    monkeypatch.setattr(stage.tiles, "write", breaks)
    with pytest.raises(StoreUnavailableError):
        repair(stage)
    monkeypatch.undo()
    stage.clock.advance(8 * 86_400_000)  # the lease has run out, and the cut of the stop expired
    cut, expired = stage.registry.cut, epoch_of(stage.deployed.stop)
    monkeypatch.setattr(
        stage.registry,
        "cut",
        lambda name, generation, *epoch: (
            None if epoch == expired else cut(name, generation, *epoch)
        ),
    )
    assert stage.flink.running == []
    (begun,) = [item for item in stage.registry.attempts("posts", 1) if item.kind == "repair"]
    with pytest.raises(PlanRefusedError, match="fp check posts --repair"):
        ensure_running(stage.world, "posts", stage.tell)
    with pytest.raises(PlanRefusedError, match="was interrupted"):
        make_recover_plan(stage.world, "posts", "store")
    repair(stage, begun=True)
    assert heads(stage) == dict.fromkeys(("altered", "removed", "right", "dead"), GOOD)
    (ended,) = [item for item in stage.registry.attempts("posts", 1) if item.kind == "repair"]
    assert ended.attempt == begun.attempt
    assert stage.flink.running


def test_a_repair_that_had_written_everything_is_ended_too(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checks find nothing wrong any more; without its cut no job could ever start."""
    stop_at_cut(stage)

    def breaks(*_: object) -> None:
        msg = "no quorum"
        raise StoreUnavailableError(msg)

    monkeypatch.setattr(stage.registry, "record_cut", breaks)
    with pytest.raises(StoreUnavailableError):
        repair(stage)
    monkeypatch.undo()
    stage.clock.advance(60_000)  # the lease runs out
    green = CheckReport(results=())
    plan = make_repair_plan(stage.world, "posts", green)
    assert plan is not None
    execute(plan, stage.world, stage.tell)
    assert stage.flink.running
    assert make_repair_plan(stage.world, "posts", green) is None


def test_an_undone_write_is_not_taken_for_right(stage: Stage) -> None:
    """A void attempt wrote the right bytes by chance: a late read-back would take them back."""
    stop_at_cut(stage)
    write(stage, "dead", GOOD, attempt=2)
    undo = encode_undo({RowKey(*HEAD): WRONG})
    row = RowWrite(level=UNDO_LEVEL, start_ms=UndoKey(2, 2, 0).start, payload=undo)
    stage.tiles.write(stage.deployed.table, "dead", [row], written=write_timestamp(2, 1))
    repair(stage)
    found = [
        written_by(row.written)[0]
        for row in stage.tiles.read_entity(stage.deployed.table, "dead")
        if row.level == HEAD_LEVEL
    ]
    assert found == [4]


@pytest.mark.parametrize("why", ["damaged", "many"])
def test_what_a_repair_would_make_worse_is_refused(why: str) -> None:
    """With what to do instead."""
    entities = [str(number) for number in range(ENTITIES_MAX + 1)] if why == "many" else ["a"]
    damage = ["a file is short"] if why == "damaged" else []
    said = {
        "damaged": r"a file is short\. Restore the log from a copy, then fp check posts --repair",
        "many": "10,001 entities.* fp apply posts",
    }
    with pytest.raises(PlanRefusedError, match=said[why]):
        check_repairable("posts", entities, damage)


def test_what_says_nothing_is_not_recomputed_from_a_log_that_lacks_events(stage: Stage) -> None:
    """It would lose them; the job is brought back."""
    stop_at_cut(stage)
    before = heads(stage)
    stage.world = replace(stage.world, recounter=Recounter(complete_ms=5))
    with pytest.raises(JobFailedError, match=r"entity 'dead' cannot be read, and the event log"):
        repair(stage)
    assert heads(stage) == before
    assert stage.flink.running
