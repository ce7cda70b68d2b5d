"""`fp debug`: one entity from its events to its served values, and where it goes wrong first."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from feature_platform.cli.completion import featuresets
from feature_platform.cli.dates import parse_instant
from feature_platform.cli.output import (
    EXIT_CHECKS_RED,
    cell,
    console,
    one_line,
    output,
    print_json,
    say,
    styled,
    table,
)
from feature_platform.clock import to_iso
from feature_platform.extras import require

if TYPE_CHECKING:
    from feature_platform.debug.report import DebugReport, State
    from feature_platform.debug.run import DebugRequest
    from feature_platform.settings import Settings

STYLES: dict[str, str] = {"fine": "green", "wrong": "red", "note": "yellow", "unknown": "yellow"}
TILES_SHOWN = 15


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(debug)


def debug(  # noqa: PLR0913 (the options of a command)
    context: typer.Context,
    featureset: Annotated[
        str,
        typer.Argument(
            metavar="FS", help="Name of a deployed feature set.", autocompletion=featuresets
        ),
    ],
    entity: Annotated[str, typer.Argument(metavar="ENTITY", help="Entity key.")],
    *,
    feature: Annotated[str, typer.Option(help="One feature, or one of its served names.")] = "",
    at: Annotated[
        str, typer.Option(help="A past time, ISO-8601; UTC unless it has an offset.")
    ] = "",
    state: Annotated[
        bool,
        typer.Option("--state", help="Read the job's state from its newest checkpoint, too."),
    ] = False,
    live: Annotated[
        bool,
        typer.Option("--live", help="Read its state of now: ask the job for a checkpoint first."),
    ] = False,
    service: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT",
            help="Ask this service by gRPC, too: its answers may be older than the rows.",
        ),
    ] = "",
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page with a timeline, too.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Follow an entity's events to its served values; exit code 3 if something is wrong."""
    _check_service(service, at)
    from feature_platform.debug.run import DebugRequest

    ask = DebugRequest(
        featureset=featureset,
        entity=entity,
        feature=feature,
        at_ms=parse_instant(at, "--at") if at else None,
        state=state or live,
        live=live,
        service=service,
    )
    found = _look(context.obj, ask)
    if html:
        from feature_platform.debug.page import page

        html.write_text(page(found), encoding="utf-8")
    if as_json:
        print_json(found.to_json())
    else:
        _show(found)
    if found.first:
        raise SystemExit(EXIT_CHECKS_RED)


def _look(settings: "Settings", ask: "DebugRequest") -> "DebugReport":
    """Look at everything, and say at what meanwhile."""
    from feature_platform.debug.run import debug as look
    from feature_platform.engines.world import open_world
    from feature_platform.serving.opened import open_client

    name = ask.featureset
    with (
        console.status(f"{name}: connecting") as status,
        open_world(settings) as world,
        open_client(settings) as client,
    ):
        return look(world, client, ask, lambda text: status.update(f"{name}: {text}"))


def _check_service(service: str, at: str) -> None:
    """Refuse to ask a service about the past, and without what asking needs."""
    if not service:
        return
    require("fp debug --service", "service")
    if at:
        msg = "--service answers for now: leave --at away"
        raise typer.BadParameter(msg)


def _show(found: "DebugReport") -> None:
    _show_links(found)
    _show_values(found)
    _show_events(found)
    _show_tiles(found)
    say(one_line(f"{found.featureset} {found.entity}: {found.verdict}"))
    if found.next_step:
        say(f"next: {one_line(found.next_step)}")


def _show_links(found: "DebugReport") -> None:
    shown = table("place", "", "found")
    for link in found.links:
        shown.add_row(link.place, _state(link.state), one_line(link.summary))
        for text in link.details:
            shown.add_row("", "", f"  {one_line(text)}")
    output.print(shown)


def _state(state: "State") -> Text:
    return styled(state, STYLES[state])


def _show_values(found: "DebugReport") -> None:
    shown = table("value", "served", "recomputed", "")
    for value in found.values:
        shown.add_row(value.name, cell(value.served), cell(value.recomputed), one_line(value.state))
    output.print(shown)


def _show_events(found: "DebugReport") -> None:
    if not found.events:
        return
    shown = table("event", "time", "reached the broker", "expected", "in", "event as sent")
    for event in found.shown_events:
        shown.add_row(
            styled(event.place, "bold" if event.named else ""),
            to_iso(event.time_ms),
            to_iso(event.appended_ms),
            event.reason or event.outcome,
            ", ".join(event.features),
            one_line(event.value),
        )
    output.print(shown)
    left = found.events_total - len(found.shown_events)
    if left:
        say(f"{left:,} older events, which no place names, are not shown")


def _show_tiles(found: "DebugReport") -> None:
    wrong = [tile for tile in found.tiles if tile.differs][:TILES_SHOWN]
    if not wrong:
        return
    shown = table("tile", "start", "place", "attempt/flush", "stored", "its events say")
    for tile in wrong:
        shown.add_row(
            tile.level,
            to_iso(tile.start_ms),
            tile.place,
            tile.writer,
            _held(tile.stored),
            _held(tile.expected),
        )
    output.print(shown)


def _held(values: dict[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items()) or "nothing"
