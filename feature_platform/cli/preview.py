"""`fp preview`: what a definition makes of some events, before anything is deployed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from feature_platform.cli.completion import featuresets
from feature_platform.cli.dates import parse_instant
from feature_platform.cli.defined import defined
from feature_platform.cli.output import (
    cell,
    cells,
    one_line,
    output,
    print_json,
    say,
    table,
)
from feature_platform.clock import to_iso
from feature_platform.settings import Settings

if TYPE_CHECKING:
    from feature_platform.author.preview import Preview

EVENTS = 10_000
EVENTS_MAX = 1_000_000
ENTITIES_MAX = 100
TILES_SHOWN = 40
ITEMS_SHOWN = 5


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(preview)


def preview(  # noqa: PLR0913 (the options of a command)
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="FS", help="Name of a defined feature set.", autocompletion=featuresets
        ),
    ],
    *,
    events: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File of events, one JSON object a line; default: the newest archived events.",
        ),
    ] = None,
    sample: Annotated[
        int, typer.Option(min=1, max=EVENTS_MAX, help="How many events to read.")
    ] = EVENTS,
    entity: Annotated[
        list[str] | None,
        typer.Option(help="Entity key to show; repeatable; default: the busiest."),
    ] = None,
    at: Annotated[
        str, typer.Option(help="Time to serve for, ISO-8601; default: after the newest event.")
    ] = "",
    tiles: Annotated[bool, typer.Option("--tiles", help="Show the tiles, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what a definition makes of some events: what it counts, what it would serve.

    Nothing is deployed, and no server is asked.
    """
    from feature_platform.author.preview import PreviewRequest
    from feature_platform.author.preview import preview as compute
    from feature_platform.author.sample import of_file, of_log

    settings: Settings = context.obj
    wanted = defined(settings, name)
    ask = PreviewRequest(
        entities=tuple((entity or [])[:ENTITIES_MAX]),
        at_ms=parse_instant(at, "--at") if at else None,
        timeless=events is not None,
        tiles=tiles,
    )
    source = wanted.source
    found = compute(
        wanted,
        of_file(events, sample)
        if events
        else of_log(settings.event_log_folder, source.name, source.topic, sample),
        ask,
    )
    if as_json:
        print_json(found.to_json())
    else:
        _show(found)


def _show(found: "Preview") -> None:
    shown = table("feature", "events", "FILTER")
    for each in found.features:
        shown.add_row(each.feature, f"{each.events:,}", one_line(each.filter))
    output.print(shown)
    names = next((list(values) for values in found.values.values() if values), [])
    if names:
        answers = table("value", *(one_line(entity) for entity in found.values))
        for name in names:
            row = (_short(values.get(name)) for values in found.values.values())
            answers.add_row(name, *cells(row))
        output.print(answers)
    _show_tiles(found)
    refused = sum(found.refused.values())
    reasons = ", ".join(f"{number:,} {reason}" for reason, number in found.refused.items())
    say(
        f"{found.featureset}: {found.read:,} events of {found.origin}: {found.counted:,} counted "
        f"for {found.entities:,} entities, {found.left_out:,} left out by WHERE, {refused:,} dead "
        f"letters{f' ({reasons})' if reasons else ''}; as of {to_iso(found.at_ms)}"
    )
    for entity in found.missing:
        say(f"none of these events is of entity {one_line(entity)}")
    for letter in found.examples:
        say(f"  {letter.reason}: {one_line(letter.event)}")
    for each in found.features:
        if each.why_none:
            say(f"warning: {each.feature}: {one_line(each.why_none)}")


def _short(value: object) -> object:
    """Return a value as it is shown: of a list, the first items."""
    if not isinstance(value, list | tuple) or len(value) <= ITEMS_SHOWN:
        return value
    first = ", ".join(str(item) for item in value[:ITEMS_SHOWN])
    return f"{first}, and {len(value) - ITEMS_SHOWN:,} more"


def _show_tiles(found: "Preview") -> None:
    for entity, tiles in found.tiles.items():
        shown = table("tile", "start", "in the head", "holds", title=one_line(entity))
        for tile in tiles[-TILES_SHOWN:]:
            held = ", ".join(f"{name} {cell(value)}" for name, value in tile["partials"].items())
            shown.add_row(tile["level"], tile["start"], cell(tile["in_head"]), held)
        output.print(shown)
