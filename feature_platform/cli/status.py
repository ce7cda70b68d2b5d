"""`fp status`: a line for each server and feature set: how it is, since when, and what to do."""

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Column, Table
from rich.text import Text

from feature_platform.cli.output import EXIT_FAILED, one_line, output, print_json, say, styled
from feature_platform.clock import SystemClock, to_iso
from feature_platform.settings import Settings

if TYPE_CHECKING:
    from feature_platform.monitor.glance import Glance
    from feature_platform.monitor.health import Health

HOUR_S = 3600
KERNEL_COLUMNS = (
    "recovered", "hot", "back", "undone", "fenced", "dead", "flush", "reads", "writes",
)  # fmt: skip
COLOURS = {"healthy": "green", "degraded": "yellow", "down": "bold red"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(status)


def status(
    context: typer.Context,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Also show metrics that the jobs report.")
    ] = False,
) -> None:
    """Show whether each server and feature set is healthy, degraded or down, and what to do.

    The exit code is 0 if all is healthy, else 1. A server that does not respond within two seconds
    counts as down.
    """
    from feature_platform.local.probe import probe

    settings: Settings = context.obj
    with ThreadPoolExecutor(max_workers=1) as pool, _without_numpy():
        asked = pool.submit(probe, settings)  # while the rest is loaded
        from feature_platform.local.status import server_status, with_answers
        from feature_platform.monitor.glance import glance

        looked_at = server_status(settings)
        servers = with_answers(looked_at, asked.result())
        seen = glance(settings, servers, detailed=as_json or verbose)
    if as_json:
        print_json(seen.to_json())
    else:
        _show(seen, verbose=verbose)
    if seen.level != "healthy":
        raise SystemExit(EXIT_FAILED)


@contextmanager
def _without_numpy() -> Iterator[None]:
    """Let the driver of the store load without numpy: a quarter of a second, for nothing here."""
    if "numpy" in sys.modules:
        yield
        return
    sys.modules["numpy"] = None  # type: ignore[assignment]  # as the import system documents it
    try:
        yield
    finally:
        del sys.modules["numpy"]


def _show(seen: "Glance", *, verbose: bool) -> None:
    for verdict in seen.verdicts:
        line = Text(f"{verdict.level:<8}", style=COLOURS[verdict.level])
        kind = "" if verdict.kind in ("server", "supervisor") else f"{verdict.kind} "
        line.append(f"  {kind}{verdict.name}: {one_line(verdict.words)}", style="default")
        output.print(line, soft_wrap=True)
        if verdict.next_step:
            say(f"          next: {verdict.next_step}")
    if seen.found.problem:
        say(seen.found.problem)
    say(f"overall: {seen.level}")
    if verbose:
        _show_internals(seen)


def _show_internals(seen: "Glance") -> None:
    healths = seen.found.healths
    if healths:
        output.print(_jobs(healths))
        output.print(_kernels(healths))
    for health in healths:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in health.dead_letters.items())
        for line in _failures(health):
            say(line)
        if reasons:
            say(f"dead letters of {health.featureset}: {reasons}")
        if health.letters_lost:
            say(
                f"{health.letters_lost:,} of them could not be written to the dead letter topic; "
                "see the task manager's log"
            )
    if seen.found.isolation:
        say(f"isolation: {seen.found.isolation}")


def _jobs(healths: Sequence["Health"]) -> Table:
    table = Table(
        Column("feature set", no_wrap=True), "state", "attempt", "lag", "checkpoint", "cut"
    )
    for health in healths:
        table.add_row(
            health.featureset,
            f"{health.state} ({health.job_state})",
            str(health.attempt),
            "-" if health.lag is None else f"{health.lag:,}",
            _ago(health.checkpoint.completed_ms if health.checkpoint else 0),
            _ago(health.cut.recorded_ms if health.cut else 0),
        )
    return table


def _kernels(healths: Sequence["Health"]) -> Table:
    """Show what the jobs report about themselves, in a hundred columns; all of it is in --json."""
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
        f"job {job} of {health.featureset} was fenced off: {why}"
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


def _ago(time_ms: int) -> str:
    if not time_ms:
        return "-"
    seconds = (SystemClock().now_ms() - time_ms) / 1000
    return f"{seconds:.0f} s ago" if seconds < HOUR_S else to_iso(time_ms)
