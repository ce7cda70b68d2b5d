"""Waiting for what servers do in their own time."""

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_S = 600.0
"""Enough for a machine several times slower than usual: it only matters where something fails."""

Found = TypeVar("Found")


def until(
    look: Callable[[], Found | None],
    what: str,
    *,
    timeout_s: float = PATIENCE_S,
    every_s: float = 0.5,
) -> Found:
    """Look again and again until there is something; return that.

    Raises:
        AssertionError: It did not come in time.
    """
    deadline = time.monotonic() + timeout_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"waited {timeout_s:.0f} s for {what}"
        time.sleep(every_s)
    return found
