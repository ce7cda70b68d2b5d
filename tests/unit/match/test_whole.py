"""Which served values counted all that is in the log, and so can be recomputed."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from feature_platform.match.whole import READERS_MS, is_whole, of_present
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.base import Attempt
from feature_platform.serving.read_plan import ResolvedFeature, resolve
from tests.unit.feature_log.test_client_logs import NOW_MS, make_world

WINDOW_MS = 1_800_000
INSTANTS = np.array([NOW_MS - 3 * WINDOW_MS, NOW_MS], dtype=np.int64)


@pytest.fixture(name="snapshot")
def _snapshot(tmp_path: Path) -> Snapshot:
    return make_world(tmp_path).snapshot


def attempt(number: int, kind: str, claimed_ms: int) -> Attempt:
    """Return a start of a writer."""
    return Attempt(
        attempt=number,
        execution="e",
        deployment="d",
        kind=kind,
        restore_point=(0, 0),
        end_offsets={},
        claimed_ms=claimed_ms,
    )


def wanted(snapshot: Snapshot, name: str) -> ResolvedFeature:
    """Return a served feature."""
    (group,) = resolve([snapshot], [f"posts.{name}"])
    return group.wanted[0]


def whole(snapshot: Snapshot, name: str, complete_ms: int = 0) -> list[bool]:
    """Return at which of the two instants a feature can be recomputed."""
    found: list[bool] = is_whole(snapshot, wanted(snapshot, name), INSTANTS, complete_ms).tolist()
    return found


def tail_ms(snapshot: Snapshot) -> int:
    """Return the longest tile that a window may begin within."""
    of = wanted(snapshot, "views_30m")
    return max(snapshot.layout.grid.levels_ms[level] for level in of.levels)


@pytest.mark.parametrize(
    ("generation", "kinds", "since_ms"),
    [
        (1, [], None),
        (1, [("stream", 5_000), ("repair", 7_000)], None),
        (1, [("sweep", 5_000), ("stream", 6_000)], 5_000),
        (1, [("sweep", 5_000), ("sweep", 9_000)], 9_000),
        (2, [], 4_000),
        (2, [("sweep", 5_000)], 5_000),
        (2, [("sweep", 3_000)], 4_000),
    ],
)
def test_rows_of_an_earlier_generation_are_left_out(
    snapshot: Snapshot, generation: int, kinds: Sequence[tuple[str, int]], since_ms: int | None
) -> None:
    """And those before a rollback; readers may have used what was there before a while longer."""
    of = replace(snapshot, generation=generation, deployed_ms=4_000)
    attempts = [attempt(number, kind, ms) for number, (kind, ms) in enumerate(kinds, 1)]
    edge_ms = (since_ms or 0) + READERS_MS
    reads = np.array([1, edge_ms - 1, edge_ms], dtype=np.int64)

    found = of_present(of, attempts, reads).tolist()

    assert found == ([True] * 3 if since_ms is None else [False, False, True])


@pytest.mark.parametrize("name", ["views_30m", "views_lifetime", "action", "watches"])
def test_what_counts_since_the_first_event_is_whole(snapshot: Snapshot, name: str) -> None:
    """Nothing is left out of a feature set that was deployed with its topic."""
    assert whole(snapshot, name) == [True, True]


def test_a_window_is_whole_when_the_log_covers_it(snapshot: Snapshot) -> None:
    """From the tile that its tail is in, and what may be later than the broker's time."""
    covers_ms = NOW_MS - WINDOW_MS - tail_ms(snapshot) - snapshot.max_future_ms

    assert whole(snapshot, "views_30m", covers_ms) == [False, True]
    assert whole(snapshot, "views_30m", covers_ms + 1) == [False, False]
    assert whole(snapshot, "views_lifetime", 1) == [False, False]
    assert whole(snapshot, "action", 1) == [False, False]


def test_a_feature_that_is_younger_than_the_log(snapshot: Snapshot) -> None:
    """Its lifetime never counts what was before it; a window does when it has passed."""
    since_ms = NOW_MS - WINDOW_MS - tail_ms(snapshot) - snapshot.max_future_ms
    younger = tuple(replace(each, valid_from_ms=since_ms) for each in snapshot.features)
    of = replace(snapshot, features=younger)

    assert whole(of, "views_30m") == [False, True]
    assert whole(of, "views_lifetime") == [False, False]
    assert whole(of, "action") == [False, False]


def test_a_window_whose_tiles_are_not_kept_is_not_whole(snapshot: Snapshot) -> None:
    """A job that was begun and not recorded keeps less."""
    kept = snapshot.kept
    short = replace(kept, kept_ms=tuple(min(each, 60_000) for each in kept.kept_ms))

    assert whole(replace(snapshot, retention=short), "views_30m") == [False, False]
