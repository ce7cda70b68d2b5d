"""New generations and resets: what is running and recorded, and what a crash leaves behind."""

from dataclasses import replace

import pytest

from feature_platform.deploy.control import delete
from feature_platform.deploy.generation import DROPPED_MS, GRACE_MS, drop_all_expired, replaced
from feature_platform.deploy.recover import ensure_running
from feature_platform.errors import FeaturePlatformError, JobFailedError, StoreUnavailableError
from tests.unit.deploy.edits import ENTITY
from tests.unit.stage import Stage

STAGES = (
    "allocate feature ids",
    "create topics",
    "create table",
    "make the new deployment the only writer",
    "submit the job",
    "wait for the first checkpoint",
    "record the deployed version",
    "stop job",
    "release the lease",
)


def crash_at(stage: Stage, text: str, *edits: tuple[str, str]) -> None:
    """Die before a stage of an incompatible change; the registry stays as it is then."""
    stage.crash_before = text
    with pytest.raises(Exception, match=r"^$"):
        stage.apply(*edits, start_empty=True)
    stage.crash_before = ""


def expiries(stage: Stage) -> list[int]:
    """Return when the generations' tables go."""
    return [item.drop_after_ms for item in stage.registry.generations("posts")]


def test_a_new_generation_begins_empty_from_the_first_event(stage: Stage) -> None:
    """It has a table and an owner of its own; the old one is stopped and kept for its grace."""
    stage.apply()
    old = stage.deployed
    stage.clock.advance(5_000)
    assert stage.apply(*ENTITY, start_empty=True).error is None
    new = stage.deployed
    assert (new.generation, new.table, new.entity) == (2, "tiles_posts_g2", "watch_ms")
    assert [feature.valid_from_ms for feature in new.features] == [0]
    assert stage.flink.running == [new.job_id]
    assert stage.flink.known[old.job_id].state == "FINISHED"
    assert (stage.flink.specs[-1].start.start, stage.flink.restored[-1]) == ("earliest", "")
    assert stage.registry.owner("posts", 2) == new.deployment
    assert stage.registry.owner("posts", 1) != old.deployment
    assert stage.tiles.tables == {"tiles_posts_g1", "tiles_posts_g2"}
    assert expiries(stage) == [stage.clock.now_ms() + GRACE_MS, 0]


def test_readers_switch_only_at_the_first_checkpoint(stage: Stage) -> None:
    """Until then the old generation is what is deployed, and its job runs."""
    stage.apply()
    old = stage.deployed
    crash_at(stage, "record the deployed version", *ENTITY)
    assert stage.deployed == old
    assert old.job_id in stage.flink.running
    assert stage.registry.owner("posts", 1) == old.deployment


def test_a_new_generation_that_fails_leaves_the_old_one_as_it_is(stage: Stage) -> None:
    """Its table goes; its number is not used again, because late writes may still come."""
    stage.apply()
    old = stage.deployed
    stage.flink.broken_sql = "GROUP BY `watch_ms`"
    error = stage.apply(*ENTITY, start_empty=True).error
    assert isinstance(error, JobFailedError)
    assert "nothing else was changed" in str(error)
    assert stage.deployed == old
    assert stage.flink.running == [old.job_id]
    assert stage.tiles.tables == {"tiles_posts_g1"}
    assert expiries(stage) == [0, DROPPED_MS]
    stage.flink.broken_sql = ""
    assert stage.apply(*ENTITY, start_empty=True).error is None
    assert stage.deployed.table == "tiles_posts_g3"


@pytest.mark.parametrize("text", STAGES)
def test_a_crash_before_any_stage_is_continued(stage: Stage, text: str) -> None:
    """In the end one job runs, two tables are there, and one of them has its time set."""
    stage.apply()
    old = stage.deployed
    crash_at(stage, text, *ENTITY)
    outcome = stage.apply(*ENTITY, start_empty=True)
    assert outcome.error is None
    new = stage.deployed
    assert (new.generation, new.state) == (2, "running")
    assert stage.flink.running == [new.job_id]
    assert len(stage.flink.specs) == 2
    assert stage.tiles.tables == {"tiles_posts_g1", "tiles_posts_g2"}
    assert expiries(stage) == [stage.clock.now_ms() + GRACE_MS, 0]
    before = replaced(stage.world, new)
    assert before is not None
    assert (before.job_id, before.state) == (old.job_id, "stopped")
    assert before.savepoint == stage.flink.checkpoints[old.job_id].path
    assert stage.registry.progress("posts") == ""
    assert stage.apply(*ENTITY).change == "none"


