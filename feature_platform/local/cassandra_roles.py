"""Passwords and roles of the embedded store: no default password works after the first start."""

import hashlib
import os
import secrets
from collections.abc import Sequence
from typing import get_args

from feature_platform.errors import ServerError, StoreUnavailableError
from feature_platform.paths import make_private
from feature_platform.settings import (
    Role,
    Settings,
    StoreSettings,
    embedded_passwords,
    password_variable,
    read_secrets,
)
from feature_platform.store.connect import connect, quoted
from feature_platform.store.driver_errors import is_refused_login, is_untrusted
from feature_platform.store.roles import set_up, statements
from feature_platform.store.service_levels import SHARES

SUPERUSER = "cassandra"
LOOPBACK = "127.0.0.1"
ANY_SELECT = "SELECT keyspace_name FROM system_schema.keyspaces"


def generate_passwords(settings: Settings) -> None:
    """Give each role a password that has none yet, in a file that only its owner reads."""
    path = settings.secrets_file
    known = read_secrets(path)
    names = [password_variable(role) for role in get_args(Role)]
    if all(name in known for name in names):
        return
    known = {name: known.get(name) or secrets.token_urlsafe(24) for name in names}
    make_private(path.parent)
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.writelines(f"{name}={value}\n" for name, value in known.items())
    fresh.replace(path)


def secure(settings: Settings) -> bool:
    """Replace the default superuser's password, create keyspace and roles, select as `fp_admin`.

    What was set is remembered in a stamp file, so that a node that only restarts is ready sooner.
    The passwords are those of `.fp/secrets` alone: what is exported is another store's.

    Returns:
        False if the node accepts no login yet (it creates its superuser after it opens its port).

    Raises:
        ServerError: The node has other passwords.
    """
    known = embedded_passwords(settings)
    passwords = {role: known.get(password_variable(role), "") for role in get_args(Role)}
    store = _own_node(settings)
    roles = statements(
        store.keyspace, passwords, local_dc=store.local_dc, replication=store.replication
    )
    stamp = settings.data / "cassandra" / "roles.sha256"
    wanted = hashlib.sha256("\n".join([*roles, str(SHARES)]).encode()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        if not _set_roles(store, passwords["superuser"], roles):
            if stamp.exists() and _is_refused(store, passwords["superuser"]):
                raise ServerError(_lost(settings))
            return False
        stamp.touch(mode=0o600)
        stamp.write_text(wanted)
    return _run(store, "fp_admin", passwords["admin"], (ANY_SELECT,))


def _own_node(settings: Settings) -> StoreSettings:
    """Return how the embedded node is reached, also where the settings name another store."""
    store = settings.store
    return store if store.is_local else store.model_copy(update={"host": LOOPBACK})


def _lost(settings: Settings) -> str:
    folder = settings.data / "cassandra"
    return (
        f"cassandra: the passwords in {settings.secrets_file} do not match {folder}: restore the "
        f"file from a copy; or delete {folder} and with it every row of the embedded store: `fp "
        "apply` recomputes them from what Kafka and the event log still have"
    )


def _set_roles(store: StoreSettings, superuser: str, roles: Sequence[str]) -> bool:
    if _as_superuser(store, superuser, roles):
        return True
    # The first start: the password that is in Cassandra's documentation.
    change = f"ALTER ROLE {SUPERUSER} WITH PASSWORD = {quoted(superuser)}"
    return _run(store, SUPERUSER, SUPERUSER, (change,)) and _as_superuser(store, superuser, roles)


def _as_superuser(store: StoreSettings, secret: str, roles: Sequence[str]) -> bool:
    try:
        with connect(store, SUPERUSER, secret) as connection:
            set_up(connection, roles)
    except StoreUnavailableError:
        return False
    return True


def _is_refused(store: StoreSettings, secret: str) -> bool:
    """Return whether the node answers, and says that this is not the superuser's password."""
    try:
        connect(store, SUPERUSER, secret).close()
    except StoreUnavailableError as error:
        return is_refused_login(error)
    return False


def _run(store: StoreSettings, user: str, secret: str, cql: Sequence[str]) -> bool:
    """Run statements as a user; False if the login was refused or the node does not answer."""
    try:
        with connect(store, user, secret) as connection:
            for statement in cql:
                connection.run_ddl(statement)
    except StoreUnavailableError as error:
        if is_untrusted(error):
            raise ServerError(str(error)) from error
        return False
    return True
