"""The ports to the registry: a reader for planning, serving and checks; a writer for deploying.

Attempts and cuts are written by the jobs; Python reads them and names the owner of a generation.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Protocol

from feature_platform.plan.ids import ColumnKey, FeatureId
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.lists import ListReader, ListWriter
from feature_platform.registry.watches import WatchReader, WatchWriter

LEASE_TTL_S = 60
FLUSHES_PER_CHECKPOINT = 1024
"""The flush numbers of a checkpoint id begin at least this far above those of the one before."""
BASE_UNKNOWN = -1
"""`base_checkpoint_id` of an attempt that did not number its flushes so."""

Positions = Mapping[str, int]
"""Next offset to read for each "topic/partition"."""

Epoch = tuple[int, int]
"""Attempt and checkpoint id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One start of a writer."""

    attempt: int
    execution: str
    deployment: str
    kind: str
    """stream, sweep, backfill or repair."""
    restore_point: Epoch
    """The epoch that it starts from."""
    end_offsets: Positions
    claimed_ms: int
    base_checkpoint_id: int = 0
    """Id of the Flink checkpoint that it restored, 0 for none: its own first one is one more; or
    `BASE_UNKNOWN`."""
    dirty_since_ms: int = 0
    """Since when rows may hold what an abandoned attempt wrote, as of its restore point."""
    clean: bool = False
    """Whether its restore point is the last thing that its predecessor did."""

    def checkpoint_id_at_most(self, flush: int) -> int | None:
        """Return the largest checkpoint id that a flush of this number can have; None if any.

        The kernel numbers flushes and reads them in the same way.
        """
        if self.base_checkpoint_id == BASE_UNKNOWN:
            return None
        return self.base_checkpoint_id + 1 + flush // FLUSHES_PER_CHECKPOINT


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A checkpoint id that all subtasks have recorded: rows and positions agree there."""

    attempt: int
    checkpoint_id: int
    positions: Positions
    recorded_ms: int
    letters: Mapping[str, int] = field(default_factory=dict)
    """How many events were refused up to there, by reason; `_lost`: without a letter for them."""

    @property
    def epoch(self) -> Epoch:
        """Return attempt and checkpoint id."""
        return self.attempt, self.checkpoint_id


