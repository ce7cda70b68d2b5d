"""`fp schema`: the JSON Schema of definitions, for editors."""

from pathlib import Path
from typing import Annotated

import typer

from feature_platform.cli.output import message, say
from feature_platform.errors import CallerError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(schema)


def schema(
    out: Annotated[
        Path | None, typer.Option(help="File to write, such as featuresets/schema.json.")
    ] = None,
) -> None:
    """Print the JSON Schema of feature sets, sources and lists, or write it to a file.

    An editor with a YAML language server completes and checks a file that begins with
    `# yaml-language-server: $schema=schema.json`.
    """
    from feature_platform.definition.schema import schema_text

    text = schema_text()
    if out is None:
        say(text.rstrip())
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        msg = f"{out} cannot be written: {error.strerror}; name a file in a folder that exists"
        raise CallerError(msg) from error
    message(f"wrote {out}")
