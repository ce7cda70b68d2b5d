"""The reading half of `fp changelog`: loads logged commands, shows them, and adds them up."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from feature_platform.cli.changelog import AsJson, Entities, FeatureSetName, deployed
from feature_platform.cli.output import (
    EXIT_CHECKS_RED,
    complain,
    console,
    message,
    output,
    print_json,
    say,
    table,
)
from feature_platform.cli.reading import open_store
from feature_platform.clock import SystemClock
from feature_platform.extras import require
from feature_platform.settings import Settings
from feature_platform.words import counted

if TYPE_CHECKING:
    from feature_platform.changelog.check import Compared
    from feature_platform.changelog.load import Loaded
    from feature_platform.changelog.olap import Olap
    from feature_platform.plan.snapshot import Snapshot

ROWS_MAX = 1_000


def register(commands: typer.Typer) -> None:
    """Add the commands to the group."""
    for command in (load, show, sql, check):
        commands.command()(command)


def load(context: typer.Context, featureset: FeatureSetName) -> None:
    """Bring what was logged from Kafka to ClickHouse; once more is harmless."""
    settings: Settings = context.obj
    with _olap(settings) as olap:
        _load(settings, olap, featureset)


def show(
    context: typer.Context,
    featureset: FeatureSetName,
    entity: Annotated[str, typer.Argument(help="Entity key.")],
    *,
    newest: Annotated[int, typer.Option(min=1, max=ROWS_MAX, help="How many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show the newest logged commands of an entity; loads first what was logged since."""
    from feature_platform.changelog.tables import literal, quoted, table_name

    settings: Settings = context.obj
    with open_store(settings) as (registry, _):
        snapshot = deployed(registry, featureset)
    names = ", ".join(
        quoted(column.name)
        for column in snapshot.layout.columns
        if column.kind in {"count", "sum", "min", "max"}
    )
    with _olap(settings) as olap:
        _load(settings, olap, featureset)
        if not _any(olap, snapshot):
            return
        headers, rows = olap.ask(
            f"SELECT toString(at) AS at, attempt, checkpoint_id, flush, kind,"
            f" if(kind > 3, '', toString(tile)) AS tile, {names}"
            f" FROM {table_name(featureset, snapshot.generation)} FINAL"
            f" WHERE entity = {literal(entity)}"
            f" ORDER BY attempt DESC, seq DESC LIMIT {newest}"
        )
    _show(headers, list(reversed(rows)), as_json=as_json)
    if not rows:
        say(f"no command of {entity} is logged; fp changelog watch {featureset} {entity!r}")


def sql(
    context: typer.Context,
    query: Annotated[str, typer.Argument(help="Of ClickHouse; tables: changes_<fs>_g<n>.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Ask ClickHouse anything about loaded commands."""
    with _olap(context.obj) as olap:
        headers, rows = olap.ask(query)
    _show(headers, rows, as_json=as_json)


def check(
    context: typer.Context,
    featureset: FeatureSetName,
    entities: Entities = None,
    *,
    most: Annotated[
        int, typer.Option(min=1, max=100_000, help="Entities, if none is named.")
    ] = 200,
    as_json: AsJson = False,
) -> None:
    """Compare what logged commands add up to with the stored rows, byte for byte.

    Exits with 3 if a row is not what its commands add up to.
    """
    from feature_platform.changelog import check as checks
    from feature_platform.changelog.sums import Commands, Counting
    from feature_platform.changelog.tables import table_name
    from feature_platform.registry.history import history

    settings: Settings = context.obj
    with open_store(settings) as (registry, tiles), _olap(settings) as olap:
        snapshot = deployed(registry, featureset)
        _load(settings, olap, featureset)
        if not _any(olap, snapshot):
            raise typer.Exit(EXIT_CHECKS_RED)
        attempts = registry.attempts(featureset, snapshot.generation)
        chosen = entities or checks.entities(olap, snapshot, most)
        with console.status("comparing") as progress:
            found = []
            for number, entity in enumerate(chosen):
                progress.update(f"comparing {number + 1:,} of {len(chosen):,}")
                found.append(checks.compare(olap, snapshot, attempts, tiles, entity))
        line = history(attempts, attempts[-1].attempt if attempts else 0)
        log = Commands(olap, table_name(featureset, snapshot.generation), snapshot.layout)
        lost = log.lost(Counting(line=line))
    if as_json:
        print_json(
            {
                "entities": [asdict(each) for each in found],
                "lost": [
                    {"attempt": attempt, "subtask": subtask, "commands": count}
                    for attempt, subtask, count in lost
                ],
            }
        )
    else:
        _show_check(found, lost)
    if any(each.state == "different" for each in found):
        raise typer.Exit(EXIT_CHECKS_RED)


def _show_check(found: "Sequence[Compared]", lost: Sequence[tuple[int, int, int]]) -> None:
    states = Counter(each.state for each in found)
    tiles = sum(each.tiles for each in found)
    say(
        f"{counted(states['equal'], 'entity')} equal, {states['different']} different, "
        f"{states['not judged']} not judged; {counted(tiles, 'tile')} compared"
    )
    for each in found:
        if each.state != "equal":
            say(f"{each.entity}: {each.state}{': ' if each.why else ''}{each.why}")
        for difference in each.differences:
            say(f"  {difference}")
    for attempt, subtask, count in lost:
        say(f"attempt {attempt}, subtask {subtask}: {counted(count, 'row')} of the log lost")


@contextmanager
def _olap(settings: Settings) -> "Iterator[Olap]":
    require("fp changelog", "changelog")
    from feature_platform.changelog.olap import open_olap

    with open_olap(settings) as opened:
        yield opened


def _load(settings: Settings, olap: "Olap", featureset: str) -> "Loaded":
    from feature_platform.broker.topics import TopicClient
    from feature_platform.changelog.load import Loader

    topic = settings.changelog.topic(featureset)
    loader = Loader(olap, featureset, topic, settings.changelog.keep_days)
    found = loader.load(TopicClient(settings.kafka), SystemClock().now_ms(), message)
    message(f"loaded {counted(found.blocks, 'block')} of {topic}, {found.bytes:,} bytes")
    if found.gone:
        complain(f"{topic}: {found.gone:,} offsets were deleted before they were loaded")
    if found.refused:
        complain(f"{topic}: {counted(found.refused, 'block')} refused: {'; '.join(found.named)}")
    return found


def _any(olap: "Olap", snapshot: "Snapshot") -> bool:
    from feature_platform.changelog.check import has_commands

    if has_commands(olap, snapshot):
        return True
    name = snapshot.featureset
    say(f"no command of {name} was logged so far; fp changelog watch {name} ENTITY starts it")
    return False


def _show(headers: list[str], rows: list[list[Any]], *, as_json: bool) -> None:
    if as_json:
        print_json([dict(zip(headers, row, strict=True)) for row in rows])
        return
    shown = table(*headers)
    for row in rows:
        shown.add_row(*("" if each is None else str(each) for each in row))
    output.print(shown)
