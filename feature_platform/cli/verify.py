"""`fp verify`: the same drawn events through the reference and through the engines."""

from typing import TYPE_CHECKING, Annotated

import typer

from feature_platform.cli.completion import featuresets
from feature_platform.cli.dates import parse_instant
from feature_platform.cli.defined import defined
from feature_platform.cli.interrupt import interruptible
from feature_platform.cli.output import (
    EXIT_FAILED,
    cells,
    console,
    one_line,
    output,
    print_json,
    say,
    table,
)
from feature_platform.clock import SystemClock, to_iso
from feature_platform.settings import Settings
from feature_platform.words import counted

if TYPE_CHECKING:
    from feature_platform.author.verify import Engine, Verified
    from feature_platform.author.verify_rows import Disagreement

EVENTS = 10_000
EVENTS_MAX = 200_000
"""The reference is plain Python, in memory."""
REFERENCE = "reference"
ENGINES = ("spark",)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(verify)


def verify(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="FS", help="Name of a defined feature set.", autocompletion=featuresets
        ),
    ],
    *,
    events: Annotated[
        int, typer.Option(min=1, max=EVENTS_MAX, help="How many events to draw.")
    ] = EVENTS,
    seed: Annotated[int, typer.Option(help="The same seed draws the same events.")] = 1,
    until: Annotated[
        str,
        typer.Option(help="When the last event arrives, ISO-8601; default: now."),
    ] = "",
    engines: Annotated[
        str,
        typer.Option(
            metavar="LIST", help="What computes the events, with commas: reference, spark."
        ),
    ] = "reference,spark",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Verify a definition: drawn events through the reference and the engines, byte for byte.

    Late, repeated and unreadable events are among them. Nothing is deployed; exit code 1 if an
    engine makes something else of them than the reference.
    """
    from feature_platform.author.verify import verify as run
    from feature_platform.author.verify_events import Draw

    settings: Settings = context.obj
    asked = _engines(settings, engines)
    until_ms = parse_instant(until, "--until") if until else SystemClock().now_ms()
    draw = Draw(count=events, seed=seed, until_ms=until_ms)
    wanted = defined(settings, name)
    with (
        interruptible(lambda: "nothing is left behind"),
        console.status(f"{name}: begin") as status,
    ):
        found = run(wanted, draw, asked, lambda text: status.update(f"{name}: {text}"))
    if as_json:
        print_json(found.to_json())
    else:
        _show(found)
    if not found.agrees:
        raise typer.Exit(EXIT_FAILED)


def _engines(settings: Settings, text: str) -> list["Engine"]:
    """Return the engines that are compared with the reference.

    Raises:
        typer.BadParameter: A name is not one, or there is nothing to compare.
    """
    from feature_platform.author.verify_spark import Spark

    names = {each.strip() for each in text.split(",") if each.strip()}
    unknown = sorted(names - {REFERENCE, *ENGINES})
    if unknown:
        msg = f"{', '.join(unknown)}: write some of {REFERENCE}, {', '.join(ENGINES)}"
        raise typer.BadParameter(msg, param_hint="--engines")
    if not names & {*ENGINES}:
        msg = f"nothing to compare with the reference: name one of {', '.join(ENGINES)}"
        raise typer.BadParameter(msg, param_hint="--engines")
    return [Spark(settings)]


def _show(found: "Verified") -> None:
    shown = table("engine", "entities", "rows", "served values", "different", "")
    for each in found.compared:
        numbers = (each.entities, each.rows, each.values, each.different)
        verdict = "agrees" if each.agrees else "DISAGREES"
        shown.add_row(each.engine, *(f"{number:,}" for number in numbers), *cells([verdict]))
    output.print(shown)
    refused = sum(found.refused.values())
    reasons = ", ".join(f"{number:,} {reason}" for reason, number in found.refused.items())
    say(
        f"{found.featureset}: {found.events:,} events drawn: {found.counted:,} counted for "
        f"{found.entities:,} entities, {found.left_out:,} left out by WHERE, {refused:,} dead "
        f"letters{f' ({reasons})' if reasons else ''}"
    )
    for each in found.compared:
        if each.first:
            say(f"first disagreement of {each.engine}: {_in_words(each.engine, each.first)}")
        if not each.rows:
            say(f"{each.engine}: no row was compared: draw more events with --events")
        for note in each.notes:
            say(f"{each.engine}: {note}")
    if found.untouched:
        features = counted(len(found.untouched), "feature")
        say(f"warning: no event counts for {features}: {', '.join(found.untouched)}")
    say(
        f"the same events again: fp verify {found.featureset} --events {found.events} --seed "
        f"{found.draw.seed} --until {to_iso(found.draw.until_ms)}"
    )


def _in_words(engine: str, first: "Disagreement") -> str:
    place = f", {first.tile}" if first.tile else ""
    return one_line(
        f"entity {first.entity!r}{place}: {first.what}: the reference has {first.reference}, "
        f"{engine} has {first.engine}"
    )
