"""One entity of a small feature set, with its events."""

import json
from collections.abc import Sequence
from dataclasses import replace

from feature_platform.debug.account import Account, account
from feature_platform.debug.records import FoundRecord
from feature_platform.definition.loading import DefinitionFile, load_files
from feature_platform.definition.model import FeatureSet
from feature_platform.plan.snapshot import Snapshot
from feature_platform.testing.deployed import snapshot_of
from feature_platform.testing.reference_events import RawEvent

NOW_MS = 1_796_246_400_000
MINUTE_MS = 60_000
SOURCE = """
source: posts
topic: posts
format: json
event_time: at
max_past: 30d
columns: {user_id: BIGINT, action: STRING, ms: BIGINT, at: TIMESTAMP}
"""
DEFINITION = """
featureset: users
description: For tests.
owner: tests
entity: user_id
source: posts
sql: |
  SELECT user_id,
         COUNT(*) AS events,
         COUNT(*) FILTER (WHERE action = 'view') AS views,
         COUNT(*) FILTER (WHERE action = 'lkie') AS likes,
         SUM(ms)  AS total
  FROM posts
  WHERE ms > 0
  GROUP BY user_id
features:
  events: {windows: [2h]}
  views: {windows: [2h]}
  likes: {windows: [2h]}
  total: {windows: [2h]}
"""


def featureset(definition: str = DEFINITION) -> FeatureSet:
    """Return a definition."""
    files = [
        DefinitionFile(path="sources/posts.yaml", data=SOURCE.encode()),
        DefinitionFile(path="users.yaml", data=definition.encode()),
    ]
    return load_files(files).checked().featuresets["users"]


def snapshot() -> Snapshot:
    """Return it as deployed."""
    return snapshot_of(featureset())


def record(offset: int, minutes: int = 0, **values: object) -> FoundRecord:
    """Return an event of some minutes ago, or of as many as its offset; the broker took it then."""
    at_ms = NOW_MS - (minutes or offset) * MINUTE_MS
    value = {"user_id": 7, "action": "view", "ms": 10 + offset, "at": at_ms, **values}
    event = RawEvent(
        value=json.dumps(value).encode(), partition=0, offset=offset, timestamp_ms=at_ms
    )
    return FoundRecord(event=event, origin="event log")


def in_partition(made: FoundRecord, partition: int) -> FoundRecord:
    """Return the same event in another partition."""
    return replace(made, event=replace(made.event, partition=partition))


def accounted(records: Sequence[FoundRecord]) -> Account:
    """Judge the records of entity 7."""
    return account(featureset(), snapshot().layout, "7", records)
