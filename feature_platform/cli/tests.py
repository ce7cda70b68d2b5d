"""`fp test`: the tests that definitions bring along, without servers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from feature_platform.cli.completion import featuresets
from feature_platform.cli.output import (
    EXIT_CHECKS_RED,
    EXIT_FAILED,
    cell,
    message,
    one_line,
    print_json,
    say,
)
from feature_platform.settings import Settings
from feature_platform.words import counted

if TYPE_CHECKING:
    from feature_platform.author.run_tests import Difference, Tested
    from feature_platform.definition.model import FeatureSet

EXAMPLE = "`tests:`, see docs/definitions.md"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("test")(run)


def run(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FS]...", help="Feature sets; default: all.", autocompletion=featuresets
        ),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run the tests of definitions: given events, expected values. No server is asked."""
    from feature_platform.author.run_tests import failed, run_tests

    chosen, mistaken = _chosen(context.obj, names or ())
    results = [result for featureset in chosen for result in run_tests(featureset)]
    if as_json:
        print_json([result.to_json() for result in results])
    else:
        _show(results)
    without = [featureset.name for featureset in chosen if not featureset.tests]
    if without:
        message(f"no tests: {', '.join(without)}; write {EXAMPLE}")
    if mistaken:
        raise typer.Exit(EXIT_FAILED)
    if failed(results):
        raise typer.Exit(EXIT_CHECKS_RED)


def _chosen(settings: Settings, names: Sequence[str]) -> tuple[list["FeatureSet"], bool]:
    """Return the feature sets, and whether a definition has mistakes; these are printed.

    Raises:
        UnknownFeatureError: A name is not defined, or has mistakes.
    """
    from feature_platform.definition.loading import load_project
    from feature_platform.definition.names import unknown
    from feature_platform.errors import UnknownFeatureError

    project = load_project(settings.featuresets)
    for problem in project.problems:
        message(str(problem))
    for name in names:
        if name not in project.featuresets:
            raise UnknownFeatureError(unknown("feature set", name, project.featuresets))
    chosen = [project.featuresets[name] for name in dict.fromkeys(names or project.featuresets)]
    return chosen, bool(project.problems) and not names


def _show(results: Sequence["Tested"]) -> None:
    from feature_platform.author.run_tests import failed

    for result in results:
        for difference in result.differences:
            place = f"{result.file}:{result.line}:{result.column}"
            say(f"{place}: {one_line(result.test)}: {_in_words(difference)}")
            for event in difference.events:
                say(f"  line {event.line}: {one_line(event.event)}: {one_line(event.fate)}")
            if difference.left:
                say(f"  and {counted(difference.left, 'more event')}")
    by_set: dict[str, list[Tested]] = {}
    for result in results:
        by_set.setdefault(result.featureset, []).append(result)
    for name, own in by_set.items():
        wrong = failed(own)
        verdict = f"{wrong:,} failed" if wrong else "all passed"
        say(f"{name}: {counted(len(own), 'test')}, {verdict}")


def _in_words(difference: "Difference") -> str:
    expected, got = _value(difference.expected), _value(difference.got)
    return f"{difference.name}: expected {expected}, got {got}"


def _value(value: object) -> str:
    return "null" if value is None else repr(value) if isinstance(value, str) else cell(value)
