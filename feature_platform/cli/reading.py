"""`fp get` and `fp rows`: served values, and the stored rows they come from."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from feature_platform.cli.output import EXIT_FAILED, print_json
from feature_platform.clock import from_iso
from feature_platform.settings import Role, Settings, password

if TYPE_CHECKING:
    from feature_platform.registry.cql import CqlRegistry
    from feature_platform.serving.client import FeatureClient
    from feature_platform.store.cql import CqlTiles

STDIN = "-"
SIDE_BY_SIDE_MAX = 6
READER: Role = "service"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(get)
    app.command()(rows)


def get(  # noqa: PLR0913, PLR0917 (the options of a command)
    context: typer.Context,
    featureset: Annotated[str, typer.Argument(help="Name of a deployed feature set.")],
    more: Annotated[
        list[str] | None, typer.Argument(metavar="[K]...", help="More keys of entities.")
    ] = None,
    entity: Annotated[list[str] | None, typer.Option(help="Key of an entity; repeatable.")] = None,
    entities_file: Annotated[
        Path | None, typer.Option(help="Keys, one a line; - is standard input.", allow_dash=True)
    ] = None,
    features: Annotated[str | None, typer.Option(help="Served names: views_30m,language.")] = None,
    at: Annotated[str | None, typer.Option(help="A past instant, ISO-8601; UTC if none.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Add what values rest on.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the served values of entities, now or as of a past instant."""
    at_ms = None if at is None else _instant(at)
    keys = [*(entity or ()), *(more or ()), *_read_keys(entities_file)]
    if not keys:
        msg = "name at least one: --entity K, or --entities-file F"
        raise typer.BadParameter(msg, param_hint="--entity")
    names = [name.strip() for name in features.split(",") if name.strip()] if features else None
    answers: list[dict[str, Any]] = []
    with open_client(context.obj) as client:
        prepared = client.prepare(names, featureset=featureset)
        size = client.limits.entities_max
        for first in range(0, len(keys), size):
            part = keys[first : first + size]
            answers += prepared.get(part, at=at_ms, explain=explain).to_dicts()
    if as_json:
        print_json(answers)
    else:
        _show_answers(answers)
    if any(answer["status"] == "unavailable" for answer in answers):
        raise SystemExit(EXIT_FAILED)


def rows(
    context: typer.Context,
    featureset: Annotated[str, typer.Argument(help="Name of a deployed feature set.")],
    entity: Annotated[str, typer.Option(help="Key of an entity.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show every stored tile of an entity, in its head or closed, with its bytes."""
    from feature_platform.cli.rows import describe_rows
    from feature_platform.definition.names import unknown
    from feature_platform.errors import UnknownFeatureError

    with open_store(context.obj) as (registry, tiles):
        snapshot = registry.snapshot(featureset)
        if snapshot is None:
            deployed = [known.featureset for known in registry.snapshots()]
            raise UnknownFeatureError(unknown("feature set", featureset, deployed))
        found = describe_rows(snapshot, tiles.read_entity(snapshot.table, entity))
    if as_json:
        print_json(found)
        return
    table = Table("level", "start", "bytes", "values")
    for tile in found:
        values = ", ".join(f"{name}={value}" for name, value in tile["values"].items())
        table.add_row(tile["level"], tile["start"], str(len(tile["bytes"]) // 2), values)
    Console().print(table if found else f"no rows of {entity} in {featureset}")


def open_client(settings: Settings) -> "FeatureClient":
    """Log in as a ranker would."""
    from feature_platform.serving.client import FeatureClient

    store = settings.store
    return FeatureClient.connect(
        store.contact_points,
        user=f"fp_{READER}",
        password=password(settings, READER),
        keyspace=store.keyspace,
        local_dc=store.local_dc,
    )


@contextmanager
def open_store(settings: Settings) -> Iterator[tuple["CqlRegistry", "CqlTiles"]]:
    """Open the registry and the tiles for reading."""
    from feature_platform.registry.cql import CqlRegistry
    from feature_platform.store.connect import connect
    from feature_platform.store.cql import CqlTiles

    with connect(settings.store, f"fp_{READER}", password(settings, READER)) as connection:
        yield CqlRegistry(connection), CqlTiles(connection)


def _instant(text: str) -> int:
    try:
        return from_iso(text)
    except (ValueError, OverflowError) as error:
        msg = f"{text!r} is no instant; write it as 2026-01-31T15:37:00Z"
        raise typer.BadParameter(msg, param_hint="--at") from error


def _read_keys(file: Path | None) -> list[str]:
    if file is None:
        return []
    try:
        text = sys.stdin.read() if str(file) == STDIN else file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{file}: {error}"
        raise typer.BadParameter(msg, param_hint="--entities-file") from error
    return [line for line in text.splitlines() if line]


def _show_answers(answers: Sequence[dict[str, Any]]) -> None:
    """Print entities side by side if they are few, else one a line."""
    console = Console()
    if len(answers) <= SIDE_BY_SIDE_MAX:
        table = Table("feature", *(answer["entity"] for answer in answers))
        table.add_row("status", *(answer["status"] for answer in answers), end_section=True)
        for name in answers[0]["values"]:
            table.add_row(name, *(_cell(answer["values"][name]) for answer in answers))
    else:
        table = Table("entity", "status", *answers[0]["values"])
        for answer in answers:
            values = map(_cell, answer["values"].values())
            table.add_row(answer["entity"], answer["status"], *values)
    console.print(table)
    for answer in answers:
        if "error" in answer:
            console.print(f"{answer['entity']}: {answer['error']}", markup=False)
        for name, receipt in answer.get("receipt", {}).get("features", {}).items():
            line = _receipt_line(answer["entity"], name, receipt)
            console.print(line, markup=False, highlight=False, soft_wrap=True)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _receipt_line(entity: str, name: str, receipt: dict[str, Any]) -> str:
    span = f"[{receipt['from']}, {receipt['to']})" if receipt["from"] else "all of time"
    found = [tile for tile in receipt["tiles"] if tile["place"] != "absent"]
    tiles = ", ".join(f"{tile['level']} {tile['start']} ({tile['place']})" for tile in found)
    empty = len(receipt["tiles"]) - len(found)
    return f"{entity} {name}: {span} of tiles {tiles or 'none'}; {empty} more without events"
