"""The command `fp`: assembles the command groups, one module each; errors end as exit codes."""

import os
import signal
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from feature_platform.cli.output import fail
from feature_platform.errors import FeaturePlatformError
from feature_platform.settings import load_settings

GROUPS = (
    "stack",
    "definitions",
    "changes",
    "recovery",
    "trial",
    "reading",
    "status",
    "produce",
    "archive",
    "check",
    "roles",
    "demo",
)


def build() -> typer.Typer:
    """Return the application with every command group.

    A group's module has `register(app)`; its commands find the project's `Settings` in
    `context.obj`, and import what is heavy when they run.
    """
    app = typer.Typer(
        name="fp",
        help="Features for rankers: readable SQL, computed from events, served from tiles.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # a wrong use is told in one line, not broken over a panel's
    )
    app.callback()(_options)
    for group in (name for name in GROUPS if find_spec(f"feature_platform.cli.{name}")):
        import_module(f"feature_platform.cli.{group}").register(app)
    return app


def _options(
    context: typer.Context,
    project: Annotated[
        Path,
        typer.Option(
            help="The folder with featuresets/ and feature_platform.toml.",
            exists=True,
            file_okay=False,
            resolve_path=True,
        ),
    ] = Path(),
) -> None:
    context.obj = load_settings(project)


def main() -> NoReturn:
    """Run `fp` and exit: 0 done, 1 failed, 2 wrong use, 3 checks red, 130 interrupted.

    A request to end counts as Ctrl-C, so that a command stops what it started.
    With FP_DEBUG=1 an error keeps its traceback.
    """
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background jobs ignore SIGINT
        signal.signal(number, signal.default_int_handler)
    try:
        build()()
    except FeaturePlatformError as error:
        if os.environ.get("FP_DEBUG") == "1":
            raise
        fail(error)
    sys.exit(0)
