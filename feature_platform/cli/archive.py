"""`fp archive`: brings the event log of sources, and the feature log of lists, up to now."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.status import Status

from feature_platform.cli.completion import archived
from feature_platform.cli.interrupt import interruptible
from feature_platform.cli.output import EXIT_FAILED, complain, console, print_json, say
from feature_platform.cli.produce import find_source
from feature_platform.event_log.progress import Begun, Committed, Imported, Progress
from feature_platform.feature_log_settings import FEATURE_LOG
from feature_platform.settings import Settings
from feature_platform.words import counted

if TYPE_CHECKING:
    from feature_platform.engines.spark import Archived

Json = Annotated[bool, typer.Option("--json", help="Print what each event log contains as JSON.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(archive)


def archive(
    context: typer.Context,
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="Sources, or feature_log/LIST for what was served.",
            autocompletion=archived,
        ),
    ],
    *,
    accept_gap: Annotated[
        bool,
        typer.Option(
            "--accept-gap",
            help="Permanently skip offsets that Kafka no longer has, and damaged files of a "
            "history.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Archive the topics of sources, or what was served from lists, each offset exactly once.

    The history of a source is imported, too.
    """
    from feature_platform.errors import FeaturePlatformError

    settings: Settings = context.obj
    found = [(name, _archiver(settings, name)) for name in sources]
    facts: list[dict[str, Any]] = []
    failed = False
    words = f"commits made so far are kept; to archive the rest: fp archive {' '.join(sources)}"
    for name, run in found:
        with interruptible(lambda: words), console.status(f"{name}: starting Spark") as status:
            progress = _Progress(name, status)
            try:
                done = run(progress, accept_gap=accept_gap)
            except FeaturePlatformError as error:
                failed = True
                complain(str(error))
                facts.append({"source": name, "error": str(error)})
                continue
        facts.append(done.to_json())
        if not as_json:
            _say(done)
    if as_json:
        print_json(facts)
    if failed:
        raise SystemExit(EXIT_FAILED)


def _archiver(settings: Settings, name: str) -> "Callable[..., Archived]":
    """Return what archives a source or a list.

    Raises:
        typer.BadParameter: There is none of this name; the message names the nearest.
    """
    from feature_platform.engines.feature_log import archive_feature_log
    from feature_platform.engines.spark import archive as archive_source

    folder, _, listed = name.rpartition("/")
    if folder == FEATURE_LOG:
        return partial(archive_feature_log, settings, listed)
    return partial(archive_source, settings, find_source(settings, name))


def _say(done: "Archived") -> None:
    """Say what an archive holds."""
    what = "row" if done.source.startswith(f"{FEATURE_LOG}/") else "record"
    letters = f"; {counted(done.dead_letters, 'dead letter')} among them" * bool(done.dead_letters)
    say(
        f"{done.source}: {counted(done.added, what)} archived; the log holds "
        f"{done.records:,} in {counted(done.files, 'file')}, {counted(done.bytes, 'byte')}{letters}"
    )
    if done.history:
        more = f": fp history {done.source}" if done.history["rejected"] else ""
        say(f"{done.source}: {history_words(done.history)}{more}")


def history_words(of: Mapping[str, int]) -> str:
    """Say what became of the rows of a source's history."""
    after, rejected = of["after_until"], of["rejected"]
    text = (
        f"history: {counted(of['imported'], 'event')} from {counted(of['rows'], 'row')} in "
        f"{counted(of['files'], 'file')}"
    )
    if after:
        text += f"; {counted(after, 'row')} from `until` on left to the topic"
    if of["unreadable_files"]:
        text += f"; {counted(of['unreadable_files'], 'file')} could not be read"
    if rejected:
        text += f"; {counted(rejected, 'row')} rejected"
    return text


class _Progress:
    """Adds up what a run reports, as one line (mutable)."""

    def __init__(self, source: str, status: Status) -> None:
        self._source, self._status, self._behind, self._done = source, status, 0, 0

    def __call__(self, fact: Progress) -> None:
        """Show the line after one more fact."""
        match fact:
            case Begun():
                self._behind = fact.behind
            case Committed():
                self._done += fact.records
            case Imported():
                self._status.update(
                    f"{self._source}: {fact.files:,} of {fact.files_total:,} files of its history "
                    f"imported, {fact.rows:,} rows"
                )
                return
        line = f"{self._source}: {self._done:,} of {self._behind:,} records archived"
        self._status.update(line)
