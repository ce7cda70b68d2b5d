"""What every registry promises; attempts and cuts are in `test_attempts`."""

import threading
from dataclasses import replace

import pytest

from feature_platform.errors import LeaseHeldError
from feature_platform.plan.ids import ColumnKey
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.base import Cut, Registry
from feature_platform.registry.cql import CqlRegistry
from feature_platform.store.connect import Connection
from feature_platform.tiles.grid import Grid
from feature_platform.tiles.layout import Kind, Layout
from tests.unit.engines.spec import SPEC


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
        job=replace(SPEC.job, featureset=name),
        definition={"featureset": name, "ü": [1, {"a": None}]},
    )


def test_a_snapshot_comes_back_as_it_was_saved(registry: Registry, name: str) -> None:
    """Also through JSON, and the newest one wins."""
    registry.save(snapshot(name))
    saved = replace(snapshot(name), state="stopped", savepoint="/s")
    registry.save(saved)
    assert registry.snapshot(name) == saved
    assert saved in registry.snapshots()


def test_who_asks_again_sees_what_changed_and_what_did_not(registry: Registry, name: str) -> None:
    """A registry that remembers what it has read forgets what is changed, back again, and gone."""
    first, second = snapshot(name), replace(snapshot(name), state="stopped")
    for saved in (first, first, second, first):
        registry.save(saved)
        assert [item for item in registry.snapshots() if item.featureset == name] == [saved]
    registry.save(replace(first, state="deleted"))
    assert name not in [item.featureset for item in registry.snapshots()]


def test_an_unknown_or_deleted_feature_set_has_no_snapshot(registry: Registry, name: str) -> None:
    """Readers answer "unknown feature" for both."""
    assert registry.snapshot(name) is None
    registry.save(replace(snapshot(name), state="deleted"))
    assert registry.snapshot(name) is None
    assert name not in [item.featureset for item in registry.snapshots()]
    assert name in registry.names()


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


def test_retired_ids_come_back_with_a_rollback(registry: Registry, name: str) -> None:
    """The rows are as they were, so the column has no hole."""
    registry.allocate_ids(name, [column("views"), column("likes")])
    registry.retire_ids(name, keep=frozenset())
    registry.revive_ids(name, frozenset({1}))
    assert registry.allocate_ids(name, [column("views"), column("likes")]) == {
        "views": 1,
        "likes": 3,
    }


def test_a_reset_is_allocated_once(registry: Registry, name: str) -> None:
    """Repeated, it is the same id; without the reset, the deployed one."""
    columns = [column("views"), column("likes")]
    registry.allocate_ids(name, columns)
    reset = registry.allocate_ids(name, columns, deployed=[1, 2], reset=["views"])
    assert reset == {"views": 3, "likes": 2}
    assert registry.allocate_ids(name, columns, deployed=[1, 2], reset=["views"]) == reset
    assert registry.allocate_ids(name, columns, deployed=[1, 2]) == {"views": 1, "likes": 2}


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


def test_what_is_under_way_is_known_without_a_name(registry: Registry, name: str) -> None:
    """A first deployment has no snapshot yet: leases and begun deployments name it."""
    registry.take_lease(name, "a", 1)
    registry.save_progress(name, "{}")
    assert [lease.holder for lease in registry.leases() if lease.name == name] == ["a"]
    assert name in registry.begun()
    registry.release_lease(name, "a")
    registry.save_progress(name, "")
    assert name not in [lease.name for lease in registry.leases()]
    assert name not in registry.begun()


def test_a_trial_is_forgotten_and_may_begin_again(registry: Registry, name: str) -> None:
    """Nothing of it is left; what is known of the feature set stays, and cannot be forgotten."""
    trial = f"{name}.try"
    for known, generation in ((name, 1), (trial, 7), (trial, 8)):
        registry.add_generation(known, generation, f"t{generation}", 10)
        registry.set_owner(known, generation, "one")
        cut = Cut(attempt=1, checkpoint_id=1, positions={"t/0": 1}, recorded_ms=1)
        registry.record_cut(known, generation, cut)
        registry.save_progress(known, "begun")
    registry.forget(trial)
    assert (registry.generations(trial), registry.progress(trial)) == ([], "")
    assert [registry.owner(trial, number) for number in (7, 8)] == ["", ""]
    assert [registry.last_cut(trial, number) for number in (7, 8)] == [None, None]
    assert registry.owner(name, 1) == "one"
    with pytest.raises(ValueError, match="is not a shadow run"):
        registry.forget(name)
    registry.add_generation(trial, 9, "t9", 10)
    registry.set_owner(trial, 9, "two")
    assert registry.owner(trial, 9) == "two"
