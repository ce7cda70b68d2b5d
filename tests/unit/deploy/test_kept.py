"""What the registry keeps of how long tiles were kept, over all that is done to a feature set."""

from dataclasses import replace

import pytest

from feature_platform.deploy.execute import execute
from feature_platform.deploy.recover import make_recover_plan, make_rollback_plan
from feature_platform.plan.snapshot import EarlierSource
from feature_platform.store.base import RowWrite, write_timestamp
from feature_platform.testing.reference_rows import encode_row
from feature_platform.tiles.retention import Retention, Step
from tests.unit.deploy.test_rebuild import GROWN, let_it_catch_up, write_views
from tests.unit.stage import EDIT, Stage

HOUR_MS = 3_600_000
FUTURE_MS = 5 * 60_000
LONGER = ("[2h]", "[2h, 1d]")
KEPT = ("features:", "settings: {keep: 5h}\nfeatures:")
LESS = ("features:", "settings: {keep: 1m}\nfeatures:")
ADDED = (
    ("AS views", "AS views, MAX(watch_ms) AS top"),
    ("features:", "features:\n  top: {windows: [2h]}"),
)
COLUMN = (
    ("watch_ms: BIGINT,", "watch_ms: BIGINT, score: DOUBLE,"),
    ("action = 'view'", "action = 'view' AND score IS NULL"),
)
"""One that the query begins to read."""


def finest(stage: Stage) -> tuple[Step, ...]:
    """Return the steps of the finest level."""
    kept = stage.deployed.retention
    assert kept is not None
    assert kept.kept_ms == stage.deployed.layout.retention_ms
    return kept.earlier[0]


def test_a_new_feature_set_is_known_from_its_beginning(stage: Stage) -> None:
    """And what changes no time adds nothing."""
    stage.apply()
    assert finest(stage) == ()
    stage.clock.advance(HOUR_MS)
    stage.apply(EDIT)
    execute(make_recover_plan(stage.world, "posts", "checkpoint"), stage.world)
    assert finest(stage) == ()


def test_a_longer_time_is_remembered_with_when_it_began(stage: Stage) -> None:
    """The window that needed it counts from then on; the levels of its columns, too."""
    stage.apply()
    stage.clock.advance(HOUR_MS)
    stage.apply(LONGER)
    now_ms = stage.clock.now_ms()
    assert finest(stage) == (Step(before_ms=now_ms + FUTURE_MS, kept_ms=3 * HOUR_MS),)
    assert stage.deployed.column_since == {"0": {"3": now_ms, "4": now_ms}} | {
        "1": {"3": now_ms, "4": now_ms}
    }
    stage.clock.advance(HOUR_MS)
    stage.apply(LONGER, KEPT)
    assert [step.kept_ms for step in finest(stage)] == [3 * HOUR_MS, 25 * HOUR_MS]
    execute(make_recover_plan(stage.world, "posts", "checkpoint"), stage.world)
    assert len(finest(stage)) == 2


def test_what_failed_may_have_written_rows_all_the_same(stage: Stage) -> None:
    """Its shorter time is recorded before its job starts."""
    stage.apply()
    stage.flink.broken_sql = "play"
    assert stage.apply(EDIT, LESS).error is not None
    assert "play" not in stage.deployed.flink_sql
    (step,) = finest(stage)
    assert step.kept_ms == 2 * HOUR_MS + 60_000


def test_a_rollback_takes_columns_back_and_no_time(stage: Stage) -> None:
    """Its columns count as if nothing had happened; rows may carry what is undone."""
    stage.topics.ends = {"post_events/0": 9}
    stage.apply(*ADDED)
    stage.run_to(1, 1, p0=3)
    stage.apply(LESS)
    stage.claim(2, (1, 2), base_checkpoint_id=2, clean=True)
    execute(make_rollback_plan(stage.world, "posts"), stage.world)
    assert [column.name for column in stage.deployed.layout.columns] == ["_events", "views", "top"]
    (step,) = finest(stage)
    assert step.kept_ms == 2 * HOUR_MS + 60_000
    assert stage.deployed.column_since == {}


def test_a_new_generation_begins_anew(stage: Stage) -> None:
    """Its table was written under one layout."""
    stage.apply()
    stage.apply(LONGER)
    stage.apply(
        LONGER, ("entity: post_id", "entity: post_id\ngrid: [1m, 1h, 1d]"), start_empty=True
    )
    assert stage.deployed.generation == 2
    assert finest(stage) == ()
    assert stage.deployed.column_since == {}


def test_a_source_that_reads_otherwise_is_remembered_with_where_it_ended(stage: Stage) -> None:
    """A recount reads each event as the job did."""
    stage.topics.ends = {"post_events/0": 9}
    stage.apply()
    stage.run_to(1, 1, p0=3)
    before = stage.deployed.job.source
    stage.cut(1, 2, p0=5)
    stage.apply(*COLUMN)
    until = {"post_events/0": 5}
    assert stage.deployed.earlier_sources == (EarlierSource(source=before, until=until),)
    stage.claim(2, (1, 2), base_checkpoint_id=2, clean=True)
    execute(make_rollback_plan(stage.world, "posts"), stage.world)
    assert not stage.deployed.earlier_sources


def test_where_nobody_knows_where_it_ended_nothing_before_is_judged(stage: Stage) -> None:
    """A dead letter by one source may be an event by the other."""
    stage.apply()
    stage.clock.advance(HOUR_MS)
    stage.apply(*COLUMN)
    assert not stage.deployed.earlier_sources
    levels = {str(level): stage.clock.now_ms() for level in (0, 1, 2, 6)}
    assert stage.deployed.column_since == {"0": levels, "1": levels}


@pytest.mark.parametrize("is_longer", [True, False])
def test_tiles_that_an_earlier_version_let_expire_are_no_difference(
    stage: Stage, *, is_longer: bool
) -> None:
    """The new generation has them again: they were kept for a shorter time when it was younger."""
    stage.topics.ends = {"post_events/0": 9}
    stage.apply()
    stage.run_to(1, 1, p0=9)
    old, now_ms = stage.deployed, stage.clock.now_ms()
    kept = Retention.begun([60_000 for _ in old.layout.retention_ms])
    if is_longer:
        kept = kept.changed(old.layout.retention_ms, now_ms)
        stage.registry.save(replace(old, retention=kept))
    write_views(stage, 1, 5)
    let_it_catch_up(stage, 2, *GROWN)
    write_views(stage, 2, 5)
    row = RowWrite(
        level=0,
        start_ms=(now_ms - HOUR_MS) // 60_000 * 60_000,
        payload=encode_row(old.layout, {old.layout.column("views").id: 3}),
    )
    stage.tiles.write("tiles_posts_g2", "7", [row], written=write_timestamp(1, 1))
    error = stage.apply(*GROWN).error
    assert (error is None) == is_longer
    assert is_longer or "views of '7', 1m tile of " in str(error)
