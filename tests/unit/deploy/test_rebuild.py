"""A new generation that is written from the event log before its job begins."""

from dataclasses import replace

import pytest

from feature_platform.deploy import comparison
from feature_platform.deploy.apply import make_plans
from feature_platform.deploy.start import begin
from feature_platform.errors import JobFailedError, PlanRefusedError, SparkFailedError
from feature_platform.plan.explain import explain
from feature_platform.plan.snapshot import Snapshot
from feature_platform.rows.undo import RowKey, UndoKey, encode_undo
from feature_platform.store.base import HEAD_LEVEL, UNDO_LEVEL, RowWrite, write_timestamp
from feature_platform.testing.reference_rows import encode_head, encode_row
from tests.unit.deploy.edits import ENTITY
from tests.unit.stage import Stage

HISTORY = (
    ("action = 'view'", "action = 'play'"),
    ("features:", "settings: {on_change: rebuild}\nfeatures:"),
)
READS_LESS = ("post_id: BIGINT", "post_id: INT")
OTHER_TOPIC = ("topic: post_events", "topic: others")
WAITING = "events that were read before"
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
UNDO_LIMIT_MS = 11 * HOUR_MS


@pytest.fixture
def stage(stage: Stage) -> Stage:
    """A world with a feature set that has read nine events."""
    stage.topics.ends = {"post_events/0": 9}
    stage.apply()
    stage.run_to(1, 1, p0=9)
    return stage


def crash_at(stage: Stage, text: str, *edits: tuple[str, str]) -> None:
    """Die before a stage; the registry stays as it is then."""
    stage.crash_before = text
    with pytest.raises(Exception, match=r"^$"):
        stage.apply(*edits)
    stage.crash_before = ""


def let_it_catch_up(stage: Stage, generation: int, *edits: tuple[str, str]) -> None:
    """Apply until the new job is waited for; it claims the next attempt, and reads to the end."""
    crash_at(stage, "wait until the new job has caught up", *edits)
    job = stage.registry.owner("posts", generation)
    begun = stage.registry.attempts("posts", generation)[0]
    stage.claim(
        begun.attempt + 1,
        (begun.attempt, 1),
        generation=generation,
        end_offsets={"post_events/0": 9},
    )
    crash_at(stage, "9 events", *edits)
    assert job in stage.flink.running
    stage.cut(begun.attempt + 1, 5, generation=generation, p0=9)


def rebuilt(stage: Stage, *edits: tuple[str, str]) -> Snapshot:
    """Rebuild to the end; returns what is deployed then."""
    let_it_catch_up(stage, 2, *edits)
    assert stage.apply(*edits).error is None
    return stage.deployed


def test_rows_are_written_before_the_job_begins(stage: Stage) -> None:
    """Up to the ends as of then; the job goes on from there, and readers follow at the end."""
    old = stage.deployed
    new = rebuilt(stage, *ENTITY)
    (task,) = stage.backfiller.done
    assert (task.job.generation, task.job.store.table) == (2, "tiles_posts_g2")
    assert (task.job.deployment, task.attempt) == (new.deployment, 1)
    assert task.until == {"post_events/0": 9}
    begun = stage.registry.attempts("posts", 2)[0]
    assert (begun.kind, begun.clean, begun.restore_point) == ("backfill", True, (0, 0))
    start = stage.flink.specs[-1].start
    assert (start.start, *start.restore_point) == ("store", 1, 1)
    assert start.offsets == {"post_events/0": 9}
    assert start.clean is True
    assert (new.generation, new.entity, new.state) == (2, "watch_ms", "running")
    assert [feature.valid_from_ms for feature in new.features] == [0]
    assert stage.flink.running == [new.job_id]
    assert stage.flink.known[old.job_id].state == "FINISHED"


def test_a_cut_that_a_restart_has_passed_by_is_no_end(stage: Stage) -> None:
    """What the old job has counted anew since then could not be compared there."""
    stage.run_to(1, 1, p0=5)
    stage.cut(1, 2, p0=9)
    stage.claim(2, (1, 1))
    rebuilt(stage, *ENTITY)
    (task,) = stage.backfiller.done
    assert task.until == {"post_events/0": 5}


def test_history_that_is_wanted_is_recomputed(stage: Stage) -> None:
    """An edited expression counts from the first event on, by its new meaning."""
    (plan,) = make_plans(stage.world, stage.define(*HISTORY), ["posts"])
    text = explain(plan)
    assert "views_2h, views_lifetime: recomputed (from the event log)" in text
    assert "fill tiles_posts_g2 from the event log and Kafka, up to now, with Spark" in text
    assert rebuilt(stage, *HISTORY).generation == 2


