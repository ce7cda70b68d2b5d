"""The reading half of `fp changelog`: loads logged commands, shows them, and adds them up."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from feature_platform.cli.changelog import AsJson, Entities, FeatureSetName, deployed
from feature_platform.cli.dates import parse_instant
from feature_platform.cli.output import (
    EXIT_CHECKS_RED,
    EXIT_FAILED,
    cell,
    complain,
    console,
    message,
    one_line,
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
    from feature_platform.changelog.olap import Olap
    from feature_platform.changelog.sums import Lost
    from feature_platform.plan.snapshot import Snapshot

ROWS_MAX = 10_000
ENTITIES_MAX = 100_000


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
    tile: Annotated[
        str, typer.Option(metavar="TIME", help="Start of a finest tile, ISO-8601.")
    ] = "",
    newest: Annotated[int, typer.Option(min=1, max=ROWS_MAX, help="How many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show the newest logged commands of an entity; loads first what was logged since."""
    from feature_platform.changelog.story import story
    from feature_platform.serving.keys import stored_key

    settings: Settings = context.obj
    tile_ms = parse_instant(tile, "--tile") if tile else None
    with open_store(settings) as (registry, _):
        snapshot = deployed(registry, featureset)
    key = stored_key(entity, snapshot, "ENTITY")
    with _olap(settings) as olap:
        _load(settings, olap, featureset)
        logged = _any(olap, snapshot)
        found = story(olap, snapshot, key, tile_ms, newest) if logged else []
        others = bool(tile) and logged and bool(story(olap, snapshot, key, None, 1))
    if as_json:
        print_json(found)
        return
    if not found:
        say(_none(featureset, key, tile if others else ""))
        return
    _show(list(found[0]), [list(each.values()) for each in found])


def _none(featureset: str, key: str, tile: str) -> str:
    if tile:
        return (
            f"no logged command of {key} is of a tile that begins at {tile}; it has commands of "
            "others: leave --tile away"
        )
    return f"no command of {key} is in the log; fp changelog watch {featureset} {key} starts it"


def sql(
    context: typer.Context,
    query: Annotated[str, typer.Argument(help="Of ClickHouse; tables: changes_<fs>_g<n>.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Ask ClickHouse anything about loaded commands."""
    with _olap(context.obj) as olap:
        headers, rows = olap.ask(query)
    if as_json:
        print_json([dict(zip(headers, row, strict=True)) for row in rows])
    elif headers:
        _show(headers, rows)


def check(
    context: typer.Context,
    featureset: FeatureSetName,
    entities: Entities = None,
    *,
    most: Annotated[
        int, typer.Option(min=1, max=ENTITIES_MAX, help="Entities, if none is named.")
    ] = 200,
    as_json: AsJson = False,
) -> None:
    """Compare what logged commands add up to with the stored rows; exit code 3 if they differ.

    As of the newest cut, byte for byte, for tiles whose commands are all logged.
    """
    from feature_platform.engines.world import open_world

    settings: Settings = context.obj
    with open_world(settings) as world, _olap(settings) as olap:
        found, lost = _checked(world, olap, featureset, entities or [], most)
    different = [each for each in found if each.state == "different"]
    if as_json:
        _print_check(found, lost)
    else:
        _show_check(found, lost)
    if different:
        raise typer.Exit(EXIT_CHECKS_RED)


def _checked(
    world: Any,  # noqa: ANN401 (imported when it is needed)
    olap: "Olap",
    featureset: str,
    entities: Sequence[str],
    most: int,
) -> "tuple[list[Compared], Lost]":
    from feature_platform.changelog import check as checks
    from feature_platform.changelog.newest import commands_of
    from feature_platform.checks.run import rows_as_of_newest_cut
    from feature_platform.checks.scope import Scope
    from feature_platform.deploy.control import deployed_snapshot
    from feature_platform.deploy.start import unfinished_repair
    from feature_platform.serving.keys import stored_key

    snapshot = deployed_snapshot(world, featureset)
    keys = [stored_key(each, snapshot, "ENTITY") for each in entities]
    rows = rows_as_of_newest_cut(world, snapshot, unfinished_repair(world, snapshot))
    _load(world.settings, olap, featureset)
    if rows is None:
        message(f"{featureset} has no cut yet: no row is final")
        raise typer.Exit(EXIT_FAILED)
    if not _any(olap, snapshot):
        raise typer.Exit(EXIT_FAILED)
    now_ms = world.clock.now_ms()
    commands = commands_of(olap, world.settings, snapshot, rows.line, now_ms)
    scope = Scope.of(snapshot, now_ms, None, 0)
    chosen = keys or checks.entities(olap, snapshot, most)
    found = []
    with console.status("comparing") as progress:
        for number, entity in enumerate(chosen, start=1):
            progress.update(f"comparing {number:,} of {len(chosen):,}")
            now = scope.at(world.clock.now_ms())
            found.append(checks.check(commands, snapshot, rows, now, entity))
    return found, commands.lost()


def _print_check(found: "Sequence[Compared]", lost: "Lost") -> None:
    print_json(
        {
            "entities": [
                {
                    "entity": each.entity,
                    "state": each.state,
                    "tiles": each.tiles,
                    "why": each.why,
                    "differences": list(each.differences),
                }
                for each in found
            ],
            "lost": lost.rows,
            "gaps": [
                {
                    "attempt": gap.attempt,
                    "subtask": gap.subtask,
                    "first": gap.first,
                    "last": gap.last,
                }
                for gap in lost.gaps
            ],
        }
    )


def _show_check(found: "Sequence[Compared]", lost: "Lost") -> None:
    for each in found:
        if each.state != "equal":
            say(one_line(f"{each.entity}: {each.state}{': ' if each.why else ''}{each.why}"))
        for text in each.differences:
            say(f"  {one_line(text)}")
    for gap in lost.gaps:
        say(f"lost: {gap}")
    if lost.rows:
        say(f"{counted(lost.rows, 'row')} of the log lost: what differs may be in those")
    states = [each.state for each in found]
    say(
        f"{counted(states.count('equal'), 'entity')} equal, {states.count('different')} different, "
        f"{states.count('not judged')} not judged; "
        f"{counted(sum(each.tiles for each in found), 'tile')} compared"
    )


@contextmanager
def _olap(settings: Settings) -> "Iterator[Olap]":
    require("fp changelog", "changelog")
    from feature_platform.changelog.olap import open_olap

    with open_olap(settings) as opened:
        yield opened


def _load(settings: Settings, olap: "Olap", featureset: str) -> None:
    from feature_platform.changelog.newest import load as load_newest

    topic = settings.changelog.topic(featureset)
    found = load_newest(olap, settings, featureset, SystemClock().now_ms(), message)
    message(f"loaded {counted(found.blocks, 'block')} of {topic}, {found.bytes:,} bytes")
    if found.gone:
        were = "offset was" if found.gone == 1 else "offsets were"
        complain(f"{topic}: {found.gone:,} {were} deleted before being loaded")
    if found.refused:
        complain(f"{topic}: {counted(found.refused, 'block')} refused: {'; '.join(found.named)}")


def _any(olap: "Olap", snapshot: "Snapshot") -> bool:
    from feature_platform.changelog.check import has_commands

    if has_commands(olap, snapshot):
        return True
    name = snapshot.featureset
    message(f"no command of {name} was logged so far; fp changelog watch {name} ENTITY starts it")
    return False


def _show(headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    shown = table(*headers)
    for row in rows:
        shown.add_row(*("" if each is None else cell(each) for each in row))
    output.print(shown)
