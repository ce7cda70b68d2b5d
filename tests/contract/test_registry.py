"""What every registry promises; attempts and cuts are written as the kernel writes them."""

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import pytest

from feature_platform.clock import SystemClock
from feature_platform.errors import LeaseHeldError
from feature_platform.plan.ids import ColumnKey
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.base import Attempt, Cut, CutPart, Registry
from feature_platform.registry.cql import CqlRegistry
from feature_platform.registry.memory import MemoryRegistry
from feature_platform.settings import Role
from feature_platform.store.connect import Connection
from feature_platform.tiles.grid import Grid
from feature_platform.tiles.layout import Kind, Layout


class Job(Protocol):
    """What a job writes."""

    def add_attempt(self, name: str, generation: int, attempt: Attempt) -> None:
        """Note a start."""
        ...

    def add_cut_part(self, name: str, generation: int, part: CutPart) -> None:
        """Note a part of a cut."""
        ...


class CqlJob:
    """Writes attempts and cuts with the kernel's statements."""

    def __init__(self, connection: Connection) -> None:
        """Use the job's session."""
        self._connection = connection

    def add_attempt(self, name: str, generation: int, attempt: Attempt) -> None:
        """Note a start."""
        self._connection.run(
            f"INSERT INTO {self._connection.keyspace}.attempts (featureset, generation, attempt, "
            "execution, deployment, kind, r_attempt, r_label, end_offsets, claimed_ms) "
            "VALUES (?,?,?,?,?,?,?,?,?,?) IF NOT EXISTS",
            (
                *(
                    name,
                    generation,
                    attempt.attempt,
                    attempt.execution,
                    attempt.deployment,
                    attempt.kind,
                ),
                *(
                    attempt.r_attempt,
                    attempt.r_label,
                    json.dumps(attempt.end_offsets),
                    attempt.claimed_ms,
                ),
            ),
        )

    def add_cut_part(self, name: str, generation: int, part: CutPart) -> None:
        """Note a part of a cut."""
        positions = json.dumps(part.positions) if part.positions else None
        self._connection.run(
            f"INSERT INTO {self._connection.keyspace}.cuts (featureset, generation, attempt, "
            'label, part, "of", positions, recorded_ms) VALUES (?,?,?,?,?,?,?,?)',
            (
                name,
                generation,
                part.attempt,
                part.label,
                part.part,
                part.of,
                positions,
                part.recorded_ms,
            ),
        )


World = tuple[Registry, Job]


@pytest.fixture(params=["memory", "cassandra"])
def world(request: pytest.FixtureRequest) -> World:
    """Each implementation in turn, with a job beside it."""
    if request.param == "memory":
        memory = MemoryRegistry(SystemClock())
        return memory, memory
    admin: Connection = request.getfixturevalue("admin")
    login: Callable[[Role], Connection] = request.getfixturevalue("login")
    return CqlRegistry(admin), CqlJob(login("job"))


@pytest.fixture
def registry(world: World) -> Registry:
    """The registry alone."""
    return world[0]


def column(name: str, kind: Kind = "count", scale: int = 0) -> ColumnKey:
    """Make a column's key."""
    return ColumnKey(name=name, kind=kind, carrier="int", scale=scale)


def snapshot(name: str) -> Snapshot:
    """Make a small snapshot."""
    return Snapshot(
        featureset=name,
        generation=1,
        table=f"tiles_{name}_g1",
        entity="post_id",
        source="post_events",
        topic="post_events",
        layout=Layout(grid=Grid.of(), retention_ms=(0,) * 6, columns=()),
        features=(),
        flink_sql="SELECT 1",
        data_fingerprint="d",
        metadata_fingerprint="m",
        deployment="one",
        job_id="",
        savepoint="",
        state="running",
        parallelism=1,
        deployed_ms=5,
        definition={"featureset": name, "ü": [1, {"a": None}]},
    )


def test_a_snapshot_comes_back_as_it_was_saved(registry: Registry, name: str) -> None:
    """Also through JSON, and the newest one wins."""
    registry.save(snapshot(name))
    saved = replace(snapshot(name), state="stopped", savepoint="/s")
    registry.save(saved)
    assert registry.snapshot(name) == saved
    assert saved in registry.snapshots()


def test_an_unknown_or_deleted_feature_set_has_no_snapshot(registry: Registry, name: str) -> None:
    """Readers answer "unknown feature" for both."""
    assert registry.snapshot(name) is None
    registry.save(replace(snapshot(name), state="deleted"))
    assert registry.snapshot(name) is None
    assert name not in [item.featureset for item in registry.snapshots()]


def test_ids_are_allocated_once(registry: Registry, name: str) -> None:
    """`_events` is 0, the others count from 1, and asking again gives the same."""
    columns = [column("_events"), column("views"), column("likes")]
    first = registry.allocate_ids(name, columns)
    assert first == {"_events": 0, "views": 1, "likes": 2}
    assert registry.allocate_ids(name, columns) == first


@pytest.mark.parametrize(
    "changed",
    [
        column("views", kind="sum"),
        column("views", scale=2),
        replace(column("views"), carrier="real"),
    ],
)
def test_another_kind_or_scale_or_carrier_is_another_id(
    registry: Registry, name: str, changed: ColumnKey
) -> None:
    """The old counts do not fit the new meaning."""
    registry.allocate_ids(name, [column("views"), column("likes")])
    assert registry.allocate_ids(name, [changed, column("likes")]) == {"views": 3, "likes": 2}


