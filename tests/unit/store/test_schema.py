"""Statements that create tables and roles; names and passwords cannot change them."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import pytest

from feature_platform.errors import CallerError, StoreUnavailableError
from feature_platform.settings import Role
from feature_platform.store.connect import Connection
from feature_platform.store.roles import statements
from feature_platform.store.schema import (
    MIGRATIONS,
    keyspace_statement,
    migrate,
    tiles_table,
    writer_grant,
)
from feature_platform.testing import ManualClock

PASSWORDS: dict[Role, str] = {"admin": "a", "job": "j'; DROP", "service": "s", "test": "t"}


def test_migrations_are_numbered_without_gaps() -> None:
    """And each says in a sentence what it does."""
    assert list(MIGRATIONS) == list(range(1, len(MIGRATIONS) + 1))
    for migration in MIGRATIONS.values():
        text = inspect.getdoc(migration) or ""
        assert text.endswith(".")
        assert "\n" not in text


def test_migrations_can_be_repeated() -> None:
    """A crash in the middle of one is continued."""
    created = [text for migration in MIGRATIONS.values() for text in migration("fp")]
    repeatable = (
        "CREATE TABLE IF NOT EXISTS fp.",
        "GRANT ",
        "ALTER TABLE fp.attempts ADD (",
        "ALTER TABLE fp.cuts ADD (",
    )
    assert all(text.startswith(repeatable) for text in created)


def test_tiles_are_never_compacted_by_time_window() -> None:
    """Their write timestamps are made by hand."""
    text = tiles_table("fp", "tiles_posts_g1")
    assert "PRIMARY KEY ((entity), level, start)" in text
    assert "LeveledCompactionStrategy" in text


@pytest.mark.parametrize("name", ["a.b", "A", "a b", "", "1a", "a" * 64, "a'"])
def test_bad_names_never_reach_a_statement(name: str) -> None:
    """Neither as keyspace nor as table."""
    with pytest.raises(CallerError):
        tiles_table("fp", name)
    with pytest.raises(CallerError):
        tiles_table(name, "t")
    with pytest.raises(CallerError):
        writer_grant("fp", name)
    with pytest.raises(CallerError):
        keyspace_statement(name, local_dc="dc", replication=1)


def test_roles_have_the_least_rights() -> None:
    """Only fp_admin may do more than read the keyspace."""
    grants = [text for text in statements("fp", PASSWORDS) if text.startswith("GRANT")]
    assert grants == [
        "GRANT CREATE ON KEYSPACE fp TO fp_admin",
        "GRANT ALTER ON KEYSPACE fp TO fp_admin",
        "GRANT DROP ON KEYSPACE fp TO fp_admin",
        "GRANT SELECT ON KEYSPACE fp TO fp_admin",
        "GRANT MODIFY ON KEYSPACE fp TO fp_admin",
        "GRANT AUTHORIZE ON KEYSPACE fp TO fp_admin",
        "GRANT SELECT ON KEYSPACE fp TO fp_job",
        "GRANT SELECT ON KEYSPACE fp TO fp_service",
        "GRANT SELECT ON KEYSPACE fp TO fp_test",
    ]


def test_passwords_are_quoted() -> None:
    """A quote in one does not end the statement."""
    assert "ALTER ROLE fp_job WITH PASSWORD = 'j''; DROP'" in statements("fp", PASSWORDS)


def test_replication_is_as_configured() -> None:
    """In the data centre of the settings."""
    text = statements("fp", PASSWORDS, local_dc="eu", replication=3)[0]
    assert "{'class': 'NetworkTopologyStrategy', 'eu': 3}" in text


@dataclass
class Racing:
    """A connection whose ALTER is refused; another process may have done it (mutable)."""

    other_is_quicker: bool
    keyspace: str = "fp"
    altered: bool = False
    applied: list[object] = field(default_factory=list)

    def run(self, statement: str, values: Sequence[object] = ()) -> list[tuple[object, ...]]:
        """Answer what a keyspace with the first migration would."""
        if "system_schema.tables" in statement:
            return [("migrations",)]
        if "system_schema.columns" in statement:
            return [("base_label",), ("letters",)] if self.altered else []
        if statement.startswith("INSERT"):
            self.applied.append(values[0])
        return [(1,)] if statement.startswith("SELECT number") else []

    def run_ddl(self, statement: str) -> None:
        """Refuse to add, as a store does whose table has the column by now."""
        if "IF NOT EXISTS" in statement:
            return
        self.altered = self.other_is_quicker
        msg = f"{statement} failed"
        raise StoreUnavailableError(msg)


def test_two_processes_may_migrate_at_once() -> None:
    """The demo's, and that of Dagster which it has just started: the slower one goes on."""
    racing = Racing(other_is_quicker=True)
    migrate(cast("Connection", racing), ManualClock(1))
    assert racing.applied == list(MIGRATIONS)[1:]


def test_a_refused_migration_is_told() -> None:
    """Nobody else has done it, so it is not done."""
    racing = Racing(other_is_quicker=False)
    with pytest.raises(StoreUnavailableError):
        migrate(cast("Connection", racing), ManualClock(1))
    assert racing.applied == []
