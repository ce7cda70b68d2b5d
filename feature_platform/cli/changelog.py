"""`fp changelog`: which commands are logged, and what ClickHouse says of them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from feature_platform.changelog_settings import BLOCK_BYTES_MAX
from feature_platform.cli.completion import featuresets
from feature_platform.cli.output import (
    output,
    print_json,
    say,
    table,
)
from feature_platform.cli.reading import Key, open_store, read_keys
from feature_platform.cli.share import parse_share
from feature_platform.clock import SystemClock
from feature_platform.registry.watches import Watch, added_to, without
from feature_platform.settings import Settings, password
from feature_platform.tiles.grid import DAY_MS
from feature_platform.words import counted

if TYPE_CHECKING:
    from feature_platform.plan.snapshot import Snapshot

LOOK_S = 5
"""How often a job looks at what is to be logged."""

FeatureSetName = Annotated[
    str, typer.Argument(help="Name of a deployed feature set.", autocompletion=featuresets)
]
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
    from feature_platform.cli import changelog_log

    changelog_log.register(commands)
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
    named = [Key(text=key, place="ENTITY") for key in entities or ()]
    named += read_keys(file) if file else ()
    if not named:
        msg = "name at least one entity, or a file of them with --entities"
        raise typer.BadParameter(msg)
    with _registry(settings) as registry:
        snapshot = _known(settings, registry, featureset)
        wanted = _stored(named, snapshot)
        before = registry.watch(featureset)
        added = (
            Watch(version=before.version, mode="watched", entities=wanted)
            if only
            else added_to(featureset, before, wanted)
        )
        _topic(settings, featureset)
        found = _saved(registry, featureset, added)
    _changed(featureset, snapshot, found)


@commands.command()
def sample(
    context: typer.Context,
    featureset: FeatureSetName,
    share: Annotated[str, typer.Argument(help="Of all entities, as 1%.")],
) -> None:
    """Log the commands of a share of all entities: always the same ones, by the hash of the key."""
    settings: Settings = context.obj
    wanted = parse_share(share, "SHARE")
    with _registry(settings) as registry:
        snapshot = _known(settings, registry, featureset)
        _topic(settings, featureset)
        sampled = replace(registry.watch(featureset), mode="sampled", share=wanted)
        found = _saved(registry, featureset, sampled)
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
        before = registry.watch(featureset)
        snapshot = _logged(settings, registry, featureset, before)
        keys = _stored([Key(text=each, place="ENTITY") for each in entities or ()], snapshot)
        found = _saved(registry, featureset, without(featureset, before, keys))
    _changed(featureset, snapshot, found)


@commands.command()
def status(
    context: typer.Context,
    featureset: Annotated[
        str, typer.Argument(help="Name of a feature set; default: all.", autocompletion=featuresets)
    ] = "",
    *,
    as_json: AsJson = False,
) -> None:
    """Show of which entities commands are logged."""
    settings: Settings = context.obj
    with open_store(settings) as (registry, _):
        names = [featureset] if featureset else [each.featureset for each in registry.snapshots()]
        found = {name: registry.watch(name) for name in names}
        if featureset:
            _logged(settings, registry, featureset, found[featureset])
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


def _stored(keys: Sequence[Key], snapshot: "Snapshot | None") -> frozenset[str]:
    """Return keys as jobs have them; of what is not deployed yet, as they were written."""
    return frozenset(each.stored(snapshot) if snapshot else each.text for each in keys)


@contextmanager
def _registry(settings: Settings) -> Iterator[Any]:
    """Open the registry for changes."""
    from feature_platform.registry.cql import open_registry
    from feature_platform.store.connect import connect

    with connect(settings.store, "fp_admin", password(settings, "admin")) as connection:
        yield open_registry(connection, SystemClock())


def deployed(registry: Any, featureset: str) -> "Snapshot":  # noqa: ANN401
    """Return what is deployed.

    Raises:
        UnknownFeatureError: Nothing is.
    """
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

    config = {
        "retention.ms": str(settings.changelog.topic_days * DAY_MS),
        "max.message.bytes": str(BLOCK_BYTES_MAX),
    }
    ensure_topic(settings.kafka, settings.changelog.topic(featureset), config)


def _known(settings: Settings, registry: Any, featureset: str) -> "Snapshot | None":  # noqa: ANN401
    """Return what is deployed; None if it is only defined so far: it will begin with the log.

    Raises:
        UnknownFeatureError: It is neither.
    """
    from feature_platform.definition.loading import load_project

    found: Snapshot | None = registry.snapshot(featureset)
    if found is None and featureset not in load_project(settings.featuresets).featuresets:
        return deployed(registry, featureset)
    return found


def _logged(
    settings: Settings,
    registry: Any,  # noqa: ANN401
    featureset: str,
    before: Watch,
) -> "Snapshot | None":
    """Return what is deployed; None of what was to be logged once, and is defined no more.

    Raises:
        UnknownFeatureError: Nobody has ever heard of it.
    """
    if before.version:
        found: Snapshot | None = registry.snapshot(featureset)
        return found
    return _known(settings, registry, featureset)


def _saved(registry: Any, featureset: str, wanted: Watch) -> Watch:  # noqa: ANN401
    """Store what was made from a version, unless others have stored another since."""
    found: Watch = registry.save_watch(
        featureset, wanted.mode, wanted.share, wanted.entities, before=wanted.version
    )
    return found


def _changed(featureset: str, snapshot: "Snapshot | None", found: Watch) -> None:
    if snapshot is None:
        when = "from its first event on, once it is deployed"
    else:
        every = snapshot.job.settings.checkpoint_interval_ms / 1_000
        when = f"the job changes at its next checkpoint, within about {every + LOOK_S:g} s"
    say(f"{featureset}: {_words(found)}; {when}")


def _words(found: Watch) -> str:
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
