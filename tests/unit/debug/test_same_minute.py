"""Values are of the minute that is said."""

from feature_platform.debug.same_minute import TRIES, in_one_minute
from feature_platform.testing.clock import ManualClock
from tests.unit.debug.debug_case import MINUTE_MS, NOW_MS


def test_a_minute_that_ends_meanwhile() -> None:
    """It is asked again, and the instant is of the minute that the answer is of."""
    clock = ManualClock(NOW_MS + MINUTE_MS - 1)
    asked: list[int] = []

    def ask() -> int:
        asked.append(clock.now_ms())
        if len(asked) == 1:
            clock.set(NOW_MS + MINUTE_MS)
        return len(asked)

    assert in_one_minute(clock, ask) == (2, NOW_MS + MINUTE_MS)


def test_minutes_that_always_end() -> None:
    """It ends all the same."""
    clock = ManualClock(NOW_MS)
    asked: list[int] = []

    def ask() -> None:
        asked.append(clock.now_ms())
        clock.set(clock.now_ms() + MINUTE_MS)

    in_one_minute(clock, ask)
    assert len(asked) == TRIES
