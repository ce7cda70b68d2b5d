"""Service levels: how a ScyllaDB with workload prioritisation divides itself between our roles.

Each role has a level of its own name, whose shares count when the store is busy. The levels are
made where roles are, by the superuser. Cassandra, and ScyllaDB before 2025.1, have none of this:
there the job holds its own reads back (`AdaptiveLimit` of the kernel), and the status says so.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self

import cassandra

from feature_platform.errors import StoreUnavailableError
from feature_platform.settings import StoreSettings
from feature_platform.store.concurrently import Row

SHARES: Mapping[str, int] = {"fp_service": 1000, "fp_job": 200, "fp_test": 50}
"""Of each role; the level is called as the role is."""

FEATURE = "WORKLOAD_PRIORITIZATION"
LEVELS = "LIST ALL SERVICE LEVELS"
ATTACHMENTS = "LIST ALL ATTACHED SERVICE LEVELS"
_FEATURES_COLUMN = """\
SELECT column_name FROM system_schema.columns WHERE keyspace_name = 'system'
  AND table_name = 'local' AND column_name = 'supported_features'"""
_FEATURES = "SELECT supported_features FROM system.local"
_SHARES_COLUMN = 3
"""Of LEVELS: name, timeout, workload type, shares, percentage of all shares."""

LOOKS_MAX = 10
"""How often the levels are looked at before they count as not taken: another node may be behind."""


class Statements(Protocol):
    """A connection, as far as it is used here."""

    def run(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        """Run a statement and return its rows."""
        ...

    def run_ddl(self, statement: str) -> None:
        """Run a statement that changes the store's own tables."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """What keeps the job from slowing the rankers' reads down."""

    supported: bool = False
    """The store has service levels with shares."""
    shares: Mapping[str, int] = field(default_factory=dict)
    """By role, those in force."""

    @property
    def by_store(self) -> bool:
        """Return whether the store divides itself as wanted."""
        return self.supported and self.shares == SHARES

    def bounded(self, store: StoreSettings) -> StoreSettings:
        """Return the store's settings, without the bound on reads where the store does it all."""
        return store.model_copy(update={"read_latency_target_ms": 0}) if self.by_store else store

    def in_words(self, store: StoreSettings) -> str:
        """Say how it is, and what to do about it."""
        if self.by_store:
            shares = ", ".join(f"{role} {shares}" for role, shares in self.shares.items())
            return f"service levels with shares: {shares}"
        why = "the store has no service levels"
        if self.supported:
            why = "the store has service levels, but the platform's are not set: run `fp roles`"
        target = store.read_latency_target_ms
        bound = (
            f"the job's reads are throttled above {target} ms"
            if target
            else "and the job's reads are not throttled: store.read_latency_target_ms is 0"
        )
        return f"client-side only: {why}; {bound}"

    @classmethod
    def of(cls, statements: Statements) -> Self:
        """Ask the store; any role may.

        Raises:
            StoreUnavailableError: The store did not answer.
        """
        if not supported(statements):
            return cls()
        found = {role: _effective_shares(statements, role) for role in SHARES}
        return cls(
            supported=True,
            shares={role: shares for role, shares in found.items() if shares is not None},
        )


def supported(statements: Statements) -> bool:
    """Return whether the store has service levels with shares.

    Raises:
        StoreUnavailableError: The store did not answer.
    """
    if not statements.run(_FEATURES_COLUMN):
        return False
    features = str(statements.run(_FEATURES)[0][0] or "")
    return FEATURE in (feature.strip() for feature in features.split(","))


def changes(levels: Sequence[Row], attachments: Sequence[Row]) -> list[str]:
    """Return the statements that are missing; none if all is as it should be.

    Args:
        levels: What LEVELS lists.
        attachments: What ATTACHMENTS lists: role and level.
    """
    shares_now = {row[0]: row[_SHARES_COLUMN] for row in levels}
    level_now = {role: level for role, level, *_ in attachments}
    missing = []
    for role, shares in SHARES.items():
        if role not in shares_now:
            missing.append(f"CREATE SERVICE LEVEL IF NOT EXISTS {role} WITH SHARES = {shares}")
        elif shares_now[role] != shares:
            missing.append(f"ALTER SERVICE LEVEL {role} WITH SHARES = {shares}")
        if level_now.get(role) != role:
            missing.append(f"ATTACH SERVICE LEVEL {role} TO {role}")
    return missing


def establish(statements: Statements, *, pause_s: float = 0.5) -> bool:
    """Make the levels and attach them to the roles, as superuser; then look whether they hold.

    What is there already is left as it is, so it may be run at any time. Sessions that are open
    keep their old level until they connect again.

    Args:
        statements: The superuser's connection; the roles are there.
        pause_s: Between two looks.

    Returns:
        False if the store has no service levels; then nothing was done.

    Raises:
        StoreUnavailableError: The store refused, or does not show what it was given.
    """
    if not supported(statements):
        return False
    for statement in _missing(statements):
        statements.run_ddl(statement)
    for look in range(LOOKS_MAX):
        left = _missing(statements)
        if not left:
            return True
        if look < LOOKS_MAX - 1:
            time.sleep(pause_s)
    msg = (
        f"the store accepted the service levels but does not list them after {LOOKS_MAX} tries; "
        f"still missing: {'; '.join(left)}. Check that all nodes agree (nodetool status), then try "
        "again"
    )
    raise StoreUnavailableError(msg)


def _missing(statements: Statements) -> list[str]:
    return changes(statements.run(LEVELS), statements.run(ATTACHMENTS))


def _effective_shares(statements: Statements, role: str) -> int | None:
    """Return a role's shares; None if it has no level."""
    try:
        options = statements.run(f"LIST EFFECTIVE SERVICE LEVEL OF {role}")
    except StoreUnavailableError as error:
        if isinstance(error.__cause__, cassandra.InvalidRequest):  # its answer for: it has none
            return None
        raise
    return next((int(value) for option, _, value in options if option == "shares" and value), None)
