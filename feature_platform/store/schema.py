"""All tables of the platform as CQL, and the numbered migrations that bring a keyspace up to date.

A migration, once released, is never edited: the next change is the next number.
"""

import re
from collections.abc import Callable

from feature_platform.clock import Clock
from feature_platform.errors import StoreUnavailableError
from feature_platform.store.base import checked_identifier
from feature_platform.store.connect import Connection

JOB_TABLES = ("attempts", "cuts")
"""Tables of the registry that jobs write."""
CUT_TTL_S = 7 * 86_400
GRACE_S = 86_400

_MIGRATIONS_TABLE = """\
CREATE TABLE IF NOT EXISTS {keyspace}.migrations (
  part text, number int, applied_ms bigint, PRIMARY KEY ((part), number))"""

_FIND_MIGRATIONS = """\
SELECT table_name FROM system_schema.tables
  WHERE keyspace_name = ? AND table_name = 'migrations'"""

_COLUMNS = """\
SELECT column_name FROM system_schema.columns WHERE keyspace_name = ? AND table_name = ?"""

_ADDS = re.compile(r"ALTER TABLE (\w+)\.(\w+) ADD \((\w+) ")


def tiles_table(keyspace: str, table: str) -> str:
    """Return the statement that creates a generation's table.

    Leveled compaction, because heads are overwritten all the time and a read should find one
    SSTable; never time windows: they sort by write timestamp, and ours are made by hand.
    Expired tiles need no grace (each replica expires them by itself); the deletes of a rollback do,
    for as long as a node may be down before it is repaired: a day.
    """
    return f"""\
CREATE TABLE IF NOT EXISTS {checked_identifier(keyspace)}.{checked_identifier(table)} (
  entity text, level int, start bigint, payload blob, PRIMARY KEY ((entity), level, start))
  WITH compaction = {{'class': 'LeveledCompactionStrategy'}} AND gc_grace_seconds = {GRACE_S}"""


def keyspace_statement(keyspace: str, *, local_dc: str, replication: int) -> str:
    """Return the statement that creates the keyspace."""
    return (
        f"CREATE KEYSPACE IF NOT EXISTS {checked_identifier(keyspace)} WITH replication = "
        f"{{'class': 'NetworkTopologyStrategy', '{local_dc}': {replication}}}"
    )


def writer_grant(keyspace: str, table: str) -> str:
    """Return the statement that lets the job write a table; fp_admin runs it after creating one."""
    qualified = f"{checked_identifier(keyspace)}.{checked_identifier(table)}"
    return f"GRANT MODIFY ON TABLE {qualified} TO fp_job"


def migrate(connection: Connection, clock: Clock) -> None:
    """Apply the migrations that the keyspace lacks, in order; a crash in between is continued.

    Others may do the same at the same time.

    Raises:
        StoreUnavailableError: The store did not answer or refused.
    """
    keyspace = connection.keyspace
    found = connection.run(_FIND_MIGRATIONS, (keyspace,))
    if not found:
        connection.run_ddl(_MIGRATIONS_TABLE.format(keyspace=keyspace))
    select = f"SELECT number FROM {keyspace}.migrations WHERE part = 'registry'"
    done = {row[0] for row in connection.run(select)}
    insert = (
        f"INSERT INTO {keyspace}.migrations (part, number, applied_ms) VALUES ('registry', ?, ?)"
    )
    for number, migration in MIGRATIONS.items():
        if number not in done:
            for statement in migration(keyspace):
                _apply(connection, statement)
            connection.run(insert, (number, clock.now_ms()))


def _apply(connection: Connection, statement: str) -> None:
    if _is_done(connection, statement):
        return
    try:
        connection.run_ddl(statement)
    except StoreUnavailableError:
        if not _is_done(connection, statement):  # else another process was quicker
            raise


def _is_done(connection: Connection, statement: str) -> bool:
    """Return whether columns that it adds are there (Scylla has no ADD IF NOT EXISTS)."""
    adding = _ADDS.match(statement)
    if adding is None:
        return False
    keyspace, table, column = adding.groups()
    return any(row[0] == column for row in connection.run(_COLUMNS, (keyspace, table)))


def _v0001(keyspace: str) -> tuple[str, ...]:
    """Create the registry's tables; the job may write its attempts and cuts."""
    prefix = f"CREATE TABLE IF NOT EXISTS {checked_identifier(keyspace)}"
    return (
        f"{prefix}.featuresets (name text PRIMARY KEY, snapshot text)",
        f"""{prefix}.feature_ids (featureset text, id int, name text, kind text, carrier text,
  scale int, retired boolean, next_id int STATIC, PRIMARY KEY ((featureset), id))""",
        f"""{prefix}.generations (featureset text, generation int, table_name text,
  created_ms bigint, drop_after_ms bigint, PRIMARY KEY ((featureset), generation))""",
        f"""{prefix}.attempts (featureset text, generation int, attempt int, owner text STATIC,
  execution text, deployment text, kind text, r_attempt int, r_label bigint, end_offsets text,
  claimed_ms bigint, PRIMARY KEY ((featureset, generation), attempt))""",
        f"""{prefix}.cuts (featureset text, generation int, attempt int, label bigint, part text,
  "of" int, positions text, recorded_ms bigint,
  PRIMARY KEY ((featureset, generation), attempt, label, part))
  WITH CLUSTERING ORDER BY (attempt DESC, label DESC, part ASC)
  AND default_time_to_live = {CUT_TTL_S}""",
        f"{prefix}.leases (name text PRIMARY KEY, holder text, since_ms bigint)",
        f"{prefix}.deployments (featureset text PRIMARY KEY, progress text)",
        *(writer_grant(keyspace, table) for table in JOB_TABLES),
    )


def _v0002(keyspace: str) -> tuple[str, ...]:
    """Add to an attempt the restored checkpoint, since when rows may be dirty, and clean starts."""
    columns = "base_label bigint, dirty_since_ms bigint, clean boolean"
    return (f"ALTER TABLE {checked_identifier(keyspace)}.attempts ADD ({columns})",)


def _v0003(keyspace: str) -> tuple[str, ...]:
    """Add to a cut how many events were refused up to there."""
    return (f"ALTER TABLE {checked_identifier(keyspace)}.cuts ADD (letters text)",)


def _v0004(keyspace: str) -> tuple[str, ...]:
    """Create the table of feature lists, a row per version."""
    return (
        f"""CREATE TABLE IF NOT EXISTS {checked_identifier(keyspace)}.feature_lists (name text,
  version int, content text, removed boolean STATIC, PRIMARY KEY ((name), version))""",
    )


def _v0005(keyspace: str) -> tuple[str, ...]:
    """Create the table of what is logged of each feature set, a row per version and part."""
    return (
        f"""CREATE TABLE IF NOT EXISTS {checked_identifier(keyspace)}.changelog (featureset text,
  version int, part int, current int, parts int, mode text, share double, entities list<text>,
  PRIMARY KEY ((featureset), version, part))""",
    )


MIGRATIONS: dict[int, Callable[[str], tuple[str, ...]]] = {
    1: _v0001,
    2: _v0002,
    3: _v0003,
    4: _v0004,
    5: _v0005,
}
