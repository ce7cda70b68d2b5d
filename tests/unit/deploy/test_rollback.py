"""Upgrades that wait, and ways back: by a person, or because the new version failed."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from feature_platform.clock import Clock
from feature_platform.deploy.apply import make_plans
from feature_platform.deploy.control import stop
from feature_platform.deploy.execute import execute
from feature_platform.deploy.recover import ensure_running, make_recover_plan, make_rollback_plan
from feature_platform.engines.world import World
from feature_platform.errors import JobFailedError, PlanRefusedError, StoreUnavailableError
from feature_platform.plan.explain import explain
from feature_platform.plan.planner import Plan
from feature_platform.plan.snapshot import Snapshot
from feature_platform.rows.undo import RowKey, UndoKey, encode_undo
from feature_platform.store.base import (
    HEAD_LEVEL,
    UNDO_LEVEL,
    RowWrite,
    UndoPage,
    write_timestamp,
)
from feature_platform.store.memory import MemoryTiles
from tests.unit.stage import Stage

HOUR_MS = 3_600_000
EDIT = ("action = 'view'", "action = 'play'")
ADDED = (
    ("AS views", "AS views, MAX(watch_ms) AS top"),
    ("features:", "features:\n  top: {windows: [2h]}"),
)
HEAD = RowKey(HEAD_LEVEL, 0)


def upgraded(stage: Stage, *edits: tuple[str, str]) -> Snapshot:
    """Deploy, upgrade, and let attempt 2 of the new version write a row; return the first."""
    stage.topics.ends = {"post_events/0": 9}
    stage.apply()
    first = stage.deployed
    stage.run_to(1, 1, p0=3)
    stage.cut(1, 2, p0=5)  # of the savepoint, which is the second checkpoint
    assert stage.apply(*(edits or ADDED)).error is None
    stage.claim(2, (1, 2), base_checkpoint_id=2, end_offsets={"post_events/0": 5}, clean=True)
    undo = encode_undo({HEAD: b"old"})
    row = RowWrite(level=UNDO_LEVEL, start_ms=UndoKey(2, 3, 0).start, payload=undo)
    written = RowWrite(level=HEAD_LEVEL, start_ms=0, payload=b"new")
    stage.tiles.write(first.table, "e", [row, written], written=write_timestamp(2, 1))
    return first


def head(stage: Stage) -> bytes:
    """Return the row."""
    rows = stage.tiles.read_entity(stage.deployed.table, "e")
    return next(row.payload for row in rows if row.level == HEAD_LEVEL)


def roll_back(stage: Stage) -> None:
    """Do it as `fp rollback` does."""
    execute(make_rollback_plan(stage.world, "posts"), stage.world, stage.said.append)


def test_a_rollback_brings_definition_rows_and_ids_back(stage: Stage) -> None:
    """The old job goes on from its savepoint, standing on the sweep."""
    first = upgraded(stage)
    roll_back(stage)
    now = stage.deployed
    assert (now.flink_sql, now.features, now.layout) == (
        first.flink_sql,
        first.features,
        first.layout,
    )
    assert (now.state, now.unswept, now.previous) == ("running", False, None)
    assert stage.flink.running == [now.job_id]
    assert stage.flink.restored[-1] == stage.flink.checkpoints[first.job_id].path
    start = stage.flink.specs[-1].start
    assert start.restore_point == (3, 1)
    assert start.restored == (1, 2)
    assert head(stage) == b"old"
    sweep = stage.registry.attempts("posts", 1)[-1]
    assert (sweep.attempt, sweep.kind, sweep.restore_point, sweep.clean) == (
        3,
        "sweep",
        (1, 2),
        True,
    )
    assert [item.retired for item in stage.registry.feature_ids("posts")] == [False, True]
    cut = stage.registry.cut("posts", 1, 3, 1)
    assert cut is not None
    assert cut.positions == {"post_events/0": 5}


def test_a_rolled_back_feature_set_is_as_defined_before(stage: Stage) -> None:
    """Nothing is left to apply, and there is nothing more to go back to."""
    upgraded(stage)
    roll_back(stage)
    assert make_plans(stage.world, stage.define(), ["posts"])[0].change.kind == "none"
    with pytest.raises(PlanRefusedError, match="no upgrade to undo"):
        make_rollback_plan(stage.world, "posts")


def test_a_removed_column_comes_back_under_its_id(stage: Stage) -> None:
    """Its rows are as they were, so it has no hole."""
    stage.topics.ends = {"post_events/0": 9}
    stage.apply(*ADDED)
    stage.run_to(1, 1, p0=3)
    stage.apply()
    assert [item.retired for item in stage.registry.feature_ids("posts")] == [False, True]
    stage.claim(2, (1, 2), base_checkpoint_id=2, clean=True)
    roll_back(stage)
    assert [item.retired for item in stage.registry.feature_ids("posts")] == [False, False]
    assert make_plans(stage.world, stage.define(*ADDED), ["posts"])[0].change.kind == "none"


def test_a_rollback_is_explained(stage: Stage) -> None:
    """Every name, and every stage."""
    upgraded(stage)
    text = explain(make_rollback_plan(stage.world, "posts"))
    assert "views_2h, views_lifetime: keeps history (as if the upgrade had never happened)" in text
    assert "top_2h: dropped" in text
    assert "fence off everything written after the savepoint" in text


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda stage: stage.clock.advance(11 * HOUR_MS + 1), "kept for 12h only"),
        (lambda stage: stage.topics.begins.update({"post_events/0": 7}), "offsets 5 to 6 are gone"),
        (
            lambda stage: stage.claim(3, (2, 1), kind="sweep"),
            "attempt 3 has rewritten rows since",
        ),
        (
            lambda stage: stage.claim(3, (1, 1)),
            "savepoint before the last upgrade belongs to attempt 1",
        ),
    ],
)
def test_a_way_back_that_is_too_long_or_void_is_refused(
    stage: Stage, spoil: Callable[[Stage], None], said: str
) -> None:
    """Before anything is touched."""
    upgraded(stage)
    spoil(stage)
    before = stage.deployed
    with pytest.raises(PlanRefusedError, match=said):
        make_rollback_plan(stage.world, "posts")
    assert stage.deployed == before


class Killed(MemoryTiles):
    """Another's tiles; the process dies at the second row that is swept."""

    def __init__(self, clock: Clock, other: MemoryTiles, pages: int = 1) -> None:
        """Share everything with the other one."""
        super().__init__(clock)
        vars(self).update(vars(other))
        self.left = pages

    def undo_pages(self, table: str) -> Iterator[UndoPage]:
        """Die after a page."""
        for page in super().undo_pages(table):
            if not self.left:
                msg = "the store is gone"
                raise StoreUnavailableError(msg)
            self.left -= 1
            yield page


