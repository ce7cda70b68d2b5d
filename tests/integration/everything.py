"""A feature set with every aggregate and every type, for what must hold of all of them."""

from collections.abc import Mapping

from feature_platform.clock import SystemClock
from feature_platform.definition.model import FeatureSet
from feature_platform.testing import Mix, RawEvent, generate_events

PARTITIONS = 4
HOUR_MS = 3_600_000

SOURCE = """
source: {name}
topic: {name}
format: json
event_time: at
max_future: 5m
columns:
  post_id: STRING
  user_id: BIGINT
  action: STRING
  watch_ms: INT
  score: DOUBLE
  price: "DECIMAL(10,2)"
  muted: BOOLEAN
  seen_at: TIMESTAMP
  at: TIMESTAMP
"""

EVERYTHING = """
featureset: {name}
description: Every aggregate, every type, through an inner select.
owner: tests
entity: post_id
source: {name}
sql: |
  WITH cleaned AS (
    SELECT post_id, user_id, action, watch_ms, score, price, muted, seen_at,
           CASE WHEN watch_ms > 1000 THEN 'long'
                WHEN watch_ms IS NULL THEN 'none' ELSE 'short' END AS span,
           watch_ms * 2 - 1 AS doubled
    FROM {name}
    WHERE action IS NULL OR action <> 'skip'
  )
  SELECT post_id,
         COUNT(*)                                     AS events,
         COUNT(user_id)                               AS known_users,
         COUNT(*) FILTER (WHERE action = 'view')      AS views,
         SUM(watch_ms)                                AS watch_ms,
         SUM(doubled) FILTER (WHERE span = 'long')    AS doubled,
         SUM(score)                                   AS score,
         SUM(price)                                   AS price,
         AVG(watch_ms)                                AS mean_watch,
         AVG(score)                                   AS mean_score,
         MIN(watch_ms)                                AS least_watch,
         MAX(watch_ms)                                AS most_watch,
         MIN(score)                                   AS worst_score,
         MAX(score)                                   AS best_score,
         MAX(price)                                   AS top_price,
         MIN(seen_at)                                 AS first_seen,
         FIRST_VALUE(action)                          AS first_action,
         LAST_VALUE(muted)                            AS muted,
         LAST_VALUE(score)                            AS last_score,
         LAST_VALUE(span)                             AS span,
         LAST_VALUE(price)                            AS last_price,
         LAST_N(user_id, 20)                          AS recent_users,
         LAST_N(action, 5) FILTER (WHERE watch_ms > 100) AS recent_actions,
         SUM(user_id)                                 AS user_sum,
         AVG(user_id * watch_ms)                      AS mean_product,
         SUM(score * watch_ms)                        AS weighted,
         LAST_VALUE(LOWER(UPPER(action)))             AS folded,
         COUNT(*) FILTER (WHERE UPPER(action) < LOWER(span)) AS before
  FROM cleaned
  GROUP BY post_id
features:
  events:         {{windows: [1m, 30m, 2h, 1d], lifetime: true}}
  known_users:    {{windows: [30m]}}
  views:          {{windows: [5m, 2h], lifetime: true}}
  watch_ms:       {{windows: [30m, 1d], lifetime: true}}
  doubled:        {{windows: [2h]}}
  score:          {{windows: [30m], lifetime: true, scale: 3}}
  price:          {{windows: [2h], lifetime: true, scale: 2}}
  mean_watch:     {{windows: [30m, 2h], lifetime: true}}
  mean_score:     {{windows: [2h], scale: 4}}
  least_watch:    {{windows: [30m], lifetime: true}}
  most_watch:     {{windows: [2h], lifetime: true}}
  worst_score:    {{windows: [2h]}}
  best_score:     {{lifetime: true}}
  top_price:      {{windows: [1d]}}
  first_seen:     {{lifetime: true}}
  first_action:   latest
  muted:          latest
  last_score:     latest
  span:           latest
  last_price:     latest
  recent_users:   latest
  recent_actions: latest
  user_sum:       {{windows: [30m], lifetime: true}}
  mean_product:   {{windows: [2h]}}
  weighted:       {{windows: [2h], scale: 3}}
  folded:         latest
  before:         {{windows: [30m]}}
settings: {{parallelism: 2, checkpoint_interval: 5s, flush_interval: 1s, state_ttl: 1m, keep: 6h}}
"""

LARGE = """
featureset: {name}
description: Sums that leave int64, and values that no sum can hold.
owner: tests
entity: post_id
source: {name}
sql: |
  SELECT post_id,
         COUNT(*)                                  AS events,
         SUM(user_id)                              AS users,
         AVG(user_id)                              AS mean_user,
         SUM(user_id) FILTER (WHERE watch_ms > 0)  AS some_users,
         SUM(score)                                AS score,
         AVG(score)                                AS mean_score,
         SUM(price)                                AS price,
         SUM(user_id * watch_ms)                   AS product,
         SUM(score * score)                        AS square,
         SUM(CASE WHEN muted THEN score ELSE 0 END) AS muted_score,
         SUM(COALESCE(ABS(user_id), 1))            AS distance
  FROM {name}
  GROUP BY post_id
features:
  events:      {{windows: [30m], lifetime: true}}
  users:       {{windows: [30m], lifetime: true}}
  mean_user:   {{windows: [2h], lifetime: true}}
  some_users:  {{windows: [2h]}}
  score:       {{windows: [30m, 2h], lifetime: true, scale: 9}}
  mean_score:  {{windows: [2h], scale: 2}}
  price:       {{windows: [2h], lifetime: true, scale: 9}}
  product:     {{windows: [5m], lifetime: true}}
  square:      {{windows: [2h], scale: 4}}
  muted_score: {{windows: [30m], scale: 9}}
  distance:    {{lifetime: true}}
settings: {{checkpoint_interval: 5s, flush_interval: 1s, state_ttl: 1m, keep: 6h}}
"""


def files(name: str, definition: str = EVERYTHING) -> Mapping[str, str]:
    """Return the texts of the feature set and its source, by their paths in a project."""
    return {
        f"featuresets/sources/{name}.yaml": SOURCE.format(name=name),
        f"featuresets/{name}.yaml": definition.format(name=name),
    }


def random_events(
    featureset: FeatureSet,
    count: int,
    *,
    entities: int,
    hours: int,
    seed: int,
    extreme: float = 0.001,
) -> list[RawEvent]:
    """Draw events of the last hours, bad ones among them, in as many partitions as a topic has."""
    mix = Mix(
        count=count,
        entities=entities,
        end_ms=SystemClock().now_ms(),
        span_ms=hours * HOUR_MS,
        partitions=PARTITIONS,
        extreme=extreme,
    )
    return list(generate_events(featureset.source, "post_id", mix, seed=seed))