def test_a_new_feature_set_may_have_a_history(stage: Stage) -> None:
    """With `on_change: rebuild`; else it reads its topic from the beginning."""
    stage.registry.save(
        Snapshot.from_json(stage.deployed.to_json() | {"featureset": "others", "generation": 1})
    )
    project = stage.define(HISTORY[1], ("featureset: posts", "featureset: fresh"))
    (plan,) = make_plans(stage.world, project, ["fresh"])
    names = [type(item).__name__ for item in plan.stages]
    assert names.index("Backfill") < names.index("SubmitJob") < names.index("AwaitCaughtUp")
    (empty,) = make_plans(stage.world, project, ["fresh"], start_empty=True)
    assert "Backfill" not in [type(item).__name__ for item in empty.stages]


def test_a_changed_source_is_compared_with_the_deployed_one(stage: Stage) -> None:
    """What the deployed rows count is told apart from what nobody could read; see `records`."""
    before = stage.deployed.job.source
    crash_at(stage, "submit the job", READS_LESS)
    assert stage.backfiller.done
    assert stage.backfiller.read_by == before


@pytest.mark.parametrize("edits", [ENTITY, (*ENTITY, READS_LESS, OTHER_TOPIC)])
def test_nothing_was_read_before_of_another_topic_or_otherwise(
    stage: Stage, edits: tuple[tuple[str, str], ...]
) -> None:
    """A source that is the same reads the same; events of a new topic are in no row."""
    stage.topics.ends["others/0"] = 3
    crash_at(stage, "submit the job", *edits)
    assert stage.backfiller.done
    assert stage.backfiller.read_by is None


def test_it_is_not_done_twice(stage: Stage) -> None:
    """A crash after the backfill goes on behind it."""
    crash_at(stage, "submit the job", *ENTITY)
    let_it_catch_up(stage, 2, *ENTITY)
    assert stage.apply(*ENTITY).error is None
    assert len(stage.backfiller.done) == 1
    assert len(stage.registry.attempts("posts", 2)) == 2
    assert stage.registry.generations("posts")[-1].generation == 2


def test_an_interrupted_backfill_keeps_attempt_and_offsets(stage: Stage) -> None:
    """Events that came meanwhile are the job's to count."""
    crash_at(stage, "100% written", *ENTITY)
    stage.topics.ends = {"post_events/0": 20}
    crash_at(stage, "submit the job", *ENTITY)
    (task,) = stage.backfiller.done
    assert (task.attempt, task.until) == (1, {"post_events/0": 9})
    assert len(stage.registry.attempts("posts", 2)) == 1


def test_a_rebuild_that_was_left_for_a_day_goes_on(stage: Stage) -> None:
    """Nobody has written since the backfill, so nothing that has expired is needed."""
    crash_at(stage, "submit the job", *ENTITY)
    stage.clock.advance(DAY_MS)
    let_it_catch_up(stage, 2, *ENTITY)
    assert stage.apply(*ENTITY).error is None
    assert len(stage.backfiller.done) == 1
    start = stage.flink.specs[-1].start
    assert (start.dirty_since_ms, start.clean) == (stage.clock.now_ms(), True)


def test_a_backfill_that_a_job_has_written_after_grows_old(stage: Stage) -> None:
    """What that job has not finished must be taken back, and nothing says any more what it was."""
    crash_at(stage, "wait until the new job has caught up", *ENTITY)
    stage.claim(2, (1, 1), generation=2)
    filled = replace(stage.deployed, generation=2)
    assert begin(stage.world, filled, "store").fields.restore_point == (1, 1)
    stage.clock.advance(DAY_MS)
    with pytest.raises(PlanRefusedError, match=r"attempts \(1, 2\) may have written rows"):
        begin(stage.world, filled, "store")


def test_another_definition_gets_another_generation(stage: Stage) -> None:
    """What a dead Spark task may still write is not of it."""
    crash_at(stage, "100% written", *ENTITY)
    crash_at(stage, "submit the job", *HISTORY)
    (task,) = stage.backfiller.done
    assert (task.job.generation, task.attempt) == (3, 1)
    assert stage.tiles.tables == {"tiles_posts_g1", "tiles_posts_g3"}


