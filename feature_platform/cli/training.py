"""`fp training-set`: features of a list as of the instants of a table of labels."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from feature_platform.cli.interrupt import interruptible
from feature_platform.cli.output import console, message, print_json, say
from feature_platform.clock import to_iso
from feature_platform.settings import Settings
from feature_platform.words import counted

if TYPE_CHECKING:
    from feature_platform.training import TrainingSet

COMMAND = "training-set"
Spine = Annotated[
    Path, typer.Option(help="Table of keys, instants and labels: Parquet, a folder, or CSV.")
]
Out = Annotated[Path, typer.Option(help="Folder to make; it must not exist.")]
Version = Annotated[int | None, typer.Option(help="Version of the list; default: the newest.")]
As = Annotated[
    str,
    typer.Option(help="event: what happened before the instant; known: what Kafka had by then."),
]
Lag = Annotated[
    int,
    typer.Option(metavar="MS", help="With known: how long events took from Kafka to the rankers."),
]
Instant = Annotated[
    str, typer.Option(metavar="COLUMN", help="The spine's column with the instants.")
]
Key = Annotated[
    list[str] | None,
    typer.Option(metavar="KIND=COLUMN", help="Where the keys of a kind of entity are; repeatable."),
]
Zone = Annotated[str, typer.Option(help="Of timestamps that have none.")]
Edge = Annotated[str, typer.Option(help="The edge that rankers prepare the list with, such as 5m.")]
Json = Annotated[bool, typer.Option("--json", help="Print the manifest as JSON.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(COMMAND)(training_set)


def training_set(  # noqa: PLR0913 (the options of a command)
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="LIST", help="Name of a stored feature list.")],
    *,
    spine: Spine,
    out: Out,
    version: Version = None,
    as_of: As = "event",
    serving_lag: Lag = 0,
    instant: Instant = "instant",
    key: Key = None,
    time_zone: Zone = "UTC",
    edge: Edge = "",
    as_json: Json = False,
) -> None:
    """Make a training set: the features of a list as of the instants of a table of labels."""
    from feature_platform.extras import require

    require(f"fp {COMMAND}", "spark")
    from feature_platform.cli.reading import open_store
    from feature_platform.training import build_training_set

    settings: Settings = context.obj
    if as_of not in {"event", "known"}:
        msg = f"{as_of!r} is neither event nor known"
        raise typer.BadParameter(msg, param_hint="--as-of")
    again = "what is answered is kept: the same command continues"
    with (
        open_store(settings) as (registry, _),
        interruptible(lambda: again),
        console.status(f"{name}: starting") as status,
    ):
        made = build_training_set(
            settings,
            registry,
            name,
            spine,
            out,
            version=version,
            as_of="known" if as_of == "known" else "event",
            serving_lag_ms=serving_lag,
            instant=instant,
            keys=_keys(key or ()),
            time_zone=time_zone,
            edge=edge,
            report=lambda text: status.update(f"{name}: {text}"),
        )
    if as_json:
        print_json({"folder": str(out), **made.manifest.to_json()})
    else:
        _show(made)


def _keys(given: list[str] | tuple[str, ...]) -> dict[str, str]:
    """Return the columns of kinds of entity.

    Raises:
        typer.BadParameter: One is not KIND=COLUMN.
    """
    keys = {}
    for each in given:
        kind, sign, column = each.partition("=")
        if not (kind and sign and column):
            msg = f"{each!r} is not KIND=COLUMN, such as post_id=item"
            raise typer.BadParameter(msg, param_hint="--key")
        keys[kind] = column
    return keys


def _show(made: "TrainingSet") -> None:
    manifest = made.manifest
    features = counted(len(manifest.features), "feature")
    rows = counted(manifest.rows, "row")
    say(f"{made.folder}: {rows}, {features} of {manifest.list} version {manifest.list_version}")
    say("  " + ", ".join(f"{status}: {count:,}" for status, count in manifest.status.items()))
    for used in manifest.featuresets:
        span = f"{to_iso(used.begins_ms)} to {to_iso(used.ends_ms)}" if used.ends_ms >= 0 else "-"
        say(f"  {used.featureset}: event log of {used.source}, {span}")
    if manifest.time_zone:
        message(f"note: instants without a time zone were taken for {manifest.time_zone}")
