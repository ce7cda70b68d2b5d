"""`fp get` and `fp rows`: served values, and the stored rows they come from."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from feature_platform.cli.completion import featuresets
from feature_platform.cli.dates import parse_instant
from feature_platform.cli.lines import open_file, read_lines
from feature_platform.cli.output import EXIT_FAILED, cell, one_line, output, print_json, say, table
from feature_platform.settings import Role, Settings, password

if TYPE_CHECKING:
    from feature_platform.plan.snapshot import Snapshot
    from feature_platform.registry.cql import CqlRegistry
    from feature_platform.serving.matrix import FeatureMatrix
    from feature_platform.serving.prepared import PreparedFeatures
    from feature_platform.store.cql import CqlTiles

KEY_BYTES_MAX = 65_536
"""Of a line of a key file: a key is much shorter, and a file without lines is no list of keys."""
READER: Role = "service"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key of an entity, and where it was read."""

    text: str
    place: str
    """File and line, or which argument."""
    is_line: bool = False

    def stored(self, snapshot: "Snapshot") -> str:
        """Return it as the store has it; around a number, blanks of a file are no part of it.

        Raises:
            CallerError: It is no key of the feature set; the message says where it was read.
        """
        from feature_platform.serving.keys import WHOLE_BITS, stored_key

        number = self.is_line and snapshot.entity_type in WHOLE_BITS
        return stored_key(self.text.strip() if number else self.text, snapshot, self.place)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(get)
    app.command()(rows)


def get(  # noqa: PLR0913, PLR0917 (the options of a command)
    context: typer.Context,
    featureset: Annotated[
        str, typer.Argument(help="Name of a deployed feature set.", autocompletion=featuresets)
    ],
    more: Annotated[
        list[str] | None, typer.Argument(metavar="[K]...", help="More entity keys.")
    ] = None,
    entity: Annotated[list[str] | None, typer.Option(help="Entity key; repeatable.")] = None,
    entities_file: Annotated[
        Path | None,
        typer.Option(help="File of keys, one per line; - reads standard input.", allow_dash=True),
    ] = None,
    features: Annotated[
        str | None, typer.Option(help="Served names, such as views_30m,language; default: all.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(help="A past time, ISO-8601; UTC unless it has an offset.")
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Add a receipt: the tiles behind each value.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the served values of entities, now or at a past time."""
    from feature_platform.cli.answers import show_answers, young_names
    from feature_platform.serving.opened import open_client

    at_ms = None if at is None else parse_instant(at, "--at")
    given = [*(entity or ()), *(more or ())]
    keys = [Key(text=key, place=f"key {number}") for number, key in enumerate(given, start=1)]
    if entities_file is not None:
        keys += read_keys(entities_file)
    if not keys:
        msg = "give at least one key: --entity K, or --entities-file F"
        raise typer.BadParameter(msg, param_hint="--entity")
    names = [name.strip() for name in features.split(",") if name.strip()] if features else None
    answers: list[dict[str, Any]] = []
    since_ms: dict[str, int] = {}
    with open_client(context.obj) as client:
        prepared = client.prepare(names, featureset=featureset)
        deployed = {item.featureset: item for item in client.snapshots()}[featureset]
        asked = [key.stored(deployed) for key in keys]
        size = client.limits.entities_max
        for first in range(0, len(asked), size):
            for matrix in _ask(prepared, asked[first : first + size], at_ms, explain=explain):
                answers += matrix.to_dicts()
                since_ms |= matrix.counts_since_ms
    if as_json:
        print_json(answers)
    else:
        show_answers(answers, young_names(deployed, since_ms))
    if any(answer["status"] == "unavailable" for answer in answers):
        raise SystemExit(EXIT_FAILED)


def _ask(
    prepared: "PreparedFeatures", keys: Sequence[str], at_ms: int | None, *, explain: bool
) -> Iterator["FeatureMatrix"]:
    """Yield the answers for some keys, in as many requests as the limits need."""
    from feature_platform.errors import LimitExceededError

    try:
        found = prepared.get(keys, at=at_ms, explain=explain)
    except LimitExceededError:
        half = len(keys) // 2
        if not half:
            raise
        yield from _ask(prepared, keys[:half], at_ms, explain=explain)
        yield from _ask(prepared, keys[half:], at_ms, explain=explain)
    else:
        yield found


def rows(
    context: typer.Context,
    featureset: Annotated[
        str, typer.Argument(help="Name of a deployed feature set.", autocompletion=featuresets)
    ],
    entity: Annotated[str, typer.Option(help="Entity key.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show every stored tile of an entity, in its head or closed, with its size."""
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
    if not found:
        say(f"{featureset} has no rows for {entity}")
        return
    shown = table("level", "start", "bytes", "values")
    for tile in found:
        values = ", ".join(f"{name}={cell(value)}" for name, value in tile["values"].items())
        shown.add_row(tile["level"], tile["start"], str(len(tile["bytes"]) // 2), values)
    output.print(shown)


@contextmanager
def open_store(settings: Settings) -> Iterator[tuple["CqlRegistry", "CqlTiles"]]:
    """Open the registry and the tiles for reading."""
    from feature_platform.registry.cql import CqlRegistry
    from feature_platform.store.connect import connect
    from feature_platform.store.cql import CqlTiles

    with connect(settings.store, f"fp_{READER}", password(settings, READER)) as connection:
        yield CqlRegistry(connection), CqlTiles(connection)


def read_keys(path: Path) -> Iterator[Key]:
    """Yield the keys of a file, one a line; blank lines are none.

    Raises:
        typer.BadParameter: The file cannot be read, or a line of it is not text.
    """
    with open_file(path, "--entities-file") as file:
        for number, line in read_lines(file, limit=KEY_BYTES_MAX):
            place = f"{path}:{number}"
            if line is None:
                msg = (
                    f"{place}: longer than {KEY_BYTES_MAX} bytes (KEY_BYTES_MAX); write one key "
                    "per line"
                )
                raise typer.BadParameter(msg, param_hint="--entities-file")
            try:
                yield Key(text=line.decode("utf-8"), place=place, is_line=True)
            except UnicodeDecodeError as error:
                msg = f"{place}: {one_line(str(error))}; save the file as UTF-8"
                raise typer.BadParameter(msg, param_hint="--entities-file") from error