@pytest.mark.parametrize("text", STAGES[:7])
def test_a_crash_before_the_switch_can_be_taken_back(stage: Stage, text: str) -> None:
    """The old job went on all the time; what was begun is removed."""
    stage.apply()
    old = stage.deployed
    crash_at(stage, text, *ENTITY)
    outcome = stage.apply()
    assert outcome.error is None
    assert stage.deployed == old
    assert stage.flink.running == [old.job_id]
    assert stage.tiles.tables == {"tiles_posts_g1"}
    assert stage.registry.progress("posts") == ""
    assert stage.apply().change == "none"


def test_a_crash_followed_by_another_change_leaves_nothing_either(stage: Stage) -> None:
    """An upgrade removes what the incompatible change had begun."""
    stage.apply()
    crash_at(stage, "wait for the first checkpoint", *ENTITY)
    assert stage.apply(("action = 'view'", "action = 'play'")).error is None
    assert stage.flink.running == [stage.deployed.job_id]
    assert stage.tiles.tables == {"tiles_posts_g1"}


def test_a_generation_that_a_dead_job_has_written_is_not_begun_again(stage: Stage) -> None:
    """Its late writes would be taken for those of the new job."""
    stage.apply()
    crash_at(stage, "wait for the first checkpoint", *ENTITY)
    stage.claim(1, generation=2)
    stage.flink.fail(stage.registry.owner("posts", 2))
    assert stage.apply(*ENTITY, start_empty=True).error is None
    assert stage.tiles.tables == {"tiles_posts_g1", "tiles_posts_g3"}
    assert stage.flink.running == [stage.deployed.job_id]


def test_what_was_replaced_goes_after_its_grace(stage: Stage) -> None:
    """Any later apply drops it."""
    stage.apply()
    stage.apply(*ENTITY, start_empty=True)
    assert replaced(stage.world, stage.deployed) is not None
    stage.clock.advance(GRACE_MS)
    assert stage.apply(*ENTITY).change == "none"
    assert stage.tiles.tables == {"tiles_posts_g2"}
    assert expiries(stage) == [DROPPED_MS, 0]
    assert replaced(stage.world, stage.deployed) is None


def test_what_was_replaced_goes_without_an_apply(stage: Stage) -> None:
    """Once its time is over, not before; the deleted one's, too."""
    stage.apply()
    stage.apply(*ENTITY, start_empty=True)
    stage.clock.advance(GRACE_MS - 1)
    drop_all_expired(stage.world, stage.tell)
    assert stage.tiles.tables == {"tiles_posts_g1", "tiles_posts_g2"}
    stage.clock.advance(1)
    drop_all_expired(stage.world, stage.tell)
    assert stage.tiles.tables == {"tiles_posts_g2"}
    assert stage.said[-1] == "posts: dropped tiles_posts_g1: its grace time is over"
    delete(stage.world, "posts")
    stage.clock.advance(GRACE_MS)
    drop_all_expired(stage.world, stage.tell)
    assert stage.tiles.tables == set()
    assert expiries(stage) == [DROPPED_MS, DROPPED_MS]


def test_a_table_that_cannot_be_dropped_is_tried_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why is told; other feature sets do not wait for it."""
    stage.apply()
    others = replace(stage.deployed, featureset="others", table="tiles_others_g1")
    stage.registry.save(others)
    stage.registry.add_generation("others", 1, others.table, 1)
    stage.tiles.create_table(others.table)
    stage.registry.expire_generation("others", 1, 1)
    stage.registry.expire_generation("posts", 1, 1)
    drop = stage.tiles.drop_table

    def refuse(table: str) -> None:
        if table == others.table:
            msg = "no quorum"
            raise StoreUnavailableError(msg)
        drop(table)

    monkeypatch.setattr(stage.tiles, "drop_table", refuse)
    drop_all_expired(stage.world, stage.tell)
    assert stage.tiles.tables == {others.table}
    assert "others: tables past their grace time were not dropped: no quorum" in stage.said
    assert stage.registry.lease("others") is None  # else who starts dead jobs would wait
    monkeypatch.undo()
    drop_all_expired(stage.world, stage.tell)
    assert stage.tiles.tables == set()


def test_a_change_ends_well_though_a_table_cannot_be_dropped(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told; the lease is given back, or it would hide the new job's death."""
    stage.apply()
    stage.apply(*ENTITY, start_empty=True)
    stage.registry.expire_generation("posts", 1, 1)

    def refuse(_: str) -> None:
        msg = "no quorum"
        raise StoreUnavailableError(msg)

    monkeypatch.setattr(stage.tiles, "drop_table", refuse)
    outcome = stage.apply(*ENTITY, ("action = 'view'", "action = 'play'"))
    assert outcome.error is None
    assert "posts: tables past their grace time were not dropped: no quorum" in stage.said
    assert stage.registry.lease("posts") is None


def test_nothing_is_dropped_beside_a_change(stage: Stage) -> None:
    """A rollback may be taking the table back."""
    stage.apply()
    stage.registry.expire_generation("posts", 1, 1)
    stage.registry.take_lease("posts", "somebody", 1)
    said = list(stage.said)
    drop_all_expired(stage.world, stage.tell)
    assert stage.said == said
    assert stage.tiles.tables == {"tiles_posts_g1"}


