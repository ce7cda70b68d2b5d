"""Passwords and roles of the embedded store: no default password works after the first start."""

import hashlib
import os
import secrets
from collections.abc import Sequence
from typing import get_args

from feature_platform.errors import StoreUnavailableError
from feature_platform.settings import Role, Settings, password, password_variable, read_secrets
from feature_platform.store.connect import connect, quoted
from feature_platform.store.roles import set_up, statements
from feature_platform.store.service_levels import SHARES

SUPERUSER = "cassandra"
ANY_SELECT = "SELECT keyspace_name FROM system_schema.keyspaces"


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

    What was set is remembered in a stamp file, so that a node that only restarts is ready sooner.

    Returns:
        False if the node accepts no login yet (it creates its superuser after it opens its port).
    """
    passwords = {role: password(settings, role) for role in get_args(Role)}
    store = settings.store
    roles = statements(
        store.keyspace, passwords, local_dc=store.local_dc, replication=store.replication
    )
    stamp = settings.data / "cassandra" / "roles.sha256"
    wanted = hashlib.sha256("\n".join([*roles, str(SHARES)]).encode()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        if not _set_roles(settings, passwords["superuser"], roles):
            return False
        stamp.write_text(wanted)
    return _run(settings, "fp_admin", passwords["admin"], (ANY_SELECT,))


def _set_roles(settings: Settings, superuser: str, roles: Sequence[str]) -> bool:
    if _as_superuser(settings, superuser, roles):
        return True
    # The first start: the password that Cassandra's documentation tells to everybody.
    change = f"ALTER ROLE {SUPERUSER} WITH PASSWORD = {quoted(superuser)}"
    return _run(settings, SUPERUSER, SUPERUSER, (change,)) and _as_superuser(
        settings, superuser, roles
    )


def _as_superuser(settings: Settings, secret: str, roles: Sequence[str]) -> bool:
    try:
        with connect(settings.store, SUPERUSER, secret) as connection:
            set_up(connection, roles)
    except StoreUnavailableError:
        return False
    return True


def _run(settings: Settings, user: str, secret: str, cql: Sequence[str]) -> bool:
    """Run statements as a user; False if the login was refused or the node does not answer."""
    try:
        with connect(settings.store, user, secret) as connection:
            for statement in cql:
                connection.run_ddl(statement)
    except StoreUnavailableError:
        return False
    return True
