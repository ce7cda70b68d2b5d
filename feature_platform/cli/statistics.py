"""`fp statistics`: what was served on a day, or what its events are, and how far both drifted."""

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column
from rich.text import Text

from feature_platform.cli.completion import measured
from feature_platform.cli.dates import parse_day
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
    from feature_platform.definition.model import FeatureSet
    from feature_platform.statistics.column import ColumnStatistics
    from feature_platform.statistics.judge import FeatureVerdict, StatisticsReport, Subject
    from feature_platform.statistics.rows import DayRows

NUMBERS = ("rows", "distinct")
MATCHED = ("matched",)
"""Of a feature set alone."""
SHARES = ("nulls", "zeros")
VALUES = ("mean", "p50")
DRIFTS = ("psi", "js")
BLOCKS = "▁▂▃▄▅▆▇█"
BARS = 10
"""In the drawing of a histogram."""
TEXTS = 2
"""How many of the most frequent texts the table has."""
TEXT_CHARACTERS_MAX = 20


class Kind(StrEnum):
    """What may have a name."""

    LIST = "list"
    FEATURESET = "featureset"


Json = Annotated[bool, typer.Option("--json", help="Print the statistics as JSON.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(statistics)


def statistics(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="Name of a feature list or a feature set.", autocompletion=measured
        ),
    ],
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
            metavar="DATE", help="Day that drift is measured from; default: as its YAML says."
        ),
    ] = "",
    of: Annotated[
        Kind | None, typer.Option(help="Which of both, if a list and a feature set share NAME.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show statistics and drift of a day; exit code 3 if a limit of the YAML is passed.

    Of a list: what was served, from the archived feature log. Of a feature set: what its features
    take of the archived events. They are computed once for each day, and kept.
    """
    from feature_platform.clock import SystemClock
    from feature_platform.extras import require

    require("fp statistics", "statistics")
    from feature_platform.statistics.run import StatisticsRequest, statistics

    ask = StatisticsRequest(day=parse_day(day, "--day"), against=parse_day(against, "--against"))
    defined = _defined(context.obj, name, of)
    with console.status(f"{name}: reading the archived log") as status:

        def report(text: str) -> None:
            status.update(f"{name}: {text}")

        rows, subject = _opened(context.obj, defined)
        found = statistics(rows, subject, ask, SystemClock(), report)
    if as_json:
        print_json(found.to_json())
    else:
        _show(found)
    if found.status == "red":
        raise SystemExit(EXIT_CHECKS_RED)


def _opened(settings: Settings, defined: "FeatureList | FeatureSet") -> "tuple[DayRows, Subject]":
    """Return what is archived of a list or a feature set, and how it is judged.

    Raises:
        EventLogError: Nothing is archived, or the log is damaged.
    """
    from feature_platform.definition.feature_list import FeatureList

    if isinstance(defined, FeatureList):
        from feature_platform.feature_log.read import ServedLog
        from feature_platform.statistics.rows import ServedRows
        from feature_platform.statistics.run import of_list

        return ServedRows(ServedLog.open(settings, defined.name)), of_list(defined)
    from feature_platform.engines.spark import SparkEventReader
    from feature_platform.statistics.event_days import EventDays, of_featureset

    reader = SparkEventReader(settings)
    return EventDays.open(settings, defined, reader), of_featureset(defined)


def _defined(settings: Settings, name: str, of: Kind | None) -> "FeatureList | FeatureSet":
    """Return the list or the feature set as it is defined; mistakes of other files are no matter.

    Raises:
        UnknownFeatureError: It is not defined, or has mistakes; these are printed.
        CallerError: There are both.
    """
    from feature_platform.definition.loading import load_project
    from feature_platform.definition.names import unknown
    from feature_platform.errors import CallerError, UnknownFeatureError

    project = load_project(settings.featuresets)
    named: dict[Kind, Mapping[str, FeatureList | FeatureSet]] = {
        Kind.LIST: project.lists,
        Kind.FEATURESET: project.featuresets,
    }
    found = [each[name] for kind, each in named.items() if name in each and of in {None, kind}]
    if len(found) == 1:
        return found[0]
    if found:
        msg = (
            f"{name} is a feature list and a feature set: add --of list for what was served, or "
            "--of featureset for what its events are"
        )
        raise CallerError(msg)
    for problem in project.problems:
        message(str(problem))
    names = [*dict.fromkeys(each for kind in named if of in {None, kind} for each in named[kind])]
    what = {None: "feature list or feature set", Kind.LIST: "feature list"}
    raise UnknownFeatureError(unknown(what.get(of, "feature set"), name, names))


def _show(found: "StatisticsReport") -> None:
    numbers = (*NUMBERS, *(MATCHED if found.of.kind == Kind.FEATURESET.value else ()))
    headers = (*numbers, *SHARES, *VALUES, *DRIFTS)
    right = (Column(header=header, justify="right") for header in headers)
    shown = table("feature", *right, "values", "", box=None, padding=(0, 1))
    for each in found.features:
        cells = [_cell(name, each.measures) for name in headers]
        shown.add_row(one_line(each.name), *cells, _values(each.column), _status(each))
    output.print(shown)
    say(f"{found.of.name}: {found.summary}")
    for line in (*found.findings, *found.unmatched.values()):
        say(f"  {one_line(line)}")
    for line in (*found.notes, *_skipped(found.features)):
        say(f"  note: {one_line(line)}")


def _cell(name: str, known: Mapping[str, float]) -> str:
    if name not in known:
        return "-"
    if name in NUMBERS:
        return f"{known[name]:,.0f}"
    if name in {*SHARES, *MATCHED}:
        return f"{known[name]:.1%}"
    return f"{known[name]:.3f}" if name in DRIFTS else f"{known[name]:.4g}"


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
    if column is None or not column.known or column.kind == "event":
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
