"""`fp statistics`: what was served from a feature list on a day, and how far it has drifted."""

import math
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column
from rich.text import Text

from feature_platform.cli.output import (
    EXIT_CHECKS_RED,
    console,
    message,
    one_line,
    output,
    print_json,
    say,
    styled,
    table,
)
from feature_platform.cli.verdicts import STYLES
from feature_platform.settings import Settings

if TYPE_CHECKING:
    from feature_platform.definition.feature_list import FeatureList
    from feature_platform.statistics.column import ColumnStatistics
    from feature_platform.statistics.judge import FeatureVerdict, StatisticsReport

NUMBERS = ("rows", "distinct")
SHARES = ("nulls", "zeros")
VALUES = ("mean", "p50")
DRIFTS = ("psi", "js")
BLOCKS = "▁▂▃▄▅▆▇█"
BARS = 10
"""In the drawing of a histogram."""
TEXTS = 2
"""How many of the most frequent texts the table has."""
TEXT_CHARACTERS_MAX = 20
Json = Annotated[bool, typer.Option("--json", help="Print the statistics as JSON.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(statistics)


def statistics(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="LIST", help="Name of a feature list.")],
    *,
    day: Annotated[
        str,
        typer.Option(
            metavar="DATE", help="UTC day; default: the newest archived one that is over."
        ),
    ] = "",
    against: Annotated[
        str,
        typer.Option(
            metavar="DATE", help="Day that drift is measured from; default: as the list says."
        ),
    ] = "",
    as_json: Json = False,
) -> None:
    """Show statistics and drift of what was served; exit code 3 if a limit of the list is passed.

    They are computed from the archived feature log, once for each day, and kept beside it.
    """
    from feature_platform.clock import SystemClock
    from feature_platform.extras import require

    require("fp statistics", "statistics")
    from feature_platform.feature_log.read import ServedLog
    from feature_platform.statistics.run import StatisticsRequest, statistics

    ask = StatisticsRequest(day=_day(day, "--day"), against=_day(against, "--against"))
    listed = _defined(context.obj, name)
    with console.status(f"{name}: reading the feature log") as status:

        def report(text: str) -> None:
            status.update(f"{name}: {text}")

        log = ServedLog.open(context.obj, name)
        found = statistics(log, listed, ask, SystemClock(), report)
    if as_json:
        print_json(found.to_json())
    else:
        _show(found)
    if found.status == "red":
        raise SystemExit(EXIT_CHECKS_RED)


def _defined(settings: Settings, name: str) -> "FeatureList":
    """Return the list as it is defined, with its limits; mistakes of other files are no matter.

    Raises:
        UnknownFeatureError: It is not defined, or has mistakes; these are printed.
    """
    from feature_platform.definition.loading import load_project
    from feature_platform.definition.names import unknown
    from feature_platform.errors import UnknownFeatureError

    project = load_project(settings.featuresets)
    if name in project.lists:
        return project.lists[name]
    for problem in project.problems:
        message(str(problem))
    raise UnknownFeatureError(unknown("feature list", name, project.lists))


def _day(text: str, option: str) -> str:
    """Check a day.

    Raises:
        typer.BadParameter: It is not a date.
    """
    try:
        return date.fromisoformat(text).isoformat() if text else ""
    except ValueError:
        msg = f"{text}: write a day as 2026-01-31"
        raise typer.BadParameter(msg, param_hint=option) from None


def _show(found: "StatisticsReport") -> None:
    right = (
        Column(header=header, justify="right") for header in (*NUMBERS, *SHARES, *VALUES, *DRIFTS)
    )
    shown = table("feature", *right, "values", "", box=None, padding=(0, 1))
    for each in found.features:
        shown.add_row(one_line(each.name), *_cells(each), _values(each.column), _status(each))
    output.print(shown)
    say(f"{found.list}: {found.summary}")
    for line in found.findings:
        say(f"  {one_line(line)}")
    for line in (*found.notes, *_skipped(found.features)):
        say(f"  note: {one_line(line)}")


def _cells(each: "FeatureVerdict") -> list[str]:
    known = each.measures
    cells = [f"{known[name]:,.0f}" if name in known else "-" for name in NUMBERS]
    cells += [f"{known[name]:.1%}" if name in known else "-" for name in SHARES]
    cells += [f"{known[name]:.4g}" if name in known else "-" for name in VALUES]
    return cells + [f"{known[name]:.3f}" if name in known else "-" for name in DRIFTS]


def _status(each: "FeatureVerdict") -> Text:
    return styled("-" if each.status == "skipped" else each.status, STYLES[each.status])


def _skipped(features: Sequence["FeatureVerdict"]) -> list[str]:
    """Say what was not judged, the same reason once."""
    by_reason: dict[str, list[str]] = {}
    for each in features:
        for reason in each.why:
            by_reason.setdefault(reason, []).append(each.name)
    from feature_platform.words import names_of

    return [f"not judged: {names_of(names)}: {why}" for why, names in by_reason.items()]


def _values(column: "ColumnStatistics | None") -> str:
    """Draw the histogram of numbers between p01 and p99, or name the most frequent texts."""
    if column is None or not column.known:
        return "-"
    if column.kind == "text":
        top = [(text[:TEXT_CHARACTERS_MAX], rows / column.known) for text, rows in column.top]
        return one_line(", ".join(f"{text!r} {share:.0%}" for text, share in top[:TEXTS]))
    if column.kind == "boolean":
        return f"true {1 - column.zeros / column.known:.0%}"
    odd = f", not finite {column.not_finite / column.known:.0%}" if column.not_finite else ""
    return histogram(column) + odd


def histogram(column: "ColumnStatistics") -> str:
    """Draw the shares of numbers in bins of one width between p01 and p99."""
    from feature_platform.statistics.sketches import bin_shares, quantiles

    ends = quantiles(column.numbers, [0.01, 0.99])
    if not ends:
        return "-"
    low, high = ends
    inner = range(1, BARS)  # each end is divided first, so that nothing overflows
    between = {low / BARS * (BARS - number) + high / BARS * number for number in inner}
    edges = sorted(between - {low, high})
    if len(edges) < BARS - 1:
        return BLOCKS[-1]
    shares = bin_shares(column.numbers, edges).tolist()
    most = max(shares)
    return "".join(BLOCKS[math.ceil(share / most * (len(BLOCKS) - 1))] for share in shares)
