"""`fp up` and `fp down`: the embedded stack, with progress while it starts and stops."""

from typing import Annotated

import typer
from rich.table import Table

from feature_platform.cli.output import console, message
from feature_platform.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(up)
    app.command()(down)


def up(
    context: typer.Context,
    servers: Annotated[
        list[str] | None,
        typer.Argument(help="kafka, cassandra, flink, dagster; all if none is named."),
    ] = None,
) -> None:
    """Start Kafka, Cassandra, Flink and Dagster on loopback, and wait until each answers.

    What runs already stays as it is. Data is kept in .fp/ of the project.
    """
    from feature_platform.cli.board import Board
    from feature_platform.local.jars import build_kernel
    from feature_platform.local.java import find_java_home
    from feature_platform.local.stack import SERVERS, Stack

    settings: Settings = context.obj
    names = tuple(servers or SERVERS)
    if unknown := set(names) - set(SERVERS):
        msg = f"no server is called {', '.join(sorted(unknown))}; there are {', '.join(SERVERS)}"
        raise typer.BadParameter(msg)
    if "flink" in names:
        with console.status("building the kernel, if its sources changed"):
            build_kernel(settings, find_java_home())
    with Board(names) as board:
        started = Stack(settings, servers=names, report=board.show).up()
    message(f"started {', '.join(started)}" if started else "all are up already; nothing to do")
    _show_addresses(settings)


def down(context: typer.Context) -> None:
    """Stop all servers of this project and everything that they started; data stays."""
    from feature_platform.cli.board import Board
    from feature_platform.local.stack import SERVERS, Stack

    with Board(tuple(SERVERS)) as board:
        Stack(context.obj, report=board.show).down()
    message("all servers are down; their data is kept in .fp/")


def _show_addresses(settings: Settings) -> None:
    from feature_platform.local.status import server_status

    table = Table.grid(padding=(0, 2))
    running = [server for server in server_status(settings) if server.state == "up"]
    for server in running:
        table.add_row(server.name, server.address, f"{server.resident_bytes / 2**20:,.0f} MiB")
    console.print(table)