@dataclass(frozen=True, slots=True, kw_only=True)
class CutPart:
    """What one subtask recorded at a barrier; `positions` is empty for the kernel."""

    attempt: int
    checkpoint_id: int
    part: str
    of: int
    positions: Positions
    recorded_ms: int
    letters: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One full set of rows. Its number is never used again, also after its table was dropped."""

    generation: int
    table: str
    created_ms: int
    drop_after_ms: int
    """When the table may be dropped; 0 while it is in use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to change one feature set; runs out by itself unless renewed."""

    name: str
    holder: str
    since_ms: int


class RegistryReader(ListReader, WatchReader, Protocol):
    """Answers questions. All methods block, and raise StoreUnavailableError without an answer."""

    def snapshots(self) -> list[Snapshot]:
        """Return what is deployed, by name; deleted feature sets are left out."""
        ...

    def snapshot(self, name: str) -> Snapshot | None:
        """Return what is deployed of one feature set; None if nothing is."""
        ...

    def names(self) -> list[str]:
        """Return the names of all that was ever deployed, sorted; deleted feature sets too."""
        ...

    def feature_ids(self, name: str) -> list[FeatureId]:
        """Return all ids ever allocated to columns of a feature set, ascending."""
        ...

    def generations(self, name: str) -> list[Generation]:
        """Return the generations of a feature set, oldest first."""
        ...

    def attempts(self, name: str, generation: int) -> list[Attempt]:
        """Return all starts of writers of a generation, oldest first."""
        ...

    def owner(self, name: str, generation: int) -> str:
        """Return the id of the deployment that may claim attempts; empty if none may."""
        ...

    def last_cut(self, name: str, generation: int) -> Cut | None:
        """Return the newest complete cut; None if there is none."""
        ...

    def cuts(self, name: str, generation: int) -> Iterator[Cut]:
        """Yield the complete cuts, newest first; they are read while they are asked for."""
        ...

    def cut(self, name: str, generation: int, attempt: int, checkpoint_id: int) -> Cut | None:
        """Return the complete cut of one epoch, such as a restore point; None if there is none."""
        ...

    def lease(self, name: str) -> Lease | None:
        """Return who changes a feature set right now."""
        ...

    def progress(self, name: str) -> str:
        """Return what `save_progress` was given; empty if no deployment is under way."""
        ...

    def leases(self) -> list[Lease]:
        """Return who changes which feature sets right now, and tries them; by name."""
        ...

    def begun(self) -> list[str]:
        """Return the names of all whose deployment, or trial, began and did not end, sorted."""
        ...


class Registry(RegistryReader, ListWriter, WatchWriter, Protocol):
    """Changes what is deployed. Held leases keep two changers of one feature set apart."""

    def save(self, snapshot: Snapshot) -> None:
        """Store a snapshot in place of the one before."""
        ...

    def allocate_ids(
        self,
        name: str,
        columns: Sequence[ColumnKey],
        *,
        deployed: Collection[int] = (),
        reset: Collection[str] = (),
    ) -> dict[str, int]:
        """Return an id for each column: its own, or a new one. The same call gives the same ids.

        Args:
            name: The feature set.
            columns: Columns with what decides whether an old id fits; `_events` has id 0.
            deployed: The ids that are deployed, see `plan.ids.assign_ids`.
            reset: Columns that are to get another than their deployed id.

        Raises:
            LeaseHeldError: Somebody else allocates at the same moment again and again.
        """
        ...

    def retire_ids(self, name: str, keep: frozenset[int]) -> None:
        """Retire every id that is not kept: a column that comes back counts under a new one."""
        ...

    def revive_ids(self, name: str, ids: frozenset[int]) -> None:
        """Take back that ids were retired: the rows are again as they were before."""
        ...

    def add_generation(self, name: str, generation: int, table: str, created_ms: int) -> None:
        """Note a generation before its table is created; twice is harmless."""
        ...

    def expire_generation(self, name: str, generation: int, drop_after_ms: int) -> None:
        """Note when a generation's table may be dropped; 0 takes it back."""
        ...

    def set_owner(self, name: str, generation: int, deployment: str) -> None:
        """Let only this deployment claim attempts from now on; all others are fenced off."""
        ...

    def claim_attempt(self, name: str, generation: int, request: Attempt) -> Attempt:
        """Claim the next number for a writer that is no job: a sweep, a backfill, a repair.

        A writer that was interrupted asks again with the same `execution` and keeps its number.

        Args:
            name: The feature set.
            generation: Whose rows it writes.
            request: What to claim; its number is ignored.

        Raises:
            PlanRefusedError: Another deployment owns the generation, or the restore point is not in
                the history of the newest attempt.
            LeaseHeldError: Others claim all the time.
        """
        ...

    def record_cut(self, name: str, generation: int, cut: Cut) -> None:
        """Note a complete cut of a writer that is no job; twice is harmless."""
        ...

    def take_lease(self, name: str, holder: str, now_ms: int) -> Lease:
        """Take the lease, or renew it if the holder has it already.

        Raises:
            LeaseHeldError: Someone else holds it; the message says who and since when.
        """
        ...

    def release_lease(self, name: str, holder: str) -> None:
        """Give the lease back; harmless if the holder has lost it."""
        ...

    def save_progress(self, name: str, progress: str) -> None:
        """Note how far a deployment has come; an empty text ends it."""
        ...

    def forget(self, name: str) -> None:
        """Remove the generations, attempts, cuts and progress of a trial, as if it never was.

        Never of a feature set: its numbers must not be used again.

        Raises:
            ValueError: The name is no trial's.
        """
        ...


def check_is_trial(name: str) -> None:
    """Make sure that a name is not a feature set's.

    Raises:
        ValueError: It may be one.
    """
    if "." not in name:
        msg = f"{name} is not a shadow run: registry entries of feature sets are never deleted"
        raise ValueError(msg)


def complete_cuts(parts: Iterable[CutPart]) -> Iterator[Cut]:
    """Yield the complete cuts of parts that come newest checkpoint id first."""
    for (attempt, checkpoint_id), group in groupby(parts, key=_epoch):
        members = list(group)
        if is_complete(members):
            yield Cut(
                attempt=attempt,
                checkpoint_id=checkpoint_id,
                positions=_farthest(members),
                recorded_ms=max(part.recorded_ms for part in members),
                letters=dict(sum((Counter(part.letters) for part in members), Counter())),
            )


def parts_of(cut: Cut) -> tuple[CutPart, CutPart]:
    """Return a cut as the parts of two writers that stand for all."""
    kernel = CutPart(
        attempt=cut.attempt,
        checkpoint_id=cut.checkpoint_id,
        part="kernel-0",
        of=1,
        positions={},
        recorded_ms=cut.recorded_ms,
    )
    return kernel, replace(kernel, part="intake-0", positions=cut.positions, letters=cut.letters)


def _epoch(part: CutPart) -> Epoch:
    return part.attempt, part.checkpoint_id


def _farthest(parts: Sequence[CutPart]) -> dict[str, int]:
    """Join positions; after a rescale two subtasks may name a partition, and one has left it."""
    positions: dict[str, int] = {}
    for part in parts:
        for partition, offset in part.positions.items():
            positions[partition] = max(offset, positions.get(partition, 0))
    return positions


def is_complete(parts: Sequence[CutPart]) -> bool:
    """Return whether all subtasks of both operators are among the parts of one cut."""
    for operator in ("kernel", "intake"):
        members = [part for part in parts if part.part.startswith(f"{operator}-")]
        if not members or len(members) < members[0].of:
            return False
    return True
