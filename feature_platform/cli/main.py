"""The command `fp`: assembles the command groups, one module each; errors end as exit codes."""

import io
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from feature_platform.cli.output import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    complain,
    console,
    message,
    say,
)
from feature_platform.cli.trouble import in_words
from feature_platform.errors import FeaturePlatformError
from feature_platform.interrupts import restored
from feature_platform.settings import load_settings

GROUPS = (
    "stack",
    "init",
    "definitions",
    "schema",
    "tests",
    "changes",
    "waiting",
    "recovery",
    "trial",
    "preview",
    "verify",
    "catalogue",
    "lists",
    "reading",
    "debug",
    "changelog",
    "serve",
    "status",
    "dead_letters",
    "produce",
    "archive",
    "history",
    "training",
    "check",
    "statistics",
    "late_events",
    "usage",
    "settings",
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
        help="Features for ML rankers: defined in SQL, computed from event streams, served fast.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # a wrong use is reported in one line, not broken over a panel's
    )
    app.callback()(_options)
    for group in GROUPS:
        import_module(f"feature_platform.cli.{group}").register(app)
    return app


def _show_version(value: bool) -> None:
    if value:
        say(f"feature-platform {version('feature-platform')}, Python {sys.version.split()[0]}")
        raise typer.Exit


def _options(
    context: typer.Context,
    project: Annotated[
        Path,
        typer.Option(
            help="Project folder with featuresets/ and feature_platform.toml.",
            exists=True,
            file_okay=False,
            resolve_path=True,
        ),
    ] = Path(),
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    context.obj = load_settings(project)


def main() -> NoReturn:
    """Run `fp` and exit: 0 done, 1 failed, 2 wrong use, 3 checks red, 130 interrupted.

    A request to end counts as Ctrl-C, so that a command stops what it started.
    With FP_DEBUG=1 an error keeps its traceback.
    """
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background jobs ignore SIGINT
        signal.signal(number, signal.default_int_handler)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what a terminal cannot write is escaped
            stream.reconfigure(errors="backslashreplace")
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except OSError as error:
        code = _failed(error)
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; what is expected to fail is reported."""
    try:
        with restored():
            code = build()(list(arguments), prog_name="fp", standalone_mode=False)
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except typer.TyperException as error:
        _show_wrong_use(error)
        return int(getattr(error, "exit_code", EXIT_FAILED))
    except typer.Abort:
        complain("no answer")
        return EXIT_FAILED
    except (FeaturePlatformError, OSError, UnicodeDecodeError) as error:
        return _failed(error)
    if code == EXIT_INTERRUPTED:
        message("interrupted")
    return code if isinstance(code, int) else 0


def _show_wrong_use(error: typer.TyperException) -> None:
    """Print usage and mistake; arguments may hold anything."""
    text = io.StringIO()
    getattr(error, "show", lambda file: file.write(str(error)))(file=text)
    console.print(text.getvalue().rstrip("\n"), soft_wrap=True)


def _failed(error: FeaturePlatformError | OSError | UnicodeDecodeError) -> int:
    if os.environ.get("FP_DEBUG") == "1":
        raise error
    if isinstance(error, BrokenPipeError):  # nobody reads on, as in `fp plan | head -1`
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    if isinstance(error, OSError):
        complain(in_words(error))
    elif isinstance(error, UnicodeDecodeError):
        complain(f"a file or response is not UTF-8: {error}; set FP_DEBUG=1 to see which")
    else:
        complain(str(error))
    return EXIT_FAILED
