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

    A look that takes long is followed by a pause as long: what is waited for needs the cores, too.

    Raises:
        AssertionError: It did not come in time.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        began = time.monotonic()
        if found := look():
            return found
        now = time.monotonic()
        assert now < deadline, f"waited {timeout_s:.0f} s for {what}"
        time.sleep(max(every_s, now - began))