@pytest.mark.parametrize("again", ["rollback", "sensor"])
def test_a_broken_off_sweep_is_finished_under_the_same_number(stage: Stage, again: str) -> None:
    """By whoever comes first; the old job runs meanwhile."""
    first = upgraded(stage)
    undo = encode_undo({HEAD: None})
    row = RowWrite(level=UNDO_LEVEL, start_ms=UndoKey(2, 3, 0).start, payload=undo)
    written = RowWrite(level=HEAD_LEVEL, start_ms=0, payload=b"new")
    stage.tiles.write(first.table, "f", [row, written], written=write_timestamp(2, 1))
    whole = stage.world
    stage.world = replace(whole, tiles=Killed(stage.clock, stage.tiles))
    with pytest.raises(StoreUnavailableError):
        roll_back(stage)
    assert (stage.deployed.state, stage.deployed.unswept) == ("running", True)
    stage.world = whole
    stage.clock.advance(61_000)
    if again == "rollback":
        roll_back(stage)
    else:
        assert ensure_running(stage.world, "posts") is True
    assert stage.deployed.unswept is False
    assert head(stage) == b"old"
    assert [row.level for row in stage.tiles.read_entity(first.table, "f")] == [UNDO_LEVEL]
    assert [item.attempt for item in stage.registry.attempts("posts", 1)] == [1, 2, 3]
    assert len(stage.flink.specs) == 3


