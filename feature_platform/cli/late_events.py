"""`fp late-events`: how late the events of a source come, and what they change after the fact."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column

from feature_platform.cli.completion import sources
from feature_platform.cli.dates import parse_day
from feature_platform.cli.output import output, print_json, say, table
from feature_platform.cli.produce import find_source
from feature_platform.settings import Settings
from feature_platform.tiles.grid import format_duration
from feature_platform.words import counted, short_span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from feature_platform.statistics.lateness import DayLate

DAYS = 7
DAYS_MAX = 366
BLOCKS = " ▁▂▃▄▅▆▇█"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("late-events")(late_events)


def late_events(
    context: typer.Context,
    source: Annotated[str, typer.Argument(help="Name of a source.", autocompletion=sources)],
    *,
    day: Annotated[
        str, typer.Option(metavar="DATE", help="One UTC day of event times; default: the newest.")
    ] = "",
    days: Annotated[
        int, typer.Option(min=1, max=DAYS_MAX, help="How many of the newest days.")
    ] = DAYS,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show how late a source's archived events reached the broker, by day of their times.

    And, for each feature set of the source, for how many of them the tile had ended by then, or was
    not kept any more.
    """
    from feature_platform.definition.loading import load_project
    from feature_platform.extras import require

    require(f"fp late-events {source}", "statistics")
    from feature_platform.statistics.lateness import Lateness

    settings: Settings = context.obj
    found = find_source(settings, source)
    chosen = parse_day(day, "--day")
    featuresets = [
        each
        for each in load_project(settings.featuresets).featuresets.values()
        if each.source.name == source
    ]
    log = Lateness(settings.event_log_folder, found.name, found.topic)
    measured = [log.day(each, featuresets) for each in ([chosen] if chosen else log.dates[-days:])]
    if as_json:
        print_json([each.to_json() for each in measured])
    else:
        _show(source, measured)


def _show(source: str, days: "Sequence[DayLate]") -> None:
    from feature_platform.statistics.lateness import LATE_MS

    ends = ["<=", *(format_duration(each) for each in LATE_MS)]
    right = (Column(header=name, justify="right") for name in ("events", "early", "p50", "p95"))
    more = (Column(header=name, justify="right") for name in ("p99", "latest"))
    shown = table("day", *right, *more, f"late by {' '.join(ends)}, more", box=None, padding=(0, 1))
    for each in days:
        quantiles = (short_span(each.measures.get(name)) for name in ("p50", "p95", "p99", "max"))
        shown.add_row(
            each.date, f"{each.events:,}", f"{each.early:,}", *quantiles, _bars(each.bars)
        )
    output.print(shown)
    levels = table("day", "feature set", "tiles", "had ended", "not kept any more")
    for each in days:
        for level in each.levels:
            levels.add_row(
                each.date, level.featureset, level.level, f"{level.ended:,}", f"{level.gone:,}"
            )
    output.print(levels)
    gone = sum(level.gone for each in days for level in each.levels)
    events = sum(each.events for each in days)
    say(
        f"{source}: {counted(events, 'event')} of {counted(len(days), 'day')}; "
        f"{counted(gone, 'time')} a tile was not kept any more when its event came"
    )


def _bars(bars: "Sequence[int]") -> str:
    most = max(bars) or 1
    steps = len(BLOCKS) - 1
    return "".join(BLOCKS[-(-each * steps // most)] for each in bars)
