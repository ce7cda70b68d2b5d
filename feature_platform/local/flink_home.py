"""Where the Flink distribution lies: inside the installed wheel."""

import importlib.util
from pathlib import Path

from feature_platform.errors import ServerError


def find_flink_home() -> Path:
    """Return the Flink distribution inside the installed wheel.

    Raises:
        ServerError: apache-flink is not installed.
    """
    spec = importlib.util.find_spec("pyflink")
    if spec is None or spec.origin is None:
        msg = "flink: the package apache-flink is not installed: run `uv sync --all-extras`"
        raise ServerError(msg)
    return Path(spec.origin).parent