def test_a_column_that_comes_back_gets_a_new_id(registry: Registry, name: str) -> None:
    """A retired id has a hole in its counts."""
    registry.allocate_ids(name, [column("views"), column("likes")])
    registry.retire_ids(name, keep=frozenset({0, 2}))
    assert registry.allocate_ids(name, [column("views"), column("likes")]) == {
        "views": 3,
        "likes": 2,
    }
    assert [item.id for item in registry.feature_ids(name) if item.retired] == [1]


def test_ids_of_two_feature_sets_are_apart(registry: Registry, name: str) -> None:
    """Each counts from 1."""
    registry.allocate_ids(name, [column("views")])
    assert registry.allocate_ids(f"{name}b", [column("likes")]) == {"likes": 1}


def test_processes_that_allocate_at_once_agree(admin: Connection, name: str) -> None:
    """Compare-and-set lets one of them go first; nobody gets an id twice."""
    answers: list[dict[str, int]] = []

    def allocate(number: int) -> None:
        columns = [column("shared"), column(f"own_{number}")]
        answers.append(CqlRegistry(admin).allocate_ids(name, columns))

    threads = [threading.Thread(target=allocate, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({answer["shared"] for answer in answers}) == 1
    ids = [item.id for item in CqlRegistry(admin).feature_ids(name)]
    assert ids == [1, 2, 3, 4, 5]


def test_generations_are_kept_for_ever(registry: Registry, name: str) -> None:
    """A number is never used again; what was noted first stays."""
    registry.add_generation(name, 1, "tiles_a_g1", 10)
    registry.add_generation(name, 1, "tiles_b_g1", 20)
    registry.add_generation(name, 2, "tiles_a_g2", 30)
    registry.expire_generation(name, 1, 99)
    known = [
        (item.generation, item.table, item.created_ms, item.drop_after_ms)
        for item in registry.generations(name)
    ]
    assert known == [(1, "tiles_a_g1", 10, 99), (2, "tiles_a_g2", 30, 0)]


def test_the_owner_of_a_generation_changes(registry: Registry, name: str) -> None:
    """Nobody owns a new one; the last one named does."""
    assert registry.owner(name, 1) == ""
    registry.set_owner(name, 1, "one")
    registry.set_owner(name, 1, "two")
    assert registry.owner(name, 1) == "two"
    assert registry.attempts(name, 1) == []


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
            r_attempt=number - 1,
            r_label=4,
            end_offsets={"t/0": 7},
            claimed_ms=number,
        )
        for number in (1, 2)
    ]
    for attempt in made:
        job.add_attempt(name, 1, attempt)
    assert registry.attempts(name, 1) == made
    assert registry.owner(name, 1) == "one"
    assert registry.attempts(name, 2) == []


def part(label: int, part: str, of: int = 1, attempt: int = 1, **positions: int) -> CutPart:
    """Make a part of a cut of topic `t`; `p0=5` is position 5 of partition 0."""
    written = {f"t/{key[1:]}": offset for key, offset in positions.items()}
    return CutPart(
        attempt=attempt, label=label, part=part, of=of, positions=written, recorded_ms=label * 10
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
        attempt=1, label=3, positions={"t/0": 5, "t/1": 6, "t/2": 0}, recorded_ms=30
    )


def test_the_newest_complete_cut_counts(world: World, name: str) -> None:
    """A newer incomplete one is passed by; a later attempt is newer whatever its label."""
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
        attempt=2, label=2, positions={"t/0": 9}, recorded_ms=20
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
    cut = registry.cut(name, 1, attempt=1, label=8)
    assert cut is not None
    assert cut.positions == {"t/0": 8}
    assert registry.cut(name, 1, attempt=1, label=10) is None


def test_many_incomplete_cuts_are_passed_by(world: World, name: str) -> None:
    """The newest complete one is found behind more rows than a page holds."""
    registry, job = world
    job.add_cut_part(name, 1, part(1, "kernel-0"))
    job.add_cut_part(name, 1, part(1, "intake-0", p0=1))
    for label in range(2, 302):
        job.add_cut_part(name, 1, part(label, "kernel-0"))
    cut = registry.last_cut(name, 1)
    assert cut is not None
    assert cut.label == 1


def test_a_lease_keeps_others_out(registry: Registry, name: str) -> None:
    """The refusal names the holder and since when; the holder itself may renew."""
    registry.take_lease(name, "fp apply on a", 1_000)
    assert registry.take_lease(name, "fp apply on a", 9_000).since_ms == 1_000
    with pytest.raises(LeaseHeldError, match=r"fp apply on a since 1970-01-01T00:00:01Z"):
        registry.take_lease(name, "fp apply on b", 2_000)


def test_a_released_lease_is_free(registry: Registry, name: str) -> None:
    """Releasing what another holds is harmless."""
    registry.take_lease(name, "a", 1)
    registry.release_lease(name, "b")
    held = registry.lease(name)
    assert held is not None
    registry.release_lease(name, "a")
    assert registry.lease(name) is None
    assert registry.take_lease(name, "b", 2).holder == "b"


def test_progress_is_kept_and_ended(registry: Registry, name: str) -> None:
    """A crashed apply finds where it was."""
    assert registry.progress(name) == ""
    registry.save_progress(name, '{"stage": 3}')
    assert registry.progress(name) == '{"stage": 3}'
    registry.save_progress(name, "")
    assert registry.progress(name) == ""
