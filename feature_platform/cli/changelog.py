"""`fp changelog`: which commands are logged, and what ClickHouse says of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

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
from feature_platform.cli.reading import open_store, read_keys
from feature_platform.cli.share import parse_share
from feature_platform.clock import SystemClock
from feature_platform.extras import require
from feature_platform.settings import Settings, password
from feature_platform.words import counted

if TYPE_CHECKING:
    from feature_platform.changelog.load import Loaded
    from feature_platform.changelog.olap import Olap
    from feature_platform.plan.snapshot import Snapshot
    from feature_platform.registry.watches import Mode, Watch

ROWS_MAX = 1_000
DAY_MS = 86_400_000
LOOK_S = 5
"""How often a job looks at what is to be logged."""

FeatureSetName = Annotated[str, typer.Argument(help="Name of a deployed feature set.")]
Entities = Annotated[list[str] | None, typer.Argument(help="Entity keys.")]
EntitiesFile = Annotated[
    Path | None, typer.Option("--entities", help="A file of entity keys, one a line.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

commands = typer.Typer(
    name="changelog",
    help="Log what the query lets a job add and subtract, and ask ClickHouse about it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(commands)


@commands.command()
def watch(
    context: typer.Context,
    featureset: FeatureSetName,
    entities: Entities = None,
    *,
    file: EntitiesFile = None,
    only: Annotated[bool, typer.Option(help="In place of those that are watched now.")] = False,
) -> None:
    """Log the commands of some entities, beside those that are watched already."""
    settings: Settings = context.obj
    wanted = frozenset([*(entities or []), *(_keys(file) if file else [])])
    if not wanted:
        msg = "name at least one entity, or a file of them with --entities"
        raise typer.BadParameter(msg)
    with _registry(settings) as registry:
        snapshot = _known(settings, registry, featureset)
        before = registry.watch(featureset)
        mode: Mode = "sampled" if before.mode == "sampled" and not only else "watched"
        kept = frozenset() if only else before.entities
        _topic(settings, featureset)
        found = registry.save_watch(featureset, mode, before.share, kept | wanted)
    _changed(featureset, snapshot, found)


@commands.command()
def sample(
    context: typer.Context,
    featureset: FeatureSetName,
    share: Annotated[str, typer.Argument(help="Of all entities: 1%, or 0.01.")],
) -> None:
    """Log the commands of a share of all entities: always the same ones, by the hash of the key."""
    settings: Settings = context.obj
    wanted = parse_share(share, "SHARE")
    with _registry(settings) as registry:
        snapshot = _known(settings, registry, featureset)
        _topic(settings, featureset)
        found = registry.save_watch(
            featureset, "sampled", wanted, registry.watch(featureset).entities
        )
    _changed(featureset, snapshot, found)


@commands.command("all")
def all_entities(context: typer.Context, featureset: FeatureSetName) -> None:
    """Log the commands of all entities."""
    settings: Settings = context.obj
    with _registry(settings) as registry:
        snapshot = _known(settings, registry, featureset)
        _topic(settings, featureset)
        found = registry.save_watch(featureset, "all")
    _changed(featureset, snapshot, found)


@commands.command()
def off(context: typer.Context, featureset: FeatureSetName, entities: Entities = None) -> None:
    """Log no more commands: of some watched entities, or of any."""
    settings: Settings = context.obj
    with _registry(settings) as registry:
        snapshot = _known(settings, registry, featureset)
        before = registry.watch(featureset)
        left = before.entities - frozenset(entities or before.entities)
        mode: Mode = before.mode if entities and (left or before.mode == "sampled") else "off"
        found = registry.save_watch(featureset, mode, before.share, left)
    _changed(featureset, snapshot, found)


@commands.command()
def status(
    context: typer.Context,
    featureset: Annotated[str, typer.Argument(help="Name of a feature set; default: all.")] = "",
    *,
    as_json: AsJson = False,
) -> None:
    """Show of which entities commands are logged."""
    settings: Settings = context.obj
    with open_store(settings) as (registry, _):
        names = (
            [_deployed(registry, featureset).featureset]
            if featureset
            else [each.featureset for each in registry.snapshots()]
        )
        found = {name: registry.watch(name) for name in names}
    if as_json:
        print_json(
            {
                name: {
                    "version": each.version,
                    "mode": each.mode,
                    "share": each.share,
                    "entities": sorted(each.entities),
                }
                for name, each in found.items()
            }
        )
        return
    shown = table("feature set", "logged", "topic")
    for name, each in found.items():
        shown.add_row(name, _words(each), settings.changelog.topic(name))
    output.print(shown)


@commands.command()
def load(context: typer.Context, featureset: FeatureSetName) -> None:
    """Bring what was logged from Kafka to ClickHouse; once more is harmless."""
    settings: Settings = context.obj
    with _olap(settings) as olap:
        _load(settings, olap, featureset)


@commands.command()
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
        snapshot = _deployed(registry, featureset)
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


@commands.command()
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


@commands.command()
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
        snapshot = _deployed(registry, featureset)
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
    different = [each for each in found if each.state == "different"]
    if as_json:
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
                "lost": [
                    {"attempt": attempt, "subtask": subtask, "commands": count}
                    for attempt, subtask, count in lost
                ],
            }
        )
    else:
        equal = [each for each in found if each.state == "equal"]
        tiles_compared = sum(each.tiles for each in found)
        say(
            f"{counted(len(equal), 'entity')} equal, {len(different)} different, "
            f"{len(found) - len(equal) - len(different)} not judged; "
            f"{counted(tiles_compared, 'tile')} compared"
        )
        for each in found:
            if each.state != "equal":
                say(f"{each.entity}: {each.state}{': ' if each.why else ''}{each.why}")
            for line_of in each.differences:
                say(f"  {line_of}")
        for attempt, subtask, count in lost:
            say(f"attempt {attempt}, subtask {subtask}: {counted(count, 'row')} of the log lost")
    if different:
        raise typer.Exit(EXIT_CHECKS_RED)


def _keys(path: Path) -> list[str]:
    return [key.text for key in read_keys(path)]


@contextmanager
def _registry(settings: Settings) -> Iterator[Any]:
    """Open the registry for changes."""
    from feature_platform.registry.cql import open_registry
    from feature_platform.store.connect import connect

    with connect(settings.store, "fp_admin", password(settings, "admin")) as connection:
        yield open_registry(connection, SystemClock())


def _deployed(registry: Any, featureset: str) -> "Snapshot":  # noqa: ANN401
    from feature_platform.definition.names import unknown
    from feature_platform.errors import UnknownFeatureError

    found: Snapshot | None = registry.snapshot(featureset)
    if found is None:
        known = [each.featureset for each in registry.snapshots()]
        raise UnknownFeatureError(unknown("feature set", featureset, known))
    return found


def _topic(settings: Settings, featureset: str) -> None:
    """Make the topic before a job is let write to it."""
    from feature_platform.broker.sender import ensure_topic

    kept_ms = settings.changelog.topic_days * DAY_MS
    ensure_topic(
        settings.kafka, settings.changelog.topic(featureset), {"retention.ms": str(kept_ms)}
    )


def _known(settings: Settings, registry: Any, featureset: str) -> "Snapshot | None":  # noqa: ANN401
    """Return what is deployed; None if it is only defined so far: it will begin with the log.

    Raises:
        UnknownFeatureError: It is neither.
    """
    from feature_platform.definition.loading import load_project

    found: Snapshot | None = registry.snapshot(featureset)
    if found is None and featureset not in load_project(settings.featuresets).featuresets:
        return _deployed(registry, featureset)
    return found


def _changed(featureset: str, snapshot: "Snapshot | None", found: "Watch") -> None:
    if snapshot is None:
        when = "from its first event on, once it is deployed"
    else:
        every = snapshot.job.settings.checkpoint_interval_ms / 1_000
        when = f"the job changes at its next checkpoint, within about {every + LOOK_S:g} s"
    say(f"{featureset}: {_words(found)}; {when}")


def _words(found: "Watch") -> str:
    named = counted(len(found.entities), "entity")
    match found.mode:
        case "watched":
            return f"commands of {named} are logged"
        case "sampled":
            also = f", and {named}" if found.entities else ""
            return f"commands of {found.share:.4g} of all entities{also} are logged"
        case "all":
            return "commands of all entities are logged"
        case _:
            return "no commands are logged"


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
