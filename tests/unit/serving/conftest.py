"""One feature set with every kind of aggregate, loaded from YAML, served from memory."""

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings

from feature_platform.definition.loading import load_project
from feature_platform.definition.model import FeatureSet
from feature_platform.paths import CLONE
from feature_platform.serving import assemble
from feature_platform.serving.compiled import Core, library_path, load
from feature_platform.testing import Deployed, RawEvent, deploy_in_memory
from feature_platform.tiles.grid import Grid

settings.register_profile("shared", deadline=None)
settings.load_profile("shared")

MINUTE_MS = 60_000
NOW_MS = 1_700_000_040_000  # 22:14, a whole minute
SOURCE = """
source: events
topic: events
format: json
event_time: ts
max_future: 5m
columns: {post: STRING, ts: TIMESTAMP, user: BIGINT, action: STRING, watch: BIGINT, score: DOUBLE,
          price: "DECIMAL(10,2)", liked: BOOLEAN, seen: TIMESTAMP}
"""
FEATURESET = """
featureset: posts
description: Every kind of aggregate.
owner: tests
entity: post
source: events
sql: |
  SELECT post,
         COUNT(*) FILTER (WHERE action = 'view') AS views,
         COUNT(score) AS scored,
         SUM(watch) AS watch,
         SUM(price) AS spent,
         AVG(score) AS score,
         AVG(watch) AS mean_watch,
         MIN(score) AS worst,
         MAX(score) AS best,
         MAX(price) AS dearest,
         MIN(seen) AS first_seen,
         FIRST_VALUE(user) AS discoverer,
         LAST_VALUE(action) FILTER (WHERE action <> '') AS action,
         LAST_VALUE(liked) AS liked,
         LAST_VALUE(price) AS price,
         LAST_N(score, 3) AS scores,
         LAST_N(action, 2) AS actions
  FROM events
  GROUP BY post
features:
  views: {windows: [2m, 30m, 2h, 1d], lifetime: true}
  scored: {windows: [30m]}
  watch: {windows: [30m, 1d], lifetime: true}
  spent: {windows: [2h], lifetime: true, scale: 1}
  score: {windows: [2h], scale: 3}
  mean_watch: {windows: [2h], lifetime: true}
  worst: {windows: [30m, 2h]}
  best: {windows: [2h], lifetime: true}
  dearest: {windows: [1d]}
  first_seen: {windows: [1d]}
  discoverer: latest
  action: latest
  liked: latest
  price: latest
  scores: latest
  actions: latest
settings: {keep: 2h}
"""


@pytest.fixture(name="featureset", scope="session")
def _featureset(tmp_path_factory: pytest.TempPathFactory) -> FeatureSet:
    folder: Path = tmp_path_factory.mktemp("project") / "featuresets"
    (folder / "sources").mkdir(parents=True)
    (folder / "sources" / "events.yaml").write_text(SOURCE)
    (folder / "posts.yaml").write_text(FEATURESET)
    return load_project(folder).checked().featuresets["posts"]


@pytest.fixture(name="regrid", scope="session")
def _regrid(featureset: FeatureSet) -> Callable[[Grid], FeatureSet]:
    return lambda grid: _with_grid(featureset, grid)


def _with_grid(featureset: FeatureSet, grid: Grid) -> FeatureSet:
    """Return the feature set on another grid."""
    windows = {feature.name: feature.windows_ms for feature in featureset.features}
    everything = {window for each in windows.values() for window in each}
    columns = tuple(
        replace(
            column,
            levels=tuple(
                sorted(
                    {
                        level
                        for window in windows.get(column.name.partition("#")[0], everything)
                        for level in grid.levels_for_window(window)
                    }
                )
            ),
        )
        for column in featureset.columns
    )
    return replace(featureset, grid=grid, columns=columns)


@pytest.fixture(name="compiled", scope="session")
def _compiled() -> Core:
    """Load the compiled core, which is built here if nobody has done it yet."""
    if not library_path().exists():
        assert CLONE is not None
        subprocess.run([CLONE / "scripts" / "build_native"], check=True)
    found = load(library_path())
    assert found.core is not None, found.why_not
    return found.core


@pytest.fixture(autouse=True, scope="session", params=["compiled", "numpy"])
def _implementation(request: pytest.FixtureRequest, compiled: Core) -> Iterator[None]:
    """Serve with the compiled core, then with numpy alone."""
    chosen = compiled if request.param == "compiled" else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assemble, "core", lambda: chosen)
        yield


def make_event(post: str, minutes_ago: float, offset: int, **columns: object) -> RawEvent:
    """Make an event of a post, some minutes before the present of these tests."""
    ts = NOW_MS - round(minutes_ago * MINUTE_MS)
    value = json.dumps({"post": post, "ts": ts, **columns}).encode()
    return RawEvent(value=value, partition=0, offset=offset, timestamp_ms=ts)


EVENTS = [
    make_event("a", 0.5, 0, action="view", watch=2**53 + 1, liked=True, score=0.5),
    make_event("a", 20, 1, action="view", watch=1, price=2.25),
    make_event("a", 100, 2, action="like", score=-2),
    make_event("b", 5, 3, action="view"),
]


@pytest.fixture(name="world")
def _world(featureset: FeatureSet) -> Deployed:
    return deploy_in_memory(featureset, EVENTS, NOW_MS, valid_from_ms=17, attempt=3, flush=8)
