"""What the job holds, beside what its events up to the checkpoint say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from feature_platform.checks.scope import Scope
from feature_platform.clock import to_iso
from feature_platform.debug.live import TIMEOUT_S, Fresh, fresh_checkpoint
from feature_platform.debug.report import Link
from feature_platform.debug.state_link import TRIES, Held, state_link
from feature_platform.engines.flink import Checkpoint, FlinkJob
from feature_platform.errors import CheckpointGoneError, JobFailedError
from feature_platform.plan.snapshot import Snapshot, Stop
from feature_platform.registry.base import Cut
from tests.unit.debug.debug_case import MINUTE_MS, NOW_MS, accounted, record, snapshot
from tests.unit.debug.test_job_link import FIRST, attempt
from tests.unit.stage import Stage, empty_stage

DEPLOYED = replace(snapshot(), deployment="first", job_id="first")
TTL_MS = DEPLOYED.job.settings.state_ttl_ms
WHOLE = accounted([record(1), record(2), record(3)])
ALL = Held(ends={0: 4})
"""Nothing came while the events were read."""
GONE = CheckpointGoneError("checkpoint chk-5 is gone")


def head(*offsets: int) -> bytes:
    """Return the head of some of the events."""
    made = accounted([record(each) for each in offsets]).oracle.entity("7")
    assert made is not None
    return made.head


@dataclass
class Checkpoints:
    """What checkpoints hold. Mutable: it remembers which were read."""

    heads: Mapping[str, bytes]
    gone: int = 0
    """How many reads find none."""
    read: list[str] = field(default_factory=list)

    def __call__(self, path: str, entities: Sequence[str], ttl_ms: int) -> Mapping[str, bytes]:
        """Read one."""
        assert (list(entities), ttl_ms) == (["7"], TTL_MS)
        self.read.append(path)
        if len(self.read) <= self.gone:
            raise GONE
        return self.heads


@pytest.fixture(name="stage")
def _stage(tmp_path: Path) -> Stage:
    made = empty_stage(tmp_path)
    made.clock.set(NOW_MS)
    made.registry.set_owner("users", 1, "first")
    made.registry.claim_attempt("users", 1, FIRST)
    cut = Cut(attempt=1, checkpoint_id=5, positions={"posts/0": 4}, recorded_ms=NOW_MS - 5_000)
    made.registry.record_cut("users", 1, cut)
    made.flink.known["first"] = FlinkJob(id="first", name="users_g1", state="RUNNING", started_ms=1)
    made.flink.checkpoints["first"] = Checkpoint(
        id=5, completed_ms=NOW_MS, bytes=1, path="file:/first/chk-5", is_savepoint=False
    )
    return made


def found(
    stage: Stage, checkpoints: Checkpoints, held: Held = ALL, deployed: Snapshot = DEPLOYED
) -> Link:
    """Return what is said."""
    scope = Scope.of(DEPLOYED, NOW_MS, None, 0)
    return state_link(stage.world, deployed, WHOLE, scope, checkpoints, held)


def test_a_head_as_the_events_say(stage: Stage) -> None:
    """It is compared as of the checkpoint's own cut."""
    link = found(stage, Checkpoints({"7": head(1, 2, 3)}))
    assert link.state == "fine"
    assert "in checkpoint 5 of" in link.summary


def test_a_head_that_lacks_an_event(stage: Stage) -> None:
    """It is explained as a row would be."""
    link = found(stage, Checkpoints({"7": head(1, 3)}))
    assert link.state == "wrong"
    assert "as if event 0/2 of " in link.summary


def test_a_checkpoint_that_was_made_while_events_were_read(stage: Stage) -> None:
    """It may have counted events that were not read: nobody knows."""
    link = found(stage, Checkpoints({"7": head(1, 3)}), Held(ends={0: 3}))
    assert link.state == "unknown"
    assert "checkpoint 5 was made while the events were read: run this again" in link.summary
    assert found(stage, Checkpoints({"7": head(1, 2, 3)}), Held(ends={0: 3})).state == "fine"


def test_an_entity_whose_time_is_over(stage: Stage) -> None:
    """Its last event came longer ago than the state is kept."""
    last_ms = NOW_MS - MINUTE_MS
    stage.clock.set(last_ms + TTL_MS)
    link = found(stage, Checkpoints({}))
    assert link.state == "fine"
    assert link.summary == (
        "the job does not hold it any more in checkpoint 5: its last event up to then came "
        f"{to_iso(last_ms)}, longer ago than settings.state_ttl (2h); its next event brings its "
        "row back from the store"
    )


def test_an_entity_that_is_missing_and_cannot_have_expired(stage: Stage) -> None:
    """After a start from the store it is so until its next event."""
    stage.clock.set(NOW_MS - MINUTE_MS + TTL_MS - 1)
    link = found(stage, Checkpoints({}))
    assert link.state == "note"
    assert "after a start from the store" in link.summary


def test_an_entity_without_events(stage: Stage) -> None:
    """There is nothing to be held."""
    scope = Scope.of(DEPLOYED, NOW_MS, None, 0)
    link = state_link(stage.world, DEPLOYED, accounted([]), scope, _of_nobody, ALL)
    assert link.state == "fine"
    assert "nothing of it in checkpoint 5: it had no events up to then" in link.summary


