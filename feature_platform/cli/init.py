"""`fp init`: a new project to start from."""

import shlex
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from feature_platform.cli.output import message
from feature_platform.clock import SystemClock


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(init)


def init(
    folder: Annotated[Path, typer.Argument(help="A new or empty folder; `.` is this one.")],
) -> None:
    """Write a new project: a feature set, its source, example events, settings and CI."""
    from feature_platform.starter.project import write_project

    for path in write_project(folder, version("feature-platform"), SystemClock().now_ms()):
        message(f"wrote {path}")
    steps = ["fp up", "fp apply"]
    if folder.resolve() != Path.cwd():
        steps.insert(0, f"cd {shlex.quote(str(folder))}")
    message(f"next: {' && '.join(steps)}")