def test_a_sweep_that_comes_too_late_waits_for_a_person(stage: Stage) -> None:
    """The first undo rows may be gone, so a younger one would be taken for what was before all."""
    first = upgraded(stage)
    whole = stage.world
    stage.world = replace(whole, tiles=Killed(stage.clock, stage.tiles, pages=0))
    with pytest.raises(StoreUnavailableError):
        roll_back(stage)
    stage.world = whole
    stage.clock.advance(11 * HOUR_MS + 1)
    left = head(stage)
    for again in (roll_back, lambda stage: ensure_running(stage.world, "posts")):
        with pytest.raises(PlanRefusedError, match="fp rollback posts --accept-age"):
            again(stage)
    assert (head(stage), stage.deployed.unswept) == (left, True)
    plan = make_rollback_plan(stage.world, "posts", accept_age=True)
    execute(plan, stage.world)
    assert (head(stage), stage.deployed.unswept) == (b"old", False)
    assert stage.deployed.flink_sql == first.flink_sql


def broken_off(stage: Stage) -> None:
    """Roll back, let the sweep and then the job die, and lose the job's checkpoint."""
    upgraded(stage)
    whole = stage.world
    stage.world = replace(whole, tiles=Killed(stage.clock, stage.tiles, pages=0))
    with pytest.raises(StoreUnavailableError):
        roll_back(stage)
    stage.world = whole
    stage.clock.advance(61_000)
    stage.flink.fail(stage.deployed.job_id)
    del stage.flink.checkpoints[stage.deployed.job_id]


def test_a_sweep_makes_the_cut_that_is_missing(stage: Stage) -> None:
    """Nothing else is left to go on from: the sweep comes first."""
    broken_off(stage)
    execute(make_recover_plan(stage.world, "posts", "store"), stage.world)
    start = stage.flink.specs[-1].start
    assert (start.start, *start.restore_point) == ("store", 3, 1)
    assert (head(stage), stage.deployed.unswept) == (b"old", False)


def test_the_cut_of_a_sweep_needs_its_events(stage: Stage) -> None:
    """As any other cut; it is found before anything is touched."""
    broken_off(stage)
    stage.topics.begins["post_events/0"] = 7
    with pytest.raises(PlanRefusedError, match="offsets 5 to 6 are gone"):
        make_recover_plan(stage.world, "posts", "store")


@pytest.mark.parametrize("make", [make_rollback_plan, make_recover_plan])
@pytest.mark.parametrize("has_cut", [False, True])
def test_a_late_sweep_without_a_checkpoint_has_a_way_out(
    stage: Stage, make: Callable[..., Plan], *, has_cut: bool
) -> None:
    """Both commands lead to the store, and the sweep knows what was accepted."""
    broken_off(stage)
    if has_cut:
        stage.claim(4, (3, 1), end_offsets={"post_events/0": 9}, clean=True)
        stage.cut(4, 2, p0=7)
    stage.clock.advance(11 * HOUR_MS + 1)
    with pytest.raises(PlanRefusedError, match="--accept-age"):
        execute(make(stage.world, "posts"), stage.world)
    execute(make(stage.world, "posts", accept_age=True), stage.world)
    assert stage.flink.specs[-1].start.start == "store"
    assert stage.flink.running == [stage.deployed.job_id]
    assert (head(stage), stage.deployed.unswept) == (b"old", False)


def test_a_late_way_back_that_is_accepted_starts_the_old_version_too(stage: Stage) -> None:
    """Nobody need wait for the sensor, whose start would be refused for its age."""
    upgraded(stage)
    stage.flink.refused = True
    with pytest.raises(JobFailedError):
        roll_back(stage)
    stage.flink.refused = False
    stage.clock.advance(11 * HOUR_MS + 1)
    execute(make_rollback_plan(stage.world, "posts", accept_age=True), stage.world)
    assert stage.flink.running == [stage.deployed.job_id]
    assert stage.flink.specs[-1].start.accepted_ms == stage.clock.now_ms()
    assert (head(stage), stage.deployed.unswept) == (b"old", False)


