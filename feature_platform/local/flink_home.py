"""Where the Flink distribution lies: inside the installed wheel."""

import importlib.util
from pathlib import Path

from feature_platform.errors import ServerError
from feature_platform.extras import missing_text


def find_flink_home() -> Path:
    """Return the Flink distribution inside the installed wheel.

    Raises:
        ServerError: apache-flink is not installed.
    """
    spec = importlib.util.find_spec("pyflink")
    if spec is None or spec.origin is None:
        raise ServerError(missing_text("Flink", "flink"))
    return Path(spec.origin).parent
