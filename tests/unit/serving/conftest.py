"""One feature set with every kind of aggregate, loaded from YAML, served from memory."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from feature_platform.definition.loading import load_project
from feature_platform.definition.model import FeatureSet
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.memory import MemoryRegistry
from feature_platform.serving import FeatureClient
from feature_platform.store.memory import MemoryTiles
from feature_platform.testing import ManualClock, Oracle, RawEvent
from feature_platform.testing.deployed import snapshot_of, write_expected
from feature_platform.tiles.grid import Grid

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


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A feature set served from memory."""

    featureset: FeatureSet
    snapshot: Snapshot
    oracle: Oracle
    clock: ManualClock
    tiles: MemoryTiles
    registry: MemoryRegistry
    client: FeatureClient


@pytest.fixture(name="featureset", scope="session")
def _featureset(tmp_path_factory: pytest.TempPathFactory) -> FeatureSet:
    folder: Path = tmp_path_factory.mktemp("project") / "featuresets"
    (folder / "sources").mkdir(parents=True)
    (folder / "sources" / "events.yaml").write_text(SOURCE)
    (folder / "posts.yaml").write_text(FEATURESET)
    return load_project(folder).checked().featuresets["posts"]


@pytest.fixture(name="make_world", scope="session")
def _make_world(featureset: FeatureSet) -> Callable[..., World]:
    def make(events: Iterable[RawEvent], now_ms: int, grid: Grid | None = None) -> World:
        used = featureset if grid is None else regrid(featureset, grid)
        clock = ManualClock(now_ms)
        snapshot = snapshot_of(used, valid_from_ms=17)
        tiles, registry = MemoryTiles(clock), MemoryRegistry(clock)
        oracle = Oracle(used, snapshot.layout, events)
        tiles.create_table(snapshot.table)
        registry.save(snapshot)
        write_expected(tiles, snapshot.table, oracle, now_ms, attempt=3, flush=8)
        return World(
            featureset=used,
            snapshot=snapshot,
            oracle=oracle,
            clock=clock,
            tiles=tiles,
            registry=registry,
            client=FeatureClient(tiles, registry, clock=clock),
        )

    return make


def regrid(featureset: FeatureSet, grid: Grid) -> FeatureSet:
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


def event(post: object, ts: object, *, offset: int, **columns: object) -> RawEvent:
    """Make an event that arrives when it happens."""
    value = json.dumps({"post": post, "ts": ts, **columns}).encode()
    timestamp_ms = ts if isinstance(ts, int) else 0
    return RawEvent(value=value, partition=0, offset=offset, timestamp_ms=timestamp_ms)
