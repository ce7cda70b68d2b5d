"""A rebuild with history, killed before everything that it does to the world, and continued."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from feature_platform.deploy.generation import GRACE_MS, drop_all_expired, replaced
from feature_platform.errors import StoreUnavailableError
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.base import LEASE_TTL_S
from feature_platform.serving import FeatureClient
from tests.unit.deploy.test_rebuild import GROWN, write_views
from tests.unit.stage import CrashError, Stage

EFFECTS = frozenset(
    {
        *("save", "allocate_ids", "retire_ids", "revive_ids", "add_generation", "set_owner"),
        *("expire_generation", "claim_attempt", "record_cut", "save_progress"),
        *("take_lease", "release_lease", "create", "create_table", "drop_table", "prepare"),
        *("backfill", "submit", "trigger_checkpoint", "stop_with_savepoint", "cancel"),
    }
)
"""What a rebuild does to the world; looking is not among it."""


@dataclass
class Life:
    """Of one process: ends before its n-th effect. Mutable: a dead one has no effect any more."""

    left: int
    effects: int = 0

    def spend(self) -> None:
        """Die if it is time to."""
        if self.left == 0:
            raise CrashError
        self.left -= 1
        self.effects += 1


class Mortal:
    """Something that a process uses for as long as it lives."""

    def __init__(self, thing: object, life: Life) -> None:
        """Stand in front of it."""
        self._thing, self._life = thing, life

    def __getattr__(self, name: str) -> object:
        """Count what has an effect."""
        found = getattr(self._thing, name)
        if name not in EFFECTS:
            return found

        def act(*given: object, **named: object) -> object:
            self._life.spend()
            return found(*given, **named)

        return act


@pytest.fixture
def stage(stage: Stage) -> Stage:
    """A feature set that has read nine events; whatever job is started next reads them, too."""
    stage.topics.ends = {"post_events/0": 9}
    stage.apply()
    stage.run_to(1, 1, p0=9)
    write_views(stage, 1, 5)
    stage.flink.on_submit = lambda: catch_up(stage)
    return stage


def catch_up(stage: Stage) -> None:
    """Let the job that was just submitted claim the next attempt, and read to the end."""
    spec = stage.flink.specs[-1]
    generation, start = spec.generation, spec.start
    assert stage.registry.owner("posts", generation) == spec.deployment
    last = stage.registry.attempts("posts", generation)[-1]
    ends = {"post_events/0": 9}
    stage.claim(last.attempt + 1, start.restore_point, generation=generation, end_offsets=ends)
    stage.cut(last.attempt + 1, 5, generation=generation, p0=9)
    write_views(stage, generation, 5)


def rebuild(stage: Stage, lives: int = 10_000) -> Life:
    """Apply in a process that dies before its n-th effect; the next one comes when it is gone."""
    life, world = Life(lives), stage.world
    mortal: Any = {
        name: Mortal(getattr(world, name), life)
        for name in ("registry", "tables", "topics", "cluster", "submitter", "backfiller")
    }
    stage.world = replace(world, **mortal)
    try:
        outcome = stage.apply(*GROWN)
    except CrashError:
        stage.clock.advance(LEASE_TTL_S * 1000)
    else:
        assert outcome.error is None
    stage.world = world
    return life


def assert_rebuilt(stage: Stage, old: Snapshot) -> None:
    """Make sure that all is as if nobody had been killed."""
    new, registry = stage.deployed, stage.registry
    assert (new.generation, new.state) == (2, "running")
    assert stage.flink.running == [new.job_id]
    assert stage.tiles.tables == {"tiles_posts_g1", "tiles_posts_g2"}
    assert [item.kind for item in registry.attempts("posts", 2)] == ["backfill", "stream"]
    assert {(task.attempt, task.until["post_events/0"]) for task in stage.backfiller.done} == {
        (1, 9)
    }
    assert registry.owner("posts", 2) == new.deployment
    old_one, new_one = registry.generations("posts")
    assert 0 < old_one.drop_after_ms <= stage.clock.now_ms() + GRACE_MS
    assert new_one.drop_after_ms == 0
    before = replaced(stage.world, new)
    assert before is not None
    assert (before.job_id, before.state) == (old.job_id, "stopped")
    assert before.savepoint == stage.flink.checkpoints[old.job_id].path
    assert registry.progress("posts") == ""
    assert stage.apply(*GROWN).change == "none"


WHOLE = 23
"""How many effects a rebuild has that nobody kills."""


def test_every_effect_of_a_rebuild_is_killed_before(stage: Stage) -> None:
    """So the tests below miss none."""
    old = stage.deployed
    assert rebuild(stage).effects == WHOLE
    assert_rebuilt(stage, old)


@pytest.mark.parametrize("effects", range(WHOLE))
@pytest.mark.parametrize("again", [False, True])
def test_a_rebuild_that_was_killed_is_continued(stage: Stage, effects: int, *, again: bool) -> None:
    """Whatever it had done; also if the next one is killed half way through the rest."""
    old = stage.deployed
    rebuild(stage, effects)
    if stage.deployed == old:
        assert old.job_id in stage.flink.running
    if again:
        rebuild(stage, (WHOLE - effects) // 2)
    rebuild(stage)
    assert_rebuilt(stage, old)


def test_a_reader_held_over_the_switch_answers_until_the_grace_ends(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the old rows if it cannot learn of the new ones; it is never told a wrong number."""
    client = FeatureClient(stage.tiles, stage.registry, clock=stage.clock)
    held = client.prepare(["posts.views_lifetime"])
    assert held.get(["7"]).values.tolist() == [[5]]
    rebuild(stage)
    write_views(stage, 1, 4, attempt=9)  # so that one sees which rows are read
    assert held.get(["7"]).values.tolist() == [[4]]
    monkeypatch.setattr(stage.registry, "snapshots", unavailable)
    stage.clock.advance(GRACE_MS - 1)
    drop_all_expired(stage.world, stage.tell)
    assert held.get(["7"]).values.tolist() == [[4]]
    stage.clock.advance(1)
    drop_all_expired(stage.world, stage.tell)
    assert held.get(["7"]).status == ("unavailable",)
    monkeypatch.undo()
    stage.clock.advance(5_000)
    assert held.get(["7"]).values.tolist() == [[5]]


def unavailable() -> list[Snapshot]:
    """Fail as a registry that does not answer."""
    msg = "the store does not answer"
    raise StoreUnavailableError(msg)
