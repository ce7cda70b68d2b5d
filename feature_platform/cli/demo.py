"""`fp demo`: a year of real flights through the whole platform, every served number recomputed."""

import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Annotated

import psutil
import typer

from feature_platform.cli.output import (
    EXIT_CHECKS_RED,
    PlainConsole,
    console,
    message,
    output,
    say,
    styled,
    table,
)
from feature_platform.errors import FeaturePlatformError
from feature_platform.interrupts import restored
from feature_platform.settings import Settings

if TYPE_CHECKING:
    from feature_platform.demo.recount import Comparison
    from feature_platform.demo.story import Story

REPLAY_S = 60.0
LIVE_S = 60.0
"""How long flights happen at the present before everything is recomputed; `--seconds` if less."""
IN_DAGSTER = (
    "Dagster: {url}/asset-groups shows what each feature set is made of; the plots of asset "
    "live/airport_traffic show events per second, rows per second and lag of its job"
)
WRONG_SHOWN_MAX = 10


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    context: typer.Context,
    seconds: Annotated[
        float | None,
        typer.Option(
            min=1,
            help="Replay for this long, send live flights for as long (60 s at most), verify, "
            "and exit; default: run until Ctrl-C.",
        ),
    ] = None,
    flights: Annotated[
        int | None,
        typer.Option(
            min=1_000, help="Replay only this many, the last of the year; default: all 336,776."
        ),
    ] = None,
) -> None:
    """Replay a year of real flights, change a definition meanwhile, and verify every number.

    Starts servers that are not running and stops them at the end. The exit code is 0 only if every
    served number equals the number recomputed from the raw events.
    """
    settings: Settings = context.obj
    verdicts: list[Comparison] = []
    try:
        with restored(), _servers(settings), _story(settings, flights) as story:
            story.screen.say(IN_DAGSTER.format(url=settings.dagster.url))
            story.prepare()
            story.play(seconds or REPLAY_S)
            story.live(min(LIVE_S, seconds or LIVE_S))
            verdicts = story.judge()
            if seconds is None:
                story.screen.say("live flights continue until Ctrl-C")
                story.live(None)
    except KeyboardInterrupt:
        if not verdicts:
            raise
    finally:
        _end_helpers()
    _show(verdicts)
    if not all(verdict.is_right for verdict in verdicts):
        raise SystemExit(EXIT_CHECKS_RED)


@contextmanager
def _servers(settings: Settings) -> Iterator[None]:
    """Start the servers that do not run; stop those again at the end, whatever happens."""
    from feature_platform.cli.board import Board
    from feature_platform.local.jars import build_kernel
    from feature_platform.local.java import find_java_home
    from feature_platform.local.stack import SERVERS, Stack

    with console.status("preparing the kernel"):
        build_kernel(settings, find_java_home())
    with Board(tuple(SERVERS)) as board:
        started = tuple(Stack(settings, report=board.show).up())
    try:
        yield
    finally:
        if started:
            with Board(started) as board:
                Stack(settings, servers=started, report=board.show).down()


@contextmanager
def _story(settings: Settings, flights: int | None) -> Iterator["Story"]:
    """Open everything that the story needs; end its replay and its jobs, whatever happens."""
    from feature_platform.demo.screen import Screen
    from feature_platform.demo.served import open_served
    from feature_platform.demo.story import Story
    from feature_platform.engines.world import open_world

    with ExitStack() as stack:
        world = stack.enter_context(open_world(settings))
        served = stack.enter_context(open_served(settings))
        title = f"feature platform, Dagster at {settings.dagster.url}"
        screen = stack.enter_context(Screen(console=PlainConsole(), title=title))
        story = Story(
            settings=settings, world=world, served=served, screen=screen, flights_max=flights
        )
        try:
            yield story
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            _end(story)


def _end_helpers() -> None:
    """End what an interrupted step may have left, such as Flink's client."""
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            child.kill()


def _end(story: "Story") -> None:
    """End the story; a server that is gone by now is no reason not to stop the others."""
    message("stopping the demo")
    try:
        story.end()
    except FeaturePlatformError as error:
        message(str(error))


def _show(verdicts: "Sequence[Comparison]") -> None:
    shown = table("feature set", "entities", "served values", "wrong", "dead letters", "verdict")
    for verdict in verdicts:
        shown.add_row(
            verdict.featureset,
            f"{verdict.entities:,}",
            f"{verdict.values:,}",
            f"{len(verdict.wrong):,}",
            " / ".join(f"{count:,}" for count in verdict.dead_letters),
            styled("equal", "green") if verdict.is_right else styled("differs", "bold red"),
        )
    output.print(shown)
    for verdict in verdicts:
        for line in verdict.wrong[:WRONG_SHOWN_MAX]:
            say(line)
