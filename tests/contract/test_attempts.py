"""What every registry promises of attempts and cuts, which jobs write as the kernel does."""

import threading
from dataclasses import replace

import cassandra
import pytest
from cassandra.query import BatchStatement

from feature_platform.errors import PlanRefusedError
from feature_platform.registry.base import Attempt, Cut, CutPart, Registry
from feature_platform.registry.cql import CqlRegistry
from feature_platform.store.connect import Connection
from tests.contract.jobs import World


def test_attempts_are_read_in_order(world: World, name: str) -> None:
    """With everything the job recorded, and the owner beside them."""
    registry, job = world
    registry.set_owner(name, 1, "one")
    made = [
        Attempt(
            attempt=number,
            execution=f"abc/{number}",
            deployment="one",
            kind="job",
            restore_point=(number - 1, 4),
            end_offsets={"t/0": 7},
            claimed_ms=number,
            base_checkpoint_id=number + 3,
            dirty_since_ms=number * 2,
            clean=number == 2,
        )
        for number in (1, 2)
    ]
    for attempt in made:
        job.add_attempt(name, 1, attempt)
    assert registry.attempts(name, 1) == made
    assert registry.owner(name, 1) == "one"
    assert registry.attempts(name, 2) == []


def sweep(target: int, checkpoint_id: int, *, deployment: str = "one") -> Attempt:
    """Make a request for an attempt."""
    return Attempt(
        attempt=0,
        execution=f"sweep/{target}/{checkpoint_id}",
        deployment=deployment,
        kind="sweep",
        restore_point=(target, checkpoint_id),
        end_offsets={"t/0": 7},
        claimed_ms=5,
        dirty_since_ms=3,
        clean=True,
    )


def test_a_claimed_attempt_is_kept_through_a_crash(world: World, name: str) -> None:
    """The same execution gets its number again, also after others came; another gets the next."""
    registry, job = world
    registry.set_owner(name, 1, "one")
    job.add_attempt(name, 1, replace(sweep(0, 0), attempt=1, execution="a job's"))
    claimed = registry.claim_attempt(name, 1, sweep(1, 4))
    assert claimed == replace(sweep(1, 4), attempt=2)
    assert registry.claim_attempt(name, 1, sweep(2, 1)).attempt == 3
    assert registry.claim_attempt(name, 1, sweep(1, 4)) == claimed
    assert [item.attempt for item in registry.attempts(name, 1)] == [1, 2, 3]


def test_only_the_owner_claims(registry: Registry, name: str) -> None:
    """Whoever was replaced must not write any more."""
    registry.set_owner(name, 1, "two")
    with pytest.raises(PlanRefusedError, match="owned by two"):
        registry.claim_attempt(name, 1, sweep(0, 0))


def test_an_epoch_that_was_passed_by_is_no_start(world: World, name: str) -> None:
    """Attempt 2 started from checkpoint 4 of attempt 1: what came after it there is abandoned."""
    registry, job = world
    registry.set_owner(name, 1, "one")
    job.add_attempt(name, 1, replace(sweep(0, 0), attempt=1))
    job.add_attempt(name, 1, replace(sweep(1, 4), attempt=2, execution="j", kind="stream"))
    with pytest.raises(PlanRefusedError, match="not in the lineage of attempt 2"):
        registry.claim_attempt(name, 1, sweep(1, 5))


def test_nothing_before_a_rewrite_is_a_start(registry: Registry, name: str) -> None:
    """A sweep leaves no undo rows of its own."""
    registry.set_owner(name, 1, "one")
    registry.claim_attempt(name, 1, replace(sweep(0, 0), execution="first"))
    with pytest.raises(PlanRefusedError, match="attempt 1 has rewritten rows"):
        registry.claim_attempt(name, 1, replace(sweep(0, 0), execution="second"))
    assert registry.claim_attempt(name, 1, sweep(1, 1)).attempt == 2


def test_attempts_claimed_at_once_get_different_numbers(admin: Connection, name: str) -> None:
    """Compare-and-set decides."""
    CqlRegistry(admin).set_owner(name, 1, "one")
    claimed: list[int] = []

    def claim(number: int) -> None:
        request = replace(sweep(0, 0), execution=f"x/{number}", kind="stream")
        claimed.append(CqlRegistry(admin).claim_attempt(name, 1, request).attempt)

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == [1, 2, 3, 4]


def test_cuts_come_newest_first(world: World, name: str) -> None:
    """Those of jobs, and those that a sweep or a backfill records itself."""
    registry, job = world
    for item in (part(8, "kernel-0"), part(8, "intake-0", p0=8), part(9, "intake-0", p0=9)):
        job.add_cut_part(name, 1, item)
    made = Cut(
        attempt=2, checkpoint_id=1, positions={"t/0": 8}, recorded_ms=70, letters={"not_json": 5}
    )
    registry.record_cut(name, 1, made)
    registry.record_cut(name, 1, made)
    assert [cut.epoch for cut in registry.cuts(name, 1)] == [(2, 1), (1, 8)]
    assert registry.last_cut(name, 1) == registry.cut(name, 1, attempt=2, checkpoint_id=1) == made


