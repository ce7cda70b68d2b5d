"""The feature set that is under load, in variants that compute the same by different queries.

A variant that is applied goes the whole way of an upgrade (savepoint, new SQL state, other
parallelism), and the recount of the events stays what it was: an upgrade hides no difference.
"""

from pathlib import Path

NAME = "chaos"
TOPIC = "chaos"
ENTITY = "post_id"
VARIANTS = 6
"""Two spellings of the query, each with one to three subtasks."""

SOURCE = f"""
source: {NAME}
topic: {TOPIC}
format: json
event_time: at
max_future: 5m
columns:
  post_id: STRING
  user_id: BIGINT
  action: STRING
  watch_ms: INT
  score: DOUBLE
  at: TIMESTAMP
"""

FEATURE_SET = """
featureset: {name}
description: Every kind of aggregate, under faults.
owner: tests
entity: post_id
source: {name}
sql: |
  WITH cleaned AS (
    SELECT post_id, user_id, action, watch_ms, score
    FROM {name}
    WHERE action IS NULL OR action <> 'skip'
  )
  SELECT post_id,
         COUNT(*)                                        AS events,
         COUNT(*) FILTER (WHERE {is_view})               AS views,
         SUM({watched})                                  AS watch_ms,
         SUM(score)                                      AS score,
         AVG(watch_ms)                                   AS mean_watch,
         MIN(watch_ms)                                   AS least_watch,
         MAX({watched})                                  AS most_watch,
         FIRST_VALUE(action)                             AS first_action,
         LAST_VALUE(score)                               AS last_score,
         LAST_N(user_id, 5)                              AS recent_users,
         LAST_N(action, 30) FILTER (WHERE watch_ms > 100) AS recent_actions
  FROM cleaned
  GROUP BY post_id
features:
  events:         {{windows: [1m, 30m, 2h], lifetime: true}}
  views:          {{windows: [5m, 2h], lifetime: true}}
  watch_ms:       {{windows: [30m, 1d], lifetime: true}}
  score:          {{windows: [30m], lifetime: true, scale: 3}}
  mean_watch:     {{windows: [30m], lifetime: true}}
  least_watch:    {{windows: [30m], lifetime: true}}
  most_watch:     {{windows: [2h], lifetime: true}}
  first_action:   latest
  last_score:     latest
  recent_users:   latest
  recent_actions: latest
settings:
  parallelism: {parallelism}
  checkpoint_interval: 4s
  flush_interval: 1s
  state_ttl: 1m
  sql_state_ttl: 2m
  keep: 6h
"""

SPELLINGS = (
    {"is_view": "action = 'view'", "watched": "watch_ms"},
    {"is_view": "NOT (action <> 'view')", "watched": "watch_ms + 0"},
)


def definition(variant: int) -> str:
    """Return the feature set's YAML in one of its variants."""
    return FEATURE_SET.format(
        name=NAME, parallelism=variant % 3 + 1, **SPELLINGS[variant % len(SPELLINGS)]
    )


def write_definitions(folder: Path, variant: int) -> None:
    """Write source and feature set into a project's `featuresets/`."""
    (folder / "sources").mkdir(parents=True, exist_ok=True)
    (folder / "sources" / f"{NAME}.yaml").write_text(SOURCE)
    (folder / f"{NAME}.yaml").write_text(definition(variant))
