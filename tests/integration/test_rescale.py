"""Parallelism 1 -> 3 -> 2 in the settings, over a savepoint and over the store: nothing is lost."""

from collections.abc import Callable, Mapping
from uuid import uuid4

from feature_platform.broker.sender import ensure_topic
from feature_platform.clock import SystemClock
from feature_platform.deploy.execute import execute
from feature_platform.deploy.recover import make_recover_plan
from feature_platform.engines.ports import Submitter
from feature_platform.engines.world import World, open_world
from feature_platform.registry.base import Attempt
from feature_platform.settings import Settings
from feature_platform.testing import Mix, Oracle, generate_events
from tests.integration.judge import assert_equal, deploy, load, produce, short_grace

NAME = f"rescaled_{uuid4().hex[:6]}"
EVENTS = 4_000
SEED = 13

SOURCE = f"""
source: {NAME}
topic: {NAME}
format: json
event_time: at
columns: {{user_id: BIGINT, action: STRING, watch_ms: BIGINT, at: TIMESTAMP}}
"""

FEATURES = f"""
featureset: {NAME}
description: Counted by one, three and two subtasks.
owner: tests
entity: user_id
source: {NAME}
sql: |
  SELECT user_id, COUNT(*) AS events, SUM(watch_ms) AS watch_ms, LAST_N(action, 3) AS recent
  FROM {NAME}
  GROUP BY user_id
features:
  events:   {{windows: [30m, 2h], lifetime: true}}
  watch_ms: {{windows: [2h], lifetime: true}}
  recent:   latest
settings: {{parallelism: 1, checkpoint_interval: 3s, flush_interval: 1s, keep: 6h}}
"""


def test_rescaling_changes_no_row(
    project: Callable[[Mapping[str, str]], Settings],
    submitter: Submitter,
) -> None:
    """Each attempt is one number for all its subtasks, and numbers rise."""
    settings = short_grace(
        project({f"featuresets/sources/{NAME}.yaml": SOURCE, f"featuresets/{NAME}.yaml": FEATURES})
    )
    mix = Mix(count=EVENTS, entities=200, end_ms=SystemClock().now_ms(), span_ms=7_200_000)
    events = list(generate_events(load(settings).sources[NAME], "user_id", mix, seed=SEED))
    quarter = EVENTS // 4
    ensure_topic(settings.kafka, NAME, clock="producers")
    with open_world(settings, submitter) as world:
        for number, parallelism in enumerate((1, 3, 2)):
            _define(settings, parallelism)
            snapshot = deploy(world, settings, NAME)
            produce(settings, NAME, events[number * quarter : (number + 1) * quarter])
        execute(make_recover_plan(world, NAME, "store"), world)  # two subtasks read cuts of two
        _define(settings, 3)
        world.cluster.cancel(_job_id(world))
        execute(make_recover_plan(world, NAME, "store"), world)
        deploy(world, settings, NAME)
        produce(settings, NAME, events[3 * quarter :])
        oracle = Oracle(load(settings).featuresets[NAME], snapshot.layout, events)
        assert_equal(settings, world, oracle, NAME)
        attempts = world.registry.attempts(NAME, 1)
        world.cluster.cancel(_job_id(world))

    assert [attempt.attempt for attempt in attempts] == list(range(1, len(attempts) + 1))
    assert len({attempt.execution for attempt in attempts}) == len(attempts)
    assert [_is_from_store(attempt) for attempt in attempts].count(True) == 2


def _define(settings: Settings, parallelism: int) -> None:
    text = FEATURES.replace("parallelism: 1", f"parallelism: {parallelism}")
    (settings.featuresets / f"{NAME}.yaml").write_text(text)


def _job_id(world: World) -> str:
    snapshot = world.registry.snapshot(NAME)
    assert snapshot is not None
    return snapshot.job_id


def _is_from_store(attempt: Attempt) -> bool:
    return attempt.restore_point[0] > 0 and attempt.base_checkpoint_id == 0
