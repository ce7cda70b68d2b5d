"""Several feature sets, about different kinds of entity, served from one memory."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from feature_platform.definition.loading import load_project
from feature_platform.definition.model import FeatureSet
from feature_platform.testing import Deployed, Oracle, RawEvent, deploy_in_memory
from feature_platform.testing.deployed import snapshot_of, write_expected

USERS = """
featureset: users
owner: tests
entity: user
source: events
sql: |
  SELECT user,
         COUNT(*) AS events,
         AVG(score) AS score,
         SUM(watch) AS watch,
         LAST_VALUE(action) AS action,
         LAST_VALUE(liked) AS liked,
         FIRST_VALUE(post) AS first_post,
         LAST_N(watch, 2) AS watches
  FROM events
  GROUP BY user
features:
  events: {windows: [30m, 1d], lifetime: true}
  score: {windows: [2h], scale: 3}
  watch: {windows: [1d], lifetime: true}
  action: latest
  liked: latest
  first_post: latest
  watches: latest
settings: {keep: 2h}
"""


def load_users(folder: Path, source: str) -> FeatureSet:
    """Load the feature set of users."""
    (folder / "sources").mkdir(parents=True)
    (folder / "sources" / "events.yaml").write_text(source)
    (folder / "users.yaml").write_text(USERS)
    return load_project(folder).checked().featuresets["users"]


def serve_together(
    featuresets: Sequence[FeatureSet], events: Sequence[RawEvent], now_ms: int
) -> tuple[Deployed, dict[str, Oracle]]:
    """Serve feature sets of the same events by one client; return it with each one's oracle."""
    first, *others = featuresets
    world = deploy_in_memory(first, events, now_ms)
    oracles = {first.name: world.oracle}
    for featureset in others:
        snapshot = snapshot_of(featureset)
        oracle = Oracle(featureset, snapshot.layout, events)
        world.tiles.create_table(snapshot.table)
        world.registry.save(snapshot)
        write_expected(world.tiles, snapshot.table, oracle, now_ms)
        oracles[featureset.name] = oracle
    return world, oracles


def young(world: Deployed, since_ms: int) -> None:
    """Let the features of the world's own feature set count since an instant only."""
    features = tuple(replace(each, valid_from_ms=since_ms) for each in world.snapshot.features)
    world.registry.save(replace(world.snapshot, features=features))
