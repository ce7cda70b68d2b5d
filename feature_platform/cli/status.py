"""`fp status`: the servers, and of each feature set job, lag, checkpoint, cut and dead letters."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.table import Column, Table
from rich.text import Text

from feature_platform.cli.output import EXIT_FAILED, message, output, print_json, say, styled
from feature_platform.clock import SystemClock, to_iso
from feature_platform.errors import FeaturePlatformError
from feature_platform.settings import Settings

if TYPE_CHECKING:
    from feature_platform.local.status import ServerStatus
    from feature_platform.orchestration.health import Health

HOUR_S = 3600
KERNEL_COLUMNS = (
    *("recovered", "hot", "back", "undone", "fenced", "dead", "flush", "reads", "writes"),
)
COLOURS = {"up": "green", "running": "green", "dead": "bold red", "failed": "bold red"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(status)


def status(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what the servers and the jobs are doing.

    The exit code is 1 if a server died, a job that should run does not, or servers are up but those
    that know about the jobs do not answer.
    """
    from feature_platform.local.status import server_status

    settings: Settings = context.obj
    servers = server_status(settings)
    healths, isolation, problem = _ask(settings)
    if as_json:
        print_json(
            {
                "servers": [_server(server) for server in servers],
                "featuresets": [health.to_json() for health in healths],
                "isolation": isolation,
                "problem": problem,
            }
        )
    else:
        _show(servers, healths)
        if isolation:
            message(f"isolation: {isolation}")
        if problem:
            message(problem)
    dead = any(server.state == "dead" for server in servers)
    silent = bool(problem) and any(server.state == "up" for server in servers)
    if dead or silent or any(health.died for health in healths):
        raise SystemExit(EXIT_FAILED)


def _ask(settings: Settings) -> tuple[list["Health"], str, str]:
    """Return how the jobs are doing and what keeps them apart, or why nobody can tell."""
    from feature_platform.deploy.world import open_world
    from feature_platform.orchestration.observe import observe

    try:
        with open_world(settings) as world:
            return observe(world), world.isolation.in_words(settings.store), ""
    except FeaturePlatformError as error:
        return [], "", str(error)


def _server(server: "ServerStatus") -> dict[str, Any]:
    return {
        "name": server.name,
        "state": server.state,
        "address": server.address,
        "pid": server.pid,
        "resident_bytes": server.resident_bytes,
        "uptime_ms": server.uptime_ms,
    }


def _show(servers: Sequence["ServerStatus"], healths: Sequence["Health"]) -> None:
    table = Table("server", "state", "address", "memory", "up for")
    for server in servers:
        memory = f"{server.resident_bytes / 1024**2:.0f} MiB" if server.pid else "-"
        minutes = f"{server.uptime_ms / 60_000:.0f} min" if server.pid else "-"
        table.add_row(server.name, _coloured(server.state), server.address, memory, minutes)
    output.print(table)
    if healths:
        output.print(_jobs(healths))
        output.print(_kernels(healths))
    for health in healths:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in health.dead_letters.items())
        for line in _failures(health):
            say(line)
        if reasons:
            say(f"dead letters of {health.featureset}: {reasons}")


def _jobs(healths: Sequence["Health"]) -> Table:
    table = Table(
        Column("feature set", no_wrap=True), "state", "attempt", "lag", "checkpoint", "cut"
    )
    for health in healths:
        table.add_row(
            health.featureset,
            _coloured("failed") + f" ({health.job_state})"
            if health.died
            else _coloured(health.wanted),
            str(health.attempt),
            "-" if health.lag is None else f"{health.lag:,}",
            _ago(health.checkpoint.completed_ms if health.checkpoint else 0),
            _ago(health.cut.recorded_ms if health.cut else 0),
        )
    return table


def _kernels(healths: Sequence["Health"]) -> Table:
    """Show what the jobs tell about themselves, in a hundred columns; all of it is in --json."""
    table = Table(
        Column("kernel of", no_wrap=True),
        *(Column(name, justify="right") for name in KERNEL_COLUMNS),
        box=box.SIMPLE_HEAD,
        padding=0,
    )
    for health in healths:
        table.add_row(health.featureset, *_kernel(health))
    return table


def _kernel(health: "Health") -> list[str | Text]:
    told = health.metrics
    recovered, hot = told.whole("recovered"), told.hot
    return [
        "-" if recovered is None else "yes" if recovered else styled("no", "yellow"),
        "-" if hot is None else f"{hot:.1%}",
        *(_count(told.whole(name)) for name in ("read_back_rows", "undone_rows")),
        _count(len(health.refused) or told.whole("fenced")),
        _count(sum(health.dead_letters.values())),
        _count(told.whole("flush_entities")),
        f"{_count(told.whole('reads_in_flight'))}/{_count(told.whole('reads_in_flight_limit'))}",
        _count(told.whole("writes_in_flight")),
    ]


def _failures(health: "Health") -> list[str]:
    """Say what went wrong with its jobs; one that was replaced is no trouble, but worth a look."""
    lines = [health.alert] if health.alert else []
    if health.last_failure and health.job_id not in health.refused:
        lines.append(f"last failure of {health.featureset}: {health.last_failure}")
    return lines + [
        f"job {job} of {health.featureset} was not let write: {why}"
        for job, why in health.refused.items()
    ]


def _count(value: int | None) -> str:
    """Write a count in six characters at most."""
    if value is None:
        return "-"
    for size, unit in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        if value >= size * 10:
            return f"{value / size:.0f}{unit}"
    return f"{value:,}"


def _coloured(state: str) -> Text:
    return styled(state, COLOURS.get(state, "yellow"))


def _ago(time_ms: int) -> str:
    if not time_ms:
        return "-"
    seconds = (SystemClock().now_ms() - time_ms) / 1000
    return f"{seconds:.0f} s ago" if seconds < HOUR_S else to_iso(time_ms)
