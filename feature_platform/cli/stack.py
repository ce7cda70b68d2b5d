"""`fp up` and `fp down`: the embedded stack, with progress while it starts and stops."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.table import Table

from feature_platform.cli.entry import NEEDS
from feature_platform.cli.output import EXIT_INTERRUPTED, console, message
from feature_platform.extras import require
from feature_platform.interrupts import restored
from feature_platform.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(up)
    app.command()(down)


def up(
    context: typer.Context,
    servers: Annotated[
        list[str] | None,
        typer.Argument(help="kafka, cassandra, flink, dagster; default: all."),
    ] = None,
) -> None:
    """Start Kafka, Cassandra, Flink and Dagster on loopback and wait until each responds.

    Servers that are already running are left alone. Data is kept in .fp/ of the project. A
    supervisor restarts servers that die later.
    """
    from feature_platform.cli.board import Board
    from feature_platform.local.jars import build_kernel
    from feature_platform.local.java import find_java_home
    from feature_platform.local.stack import SERVERS, Stack
    from feature_platform.local.supervisor import ensure_supervisor, supervisor_state

    settings: Settings = context.obj
    names = tuple(servers or SERVERS)
    if unknown := set(names) - set(SERVERS):
        msg = f"unknown server {', '.join(sorted(unknown))}; servers are {', '.join(SERVERS)}"
        raise typer.BadParameter(msg)
    require("fp up", *(extra for extra in NEEDS["up"] if extra in names))
    if "flink" in names:
        with console.status("preparing the kernel"):
            build_kernel(settings, find_java_home())
    with Board(names) as board:
        stack = Stack(settings, servers=names, report=board.show, waiting=board.waits)
        with _interruptible(lambda: board.stopped):
            started = stack.up()
    message(f"started {', '.join(started)}" if started else "all servers are already up")
    died = supervisor_state(settings) == "dead"
    if ensure_supervisor(settings):
        again = " (the previous one died)" if died else ""
        message(
            f"a supervisor{again} restarts servers that die; its log is .fp/logs/supervisor.log"
        )
    _show_addresses(settings)


def down(context: typer.Context) -> None:
    """Stop all servers of this project and everything they started; data is kept."""
    from feature_platform.cli.board import Board
    from feature_platform.local.stack import SERVERS, Stack

    with Board(tuple(SERVERS)) as board:
        Stack(context.obj, report=board.show, waiting=board.waits).down()
    message("all servers are down; data is kept in .fp/")


@contextmanager
def _interruptible(stopped: Callable[[], list[str]]) -> Iterator[None]:
    """Say what an interrupted start has stopped again.

    Raises:
        SystemExit: It was interrupted; the code is 130.
    """
    try:
        with restored():
            yield
    except KeyboardInterrupt:
        names = stopped()
        done = f"stopped again: {', '.join(names)}" if names else "nothing was started"
        message(
            f"interrupted; {done}. Servers that were already running keep running. `fp up` starts "
            "the rest"
        )
        raise SystemExit(EXIT_INTERRUPTED) from None


def _show_addresses(settings: Settings) -> None:
    from feature_platform.local.status import server_status

    table = Table.grid(padding=(0, 2))
    running = [server for server in server_status(settings) if server.state == "up"]
    for server in running:
        table.add_row(server.name, server.address, f"{server.resident_bytes / 2**20:,.0f} MiB")
    console.print(table)