def test_what_was_replaced_is_known_over_later_upgrades(stage: Stage) -> None:
    """It stays what one can go back to."""
    stage.apply()
    stage.apply(*ENTITY, start_empty=True)
    stage.apply(*ENTITY, ("action = 'view'", "action = 'play'"))
    before = replaced(stage.world, stage.deployed)
    assert before is not None
    assert (before.generation, before.entity, before.older) == (1, "post_id", None)


def test_a_stopped_one_can_be_replaced(stage: Stage) -> None:
    """Its savepoint stays what one could go back to."""
    stage.apply()
    old = stage.deployed
    path = stage.flink.stop_with_savepoint(old.job_id)
    stage.registry.save(replace(old, state="stopped", savepoint=path))
    assert stage.apply(*ENTITY, start_empty=True).error is None
    before = replaced(stage.world, stage.deployed)
    assert before is not None
    assert before.savepoint == path


def test_a_dead_old_job_is_no_obstacle(stage: Stage) -> None:
    """Its newest checkpoint is what one could go back to."""
    stage.apply()
    old = stage.deployed
    stage.flink.fail(old.job_id)
    assert stage.apply(*ENTITY, start_empty=True).error is None
    before = replaced(stage.world, stage.deployed)
    assert before is not None
    assert before.savepoint == stage.flink.checkpoints[old.job_id].path


def test_a_delete_ends_everything(stage: Stage) -> None:
    """Also the job that nobody has stopped after the switch."""
    stage.apply()
    crash_at(stage, "stop job", *ENTITY)
    assert len(stage.flink.running) == 2
    delete(stage.world, "posts")
    assert stage.flink.running == []
    stage.clock.advance(GRACE_MS)
    stage.apply()
    assert stage.tiles.tables == {"tiles_posts_g3"}


def test_a_switched_job_that_dies_is_revived_in_its_generation(stage: Stage) -> None:
    """Whoever revives dead jobs needs to know nothing of the one before."""
    stage.apply()
    stage.apply(*ENTITY, start_empty=True)
    stage.flink.fail(stage.deployed.job_id)
    assert ensure_running(stage.world, "posts") is True
    assert stage.deployed.generation == 2


def test_a_reset_starts_from_the_savepoint_under_another_id(stage: Stage) -> None:
    """The old id is retired; applying without the reset does nothing more."""
    stage.apply()
    stage.clock.advance(1_000)
    assert stage.apply(reset=["views"]).error is None
    new = stage.deployed
    assert new.layout.column("views").id == 2
    assert new.features[0].valid_from_ms == stage.clock.now_ms()
    assert "savepoint" in stage.flink.restored[-1]
    assert [item.retired for item in stage.registry.feature_ids("posts")] == [True, False]
    assert stage.apply().change == "none"
    assert stage.deployed == new


@pytest.mark.parametrize("text", [*STAGES[:1], *STAGES[3:7], "check that the savepoint"])
def test_a_reset_that_crashed_is_continued_once(stage: Stage, text: str) -> None:
    """Repeated, it takes the id that it has allocated, and really resets."""
    stage.apply()
    stage.crash_before = text
    with pytest.raises(Exception, match=r"^$"):
        stage.apply(reset=["views"])
    stage.crash_before = ""
    assert stage.apply(reset=["views"]).error is None
    assert stage.deployed.layout.column("views").id == 2
    assert len(stage.registry.feature_ids("posts")) == 2
    assert stage.flink.running == [stage.deployed.job_id]


@pytest.mark.parametrize("text", [*STAGES[:1], *STAGES[3:7], "check that the savepoint"])
def test_a_reset_that_crashed_can_be_taken_back(stage: Stage, text: str) -> None:
    """Without it the column goes on under its id; a later reset gets an id that nobody wrote."""
    stage.apply()
    stage.crash_before = text
    with pytest.raises(Exception, match=r"^$"):
        stage.apply(reset=["views"])
    stage.crash_before = ""
    assert stage.apply().error is None
    assert stage.deployed.layout.column("views").id == 1
    assert stage.flink.running == [stage.deployed.job_id]
    assert stage.apply(reset=["views"]).error is None
    assert stage.deployed.layout.column("views").id > 1


def test_a_reset_that_fails_leaves_the_old_id(stage: Stage) -> None:
    """The old job comes back, and the failed one's id is never used."""
    stage.apply()
    submit = stage.flink.submit
    stage.flink.refused = True
    assert isinstance(stage.apply(reset=["views"]).error, FeaturePlatformError)
    stage.flink.refused = False
    assert submit is not None
    assert stage.apply(reset=["views"]).error is None
    assert stage.deployed.layout.column("views").id == 3
