"""The store's roles, each with the least rights its work needs, as CQL statements.

fp_admin   tables of this keyspace: create, change, drop, read, write, and grant on them
fp_job     reads the keyspace; writes attempts, cuts, and each tile table, granted when that is made
fp_service reads
fp_test    reads; load tests run as it, so that a store with service levels can hold them back
"""

from collections.abc import Mapping, Sequence

from feature_platform.settings import Role
from feature_platform.store.connect import quoted
from feature_platform.store.schema import keyspace_statement
from feature_platform.store.service_levels import Statements, establish

ADMIN_RIGHTS = ("CREATE", "ALTER", "DROP", "SELECT", "MODIFY", "AUTHORIZE")
READERS: tuple[Role, ...] = ("job", "service", "test")


def statements(
    keyspace: str,
    passwords: Mapping[Role, str],
    *,
    local_dc: str = "datacenter1",
    replication: int = 1,
) -> list[str]:
    """Return what a superuser runs once: keyspace, roles, rights. Again, it sets passwords only.

    Args:
        keyspace: The platform's keyspace.
        passwords: For `admin`, `job`, `service` and `test`; other roles in it are left alone.
        local_dc: Data centre of the replicas.
        replication: Replicas in it.
    """
    created = [keyspace_statement(keyspace, local_dc=local_dc, replication=replication)]
    for role in ("admin", *READERS):
        password = quoted(passwords[role])
        created.append(
            f"CREATE ROLE IF NOT EXISTS fp_{role} WITH LOGIN = true AND PASSWORD = {password}"
        )
        created.append(f"ALTER ROLE fp_{role} WITH PASSWORD = {password}")
    created += [f"GRANT {right} ON KEYSPACE {keyspace} TO fp_admin" for right in ADMIN_RIGHTS]
    created += [f"GRANT SELECT ON KEYSPACE {keyspace} TO fp_{role}" for role in READERS]
    return created


def set_up(superuser: Statements, cql: Sequence[str]) -> bool:
    """Run the statements, then give each role its service level where the store has them.

    Args:
        superuser: Its connection.
        cql: What `statements` returned.

    Returns:
        False if the store has no service levels.

    Raises:
        StoreUnavailableError: The store refused or did not answer.
    """
    for statement in cql:
        superuser.run_ddl(statement)
    return establish(superuser)
