"""The registry in the platform's keyspace; races are decided by compare-and-set."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence

from feature_platform.clock import Clock
from feature_platform.errors import LeaseHeldError
from feature_platform.plan.ids import ColumnKey, FeatureId, assign_ids
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
from feature_platform.registry.cql_lists import TRIES_MAX, CqlLists
from feature_platform.registry.cql_rows import (
    ATTEMPT_COLUMNS,
    CUT_COLUMNS,
    attempt_of,
    cut_part_of,
    snapshot_of,
)
from feature_platform.registry.cql_watches import CqlWatches
from feature_platform.registry.memory import lease_held
from feature_platform.store.connect import Connection
from feature_platform.store.schema import migrate

CUT_PARTS_PAGE = 256


class CqlRegistry(CqlLists, CqlWatches):
    """What is deployed, in Cassandra or ScyllaDB."""

    def __init__(self, connection: Connection) -> None:
        """Use a connection that the caller closes."""
        super().__init__(connection)
        self._known: Mapping[str, Snapshot] = {}
        """Snapshots by their text, as last read: clients ask every few seconds, little changes."""

    def snapshots(self) -> list[Snapshot]:
        """Return what is deployed; see `RegistryReader`."""
        known = self._known
        texts = [row[0] for row in self._run("SELECT snapshot FROM {keyspace}.featuresets")]
        self._known = {text: known.get(text) or snapshot_of(text) for text in texts}
        found = sorted(self._known.values(), key=lambda snapshot: snapshot.featureset)
        return [snapshot for snapshot in found if snapshot.state != "deleted"]

    def snapshot(self, name: str) -> Snapshot | None:
        """Return what is deployed of one; see `RegistryReader`."""
        rows = self._run("SELECT snapshot FROM {keyspace}.featuresets WHERE name = ?", name)
        found = snapshot_of(rows[0][0]) if rows else None
        return found if found and found.state != "deleted" else None

    def names(self) -> list[str]:
        """Return all names; see `RegistryReader`."""
        return sorted(row[0] for row in self._run("SELECT name FROM {keyspace}.featuresets"))

    def feature_ids(self, name: str) -> list[FeatureId]:
        """Return all ids; see `RegistryReader`."""
        return self._feature_ids(name)[0]

    def generations(self, name: str) -> list[Generation]:
        """Return the generations; see `RegistryReader`."""
        rows = self._run(
            "SELECT generation, table_name, created_ms, drop_after_ms FROM {keyspace}.generations "
            "WHERE featureset = ?",
            name,
        )
        return [
            Generation(
                generation=number, table=table, created_ms=created, drop_after_ms=drop_after or 0
            )
            for number, table, created, drop_after in rows
        ]

    def attempts(self, name: str, generation: int) -> list[Attempt]:
        """Return the attempts; see `RegistryReader`."""
        rows = self._run(
            f"SELECT {ATTEMPT_COLUMNS} FROM {{keyspace}}.attempts "
            "WHERE featureset = ? AND generation = ?",
            name,
            generation,
        )
        return [attempt_of(row) for row in rows if row[0] is not None]

    def owner(self, name: str, generation: int) -> str:
        """Return the owner; see `RegistryReader`."""
        rows = self._run(
            "SELECT owner FROM {keyspace}.attempts WHERE featureset = ? AND generation = ? LIMIT 1",
            name,
            generation,
        )
        return (rows[0][0] or "") if rows else ""

    def last_cut(self, name: str, generation: int) -> Cut | None:
        """Return the newest complete cut; see `RegistryReader`."""
        return next(self.cuts(name, generation), None)

    def cuts(self, name: str, generation: int) -> Iterator[Cut]:
        """Yield the complete cuts; see `RegistryReader`."""
        return complete_cuts(self._cut_parts(name, generation))

    def cut(self, name: str, generation: int, attempt: int, checkpoint_id: int) -> Cut | None:
        """Return the cut of one epoch; see `RegistryReader`."""
        rows = self._run(
            f"SELECT {CUT_COLUMNS} FROM {{keyspace}}.cuts "
            "WHERE featureset = ? AND generation = ? AND attempt = ? AND label = ?",
            *(name, generation, attempt, checkpoint_id),
        )
        return next(complete_cuts(map(cut_part_of, rows)), None)

    def lease(self, name: str) -> Lease | None:
        """Return the lease; see `RegistryReader`."""
        rows = self._run("SELECT holder, since_ms FROM {keyspace}.leases WHERE name = ?", name)
        return Lease(name=name, holder=rows[0][0], since_ms=rows[0][1]) if rows else None

    def progress(self, name: str) -> str:
        """Return how far a deployment is; see `RegistryReader`."""
        rows = self._run("SELECT progress FROM {keyspace}.deployments WHERE featureset = ?", name)
        return (rows[0][0] or "") if rows else ""

    def leases(self) -> list[Lease]:
        """Return all leases; see `RegistryReader`."""
        rows = self._run("SELECT name, holder, since_ms FROM {keyspace}.leases")
        return [Lease(name=row[0], holder=row[1], since_ms=row[2]) for row in sorted(rows)]

    def begun(self) -> list[str]:
        """Return what began and did not end; see `RegistryReader`."""
        rows = self._run("SELECT featureset, progress FROM {keyspace}.deployments")
        return sorted(name for name, progress in rows if progress)

    def save(self, snapshot: Snapshot) -> None:
        """Store a snapshot; see `Registry`."""
        text = json.dumps(snapshot.to_json(), sort_keys=True)
        self._run(
            "INSERT INTO {keyspace}.featuresets (name, snapshot) VALUES (?, ?)",
            snapshot.featureset,
            text,
        )

    def allocate_ids(
        self,
        name: str,
        columns: Sequence[ColumnKey],
        *,
        deployed: Collection[int] = (),
        reset: Collection[str] = (),
    ) -> dict[str, int]:
        """Return an id for each column; see `Registry`."""
        for _ in range(TRIES_MAX):
            known, next_id = self._feature_ids(name)
            assigned = assign_ids(known, columns, deployed=deployed, reset=reset)
            numbers = {item.id for item in known} | {0}
            fresh = [column for column in columns if assigned[column.name] not in numbers]
            if not fresh or self._insert_ids(name, fresh, assigned, next_id):
                return assigned
        msg = f"feature ids of {name} are being allocated by other processes; try again"
        raise LeaseHeldError(msg)

    def retire_ids(self, name: str, keep: frozenset[int]) -> None:
        """Retire ids; see `Registry`."""
        for item in self.feature_ids(name):
            if not item.retired and item.id not in keep:
                self._lwt(
                    "UPDATE {keyspace}.feature_ids SET retired = true "
                    "WHERE featureset = ? AND id = ? IF EXISTS",
                    name,
                    item.id,
                )

    def revive_ids(self, name: str, ids: frozenset[int]) -> None:
        """Take back that ids were retired; see `Registry`."""
        for item in self.feature_ids(name):
            if item.retired and item.id in ids:
                self._lwt(
                    "UPDATE {keyspace}.feature_ids SET retired = false "
                    "WHERE featureset = ? AND id = ? IF EXISTS",
                    name,
                    item.id,
                )

    def add_generation(self, name: str, generation: int, table: str, created_ms: int) -> None:
        """Note a generation; see `Registry`."""
        self._lwt(
            "INSERT INTO {keyspace}.generations (featureset, generation, table_name, created_ms) "
            "VALUES (?, ?, ?, ?) IF NOT EXISTS",
            name,
            generation,
            table,
            created_ms,
        )

    def expire_generation(self, name: str, generation: int, drop_after_ms: int) -> None:
        """Note when a table may be dropped; see `Registry`."""
        self._lwt(
            "UPDATE {keyspace}.generations SET drop_after_ms = ? "
            "WHERE featureset = ? AND generation = ? IF EXISTS",
            drop_after_ms,
            name,
            generation,
        )

    def set_owner(self, name: str, generation: int, deployment: str) -> None:
        """Name the owner; see `Registry`.

        Claims are conditional on `owner`, so it is set by compare-and-set, too: a plain write
        beside them could be ordered before a claim that it should fence.
        """
        statement = (
            "UPDATE {keyspace}.attempts SET owner = ? "
            "WHERE featureset = ? AND generation = ? IF owner = ?"
        )
        for _ in range(TRIES_MAX):
            present = self.owner(name, generation)
            if present == deployment or self._lwt(
                statement, deployment, name, generation, present or None
            ):
                return
        msg = f"the owner of generation {generation} of {name} keeps changing; try again"
        raise LeaseHeldError(msg)

    def claim_attempt(self, name: str, generation: int, request: Attempt) -> Attempt:
        """Claim the next number, if it is still free and the owner the same; see `Registry`."""
        for _ in range(TRIES_MAX):
            attempts = self.attempts(name, generation)
            claimed = next_attempt(attempts, self.owner(name, generation), request)
            if claimed in attempts or self._insert_attempt(name, generation, claimed):
                return claimed
        msg = (
            f"other processes keep claiming attempts of generation {generation} of {name}; stop "
            "its job, then try again"
        )
        raise LeaseHeldError(msg)

    def record_cut(self, name: str, generation: int, cut: Cut) -> None:
        """Note a cut; see `Registry`."""
        insert = (
            f"INSERT INTO {{keyspace}}.cuts (featureset, generation, {CUT_COLUMNS}) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        )
        for part in parts_of(cut):
            positions, letters = (
                json.dumps(dict(counts)) if counts else None
                for counts in (part.positions, part.letters)
            )
            self._run(
                insert,
                *(name, generation, part.attempt, part.checkpoint_id, part.part, part.of),
                *(positions, part.recorded_ms, letters),
            )

    def take_lease(self, name: str, holder: str, now_ms: int) -> Lease:
        """Take or renew the lease; see `Registry`."""
        lease = Lease(name=name, holder=holder, since_ms=now_ms)
        taken = self._lwt(
            "INSERT INTO {keyspace}.leases (name, holder, since_ms) VALUES (?, ?, ?) IF NOT EXISTS "
            f"USING TTL {LEASE_TTL_S}",
            name,
            holder,
            now_ms,
        )
        held = lease if taken else self.lease(name)
        if held is None:
            return self.take_lease(name, holder, now_ms)
        if held.holder != holder:
            raise lease_held(held)
        if not taken:
            self._lwt(
                f"UPDATE {{keyspace}}.leases USING TTL {LEASE_TTL_S} SET holder = ?, since_ms = ? "
                "WHERE name = ? IF holder = ?",
                holder,
                held.since_ms,
                name,
                holder,
            )
        return held

    def release_lease(self, name: str, holder: str) -> None:
        """Give the lease back; see `Registry`."""
        self._lwt("DELETE FROM {keyspace}.leases WHERE name = ? IF holder = ?", name, holder)

    def save_progress(self, name: str, progress: str) -> None:
        """Note the progress; see `Registry`."""
        self._run(
            "INSERT INTO {keyspace}.deployments (featureset, progress) VALUES (?, ?)",
            name,
            progress,
        )

    def forget(self, name: str) -> None:
        """Remove a trial's entries, what names the others last; see `Registry`."""
        check_is_trial(name)
        for item in self.generations(name):
            for table in ("cuts", "attempts"):
                statement = (
                    f"DELETE FROM {{keyspace}}.{table} WHERE featureset = ? AND generation = ?"
                )
                self._run(statement, name, item.generation)
        for table in ("generations", "deployments"):
            self._run(f"DELETE FROM {{keyspace}}.{table} WHERE featureset = ?", name)

    def _feature_ids(self, name: str) -> tuple[list[FeatureId], int | None]:
        rows = self._run(
            "SELECT id, name, kind, carrier, scale, retired, next_id FROM {keyspace}.feature_ids "
            "WHERE featureset = ?",
            name,
        )
        known = [
            FeatureId(
                id=number,
                column=ColumnKey(name=column, kind=kind, carrier=carrier, scale=scale),
                retired=bool(retired),
            )
            for number, column, kind, carrier, scale, retired, _ in rows
            if number is not None
        ]
        return known, rows[0][-1] if rows else None

    def _insert_ids(
        self, name: str, columns: Sequence[ColumnKey], assigned: dict[str, int], next_id: int | None
    ) -> bool:
        keyspace = self._keyspace
        claim = f"UPDATE {keyspace}.feature_ids SET next_id = ? WHERE featureset = ? IF next_id = ?"
        insert = (
            f"INSERT INTO {keyspace}.feature_ids "
            "(featureset, id, name, kind, carrier, scale, retired) VALUES (?, ?, ?, ?, ?, ?, false)"
        )
        batch: list[tuple[str, Sequence[object]]] = [
            (claim, (max(assigned.values()) + 1, name, next_id))
        ]
        batch += [
            (insert, (name, assigned[item.name], item.name, item.kind, item.carrier, item.scale))
            for item in columns
        ]
        return self._connection.run_batch(batch)

    def _insert_attempt(self, name: str, generation: int, attempt: Attempt) -> bool:
        keyspace = self._keyspace
        values = (
            *(name, generation, attempt.attempt, attempt.execution, attempt.deployment),
            *(attempt.kind, *attempt.restore_point),
            *(
                json.dumps(dict(attempt.end_offsets)),
                attempt.claimed_ms,
                attempt.base_checkpoint_id,
            ),
            *(attempt.dirty_since_ms, attempt.clean),
        )
        insert = (
            f"INSERT INTO {keyspace}.attempts (featureset, generation, {ATTEMPT_COLUMNS}) "
            f"VALUES ({', '.join('?' * len(values))}) IF NOT EXISTS"
        )
        own = (
            f"UPDATE {keyspace}.attempts SET owner = ? "
            "WHERE featureset = ? AND generation = ? IF owner = ?"
        )
        owner = attempt.deployment
        return self._connection.run_batch(
            [(insert, values), (own, (owner, name, generation, owner))]
        )

    def _cut_parts(self, name: str, generation: int) -> Iterator[CutPart]:
        """Yield parts, newest first, page by page: most callers need the first few."""
        select = f"SELECT {CUT_COLUMNS} FROM {{keyspace}}.cuts WHERE "
        where = "featureset = ? AND generation = ?"
        rows = self._run(f"{select}{where} LIMIT {CUT_PARTS_PAGE}", name, generation)
        while rows:
            yield from map(cut_part_of, rows)
            attempt, checkpoint_id, part = rows[-1][:3]
            rest = self._run(
                f"{select}{where} AND attempt = ? AND label = ? AND part > ?",
                *(name, generation, attempt, checkpoint_id, part),
            )
            yield from map(cut_part_of, rest)
            rows = self._run(
                f"{select}{where} AND (attempt, label) < (?, ?) LIMIT {CUT_PARTS_PAGE}",
                *(name, generation, attempt, checkpoint_id),
            )


def open_registry(connection: Connection, clock: Clock) -> CqlRegistry:
    """Bring the registry's tables up to date as `fp_admin`, and hand it out.

    Raises:
        StoreUnavailableError: The store did not answer or refused.
    """
    migrate(connection, clock)
    return CqlRegistry(connection)
