"""`fp usage`: what each feature costs, who uses it, and which ones nobody needs."""

from typing import TYPE_CHECKING

import typer
from rich.table import Column

from feature_platform.cli.changes import Json, Names
from feature_platform.cli.output import complain, console, output, print_json, say, table
from feature_platform.settings import Settings
from feature_platform.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from feature_platform.definition.model import FeatureSet
    from feature_platform.statistics.usage import FeatureUse


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(usage)


def usage(context: typer.Context, names: Names = None, *, as_json: Json = False) -> None:
    """Show what each feature costs and who uses it: lists, and what was served and logged.

    No server is asked: costs are estimates by the definition, what was served is from the archived
    feature log of the last days.
    """
    from feature_platform.definition.loading import load_project
    from feature_platform.extras import require

    require("fp usage", "statistics")
    from feature_platform.statistics.usage import usage as look

    settings: Settings = context.obj
    project = load_project(settings.featuresets)
    for problem in project.problems:
        complain(str(problem))
    chosen = _chosen(project.featuresets, names or [])
    with console.status("reading feature logs") as status:
        found = look(settings, chosen, list(project.lists.values()), status.update)
    if as_json:
        print_json([each.to_json() for each in found])
    else:
        _show(found)


def _chosen(known: "dict[str, FeatureSet]", names: "Sequence[str]") -> "list[FeatureSet]":
    """Return the feature sets that are asked about.

    Raises:
        UnknownFeatureError: One is not defined.
    """
    from feature_platform.definition.names import unknown
    from feature_platform.errors import UnknownFeatureError

    for name in names:
        if name not in known:
            raise UnknownFeatureError(unknown("feature set", name, known))
    return [known[name] for name in names or known]


def _show(found: "Sequence[FeatureUse]") -> None:
    from feature_platform.statistics.usage import ODD

    numbers = ("bytes", "rows", "logged", "nulls", "distinct")
    right = (Column(header=name, justify="right") for name in numbers)
    shown = table("served name", *right, "lists", "", box=None, padding=(0, 1))
    for each in found:
        shown.add_row(
            f"{each.featureset}.{each.name}",
            f"{each.bytes:,}",
            f"{each.rows:,}",
            "-" if each.logged is None else f"{each.logged:,}",
            "-" if each.nulls is None else f"{each.nulls:.1%}",
            "-" if each.distinct is None else f"{each.distinct:,}",
            ", ".join(each.lists),
            ", ".join(each.verdicts),
        )
    output.print(shown)
    unused = sum("in no list" in each.verdicts for each in found)
    odd = sum(bool(ODD & {*each.verdicts}) for each in found)
    say(
        f"{counted(len(found), 'served name')}: {unused:,} in no list, {odd:,} never served, "
        "always null or constant"
    )
