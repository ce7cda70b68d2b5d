"""What each role of the store may do, tried out on a real Cassandra as that role."""

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest

from feature_platform.errors import StoreUnavailableError
from feature_platform.plan.snapshot import table_name
from feature_platform.settings import Role, Settings, password
from feature_platform.store.base import RowWrite, write_timestamp
from feature_platform.store.connect import Connection, connect
from feature_platform.store.cql import CqlTiles

REFUSED = "this role is not allowed to do this"
READERS: tuple[Role, ...] = ("job", "service", "test")
REGISTRY = (
    "featuresets",
    "feature_ids",
    "generations",
    "leases",
    "deployments",
    "feature_lists",
    "changelog",
    "migrations",
)

WRITES = {
    "insert": "INSERT INTO {tiles} (entity, level, start, payload) VALUES ('e', 0, 0, 0x00)",
    "update": "UPDATE {tiles} SET payload = 0x00 WHERE entity = 'e' AND level = 0 AND start = 0",
    "delete": "DELETE FROM {tiles} WHERE entity = 'e'",
    "truncate": "TRUNCATE {tiles}",
    "attempts": (
        "INSERT INTO {keyspace}.attempts (featureset, generation, attempt) VALUES ('x', 1, 1)"
    ),
    "cuts": (
        "INSERT INTO {keyspace}.cuts (featureset, generation, attempt, label, part) "
        "VALUES ('x', 1, 1, 1, 'kernel-0')"
    ),
}
CHANGES = {
    "create a table": "CREATE TABLE {keyspace}.mine (k int PRIMARY KEY)",
    "alter a table": "ALTER TABLE {tiles} ADD more int",
    "drop a table": "DROP TABLE {tiles}",
    "index a table": "CREATE INDEX ON {tiles} (payload)",
    "create a type": "CREATE TYPE {keyspace}.mine (k int)",
    "alter the keyspace": "ALTER KEYSPACE {keyspace} WITH durable_writes = false",
    "drop the keyspace": "DROP KEYSPACE {keyspace}",
}
RIGHTS = {
    "create a keyspace": (
        "CREATE KEYSPACE mine WITH replication = "
        "{{'class': 'SimpleStrategy', 'replication_factor': 1}}"
    ),
    "create a role": "CREATE ROLE mine WITH LOGIN = true AND PASSWORD = 'p'",
    "change a password": "ALTER ROLE fp_admin WITH PASSWORD = 'p'",
    "become a superuser": "ALTER ROLE {me} WITH SUPERUSER = true",
    "drop a role": "DROP ROLE fp_test",
    "be granted a role": "GRANT cassandra TO {me}",
    "read passwords": "SELECT salted_hash FROM system_auth.roles",
    "give itself passwords": "UPDATE system_auth.roles SET is_superuser = true WHERE role = '{me}'",
}
GRANTS = {
    "grant itself": "GRANT MODIFY ON KEYSPACE {keyspace} TO {me}",
    "grant others": "GRANT SELECT ON TABLE {tiles} TO fp_admin",
    "revoke": "REVOKE SELECT ON KEYSPACE {keyspace} FROM fp_job",
}
FORBIDDEN_TO_ALL = CHANGES | GRANTS | RIGHTS
"""To all but the admin, who may change what is in the keyspace, and grant on it."""

Run = Callable[[Role, str], None]


@pytest.fixture(scope="module")
def tiles(admin: Connection) -> Iterator[str]:
    """A tile table with one row, for all tests here: what they may do leaves it usable."""
    store, table = CqlTiles(admin), table_name(f"t{uuid4().hex[:12]}", 1)
    store.create_table(table)
    row = RowWrite(level=0, start_ms=0, payload=b"a")
    store.write(table, "e", [row], written=write_timestamp(1, 1))
    yield f"{admin.keyspace}.{table}"
    store.drop_table(table)


@pytest.fixture
def run(login: Callable[[Role], Connection], tiles: str, admin: Connection) -> Run:
    """Run a statement as a role, with its names filled in."""

    def as_role(role: Role, statement: str) -> None:
        filled = statement.format(tiles=tiles, keyspace=admin.keyspace, me=f"fp_{role}")
        login(role).run_ddl(filled)

    return as_role


@pytest.mark.parametrize("role", READERS)
def test_all_read_the_keyspace(run: Run, role: Role) -> None:
    """Rows, and what is deployed."""
    run(role, "SELECT * FROM {tiles}")
    run(role, "SELECT * FROM {keyspace}.featuresets")


@pytest.mark.parametrize("role", READERS)
@pytest.mark.parametrize("what", FORBIDDEN_TO_ALL)
def test_none_changes_the_keyspace_or_rights(run: Run, role: Role, what: str) -> None:
    """No table, no role, no right, not even its own."""
    with pytest.raises(StoreUnavailableError, match=REFUSED):
        run(role, FORBIDDEN_TO_ALL[what])


@pytest.mark.parametrize("role", ["service", "test"])
@pytest.mark.parametrize("what", WRITES)
def test_readers_write_nothing(run: Run, role: Role, what: str) -> None:
    """Not a tile, not an attempt, not a cut."""
    with pytest.raises(StoreUnavailableError, match=REFUSED):
        run(role, WRITES[what])


@pytest.mark.parametrize("what", WRITES)
def test_the_job_writes_tiles_attempts_and_cuts(run: Run, what: str) -> None:
    """That is its work."""
    run("job", WRITES[what])


@pytest.mark.parametrize("table", REGISTRY)
def test_the_job_writes_no_other_table(run: Run, table: str) -> None:
    """What is deployed, who may deploy and which ids features have is not its business."""
    with pytest.raises(StoreUnavailableError, match=REFUSED):
        run("job", f"TRUNCATE {{keyspace}}.{table}")


def test_the_job_writes_no_table_that_nobody_granted(run: Run, admin: Connection) -> None:
    """A new table of the keyspace is readable, and no more, until it is granted."""
    admin.run_ddl(f"CREATE TABLE {admin.keyspace}.private (k int PRIMARY KEY)")
    run("job", "SELECT * FROM {keyspace}.private")
    with pytest.raises(StoreUnavailableError, match=REFUSED):
        run("job", "INSERT INTO {keyspace}.private (k) VALUES (1)")
    admin.run_ddl(f"DROP TABLE {admin.keyspace}.private")


@pytest.mark.parametrize("what", RIGHTS)
def test_the_admin_is_no_superuser(run: Run, what: str) -> None:
    """It changes tables of this keyspace; roles, keyspaces and passwords it does not."""
    if what == "change a password":
        statement = "ALTER ROLE fp_job WITH PASSWORD = 'p'"  # its own it may change
    else:
        statement = RIGHTS[what]
    with pytest.raises(StoreUnavailableError, match=REFUSED):
        run("admin", statement)


@pytest.mark.parametrize("role", ["admin", "job", "service", "test", "superuser"])
def test_a_wrong_password_opens_nothing(running: Settings, role: Role) -> None:
    """Neither another role's, nor the one in Cassandra's documentation."""
    user = "cassandra" if role == "superuser" else f"fp_{role}"
    other: Role = "job" if role != "job" else "service"
    for wrong in (password(running, other), "cassandra", ""):
        with pytest.raises(StoreUnavailableError, match="refused the user or password"):
            connect(running.store, user, wrong)