def test_a_graph_that_flink_refuses_is_refused_before_the_backfill(stage: Stage) -> None:
    """Which may take hours; no table is created either."""
    old = stage.deployed
    stage.flink.unbuildable = True
    assert "no such function" in str(stage.apply(*ENTITY).error)
    assert not stage.backfiller.done
    assert stage.tiles.tables == {old.table}
    assert stage.flink.running == [old.job_id]


def test_a_backfill_that_fails_changes_nothing(stage: Stage) -> None:
    """The old job goes on; the next apply goes on with the same attempt and events."""
    old = stage.deployed
    stage.backfiller.breaks = True
    error = stage.apply(*ENTITY).error
    assert isinstance(error, SparkFailedError)
    assert stage.deployed == old
    assert stage.flink.running == [old.job_id]
    stage.backfiller.breaks = False
    stage.topics.ends = {"post_events/0": 20}
    let_it_catch_up(stage, 2, *ENTITY)
    assert stage.apply(*ENTITY).error is None
    (task,) = stage.backfiller.done
    assert (stage.deployed.generation, task.attempt) == (2, 1)
    assert task.until == {"post_events/0": 9}


def test_what_cannot_be_read_any_more_is_left_out_only_if_asked(stage: Stage) -> None:
    """By the option that accepts differences."""
    stage.backfiller.breaks = True
    assert isinstance(stage.apply(*ENTITY).error, SparkFailedError)
    assert stage.backfiller.accepted is False
    assert stage.apply(*ENTITY, accept_differences=True).error
    assert stage.backfiller.accepted is True


def test_a_rebuild_begun_can_be_taken_back(stage: Stage) -> None:
    """Its table goes, and its job."""
    old = stage.deployed
    crash_at(stage, "wait until the new job has caught up", *ENTITY)
    assert stage.apply().error is None
    assert stage.deployed == old
    assert stage.flink.running == [old.job_id]
    assert stage.tiles.tables == {"tiles_posts_g1"}


GROWN = (
    ("AS views", "AS views, MAX(watch_ms) AS top"),
    ("features:", "settings: {on_change: rebuild}\nfeatures:\n  top: {windows: [2h]}"),
)


def write_views(
    stage: Stage,
    generation: int,
    views: int,
    *,
    entity: str = "7",
    attempt: int = 1,
    flush: int = 1,
) -> None:
    """Write the head of an entity that has so many views in all."""
    layout = stage.deployed.layout
    tile = encode_row(layout, {layout.column("views").id: views})
    head = encode_head({(layout.grid.lifetime_level, 0): tile})
    row = RowWrite(level=HEAD_LEVEL, start_ms=0, payload=head)
    table = f"tiles_posts_g{generation}"
    stage.tiles.write(table, entity, [row], written=write_timestamp(attempt, flush))


def test_what_means_the_same_is_compared(stage: Stage) -> None:
    """The column that was there before, in every tile that both keep."""
    write_views(stage, 1, 5)
    let_it_catch_up(stage, 2, *GROWN)
    write_views(stage, 2, 5)
    assert stage.apply(*GROWN).error is None
    assert "posts: views: 1 tile of 1 entity is equal in both generations" in stage.said


def test_a_generation_that_differs_is_not_switched_to(stage: Stage) -> None:
    """Entity, tile and both values are named; a person may know better."""
    old = stage.deployed
    write_views(stage, 1, 5)
    let_it_catch_up(stage, 2, *GROWN)
    write_views(stage, 2, 6)
    error = stage.apply(*GROWN).error
    assert isinstance(error, JobFailedError)
    assert "views of '7', lifetime: was 5, is 6" in str(error)
    assert "fp apply posts --accept-differences" in str(error)
    assert stage.deployed == old
    assert stage.flink.running == [old.job_id]
    let_it_catch_up(stage, 3, *GROWN)
    write_views(stage, 3, 6)
    assert stage.apply(*GROWN, accept_differences=True).error is None
    assert stage.deployed.generation == 3


def test_what_was_counted_since_the_backfill_is_no_difference(stage: Stage) -> None:
    """An undo row says what the old job had written when the backfill ended."""
    layout = stage.deployed.layout
    write_views(stage, 1, 5)
    before = stage.tiles.read_entity("tiles_posts_g1", "7")[0].payload
    undo = encode_undo({RowKey(HEAD_LEVEL, 0): before})
    place = UndoKey(1, 2, 0).start
    tile = encode_row(layout, {layout.column("views").id: 8})
    head = encode_head({(layout.grid.lifetime_level, 0): tile})
    rows = [
        RowWrite(level=UNDO_LEVEL, start_ms=place, payload=undo),
        RowWrite(level=HEAD_LEVEL, start_ms=0, payload=head),
    ]
    stage.tiles.write("tiles_posts_g1", "7", rows, written=write_timestamp(1, 2))
    let_it_catch_up(stage, 2, *GROWN)
    write_views(stage, 2, 5)
    assert stage.apply(*GROWN).error is None


