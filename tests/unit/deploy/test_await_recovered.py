"""How long a start waits for what has to be counted again."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import repeat

import pytest

from feature_platform.deploy.await_recovered import await_recovered
from feature_platform.errors import JobFailedError
from feature_platform.testing.clock import ManualClock
from tests.unit.stage import Stage

LOOK_S = 1_800.0
"""Between two looks half an hour passes."""


def wait(stage: Stage, positions: Iterable[int]) -> None:
    """Wait for the second attempt of a job, which is to count 20 events again.

    Args:
        stage: Where it runs.
        positions: How far its cut is, from one look to the next.
    """
    snapshot = stage.apply().snapshot
    assert snapshot is not None
    stage.run_to(1, 1)
    stage.claim(2, (1, 1), end_offsets={"post_events/0": 20})
    cuts = enumerate(positions, start=1)

    class Hours(ManualClock):
        """While it sleeps, the job gets on."""

        def sleep_s(self, seconds: float) -> None:
            """Let the job record its next cut."""
            super().sleep_s(seconds)
            checkpoint_id, position = next(cuts)
            stage.cut(2, checkpoint_id, p0=position)

    world = replace(stage.world, clock=Hours(stage.clock.now_ms()), poll_s=LOOK_S)
    await_recovered(world, snapshot, stage.said.append)


def test_a_job_that_gets_on_may_take_hours(stage: Stage) -> None:
    """After a backfill of a night there is much to catch up with; giving up would drop it all."""
    wait(stage, range(1, 21))
    assert "waiting: 1 event read" in stage.said[-1]


def test_a_job_that_gets_no_further_is_given_up(stage: Stage) -> None:
    """After an hour without an event."""
    with pytest.raises(JobFailedError, match="still 7 events"):
        wait(stage, repeat(13))