def part(checkpoint_id: int, part: str, of: int = 1, attempt: int = 1, **positions: int) -> CutPart:
    """Make a part of a cut of topic `t`; `p0=5` is position 5 of partition 0."""
    written = {f"t/{key[1:]}": offset for key, offset in positions.items()}
    return CutPart(
        attempt=attempt,
        checkpoint_id=checkpoint_id,
        part=part,
        of=of,
        positions=written,
        recorded_ms=checkpoint_id * 10,
    )


def test_a_cut_is_complete_when_all_subtasks_of_both_operators_recorded(
    world: World, name: str
) -> None:
    """Each operator has a parallelism of its own; positions of the intake's subtasks are joined."""
    registry, job = world
    for item in (
        part(3, "kernel-0", of=2),
        part(3, "kernel-1", of=2),
        part(3, "intake-0", of=2, p0=5),
    ):
        job.add_cut_part(name, 1, item)
    assert registry.last_cut(name, 1) is None
    job.add_cut_part(name, 1, part(3, "intake-1", of=2, p1=6, p2=0))
    assert registry.last_cut(name, 1) == Cut(
        attempt=1, checkpoint_id=3, positions={"t/0": 5, "t/1": 6, "t/2": 0}, recorded_ms=30
    )


def test_refused_events_of_all_subtasks_add_up(world: World, name: str) -> None:
    """Each counts its own; after a rescale several may hold parts of one reason."""
    registry, job = world
    intake = part(4, "intake-0", of=2)
    job.add_cut_part(name, 1, part(4, "kernel-0"))
    job.add_cut_part(name, 1, replace(intake, letters={"not_json": 2, "_lost": 1}))
    other = replace(intake, part="intake-1", letters={"not_json": 3, "bad_text": 1})
    job.add_cut_part(name, 1, other)
    cut = registry.last_cut(name, 1)
    assert cut is not None
    assert cut.letters == {"not_json": 5, "_lost": 1, "bad_text": 1}


def test_the_newest_complete_cut_counts(world: World, name: str) -> None:
    """A newer incomplete one is skipped; a later attempt is newer whatever its checkpoint id."""
    registry, job = world
    for item in (
        part(8, "kernel-0"),
        part(8, "intake-0", p0=8),
        part(2, "kernel-0", attempt=2),
        part(2, "intake-0", attempt=2, p0=9),
        part(3, "kernel-0", attempt=2),
    ):
        job.add_cut_part(name, 1, item)
    assert registry.last_cut(name, 1) == Cut(
        attempt=2, checkpoint_id=2, positions={"t/0": 9}, recorded_ms=20
    )


def test_the_cut_of_one_epoch_is_found(world: World, name: str) -> None:
    """It is what an attempt started from, however many came after it; an incomplete one is none."""
    registry, job = world
    for item in (
        part(8, "kernel-0"),
        part(8, "intake-0", p0=8),
        part(9, "kernel-0"),
        part(9, "intake-0", p0=9),
        part(10, "kernel-0"),
    ):
        job.add_cut_part(name, 1, item)
    cut = registry.cut(name, 1, attempt=1, checkpoint_id=8)
    assert cut is not None
    assert cut.positions == {"t/0": 8}
    assert registry.cut(name, 1, attempt=1, checkpoint_id=10) is None


def test_many_incomplete_cuts_are_passed_by(world: World, name: str) -> None:
    """The newest complete one is found behind more rows than a page holds."""
    registry, job = world
    job.add_cut_part(name, 1, part(1, "kernel-0"))
    job.add_cut_part(name, 1, part(1, "intake-0", p0=1))
    for checkpoint_id in range(2, 302):
        job.add_cut_part(name, 1, part(checkpoint_id, "kernel-0"))
    cut = registry.last_cut(name, 1)
    assert cut is not None
    assert cut.checkpoint_id == 1


def test_what_was_applied_without_an_answer_is_applied_once(
    admin: Connection, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy store may answer too late that a condition held; the second try sees it."""
    registry, session = CqlRegistry(admin), admin._session
    execute, asked = session.execute, list[str]()

    def applied_without_an_answer(statement: object, *values: object) -> object:
        answer = execute(statement, *values)
        asked.append(str(statement))
        conditional = " IF " in str(statement) or isinstance(statement, BatchStatement)
        if conditional and asked.count(str(statement)) % 2:
            raise cassandra.OperationTimedOut
        return answer

    monkeypatch.setattr(session, "execute", applied_without_an_answer)
    assert registry.take_lease(name, "a", 1).holder == "a"
    registry.set_owner(name, 1, "one")
    assert registry.claim_attempt(name, 1, replace(sweep(0, 0), kind="stream")).attempt == 1
    assert registry.owner(name, 1) == "one"
    assert [item.attempt for item in registry.attempts(name, 1)] == [1]
    registry.release_lease(name, "a")
    assert registry.lease(name) is None
