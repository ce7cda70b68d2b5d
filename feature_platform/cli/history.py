"""`fp history`: what is imported of a source's history, and which rows could not be read."""

from typing import TYPE_CHECKING, Annotated

import typer

from feature_platform.cli.archive import history_words
from feature_platform.cli.completion import sources
from feature_platform.cli.output import EXIT_FAILED, complain, print_json, say
from feature_platform.cli.produce import find_source
from feature_platform.settings import Settings
from feature_platform.words import counted

if TYPE_CHECKING:
    from feature_platform.event_log.history import FileRead, Import

FILES_MAX = 20
"""Files with rejected rows that are named; `--json` has all."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(history)


def history(
    context: typer.Context,
    source: Annotated[
        str, typer.Argument(help="Name of a source with a history.", autocompletion=sources)
    ],
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print all files with their counts as JSON.")
    ] = False,
) -> None:
    """Show what fp archive has imported of a source's history, by file.

    Rejected rows are counted by reason, with the first ones of each file.
    """
    from feature_platform.event_log.history import read_import
    from feature_platform.extras import require
    from feature_platform.plan.job_history import JobHistory

    settings: Settings = context.obj
    found = find_source(settings, source)
    wanted = JobHistory.of(found)
    if wanted is None:
        complain(f"source {source} has no `history`")
        raise SystemExit(EXIT_FAILED)
    require(f"fp history {source}", "spark")
    from feature_platform.feature_log.read import ArrowFolder

    folder = f"{settings.event_log_folder}/{found.name}/{found.topic}/history/{wanted.id}"
    done = read_import(ArrowFolder(folder))
    if as_json:
        print_json(_json(done, folder))
    else:
        _say(source, done)


def _json(done: "Import", folder: str) -> dict[str, object]:
    files = [each.to_json() for each in _sorted(done)]
    return {"complete": done.is_complete, "folder": folder, **done.totals, "files_read": files}


def _say(source: str, done: "Import") -> None:
    say(f"{source}: {history_words(done.totals)}")
    if not done.is_complete:
        say(f"the import is not complete: fp archive {source}")
    wrong = [each for each in _sorted(done) if each.rejected or each.unreadable]
    for each in wrong[:FILES_MAX]:
        say(_of_file(each))
        for row in each.examples:
            say(f"  row {row.row}: {row.reason}: {row.detail}")
    if len(wrong) > FILES_MAX:
        say(f"and {counted(len(wrong) - FILES_MAX, 'more file')}; all are in --json")


def _of_file(each: "FileRead") -> str:
    if each.unreadable:
        return f"{each.path}: left out, it could not be read: {each.unreadable}"
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in each.rejected.items())
    number = sum(each.rejected.values())
    return f"{each.path}: {number:,} of {counted(each.rows, 'row')} rejected: {reasons}"


def _sorted(done: "Import") -> "list[FileRead]":
    return sorted(done.read.values(), key=lambda each: each.path)
