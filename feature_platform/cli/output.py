"""What the commands say: facts as JSON on standard output, everything else on standard error."""

import json
import sys
from typing import NoReturn

from rich.console import Console

from feature_platform.errors import FeaturePlatformError

EXIT_FAILED = 1
EXIT_CHECKS_RED = 3

console = Console(stderr=True, highlight=False)
"""Standard error, for people."""


def print_json(value: object) -> None:
    """Print a fact for programs."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def message(text: str) -> None:
    """Tell a person something; never a fact that a program would look for."""
    console.print(text, soft_wrap=True)


def fail(error: FeaturePlatformError) -> NoReturn:
    """End with an expected error as one clear message."""
    console.print("error:", style="bold red", end=" ")
    console.print(str(error), markup=False, soft_wrap=True)
    raise SystemExit(EXIT_FAILED)
