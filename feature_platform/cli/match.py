"""`fp check --match`: what was served from feature lists, compared with the events."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from feature_platform.cli.interrupt import interruptible
from feature_platform.cli.output import (
    EXIT_CHECKS_RED,
    EXIT_FAILED,
    complain,
    console,
    output,
    print_json,
    table,
)
from feature_platform.cli.verdicts import finding_lines, verdict_cells
from feature_platform.settings import Settings

if TYPE_CHECKING:
    from feature_platform.checks.scope import Span
    from feature_platform.match.report import MatchReport


def refuse_with_match(*, repair: bool, sample: str | None) -> None:
    """Check that no option is there that `--match` does not have.

    Raises:
        typer.BadParameter: One is.
    """
    if repair or sample:
        msg = "compares what was served: it takes --day, and neither --repair nor --sample"
        raise typer.BadParameter(msg, param_hint="--match")


def check_match(
    settings: Settings, names: Sequence[str], span: "Span | None", *, as_json: bool
) -> None:
    """Compare lists, all that are stored if none is named; exit code 3 if a value differs."""
    from feature_platform.engines.world import open_world
    from feature_platform.errors import FeaturePlatformError
    from feature_platform.extras import require
    from feature_platform.feature_log.read import Period
    from feature_platform.match.run import MatchRequest, match

    require("fp check --match", "spark")
    period = Period(start_ms=span.start_ms, end_ms=span.end_ms) if span else None
    found: list[MatchReport] = []
    failed = False
    with interruptible(lambda: "nothing was changed"), open_world(settings) as world:
        stored = (each for each in world.registry.feature_lists() if not each.removed)
        for name in names or [each.name for each in stored]:
            try:
                with console.status(f"{name}: reading the feature log") as status:
                    asked = MatchRequest(period=period)
                    found.append(match(world, name, asked, lambda text: status.update(f"{text}")))
            except FeaturePlatformError as error:
                failed = True
                complain(str(error))
    if as_json:
        print_json([each.to_json() for each in found])
    else:
        _show(found)
    if any(each.is_red for each in found):
        raise SystemExit(EXIT_CHECKS_RED)
    if failed:
        raise SystemExit(EXIT_FAILED)


def _show(found: Sequence["MatchReport"]) -> None:
    shown = table("feature list", "check", "", "compared")
    for each in found:
        shown.add_row(*verdict_cells(each.result))
    output.print(shown)
    rates = table("feature list", "feature", "compared", "equal", "equal or explained")
    for each in found:
        for name, rate in each.rates.items():
            rates.add_row(
                each.result.featureset,
                name,
                f"{rate.compared:,}",
                f"{rate.equal:.2%}",
                f"{rate.matched:.4%}",
            )
    if any(each.rates for each in found):
        output.print(rates)
    for each in found:
        name = each.result.featureset
        explained = [f"{name}: explained: {text}" for text in each.explained]
        for line in [*finding_lines(each.result, name), *explained]:
            output.print(line, soft_wrap=True)
