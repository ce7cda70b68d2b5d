"""`fp check`: what is in the store, compared with a recomputation of the events."""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from feature_platform.cli.changes import Json, Yes, ask
from feature_platform.cli.completion import checked
from feature_platform.cli.interrupt import interruptible
from feature_platform.cli.match import check_match, refuse_with_match
from feature_platform.cli.output import (
    EXIT_CHECKS_RED,
    EXIT_FAILED,
    complain,
    console,
    message,
    output,
    print_json,
    table,
)
from feature_platform.cli.share import parse_share
from feature_platform.cli.verdicts import finding_lines, verdict_cells

if TYPE_CHECKING:
    from feature_platform.checks.result import CheckReport, CheckResult
    from feature_platform.checks.run import CheckRequest
    from feature_platform.checks.scope import Span
    from feature_platform.cli.walked import Walked
    from feature_platform.engines.reads import Reads
    from feature_platform.engines.world import World
    from feature_platform.settings import Settings

DAYS_MAX = 2
"""The first and the last of a span."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(check)


def check(  # noqa: PLR0913 (the options of a command)
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FS]...", help="Feature sets; default: all.", autocompletion=checked
        ),
    ] = None,
    *,
    day: Annotated[
        list[str] | None,
        typer.Option(metavar="DATE", help="Check one UTC day only; give it twice for a range."),
    ] = None,
    sample: Annotated[
        str | None,
        typer.Option(
            help="Share of the entities to check, such as 1%; default: all, sampled if there are "
            "very many."
        ),
    ] = None,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Stop the job, correct wrong rows, and restart it."),
    ] = False,
    yes: Yes = False,
    matching: Annotated[
        bool,
        typer.Option(
            "--match",
            help="Compare what was served from feature lists, by the feature log; names are lists.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Compare stored rows with rows recomputed from the events; exit code 3 if a check fails.

    Jobs keep running: rows are compared as of a cut. With --match: served values with what the
    events say that was known then.
    """
    if matching:
        refuse_with_match(repair=repair, sample=sample)
        check_match(context.obj, names or [], _span(day or []), as_json=as_json)
    else:
        share = parse_share(sample, "--sample") if sample else None
        _check_rows(
            context.obj,
            names or [],
            _span(day or []),
            share,
            repair=repair,
            yes=yes,
            as_json=as_json,
        )


def _check_rows(
    settings: "Settings",
    names: Sequence[str],
    span: "Span | None",
    share: float | None,
    *,
    repair: bool,
    yes: bool,
    as_json: bool,
) -> None:
    from feature_platform.checks.run import CheckRequest
    from feature_platform.cli.walked import Walked
    from feature_platform.engines.world import open_world
    from feature_platform.errors import FeaturePlatformError

    ask_for = CheckRequest(span=span, share=share, whole_log=repair)
    results: list[CheckResult] = []
    failed = False
    walked = Walked("fp check", "--repair")
    with interruptible(walked.in_words), open_world(settings) as world:
        for name in names or [item.featureset for item in world.registry.snapshots()]:
            try:
                found = _checked(world, name, ask_for)
                results += found.results
                if repair and _repair(world, name, found, walked, yes=yes):
                    del results[len(results) - len(found.results) :]
                    results += _checked(world, name, ask_for).results
            except FeaturePlatformError as error:
                failed = True
                complain(str(error))
    if as_json:
        print_json([result.to_json() for result in results])
    else:
        _show(results, output)
    if any(result.status == "red" for result in results):
        raise SystemExit(EXIT_CHECKS_RED)
    if failed:
        raise SystemExit(EXIT_FAILED)


def _checked(reads: "Reads", name: str, ask_for: "CheckRequest") -> "CheckReport":
    from feature_platform.checks.last import check_and_note

    with console.status(f"{name}: starting Spark") as status:

        def report(text: str) -> None:
            status.update(f"{name}: {text}")

        return check_and_note(reads, name, ask_for, report)


def _repair(
    world: "World", name: str, found: "CheckReport", walked: "Walked", *, yes: bool
) -> bool:
    """Correct what is wrong, as a plan that is shown first; return whether there was anything."""
    from feature_platform.checks.repair import make_repair_plan
    from feature_platform.deploy.execute import execute
    from feature_platform.plan.explain import explain

    plan = make_repair_plan(world, name, found)
    if plan is None:
        return False
    _show(found.results, console)
    message(explain(plan))
    ask(f"Correct rows of {name}?", yes=yes)
    walked.begin(plan)
    execute(plan, world, walked.report)
    walked.end()
    return True


def _show(results: Sequence["CheckResult"], out: Console) -> None:
    shown = table("feature set", "check", "", "compared")
    for result in results:
        shown.add_row(*verdict_cells(result))
    out.print(shown)
    for result in results:
        for line in finding_lines(result, f"{result.featureset}, {result.check}"):
            out.print(line, soft_wrap=True)


def _span(days: Sequence[str]) -> "Span | None":
    """Read the days.

    Raises:
        typer.BadParameter: One is no date, or there are more than two.
    """
    from feature_platform.checks.scope import Span

    if not days:
        return None
    try:
        found = sorted(date.fromisoformat(text) for text in days)
    except ValueError:
        found = []
    if not 1 <= len(found) <= DAYS_MAX:
        msg = f"{', '.join(days)}: write a day as 2026-01-31; at most two, the first and the last"
        raise typer.BadParameter(msg, param_hint="--day")
    return Span.of_days(found[0], found[-1])
