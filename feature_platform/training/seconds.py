"""How long each step of a build takes, for its manifest."""

from collections.abc import Iterator
from contextlib import contextmanager

from feature_platform.clock import WaitingClock


@contextmanager
def timed(seconds: dict[str, float], name: str, clock: WaitingClock) -> Iterator[None]:
    """Note how long a block took."""
    begun_s = clock.monotonic_s()
    yield
    seconds[name] = round(clock.monotonic_s() - begun_s, 3)