def count_on(stage: Stage, entity: str) -> None:
    """Let the old job write an entity after the backfill's end; its undo row expires in time."""
    (before,) = stage.tiles.read_entity("tiles_posts_g1", entity)
    undo = RowWrite(
        level=UNDO_LEVEL,
        start_ms=UndoKey(1, 2, 0).start,
        payload=encode_undo({RowKey(HEAD_LEVEL, 0): before.payload}),
        ttl_s=12 * HOUR_MS // 1000,
    )
    stage.tiles.write("tiles_posts_g1", entity, [undo], written=write_timestamp(1, 1024))
    write_views(stage, 1, 100, entity=entity, flush=1024)


@pytest.mark.parametrize("late_ms", [0, UNDO_LIMIT_MS, UNDO_LIMIT_MS + 1, DAY_MS])
@pytest.mark.parametrize("views", [5, 6])
def test_what_was_not_written_since_is_compared_however_late(
    stage: Stage, views: int, late_ms: int
) -> None:
    """Of what the old job has counted on, undo rows may be gone: how many that are is said."""
    for entity in ("7", "8"):
        write_views(stage, 1, 5, entity=entity)
    let_it_catch_up(stage, 2, *GROWN)
    count_on(stage, "8")
    write_views(stage, 2, views)
    write_views(stage, 2, 5, entity="8")
    stage.clock.advance(late_ms)
    error = stage.apply(*GROWN).error
    assert isinstance(error, JobFailedError) == (views == 6)
    said = "\n".join([*stage.said, str(error)])
    assert ("views of '7', lifetime: was 5, is 6" in said) == (views == 6)
    assert ("1 tile of 1 entity" in said) == (late_ms > UNDO_LIMIT_MS)
    assert ("1 entity only in part" in said) == (late_ms > UNDO_LIMIT_MS)


def test_what_the_new_job_has_counted_since_is_left_out_too(stage: Stage) -> None:
    """Its undo rows are gone after as long a time."""
    for entity in ("7", "8"):
        write_views(stage, 1, 5, entity=entity)
    let_it_catch_up(stage, 2, *GROWN)
    write_views(stage, 2, 5)
    write_views(stage, 2, 9, entity="8", attempt=2)
    stage.clock.advance(DAY_MS)
    assert stage.apply(*GROWN).error is None
    (said,) = [text for text in stage.said if "is equal in both generations" in text]
    assert "1 tile of 1 entity" in said
    assert "1 entity only in part" in said


def test_if_nothing_can_be_compared_a_person_decides(stage: Stage) -> None:
    """By push, nobody would see that a comparison was left out."""
    old = stage.deployed
    write_views(stage, 1, 5)
    let_it_catch_up(stage, 2, *GROWN)
    count_on(stage, "7")
    write_views(stage, 2, 6)
    stage.clock.advance(DAY_MS)
    error = stage.apply(*GROWN).error
    assert isinstance(error, JobFailedError)
    assert "undo rows of all rows examined have expired" in str(error)
    assert "fp apply posts --accept-differences" in str(error)
    assert stage.deployed == old
    let_it_catch_up(stage, 3, *GROWN)
    stage.clock.advance(DAY_MS)
    assert stage.apply(*GROWN, accept_differences=True).error is None
    assert stage.deployed.generation == 3


def test_a_cut_that_is_not_kept_any_more_is_no_excuse(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cuts are kept for a week; of a rebuild that is slower a person decides."""
    write_views(stage, 1, 5)
    let_it_catch_up(stage, 2, *GROWN)
    stage.clock.advance(8 * DAY_MS)
    monkeypatch.setattr(comparison, "_before", lambda *_: None)
    assert "cannot be compared with generation 1" in str(stage.apply(*GROWN).error)


def test_a_changed_meaning_is_not_compared(stage: Stage) -> None:
    """Nor is anything where the entity is another."""
    write_views(stage, 1, 5)
    let_it_catch_up(stage, 2, *HISTORY)
    write_views(stage, 2, 6)
    assert stage.apply(*HISTORY).error is None
    assert (
        "posts: no feature has the same definition in both generations: nothing to compare"
        in stage.said
    )
