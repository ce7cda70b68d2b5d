"""The program `fp`: it is installed without the extra `cli`, too, and then says what is missing."""

import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

from feature_platform.errors import MissingExtraError
from feature_platform.extras import Extra, is_installed, require

EXIT_FAILED = 1
NEEDS: Mapping[str, tuple[Extra, ...]] = {
    "up": ("flink", "dagster"),
    "apply": ("flink",),
    "archive": ("spark",),
    "check": ("spark",),
    "statistics": ("statistics",),
    "try": ("flink",),
    "serve": ("service",),
    "demo": ("flink", "spark", "dagster", "demo"),
}
"""Extras of commands beside `cli`, so that a person installs them all at once."""


def main() -> NoReturn:
    """Run `fp`; see `feature_platform.cli.main`."""
    if not is_installed("cli"):
        sys.exit(_complain(sys.argv[1:]))
    from feature_platform.cli.main import main as run

    run()


def _complain(arguments: Sequence[str]) -> int:
    command = next((word for word in arguments if word in NEEDS), "")
    try:
        require(f"fp {command}".rstrip(), "cli", *NEEDS.get(command, ()))
    except MissingExtraError as error:
        sys.stderr.write(f"{error}\n")
    return EXIT_FAILED
