"""A part of the serving benchmark that fails or takes too long is named, and others follow."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from bench.serving_goals import GOALS, IN_TURNS_MS, goal_lines, reached
from bench.serving_load import requests
from bench.serving_ranker import Floats, Series
from bench.serving_run import Attempts, LateError, bounded, left_s

LONG_S = 20.0


class Counting:
    """A ranker that counts. Mutable."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.begun = 0

    def begin(self) -> None:
        """Count."""
        self.begun += 1

    def ask(self, entities: Sequence[int]) -> list[int]:
        """Return them."""
        return list(entities)

    def values(self, answer: list[int]) -> Floats:
        """Return them as a matrix."""
        return np.array([answer], dtype=np.float64)

    def about(self) -> dict[str, str]:
        """Return nothing."""
        return {}


def test_work_that_fails_is_named() -> None:
    """Its result is missing, and the next one's is there."""
    attempts = Attempts()

    def fail() -> int:
        msg = "no figure counts"
        raise SystemExit(msg)

    assert attempts.of("one", LONG_S, fail) is None
    assert attempts.of("two", LONG_S, lambda: 2) == 2
    assert attempts.failures == ["one: no figure counts"]


def test_whoever_stops_the_run_stops_it() -> None:
    """Ctrl-C and SIGTERM are no failures of a part."""

    def stop() -> None:
        raise KeyboardInterrupt

    attempts = Attempts()
    with pytest.raises(KeyboardInterrupt):
        attempts.of("one", LONG_S, stop)
    assert attempts.failures == []


def test_work_that_takes_too_long_is_ended() -> None:
    """And named."""
    attempts = Attempts()
    started = time.monotonic()
    assert attempts.of("one", 0.05, lambda: time.sleep(LONG_S)) is None
    assert time.monotonic() - started < LONG_S
    assert attempts.failures[0].startswith("one: out of time")


def test_a_bound_holds_inside_a_longer_one() -> None:
    """The inner bound ends its work, the outer one still lasts, and nothing is left after it."""
    with bounded(LONG_S):
        with pytest.raises(LateError), bounded(0.05):
            time.sleep(LONG_S)
        assert 0 < left_s() < LONG_S
    assert left_s() > LONG_S


def test_a_bound_ends_what_is_bounded_longer_inside() -> None:
    """Work inside may not take longer than the work it belongs to."""
    with pytest.raises(LateError), bounded(0.05), bounded(LONG_S):
        time.sleep(LONG_S)


def test_goals_without_figures_are_not_measured() -> None:
    """They are listed without a value, and are not met; those of other parts are not listed."""
    goals = reached({"this build, all cached": 3.0}, ["builds", "rows"])
    values = {each["name"]: (each["value"], each["met"]) for each in goals}
    assert values[IN_TURNS_MS] == (3.0, True)
    assert values["times less CPU than old, all cached"] == (None, False)
    assert len(values) == len([each for each in GOALS if each.part in {"builds", "rows"}])
    assert any("not measured" in line for line in goal_lines(goals, {}))


def test_a_missed_goal_says_what_limits_it() -> None:
    """One sentence each."""
    figures = {"this build, all cached": 6.0, "old": 300.0}
    lines = goal_lines(reached(figures, ["builds"]), figures)
    limited = [line.partition(":")[0] for line in lines if line.startswith("* ")]
    assert limited == ["* times less CPU than old, all cached", f"* {IN_TURNS_MS}"]


@pytest.mark.parametrize(("hits", "begun"), [(1.0, 1), (0.0, 6)])
def test_a_cache_begins_again_where_some_would_hit(tmp_path: Path, hits: float, begun: int) -> None:
    """Five requests of 20 that all miss need 100 entities; those that hit can be repeated."""
    drawn = requests(100, 20, hits, 5, seed=1)
    drawn.save(tmp_path / "asked.npz")
    series, ranker = Series(str(tmp_path / "asked.npz")), Counting()
    asked = [series.next_for(ranker) for _ in range(26)]
    assert asked[25] == asked[0]
    assert ranker.begun == begun
