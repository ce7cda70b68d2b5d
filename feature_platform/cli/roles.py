"""`fp roles`: roles, rights and service levels on a store that `fp up` did not start."""

from typing import Annotated, get_args

import typer

from feature_platform.cli.output import message
from feature_platform.settings import Role, Settings, password


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(roles)


def roles(
    context: typer.Context,
    user: Annotated[
        str, typer.Option(help="The superuser; its password is FP_SUPERUSER_PASSWORD.")
    ] = "cassandra",
) -> None:
    """Set up keyspace, roles, rights and service levels on the store of the settings.

    May be run again at any time: it sets passwords and adds what is missing.
    """
    from feature_platform.store.connect import connect
    from feature_platform.store.roles import set_up, statements
    from feature_platform.store.service_levels import Isolation

    settings: Settings = context.obj
    store = settings.store
    passwords = {role: password(settings, role) for role in get_args(Role)}
    cql = statements(
        store.keyspace, passwords, local_dc=store.local_dc, replication=store.replication
    )
    with connect(store, user, passwords["superuser"]) as connection:
        set_up(connection, cql)
        isolation = Isolation.of(connection)
    message(f"the roles of keyspace {store.keyspace} are set")
    message(f"isolation: {isolation.in_words(store)}")
