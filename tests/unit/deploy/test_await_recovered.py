"""How long a start waits for what has to be counted again."""

from collections.abc import Iterator
from itertools import count, repeat
from types import SimpleNamespace

import pytest

from feature_platform.deploy import await_recovered as waiting
from feature_platform.errors import JobFailedError
from tests.unit.stage import Stage


def wait(stage: Stage, monkeypatch: pytest.MonkeyPatch, left: Iterator[int]) -> None:
    """Wait for a running job; between two looks half an hour passes."""
    snapshot = stage.apply().snapshot
    assert snapshot is not None
    stage.run_to(1, 1)
    clock = count(0, 1_800)
    time = SimpleNamespace(monotonic=lambda: float(next(clock)), sleep=lambda _: None)
    monkeypatch.setattr(waiting, "time", time)
    monkeypatch.setattr(waiting, "left_to_recover", lambda *_: next(left))
    waiting.await_recovered(stage.world, snapshot, stage.said.append)


def test_a_job_that_gets_on_may_take_hours(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a backfill of a night there is much to catch up with; giving up would drop it all."""
    wait(stage, monkeypatch, iter(range(20, -1, -1)))
    assert "waiting: 1 event read" in stage.said[-1]


def test_a_job_that_gets_no_further_is_given_up(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an hour without an event."""
    with pytest.raises(JobFailedError, match="still 7 events"):
        wait(stage, monkeypatch, repeat(7))
