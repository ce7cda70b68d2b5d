"""`fp roles`: roles, rights and service levels on a store that `fp up` did not start."""

import os
from collections.abc import Mapping
from typing import Annotated, get_args

import typer

from feature_platform.cli.output import message
from feature_platform.errors import SettingsError
from feature_platform.settings import Role, Settings, password_variable


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(roles)


def roles(
    context: typer.Context,
    user: Annotated[
        str, typer.Option(help="The superuser; its password is read from FP_SUPERUSER_PASSWORD.")
    ] = "cassandra",
) -> None:
    """Set up keyspace, roles, grants and service levels on the configured store.

    Can be run again at any time: it sets passwords and adds what is missing. All passwords come
    from the environment.
    """
    from feature_platform.store.connect import connect
    from feature_platform.store.roles import set_up, statements
    from feature_platform.store.service_levels import Isolation

    settings: Settings = context.obj
    store = settings.store
    passwords = exported_passwords(os.environ)
    cql = statements(
        store.keyspace, passwords, local_dc=store.local_dc, replication=store.replication
    )
    with connect(store, user, passwords["superuser"]) as connection:
        set_up(connection, cql)
        isolation = Isolation.of(connection)
    message(f"roles and grants of keyspace {store.keyspace} are set")
    message(f"isolation: {isolation.in_words(store)}")


def exported_passwords(environment: Mapping[str, str]) -> dict[Role, str]:
    """Return each role's password as it is exported: those of the embedded store stay there.

    Raises:
        SettingsError: Some are missing; all of these are named.
    """
    names = {role: password_variable(role) for role in get_args(Role)}
    if missing := [name for name in names.values() if not environment.get(name)]:
        msg = (
            f"not set in the environment: {', '.join(missing)}; `fp roles` sets these passwords on "
            "the store (and logs in with the superuser's), so it does not read .fp/secrets"
        )
        raise SettingsError(msg)
    return {role: environment[name] for role, name in names.items()}