def _of_nobody(path: str, entities: Sequence[str], ttl_ms: int) -> Mapping[str, bytes]:
    assert path
    assert entities
    assert ttl_ms
    return {}


def test_a_checkpoint_that_is_gone(stage: Stage) -> None:
    """A newer one is read instead; at last it is said."""
    checkpoints = Checkpoints({"7": head(1, 2, 3)}, gone=TRIES - 1)
    assert found(stage, checkpoints).state == "fine"
    assert checkpoints.read == ["file:/first/chk-5"] * TRIES
    link = found(stage, Checkpoints({}, gone=TRIES))
    assert (link.state, link.summary) == ("unknown", str(GONE))
    assert "fp recover users --from store" in link.next_step


def test_no_checkpoint_at_all(stage: Stage) -> None:
    """There is nothing to be read."""
    stage.flink.checkpoints.clear()
    link = found(stage, Checkpoints({}))
    assert link.state == "unknown"
    assert link.summary == "there is no checkpoint or savepoint to be read"


def test_a_checkpoint_that_was_asked_for(stage: Stage) -> None:
    """It is read first, although Flink has a newer one by then, and how long it took is said."""
    newer = replace(stage.flink.checkpoints["first"], id=6, path="file:/first/chk-6")
    stage.flink.checkpoints["first"] = newer
    checkpoints = Checkpoints({"7": head(1, 2, 3)})
    fresh = Fresh(path="file:/first/chk-5/", took_ms=1_234)
    link = found(stage, checkpoints, replace(ALL, fresh=fresh))
    assert checkpoints.read == ["file:/first/chk-5/"]
    assert link.state == "fine"
    assert link.details == ("the job was asked for it and took 1,234 ms",)
    link = found(stage, checkpoints, replace(ALL, fresh="it is not running"))
    assert (link.state, link.summary) == ("unknown", "it is not running")


def test_another_checkpoint_than_the_one_that_was_asked_for(stage: Stage) -> None:
    """Nothing is said of how long it took."""
    checkpoints = Checkpoints({"7": head(1, 2, 3)}, gone=1)
    fresh = Fresh(path="file:/first/chk-4", took_ms=1_234)
    link = found(stage, checkpoints, replace(ALL, fresh=fresh))
    assert checkpoints.read == ["file:/first/chk-4", "file:/first/chk-5"]
    assert (link.state, link.details) == ("fine", ())


def test_a_checkpoint_of_before_a_restart(stage: Stage) -> None:
    """Flink has restarted the job, whose new attempt has made none yet."""
    restarted = replace(attempt(2, "first", (1, 5)), base_checkpoint_id=5)
    stage.registry.claim_attempt("users", 1, restarted)
    link = found(stage, Checkpoints({"7": head(1, 2, 3)}))
    assert link.state == "fine"
    assert "in checkpoint 5 of" in link.summary


@pytest.mark.parametrize("remembered", [True, False])
def test_a_savepoint(stage: Stage, remembered: bool) -> None:
    """Its name has no number: Flink knows it; or has forgotten it, and the stop has noted it."""
    path = "file:/savepoints/savepoint-first-0123"
    made = stage.flink.checkpoints["first"]
    stage.flink.checkpoints["first"] = (
        replace(made, path=path, is_savepoint=True)
        if remembered
        else replace(made, id=4, path="file:/first/chk-4")
    )
    stop = Stop(path=path, attempt=1, checkpoint_id=5, taken_ms=NOW_MS, clean=True)
    stopped = replace(DEPLOYED, savepoint=path, stop=None if remembered else stop)
    checkpoints = Checkpoints({"7": head(1, 2, 3)})
    link = found(stage, checkpoints, deployed=stopped)
    assert checkpoints.read == [path]
    assert link.state == "fine"
    assert "in checkpoint 5 of" in link.summary


def test_a_checkpoint_whose_cut_is_not_recorded(stage: Stage) -> None:
    """It cannot be compared, whether it holds the entity or not."""
    stage.flink.checkpoints["first"] = replace(
        stage.flink.checkpoints["first"], id=6, path="file:/first/chk-6"
    )
    for heads in ({"7": head(1)}, {}):
        link = found(stage, Checkpoints(heads))
        assert link.state == "unknown"
        assert "in file:/first/chk-6, whose cut is not recorded" in link.summary


def test_a_running_job_is_asked_and_goes_on(stage: Stage) -> None:
    """Its newest checkpoint is another one then."""
    stage.flink.checkpoints["other"] = stage.flink.checkpoints["first"]
    stage.flink.checkpoints["first"] = replace(stage.flink.checkpoints["first"], id=2)
    made = fresh_checkpoint(stage.world, DEPLOYED)
    assert made.path.endswith("/chk-3")
    assert stage.flink.known["first"].lives


def test_a_job_that_makes_no_checkpoint(stage: Stage) -> None:
    """One that has ended is not asked; one that makes none is waited for until the limit."""
    stage.flink.checkpoints["first"] = replace(stage.flink.checkpoints["first"], id=9)
    with pytest.raises(JobFailedError, match=f"made no checkpoint within {TIMEOUT_S:.0f} s"):
        fresh_checkpoint(stage.world, DEPLOYED)
    stage.flink.cancel("first")
    with pytest.raises(JobFailedError, match="first is CANCELED: only a running job makes"):
        fresh_checkpoint(stage.world, DEPLOYED)
