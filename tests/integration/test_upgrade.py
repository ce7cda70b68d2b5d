"""An upgrade while events flow: old columns stay exact, a new one counts from the cut on."""

from collections.abc import Callable, Mapping, Sequence
from uuid import uuid4

from feature_platform.broker.sender import ensure_topic
from feature_platform.clock import SystemClock
from feature_platform.definition.model import FeatureSet
from feature_platform.deploy.control import stop
from feature_platform.engines.ports import Submitter
from feature_platform.engines.world import World, open_world
from feature_platform.plan.snapshot import Snapshot
from feature_platform.rows.partials import Partial
from feature_platform.settings import Settings
from feature_platform.testing import Mix, Oracle, RawEvent, generate_events
from feature_platform.testing.reference_events import Accepted
from feature_platform.tiles.layout import Layout
from tests.integration.judge import assert_equal, deploy, load, produce

NAME = f"upgraded_{uuid4().hex[:6]}"
EVENTS = 9_000
SEED = 7

SOURCE = f"""
source: {NAME}
topic: {NAME}
format: json
event_time: at
columns: {{user_id: BIGINT, action: STRING, watch_ms: BIGINT, at: TIMESTAMP}}
"""

BEFORE = f"""
featureset: {NAME}
description: Before the upgrade.
owner: tests
entity: user_id
source: {NAME}
sql: |
  SELECT user_id,
         COUNT(*)              AS events,
         SUM(watch_ms)         AS watch_ms,
         MAX(watch_ms)         AS longest,
         LAST_N(action, 3)     AS recent
  FROM {NAME}
  GROUP BY user_id
features:
  events:   {{windows: [30m, 2h], lifetime: true}}
  watch_ms: {{windows: [2h], lifetime: true}}
  longest:  {{windows: [2h]}}
  recent:   latest
settings: {{parallelism: 2, checkpoint_interval: 5s, keep: 6h}}
"""

AFTER = BEFORE.replace(
    "         LAST_N", "         COUNT(*) FILTER (WHERE action = 'view') AS views,\n         LAST_N"
).replace("features:\n", "features:\n  views: {windows: [30m, 2h], lifetime: true}\n")


class UpgradedOracle(Oracle):
    """Counts some columns only from given offsets on."""

    def __init__(
        self,
        featureset: FeatureSet,
        layout: Layout,
        events: Sequence[RawEvent],
        since: Mapping[str, Mapping[int, int]],
    ) -> None:
        """Take the first offsets that count, by column and partition."""
        super().__init__(featureset, layout, events)
        self._since = since

    def partial(self, column: str, rows: Sequence[Accepted]) -> Partial:
        """Aggregate the rows that count for the column."""
        first = self._since.get(column, {})
        counted = [row for row in rows if row.order[2] >= first.get(row.order[1], 0)]
        return super().partial(column, counted)


def test_counts_continue_over_an_upgrade(
    project: Callable[[Mapping[str, str]], Settings],
    submitter: Submitter,
) -> None:
    """Events before, during and after an upgrade from a savepoint add up to the oracle's rows."""
    settings = project(
        {f"featuresets/sources/{NAME}.yaml": SOURCE, f"featuresets/{NAME}.yaml": BEFORE}
    )
    source = load(settings).sources[NAME]
    mix = Mix(
        count=EVENTS, entities=300, end_ms=SystemClock().now_ms(), span_ms=7_200_000, bad=0.002
    )
    events = list(generate_events(source, "user_id", mix, seed=SEED))
    third = EVENTS // 3
    with open_world(settings, submitter) as world:
        ensure_topic(settings.kafka, NAME, clock="producers")
        first = deploy(world, settings, NAME)
        produce(settings, NAME, events[:third])
        recount = Oracle(load(settings).featuresets[NAME], first.layout, events[:third])
        assert_equal(settings, world, recount, NAME)

        produce(settings, NAME, events[third : 2 * third])  # Being read while the job stops.
        (settings.featuresets / f"{NAME}.yaml").write_text(AFTER)
        second = deploy(world, settings, NAME)
        produce(settings, NAME, events[2 * third :])
        upgraded = UpgradedOracle(
            load(settings).featuresets[NAME],
            second.layout,
            events,
            {"views": _starts_at(world, second)},
        )
        assert_equal(settings, world, upgraded, NAME)
        attempts = world.registry.attempts(NAME, second.generation)
        stop(world, NAME)

    assert first.generation == second.generation
    assert [attempt.attempt for attempt in attempts] == [1, 2]
    since = {feature.name: feature.valid_from_ms for feature in second.features}
    assert since.pop("views") > 0
    assert set(since.values()) == {0}


def _starts_at(world: World, snapshot: Snapshot) -> dict[int, int]:
    """Return the offsets that the new attempt started from: those of its savepoint's cut."""
    newest = world.registry.attempts(NAME, snapshot.generation)[-1]
    cut = world.registry.cut(NAME, snapshot.generation, *newest.restore_point)
    assert cut is not None
    assert 0 < sum(cut.positions.values()) < EVENTS
    return {int(place.rpartition("/")[2]): offset for place, offset in cut.positions.items()}
