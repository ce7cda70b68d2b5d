"""`fp produce`: sends the lines of a file, or of standard input, as events."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, cast

import typer

from feature_platform.cli.output import EXIT_FAILED, console, message, print_json
from feature_platform.cli.shift import last_time_ms, shift
from feature_platform.clock import SystemClock
from feature_platform.settings import Settings

if TYPE_CHECKING:
    from feature_platform.broker.sender import EventSender, Tally
    from feature_platform.definition.model import Source

STDIN = "-"
EXIT_INTERRUPTED = 130
SHOW_EVERY = 2_000
NO_TIME = "its event time cannot be read, so it cannot be moved"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(produce)


def produce(
    context: typer.Context,
    source: Annotated[str, typer.Argument(help="Name of a source of featuresets/sources/.")],
    file: Annotated[Path, typer.Option(help="JSON lines; - is standard input.", allow_dash=True)],
    rate: Annotated[
        float, typer.Option(min=0, help="Events per second; 0 is as fast as it goes.")
    ] = 0,
    shift_to_now: Annotated[
        bool, typer.Option("--shift-to-now", help="Move event times so that the last one is now.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print sent and refused as JSON.")
    ] = False,
) -> None:
    """Send each line of a file as one event, as it is.

    What a job cannot read becomes a dead letter there. Refused, and reported here, is what the
    broker does not take, and with --shift-to-now a line whose event time cannot be read. Empty
    lines are left out.
    """
    from feature_platform.broker.sender import EventSender

    settings: Settings = context.obj
    found = find_source(settings, source)
    with ExitStack() as stack:
        lines = stack.enter_context(open_lines(file, again=shift_to_now))
        sender = EventSender(settings.kafka, found.topic)
        try:
            with sender:
                _send(lines, sender, rate, found.event_time if shift_to_now else None)
        except KeyboardInterrupt:
            _report(found.topic, sender.tally, as_json=as_json)
            raise SystemExit(EXIT_INTERRUPTED) from None
    _report(found.topic, sender.tally, as_json=as_json)
    if sender.tally.refused:
        raise SystemExit(EXIT_FAILED)


def find_source(settings: Settings, name: str) -> "Source":
    """Return a source of the project.

    Raises:
        typer.BadParameter: There is none of this name; the message names the nearest.
    """
    from feature_platform.definition.loading import load_project
    from feature_platform.definition.names import unknown

    project = load_project(settings.featuresets)
    if name in project.sources:
        return project.sources[name]
    for problem in project.problems:
        message(str(problem))
    msg = unknown("source", name, project.sources, where=f" in {settings.featuresets}")
    raise typer.BadParameter(msg)


def open_lines(file: Path, *, again: bool) -> BinaryIO:
    """Open a file or standard input; what must be read twice, and cannot be, is copied first.

    Raises:
        typer.BadParameter: The file cannot be read.
    """
    if str(file) != STDIN:
        try:
            return file.open("rb")
        except OSError as error:
            msg = f"{file}: {error.strerror}"
            raise typer.BadParameter(msg, param_hint="--file") from error
    if not again:
        return sys.stdin.buffer
    copy = tempfile.TemporaryFile()  # noqa: SIM115 (the caller closes it)
    shutil.copyfileobj(sys.stdin.buffer, copy)
    copy.seek(0)
    return cast("BinaryIO", copy)


def _send(file: BinaryIO, sender: "EventSender", rate: float, moved_column: str | None) -> None:
    from feature_platform.broker.sender import Pace

    by_ms = 0
    if moved_column is not None:
        by_ms = SystemClock().now_ms() - (last_time_ms(_lines(file), moved_column) or 0)
        file.seek(0)
    pace = Pace(rate)
    with console.status("sending") as status:
        for count, line in enumerate(_lines(file)):
            event = line if moved_column is None else shift(line, moved_column, by_ms)
            if event is None:
                sender.tally.refuse(NO_TIME)
                continue
            pace.step()
            sender.send(event)
            if count % SHOW_EVERY == 0:
                status.update(f"{sender.tally.sent:,} sent")


def _lines(file: BinaryIO) -> Iterator[bytes]:
    for line in file:
        stripped = line.rstrip(b"\r\n")
        if stripped.strip():
            yield stripped


def _report(topic: str, tally: "Tally", *, as_json: bool) -> None:
    facts = {"topic": topic, "sent": tally.sent, "refused": tally.refused, "reasons": tally.reasons}
    if as_json:
        print_json(facts)
    else:
        typer.echo(f"{tally.sent} sent to {topic}, {tally.refused} refused")
    for reason, count in tally.reasons.items():
        message(f"  {count:,} refused: {reason}")
