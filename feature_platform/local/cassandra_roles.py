"""Passwords and roles of the embedded store: no default password works after the first start."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import get_args

from cassandra import AuthenticationFailed, DriverException
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import (
    EXEC_PROFILE_DEFAULT,
    Cluster,
    ExecutionProfile,
    NoHostAvailable,
    Session,
)
from cassandra.policies import WhiteListRoundRobinPolicy

from feature_platform.settings import Role, Settings, password, password_variable, read_secrets

SUPERUSER = "cassandra"
CONNECT_TIMEOUT_S = 10
REQUEST_TIMEOUT_S = 20
ROLES: tuple[Role, ...] = ("admin", "job", "service", "test")


def generate_passwords(settings: Settings) -> None:
    """Give each role a password that has none yet, in a file that only its owner reads."""
    path = settings.secrets_file
    known = read_secrets(path)
    names = [password_variable(role) for role in get_args(Role)]
    if all(name in known for name in names):
        return
    known = {name: known.get(name) or secrets.token_urlsafe(24) for name in names}
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.writelines(f"{name}={value}\n" for name, value in known.items())
    fresh.replace(path)


def secure(settings: Settings) -> bool:
    """Replace the default superuser's password, create keyspace and roles, select as `fp_admin`.

    Returns:
        False if the node accepts no login yet (it creates its superuser after it opens its port).
    """
    superuser = password(settings, "superuser")
    if not _log_in(settings, SUPERUSER, superuser, ()):
        # The first start: the password that Cassandra's documentation tells to everybody.
        change = f"ALTER ROLE {SUPERUSER} WITH PASSWORD = '{superuser}'"
        _log_in(settings, SUPERUSER, SUPERUSER, (change,))
        return False
    _log_in(settings, SUPERUSER, superuser, tuple(_statements(settings)))
    select = "SELECT keyspace_name FROM system_schema.keyspaces"
    return _log_in(settings, "fp_admin", password(settings, "admin"), (select,))


def _statements(settings: Settings) -> Iterator[str]:
    keyspace, copies = settings.store.keyspace, settings.store.replication
    replication = f"{{'class': 'NetworkTopologyStrategy', '{settings.store.local_dc}': {copies}}}"
    yield f"CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication = {replication}"
    for role in ROLES:
        # Quotes in a password given by the environment are doubled.
        quoted = password(settings, role).replace("'", "''")
        yield f"CREATE ROLE IF NOT EXISTS fp_{role} WITH LOGIN = true"
        yield f"ALTER ROLE fp_{role} WITH LOGIN = true AND PASSWORD = '{quoted}'"
    yield "GRANT ALL PERMISSIONS ON ALL KEYSPACES TO fp_admin"
    for role, permission in (
        ("job", "SELECT"),
        ("job", "MODIFY"),
        ("service", "SELECT"),
        ("test", "SELECT"),
    ):
        yield f"GRANT {permission} ON KEYSPACE {keyspace} TO fp_{role}"


def _log_in(settings: Settings, user: str, secret: str, statements: tuple[str, ...]) -> bool:
    """Run statements as a user; False if the login was refused or the node does not answer."""
    try:
        with _session(settings, user, secret) as session:
            for statement in statements:
                session.execute(statement, timeout=REQUEST_TIMEOUT_S)
    except (NoHostAvailable, AuthenticationFailed, DriverException):
        return False
    return True


@contextmanager
def _session(settings: Settings, user: str, secret: str) -> Iterator[Session]:
    store = settings.store
    profile = ExecutionProfile(load_balancing_policy=WhiteListRoundRobinPolicy([store.host]))
    cluster = Cluster(
        [store.host],
        port=store.port,
        auth_provider=PlainTextAuthProvider(user, secret),
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        connect_timeout=CONNECT_TIMEOUT_S,
        protocol_version=4,
    )
    try:
        yield cluster.connect()
    finally:
        cluster.shutdown()