def test_a_way_back_that_was_begun_is_the_only_one(stage: Stage) -> None:
    """The process dies when the old job is submitted: whoever comes next goes on with it."""
    first = upgraded(stage)
    stage.flink.refused = True
    with pytest.raises(JobFailedError, match="`fp rollback posts` continues it"):
        roll_back(stage)
    assert (stage.deployed.state, stage.deployed.flink_sql) == ("deploying", first.flink_sql)
    stage.flink.refused = False
    assert ensure_running(stage.world, "posts") is True
    assert stage.flink.specs[-1].start.restore_point[0] == 3
    assert (head(stage), stage.deployed.unswept) == (b"old", False)


def test_a_version_that_cannot_be_stopped_is_brought_back(stage: Stage) -> None:
    """Nothing was begun yet."""
    upgraded(stage)
    before = stage.deployed
    stage.flink.unstoppable = True
    with pytest.raises(JobFailedError, match="no disk"):
        roll_back(stage)
    assert stage.deployed == before


def test_a_failed_upgrade_that_has_written_is_swept(stage: Stage) -> None:
    """What it wrote without reaching a checkpoint is void, and the old version counts on."""
    stage.topics.ends = {"post_events/0": 9}
    stage.apply()
    stage.run_to(1, 1, p0=3)
    table = stage.deployed.table
    stage.flink.broken_sql = "play"

    def write() -> None:
        if "play" in stage.flink.specs[-1].job.sql:
            stage.claim(2, (1, 2), base_checkpoint_id=2)
            undo = encode_undo({HEAD: b"old"})
            row = RowWrite(level=UNDO_LEVEL, start_ms=UndoKey(2, 3, 0).start, payload=undo)
            written = RowWrite(level=HEAD_LEVEL, start_ms=0, payload=b"new")
            stage.tiles.write(table, "e", [row, written], written=write_timestamp(2, 1))

    stage.flink.on_submit = write
    stage.world = _without_grace(stage)
    outcome = stage.apply(EDIT)
    assert "the previous version is running again" in str(outcome.error)
    start = stage.flink.specs[-1].start
    assert (start.restore_point[0], start.restored[1]) == (3, 2)
    assert (head(stage), stage.deployed.unswept) == (b"old", False)


def _without_grace(stage: Stage) -> World:
    store = stage.world.settings.store.model_copy(update={"zombie_grace_ms": 0})
    return replace(stage.world, settings=stage.world.settings.model_copy(update={"store": store}))


def test_an_upgrade_waits_until_its_attempt_is_recovered(stage: Stage) -> None:
    """And then for the grace time; it says what it waits for."""
    stage.topics.ends = {"post_events/0": 9}
    stage.apply()
    stage.run_to(1, 1, p0=3)
    stage.claim(2, (1, 1), base_checkpoint_id=1, end_offsets={"post_events/0": 8})

    def listen(text: str) -> None:
        stage.said.append(text)
        if "5 events that were read" in text or "8 events" in text:
            stage.cut(2, 2, p0=8)
        if "until no failed task" in text:
            stage.clock.advance(90_000)

    plan = make_plans(stage.world, stage.define(EDIT), ["posts"])[0]
    execute(plan, stage.world, listen)
    waits = [line for line in stage.said if line.startswith("waiting: ")]
    assert waits == [
        "waiting: 8 events read before the last failure must be counted again",
        "waiting: 90 s until no failed task can still be writing",
    ]
    assert stage.said.index(waits[1]) < stage.said.index(
        next(line for line in stage.said if line.startswith("stop job"))
    )


def test_a_stopped_version_that_has_not_caught_up_is_started_first(stage: Stage) -> None:
    """It is stopped again once it has, and the new version goes on from there."""
    stage.topics.ends = {"post_events/0": 9}
    stage.apply()
    stage.run_to(1, 1, p0=3)
    stage.claim(2, (1, 1), base_checkpoint_id=1, end_offsets={"post_events/0": 8}, clean=True)
    stop(stage.world, "posts")
    savepoint = stage.deployed.savepoint
    stage.flink.on_submit = lambda: stage.cut(2, 3, p0=8)
    plan = make_plans(stage.world, stage.define(EDIT), ["posts"])[0]
    execute(plan, stage.world, stage.said.append)
    assert "the deployed version has not caught up: starting it first" in stage.said
    assert stage.flink.restored[1] == savepoint
    assert stage.flink.restored[2] not in ("", savepoint)
