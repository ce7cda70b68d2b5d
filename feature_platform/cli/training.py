"""`fp training-set`: features of a list as of past instants, or as served; with labels."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from feature_platform.cli.completion import lists, sources
from feature_platform.cli.interrupt import interruptible
from feature_platform.cli.output import console, message, print_json, say
from feature_platform.cli.produce import find_source
from feature_platform.clock import from_iso, to_iso
from feature_platform.feature_log_settings import FEATURE_LOG
from feature_platform.settings import Settings
from feature_platform.tiles.grid import format_duration
from feature_platform.words import counted

if TYPE_CHECKING:
    from feature_platform.training import TrainingSet
    from feature_platform.training.manifest import UsedFeatureSet, UsedLabels

COMMAND = "training-set"
Spine = Annotated[
    Path | None, typer.Option(help="Table of keys, instants and labels: Parquet, a folder, or CSV.")
]
From = Annotated[
    str,
    typer.Option("--from", metavar=FEATURE_LOG, help="Instead of a spine: what was served."),
]
LabelsOf = Annotated[
    str,
    typer.Option(
        metavar="SOURCE",
        help="Join what happened next: a source with `labels:`.",
        autocompletion=sources,
    ),
]
Within = Annotated[
    str,
    typer.Option(metavar="DURATION", help="How long after a row its labels count, such as 30m."),
]
Request = Annotated[
    str, typer.Option(metavar="COLUMN", help="The spine's column with the id of the answer.")
]
LeaveOutOpen = Annotated[
    bool, typer.Option("--leave-out-open", help="Leave out rows whose labels may still change.")
]
Since = Annotated[
    str, typer.Option(metavar="TIME", help="With --from: rows served from then on (ISO-8601).")
]
Until = Annotated[str, typer.Option(metavar="TIME", help="With --from: rows served before.")]
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
    name: Annotated[
        str,
        typer.Argument(metavar="LIST", help="Name of a stored feature list.", autocompletion=lists),
    ],
    *,
    spine: Spine = None,
    source: From = "",
    out: Out,
    labels: LabelsOf = "",
    within: Within = "",
    leave_out_open: LeaveOutOpen = False,
    since: Since = "",
    until: Until = "",
    version: Version = None,
    as_of: As = "event",
    serving_lag: Lag = 0,
    instant: Instant = "instant",
    key: Key = None,
    request: Request = "",
    time_zone: Zone = "UTC",
    edge: Edge = "",
    as_json: Json = False,
) -> None:
    """Make a training set: features of a list at past instants, or as served; with labels."""
    from feature_platform.extras import require

    require(f"fp {COMMAND}", "spark")
    settings: Settings = context.obj
    of_spine = {"--as-of": as_of != "event", "--serving-lag": serving_lag, "--edge": edge}
    of_spine |= {"--instant": instant != "instant", "--key": key, "--request": request}
    _check_rows(spine, source, within, labels, of_spine, {"--since": since, "--until": until})
    if as_of not in {"event", "known"}:
        msg = f"{as_of!r} is neither event nor known"
        raise typer.BadParameter(msg, param_hint="--as-of")
    known: dict[str, Any] = {"labels": find_source(settings, labels)} if labels else {}
    known |= {"within": within, "leave_out_open": leave_out_open, "version": version}
    if spine is None:
        known |= _period(since, until)
    else:
        known |= {"as_of": as_of, "serving_lag_ms": serving_lag, "edge": edge}
        known |= {"instant": instant, "keys": _keys(key or ()), "time_zone": time_zone}
        known |= {"request_id": request} if request else {}
    made = _build(settings, name, spine, out, known)
    if as_json:
        print_json({"folder": str(out), **made.manifest.to_json()})
    else:
        _show(made)


def _build(
    settings: Settings, name: str, spine: Path | None, out: Path, known: dict[str, Any]
) -> "TrainingSet":
    """Build while a line says what is being done."""
    from feature_platform.cli.reading import open_store
    from feature_platform.training import build_served_set, build_training_set

    again = "what is answered is kept: the same command continues"
    with (
        open_store(settings) as (registry, _),
        interruptible(lambda: again),
        console.status(f"{name}: starting") as status,
    ):

        def report(text: str) -> None:
            status.update(f"{name}: {text}")

        if spine is None:
            return build_served_set(settings, registry, name, out, report=report, **known)
        return build_training_set(settings, registry, name, spine, out, report=report, **known)


def _check_rows(
    spine: Path | None,
    source: str,
    within: str,
    labels: str,
    of_spine: dict[str, object],
    of_log: dict[str, object],
) -> None:
    """Check that rows come from one place, and that all options fit it.

    Raises:
        typer.BadParameter: They do not.
    """
    if source not in {"", FEATURE_LOG}:
        msg = f"{source!r} is not {FEATURE_LOG}, which is all that rows can be taken from"
        raise typer.BadParameter(msg, param_hint="--from")
    if (spine is None) == (not source):
        msg = f"name the rows: either --spine TABLE, or --from {FEATURE_LOG}"
        raise typer.BadParameter(msg, param_hint="--spine")
    unfit = [option for option, value in (of_log if spine else of_spine).items() if value]
    if unfit:
        place = "--from feature_log" if spine else "--spine"
        msg = f"it only goes with {place}; remove it"
        raise typer.BadParameter(msg, param_hint=unfit[0])
    if within and not labels:
        msg = "it says how long labels count; add --labels SOURCE"
        raise typer.BadParameter(msg, param_hint="--within")


def _period(since: str, until: str) -> dict[str, int]:
    """Return the instants of rows that are taken from the feature log.

    Raises:
        typer.BadParameter: One is none.
    """
    period = {}
    for option, name, text in (("--since", "start_ms", since), ("--until", "end_ms", until)):
        if text:
            try:
                period[name] = from_iso(text)
            except (ValueError, OverflowError) as error:
                msg = f"{text!r} is not a timestamp; write it as 2026-01-31T15:37:00Z"
                raise typer.BadParameter(msg, param_hint=option) from error
    return period


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
    version = f" version {manifest.list_version}" if manifest.feature_log is None else ""
    say(f"{made.folder}: {rows}, {features} of {manifest.list}{version}")
    say("  " + ", ".join(f"{status}: {count:,}" for status, count in manifest.status.items()))
    for used in manifest.featuresets:
        say(f"  {used.featureset}: event log of {used.source}, {_span(used)}")
    if manifest.feature_log is not None:
        each = manifest.feature_log.versions.items()
        served = ", ".join(f"version {version}: {count:,}" for version, count in each)
        say(f"  served by {served or 'no version'}")
    if (labels := manifest.labels) is not None:
        within = format_duration(labels.within_ms)
        say(f"  labels {', '.join(labels.columns)} within {within}: {_span(labels)}")
        say("  " + ", ".join(f"{status}: {count:,}" for status, count in labels.status.items()))
    if manifest.time_zone:
        message(f"note: instants without a time zone were taken for {manifest.time_zone}")


def _span(used: "UsedFeatureSet | UsedLabels") -> str:
    """Say which instants an event log can answer."""
    return f"{to_iso(used.begins_ms)} to {to_iso(used.ends_ms)}" if used.ends_ms >= 0 else "-"
