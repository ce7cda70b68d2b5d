"""`fp verify`: the same drawn events through the reference and through the engines."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from feature_platform.cli.completion import featuresets
from feature_platform.cli.dates import parse_instant
from feature_platform.cli.defined import defined
from feature_platform.cli.interrupt import interruptible
from feature_platform.cli.output import (
    EXIT_CHECKS_RED,
    cells,
    console,
    message,
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
ENGINES = ("spark", "flink")
SERVERS = frozenset({"kafka", "cassandra", "flink"})


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
            metavar="LIST",
            help="What computes the events, with commas: reference, spark, flink; default: all, "
            "without flink where the servers are not up.",
        ),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Verify a definition: drawn events through the reference and the engines, byte for byte.

    Late, repeated and unreadable events are among them. Flink's job has a topic and a table of its
    own, is killed and restarted in the middle, and removed at the end; nothing is deployed. Exit
    code 3 if an engine makes something else of the events than the reference.
    """
    from feature_platform.author.verify import verify as run
    from feature_platform.author.verify_events import Draw

    settings: Settings = context.obj
    names = _names(settings, engines)
    until_ms = parse_instant(until, "--until") if until else SystemClock().now_ms()
    draw = Draw(count=events, seed=seed, until_ms=until_ms)
    wanted = defined(settings, name)
    with (
        interruptible(lambda: _left_behind(name, names)),
        _engines(settings, names) as asked,
        console.status(f"{name}: verifying"),
    ):
        found = run(wanted, draw, asked, message)
    if as_json:
        print_json(found.to_json())
    else:
        _show(found)
    if not found.agrees:
        raise typer.Exit(EXIT_CHECKS_RED)


def _names(settings: Settings, text: str) -> list[str]:
    """Return the engines that are compared with the reference.

    Raises:
        typer.BadParameter: A name is not one, or there is nothing to compare.
    """
    if not text:
        return list(ENGINES) if _servers_are_up(settings) else ["spark"]
    names = {each.strip() for each in text.split(",") if each.strip()}
    unknown = sorted(names - {REFERENCE, *ENGINES})
    if unknown:
        msg = f"{', '.join(unknown)}: write some of {REFERENCE}, {', '.join(ENGINES)}"
        raise typer.BadParameter(msg, param_hint="--engines")
    if not names & {*ENGINES}:
        msg = f"nothing to compare with the reference: name one of {', '.join(ENGINES)}"
        raise typer.BadParameter(msg, param_hint="--engines")
    return [each for each in ENGINES if each in names]


def _servers_are_up(settings: Settings) -> bool:
    from feature_platform.local.status import server_status

    return {each.name for each in server_status(settings) if each.state == "up"} >= SERVERS


@contextmanager
def _engines(settings: Settings, names: Sequence[str]) -> Iterator[list["Engine"]]:
    """Open the engines; Flink's on the servers that run."""
    from feature_platform.author.verify_flink import Flink
    from feature_platform.author.verify_spark import Spark
    from feature_platform.engines.world import open_world

    made: list[Engine] = [Spark(settings)] if "spark" in names else []
    with ExitStack() as opened:
        if "flink" in names:
            made.append(Flink(opened.enter_context(open_world(settings))))
        yield made


def _left_behind(name: str, names: Sequence[str]) -> str:
    if "flink" not in names:
        return "nothing is left behind"
    return (
        f"the job of {name}'s verification, its table and its topics are removed. If the removal "
        f"was interrupted too, the next fp verify {name}, or fp delete {name}, finishes it"
    )


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
    places = [f"entity {first.entity!r}" if first.entity else "", first.tile, first.what]
    place = ", ".join(each for each in places if each)
    return one_line(f"{place}: the reference has {first.reference}, {engine} has {first.engine}")
