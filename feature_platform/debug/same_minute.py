"""Asks for values so that the minute is known that they are of: windows move on with it."""

from collections.abc import Callable
from typing import TypeVar

from feature_platform.clock import Clock
from feature_platform.tiles.grid import MINUTE_MS

TRIES = 3

Found = TypeVar("Found")


def in_one_minute(clock: Clock, ask: Callable[[], Found]) -> tuple[Found, int]:
    """Return what is answered, and an instant of the minute that it is of.

    Args:
        clock: What *now* means.
        ask: Asks once.
    """
    for _ in range(TRIES):
        asked_ms = clock.now_ms()
        found = ask()
        if asked_ms // MINUTE_MS == clock.now_ms() // MINUTE_MS:
            break
    return found, asked_ms
