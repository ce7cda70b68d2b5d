"""The shipped fake: the registry of one process."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from feature_platform.clock import Clock, to_iso
from feature_platform.definition.feature_list import FeatureList
from feature_platform.errors import LeaseHeldError
from feature_platform.plan.ids import ColumnKey, FeatureId, assign_ids
from feature_platform.plan.lists import StoredList
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.base import (
    LEASE_TTL_S,
    Attempt,
    Cut,
    CutPart,
    Generation,
    Lease,
    check_is_trial,
    complete_cuts,
    parts_of,
)
from feature_platform.registry.claim import next_attempt
from feature_platform.registry.lists import check_version
from feature_platform.registry.watches import Mode, Watch, changed_meanwhile, next_watch


class MemoryRegistry:
    """What is deployed, in dicts. Mutable; for tests and notebooks."""

    def __init__(self, clock: Clock) -> None:
        """Start empty; the clock decides when leases run out."""
        self._clock = clock
        self._snapshots: dict[str, Snapshot] = {}
        self._ids: dict[str, list[FeatureId]] = defaultdict(list)
        self._generations: dict[str, dict[int, Generation]] = defaultdict(dict)
        self._attempts: dict[tuple[str, int], list[Attempt]] = defaultdict(list)
        self._owners: dict[tuple[str, int], str] = {}
        self._parts: dict[tuple[str, int], list[CutPart]] = defaultdict(list)
        self._leases: dict[str, tuple[Lease, int]] = {}
        self._progress: dict[str, str] = {}
        self._lists: dict[str, StoredList] = {}
        self._watches: dict[str, Watch] = {}

    def watch(self, name: str) -> Watch:
        """Return what is logged; see `WatchReader`."""
        return self._watches.get(name, Watch())

    def save_watch(
        self,
        name: str,
        mode: Mode,
        share: float = 0.0,
        entities: Collection[str] = (),
        *,
        before: int | None = None,
    ) -> Watch:
        """Store what is to be logged; see `WatchWriter`."""
        if before not in {None, self.watch(name).version}:
            raise changed_meanwhile(name)
        self._watches[name] = next_watch(self.watch(name), mode, share, entities)
        return self._watches[name]

    def feature_lists(self) -> list[StoredList]:
        """Return all lists; see `ListReader`."""
        return sorted(self._lists.values(), key=lambda each: each.name)

    def save_list(self, wanted: FeatureList) -> None:
        """Store a version; see `ListWriter`."""
        stored = self._lists.get(wanted.name)
        check_version(wanted, stored)
        plain = FeatureList.from_json(wanted.to_json())
        older = (
            [each for each in stored.versions if each.version < wanted.version] if stored else []
        )
        self._lists[wanted.name] = StoredList(name=wanted.name, versions=(*older, plain))

    def remove_list(self, name: str) -> None:
        """Offer a list no more; see `ListWriter`."""
        if name in self._lists:
            self._lists[name] = replace(self._lists[name], removed=True)

    def snapshots(self) -> list[Snapshot]:
        """Return what is deployed; see `RegistryReader`."""
        found = sorted(self._snapshots.values(), key=lambda snapshot: snapshot.featureset)
        return [snapshot for snapshot in found if snapshot.state != "deleted"]

    def snapshot(self, name: str) -> Snapshot | None:
        """Return what is deployed of one; see `RegistryReader`."""
        found = self._snapshots.get(name)
        return found if found and found.state != "deleted" else None

    def names(self) -> list[str]:
        """Return all names; see `RegistryReader`."""
        return sorted(self._snapshots)

    def feature_ids(self, name: str) -> list[FeatureId]:
        """Return all ids; see `RegistryReader`."""
        return list(self._ids[name])

    def generations(self, name: str) -> list[Generation]:
        """Return the generations; see `RegistryReader`."""
        return [item for _, item in sorted(self._generations[name].items())]

    def attempts(self, name: str, generation: int) -> list[Attempt]:
        """Return the attempts; see `RegistryReader`."""
        return list(self._attempts[name, generation])

    def owner(self, name: str, generation: int) -> str:
        """Return the owner; see `RegistryReader`."""
        return self._owners.get((name, generation), "")

    def last_cut(self, name: str, generation: int) -> Cut | None:
        """Return the newest complete cut; see `RegistryReader`."""
        return next(self.cuts(name, generation), None)

    def cuts(self, name: str, generation: int) -> Iterator[Cut]:
        """Yield the complete cuts; see `RegistryReader`."""
        parts = sorted(
            self._parts[name, generation],
            key=lambda part: (-part.attempt, -part.checkpoint_id, part.part),
        )
        return complete_cuts(parts)

    def cut(self, name: str, generation: int, attempt: int, checkpoint_id: int) -> Cut | None:
        """Return the cut of one epoch; see `RegistryReader`."""
        wanted = (attempt, checkpoint_id)
        found = self.cuts(name, generation)
        return next((cut for cut in found if cut.epoch == wanted), None)

    def lease(self, name: str) -> Lease | None:
        """Return the lease; see `RegistryReader`."""
        lease, expires_ms = self._leases.get(name, (None, 0))
        return lease if expires_ms > self._clock.now_ms() else None

    def progress(self, name: str) -> str:
        """Return how far a deployment is; see `RegistryReader`."""
        return self._progress.get(name, "")

    def leases(self) -> list[Lease]:
        """Return all leases; see `RegistryReader`."""
        held = (self.lease(name) for name in sorted(self._leases))
        return [lease for lease in held if lease]

    def begun(self) -> list[str]:
        """Return what began and did not end; see `RegistryReader`."""
        return sorted(name for name, progress in self._progress.items() if progress)

    def save(self, snapshot: Snapshot) -> None:
        """Store a snapshot; see `Registry`."""
        self._snapshots[snapshot.featureset] = snapshot

    def allocate_ids(
        self,
        name: str,
        columns: Sequence[ColumnKey],
        *,
        deployed: Collection[int] = (),
        reset: Collection[str] = (),
    ) -> dict[str, int]:
        """Return an id for each column; see `Registry`."""
        known = self._ids[name]
        assigned = assign_ids(known, columns, deployed=deployed, reset=reset)
        numbers = {item.id for item in known} | {0}
        known += [
            FeatureId(id=assigned[column.name], column=column)
            for column in columns
            if assigned[column.name] not in numbers
        ]
        return assigned

    def retire_ids(self, name: str, keep: frozenset[int]) -> None:
        """Retire ids; see `Registry`."""
        self._ids[name] = [
            item if item.id in keep else FeatureId(id=item.id, column=item.column, retired=True)
            for item in self._ids[name]
        ]

    def revive_ids(self, name: str, ids: frozenset[int]) -> None:
        """Take back that ids were retired; see `Registry`."""
        self._ids[name] = [
            FeatureId(id=item.id, column=item.column) if item.id in ids else item
            for item in self._ids[name]
        ]

    def add_generation(self, name: str, generation: int, table: str, created_ms: int) -> None:
        """Note a generation; see `Registry`."""
        self._generations[name].setdefault(
            generation,
            Generation(generation=generation, table=table, created_ms=created_ms, drop_after_ms=0),
        )

    def expire_generation(self, name: str, generation: int, drop_after_ms: int) -> None:
        """Note when a table may be dropped; see `Registry`."""
        known = self._generations[name][generation]
        self._generations[name][generation] = Generation(
            generation=generation,
            table=known.table,
            created_ms=known.created_ms,
            drop_after_ms=drop_after_ms,
        )

    def set_owner(self, name: str, generation: int, deployment: str) -> None:
        """Name the owner; see `Registry`."""
        self._owners[name, generation] = deployment

    def claim_attempt(self, name: str, generation: int, request: Attempt) -> Attempt:
        """Claim the next number; see `Registry`."""
        attempts = self.attempts(name, generation)
        claimed = next_attempt(attempts, self.owner(name, generation), request)
        if claimed not in attempts:
            self.add_attempt(name, generation, claimed)
        return claimed

    def record_cut(self, name: str, generation: int, cut: Cut) -> None:
        """Note a cut; see `Registry`."""
        for part in parts_of(cut):
            self.add_cut_part(name, generation, part)

    def take_lease(self, name: str, holder: str, now_ms: int) -> Lease:
        """Take or renew the lease; see `Registry`."""
        held = self.lease(name)
        if held and held.holder != holder:
            raise lease_held(held)
        lease = held or Lease(name=name, holder=holder, since_ms=now_ms)
        self._leases[name] = (lease, self._clock.now_ms() + LEASE_TTL_S * 1000)
        return lease

    def release_lease(self, name: str, holder: str) -> None:
        """Give the lease back; see `Registry`."""
        held = self.lease(name)
        if held and held.holder == holder:
            del self._leases[name]

    def save_progress(self, name: str, progress: str) -> None:
        """Note the progress; see `Registry`."""
        self._progress[name] = progress

    def forget(self, name: str) -> None:
        """Remove a trial's entries; see `Registry`."""
        check_is_trial(name)
        for generation in self._generations.pop(name, {}):
            for kept in (self._attempts, self._owners, self._parts):
                kept.pop((name, generation), None)
        self._progress.pop(name, None)

    def add_attempt(self, name: str, generation: int, attempt: Attempt) -> None:
        """Note a start of a writer, as jobs do."""
        self._attempts[name, generation].append(attempt)

    def add_cut_part(self, name: str, generation: int, part: CutPart) -> None:
        """Note what a subtask recorded at a barrier, as jobs do."""
        parts = self._parts[name, generation]
        key = (part.attempt, part.checkpoint_id, part.part)
        parts[:] = [old for old in parts if (old.attempt, old.checkpoint_id, old.part) != key]
        parts.append(part)


def lease_held(lease: Lease) -> LeaseHeldError:
    """Return the error that says who is in the way."""
    msg = (
        f"feature set {lease.name} has been in use by {lease.holder} since "
        f"{to_iso(lease.since_ms)}; wait until it is done or, if that process is gone, "
        f"{LEASE_TTL_S} seconds until its lease expires"
    )
    return LeaseHeldError(msg)
