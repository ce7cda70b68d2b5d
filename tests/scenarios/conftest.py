"""A story: one post's views, told minute by minute, and what is served after each."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from feature_platform.clock import from_iso
from feature_platform.definition.loading import load_project
from feature_platform.definition.model import FeatureSet
from feature_platform.rows.partials import Value
from feature_platform.testing import Deployed, RawEvent, deploy_in_memory

SOURCE = """
source: events
topic: events
format: json
event_time: ts
max_future: 5m
columns: {post: STRING, ts: TIMESTAMP, language: STRING}
"""
FEATURESET = """
featureset: posts
description: Views of a post.
owner: tests
entity: post
source: events
sql: |
  SELECT post, COUNT(*) AS views, LAST_VALUE(language) AS language, LAST_N(language, 2) AS recent
  FROM events
  GROUP BY post
features:
  views: {windows: [5m, 2h], lifetime: true}
  language: latest
  recent: latest
"""
DAY = "2024-05-01T"


class Story:
    """Events of the post `p` in the order they arrive, all on one day. Mutable."""

    def __init__(self, featureset: FeatureSet) -> None:
        """Start without events."""
        self._featureset = featureset
        self._events: list[RawEvent] = []

    def view(self, at: str, *, arrives: str | None = None, language: str | None = None) -> None:
        """A view happens at a time of day, and arrives then or later."""
        fields = {"post": "p", "ts": f"{DAY}{at}Z", "language": language}
        self._events.append(
            RawEvent(
                value=json.dumps(fields).encode(),
                partition=0,
                offset=len(self._events),
                timestamp_ms=instant(arrives or at),
            )
        )

    def served(self, now: str, name: str, *, at: str | None = None) -> Value:
        """Return a value as it is served at a time of day, of what has arrived by then."""
        (value,) = (
            self.deployed(now)
            .client.prepare([f"posts.{name}"])
            .get(["p"], at=None if at is None else f"{DAY}{at}Z")
            .columns[0]
            .to_list()
        )
        return value

    def deployed(self, now: str) -> Deployed:
        """Return everything as it stands at a time of day."""
        arrived = [event for event in self._events if event.timestamp_ms <= instant(now)]
        return deploy_in_memory(self._featureset, arrived, instant(now))


def instant(at: str) -> int:
    """Return the epoch milliseconds of a time of day."""
    return from_iso(f"{DAY}{at}Z")


@pytest.fixture(name="tell", scope="session")
def _tell(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Story]:
    folder: Path = tmp_path_factory.mktemp("project") / "featuresets"
    (folder / "sources").mkdir(parents=True)
    (folder / "sources" / "events.yaml").write_text(SOURCE)
    (folder / "posts.yaml").write_text(FEATURESET)
    featureset = load_project(folder).checked().featuresets["posts"]
    return lambda: Story(replace(featureset))


@pytest.fixture(name="story")
def _story(tell: Callable[[], Story]) -> Story:
    return tell()
