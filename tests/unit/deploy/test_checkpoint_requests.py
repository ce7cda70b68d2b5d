"""When a job that is waited for is asked for checkpoints: soon at first, then as the rest needs."""

from collections.abc import Iterator

import pytest

from feature_platform.deploy.checkpoint_requests import (
    LONGEST_S,
    SHORTEST_S,
    UNANSWERED_S,
    CheckpointPace,
)

CHECKPOINT_S = 0.3
STEP_S = 0.1


def asked(events: int, rate: float, *, from_s: float = 0.0) -> Iterator[float]:
    """Yield when a job is asked that reads at this rate, until a cut holds everything."""
    pace = CheckpointPace()
    checkpoint_id, left, answer_s = 0, events, float("inf")
    for step in range(100_000):
        now_s = from_s + step * STEP_S
        if now_s >= answer_s:
            checkpoint_id, left, answer_s = (
                checkpoint_id + 1,
                round(events - rate * (now_s - from_s)),
                float("inf"),
            )
            if left <= 0:
                return
        if pace.is_due(now_s, (1, checkpoint_id), left):
            yield now_s - from_s
            answer_s = min(answer_s, now_s + CHECKPOINT_S)
    pytest.fail("it never ended")


@pytest.mark.parametrize("events", [10, 1_000, 100_000, 3_000_000])
def test_few_are_asked_for_and_the_last_one_soon_after_the_end(events: int) -> None:
    """A long wait asks seldom; however long it is, its end is seen within a few seconds."""
    rate = 10_000
    times = list(asked(events, rate, from_s=1e6))
    assert times[0] == 0
    assert times[-1] + CHECKPOINT_S - events / rate < 3
    assert len(times) <= 8 + 2 * events / rate / LONGEST_S


def test_a_job_that_gets_faster_is_not_waited_for_at_its_old_rate() -> None:
    """At the first cuts it read next to nothing; it has waited two seconds, so it waits two."""
    pace = CheckpointPace()
    assert pace.is_due(0.0, (1, 1), 1_000)
    assert not pace.is_due(1.0, (1, 2), 1_000)
    assert pace.is_due(1.0 + SHORTEST_S, (1, 2), 1_000)
    assert not pace.is_due(2.0, (1, 3), 999)
    assert pace.is_due(4.0, (1, 3), 999)


def test_what_is_not_answered_is_asked_again() -> None:
    """A job that restarts has forgotten it; each time it is given longer."""
    pace = CheckpointPace()
    times = [second for second in range(100) if pace.is_due(float(second), None, 7)]
    assert times == [0, UNANSWERED_S, 2 * UNANSWERED_S, 4 * UNANSWERED_S, 8 * UNANSWERED_S, 70]
