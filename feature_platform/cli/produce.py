"""`fp produce`: sends the lines of a file, or of standard input, as events."""

import shlex
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from feature_platform.cli.completion import sources
from feature_platform.cli.lines import LINE_BYTES_MAX, STDIN, open_file, read_lines
from feature_platform.cli.output import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    console,
    message,
    print_json,
    say,
)
from feature_platform.cli.shift import last_time_ms, shift
from feature_platform.clock import SystemClock
from feature_platform.interrupts import restored
from feature_platform.settings import Settings
from feature_platform.words import counted

if TYPE_CHECKING:
    from feature_platform.broker.sender import EventSender, Tally
    from feature_platform.definition.model import Source

SHOW_EVERY = 2_000
NO_TIME = "its event time cannot be parsed, so it cannot be shifted"
TOO_LONG = f"a line of more than {LINE_BYTES_MAX} bytes (LINE_BYTES_MAX); are line breaks missing?"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(produce)


def produce(
    context: typer.Context,
    source: Annotated[
        str,
        typer.Argument(help="Name of a source in featuresets/sources/.", autocompletion=sources),
    ],
    file: Annotated[
        Path, typer.Option(help="File of JSON lines; - reads standard input.", allow_dash=True)
    ],
    rate: Annotated[float, typer.Option(min=0, help="Events per second; 0 means unlimited.")] = 0,
    shift_to_now: Annotated[
        bool,
        typer.Option("--shift-to-now", help="Shift event times so that the last event is now."),
    ] = False,
    skip: Annotated[
        int, typer.Option(min=0, help="Skip this many events at the beginning, already sent.")
    ] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the sent and refused counts as JSON.")
    ] = False,
) -> None:
    """Send each line of a file unchanged as one event.

    Reports as refused what the broker rejects and, with --shift-to-now, lines whose event time
    cannot be parsed. An event that a job cannot parse becomes a dead letter of the job. Blank
    lines are skipped and do not count for --skip.
    """
    from feature_platform.broker.sender import EventSender

    settings: Settings = context.obj
    found = find_source(settings, source)
    with ExitStack() as stack:
        lines = stack.enter_context(open_file(file, "--file", again=shift_to_now))
        sender = EventSender(settings.kafka, found.topic)
        try:
            with restored(), sender:
                _send(lines, sender, rate, found if shift_to_now else None, skip)
        except KeyboardInterrupt:
            _report(found.topic, sender.tally, as_json=as_json)
            done = skip + sender.tally.sent + sender.tally.refused
            options = ["--rate", f"{rate:g}"] if rate else []
            if shift_to_now:
                options.append("--shift-to-now")
            message(f"interrupted; {_rest(source, file, done, options)}")
            raise SystemExit(EXIT_INTERRUPTED) from None
    _report(found.topic, sender.tally, as_json=as_json)
    if sender.tally.refused:
        raise SystemExit(EXIT_FAILED)


def _rest(source: str, file: Path, done: int, options: list[str]) -> str:
    """Say how the events that are left are sent, without sending any twice."""
    command = shlex.join(
        ["fp", "produce", source, "--file", str(file), "--skip", str(done), *options]
    )
    if str(file) == STDIN:
        return f"to send the rest, pipe the same input again: ... | {command}"
    return f"to send the rest: {command}"


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


def _send(
    file: BinaryIO, sender: "EventSender", rate: float, moved: "Source | None", skip: int
) -> None:
    from feature_platform.broker.sender import Pace

    by_ms = 0
    if moved is not None:
        times = (line for _, line in read_lines(file) if line is not None)
        last_ms = last_time_ms(times, moved.event_time, moved.event_time_unit)
        by_ms = SystemClock().now_ms() - (last_ms or 0)
        file.seek(0)
    pace = Pace(rate)
    with console.status("sending") as status:
        for count, line in enumerate(_events(file, skip)):
            event = line
            if moved is not None and line is not None:
                event = shift(line, moved.event_time, by_ms, moved.event_time_unit)
            if event is None:
                sender.tally.refuse(TOO_LONG if line is None else NO_TIME)
                continue
            pace.step()
            sender.send(event)
            if count % SHOW_EVERY == 0:
                status.update(f"{sender.tally.sent:,} sent")


def _events(file: BinaryIO, skip: int) -> Iterator[bytes | None]:
    for count, (_, line) in enumerate(read_lines(file)):
        if count >= skip:
            yield line


def _report(topic: str, tally: "Tally", *, as_json: bool) -> None:
    facts = {"topic": topic, "sent": tally.sent, "refused": tally.refused, "reasons": tally.reasons}
    if as_json:
        print_json(facts)
    else:
        say(f"{counted(tally.sent, 'event')} sent to {topic}, {tally.refused:,} refused")
    for reason, count in tally.reasons.items():
        message(f"  {count:,} refused: {reason}")
