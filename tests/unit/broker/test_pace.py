"""The pace of a replay, on a clock that the test moves."""

from feature_platform.broker.sender import Pace, Tally


class _Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.sleeps: list[float] = []

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.seconds += seconds


def test_steps_are_held_to_the_rate() -> None:
    """Ten steps at four a second take two and a half seconds."""
    clock = _Clock()
    pace = Pace(4, now=clock.now, sleep=clock.sleep)
    for _ in range(10):
        pace.step()
    assert clock.seconds == 102.5


def test_a_late_loop_catches_up_without_sleeping() -> None:
    """What was lost by a slow step is won back."""
    clock = _Clock()
    pace = Pace(4, now=clock.now, sleep=clock.sleep)
    clock.seconds += 10
    for _ in range(10):
        pace.step()
    assert clock.sleeps == []


def test_rate_zero_never_sleeps() -> None:
    """No rate means as fast as it goes."""
    clock = _Clock()
    pace = Pace(0, now=clock.now, sleep=clock.sleep)
    pace.step()
    assert clock.sleeps == []


def test_a_tally_counts_every_refusal_but_keeps_few_reasons() -> None:
    """Reasons are bounded, the count is not."""
    tally = Tally()
    for number in range(20):
        tally.refuse(f"reason {number}")
    tally.refuse("reason 0")
    assert (tally.refused, len(tally.reasons), tally.reasons["reason 0"]) == (21, 10, 2)
