"""What was served is what is archived, value by value, each row once.

Over two versions of a list, a broker that is restarted and an archiver that is killed.
"""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from feature_platform.definition.feature_list import ListedFeature
from feature_platform.engines.feature_log import archive_feature_log, is_logged
from feature_platform.errors import EventLogError, SparkFailedError
from feature_platform.event_log.progress import Committed, Progress
from feature_platform.feature_log.log import FeatureLog
from feature_platform.feature_log.read import ServedLog
from feature_platform.feature_log_settings import FeatureLogSettings
from feature_platform.local.ports import with_free_ports
from feature_platform.local.stack import Stack
from feature_platform.serving import CacheSettings, FeatureClient, FeatureMatrix
from feature_platform.settings import EventLogSettings, Settings, load_settings
from feature_platform.testing import Deployed
from tests.integration.commands import fp, kill_spark
from tests.settings_file import write_settings
from tests.unit.feature_log.test_client_logs import HOME, NOW_MS, make_world

REQUESTS, ENTITIES = 400, 40
LOGGED = FeatureLogSettings(share=1.0, record_bytes_max=3_000, close_ms=90_000)
"""Small records: an answer is several."""
NEWER = replace(
    HOME,
    version=2,
    features=(
        ListedFeature(name="posts.score_30m", shown_as="views"),  # of another type than before
        ListedFeature(name="posts.views_lifetime"),
        ListedFeature(name="posts.action", default="none"),
    ),
)

Rows = dict[tuple[int, str], dict[str, Any]]
"""By instant and key, what was served of a row; keys of an answer differ."""


@pytest.fixture(name="broker")
def _broker(tmp_path: Path) -> Iterator[tuple[Stack, Settings]]:
    """A broker of its own, which the test may stop."""
    settings = with_free_ports(load_settings(tmp_path, {}))
    log = EventLogSettings(commit_records_max=300)
    settings = settings.model_copy(update={"event_log": log})
    write_settings(settings)
    with Stack(settings, servers=("kafka",)) as stack:
        yield stack, settings


def serve(world: Deployed, client: FeatureClient, count: int, seed: int, served: Rows) -> None:
    """Ask for the newest version of the list, again and again; remember the answers."""
    draw = random.Random(seed)  # noqa: S311
    features = client.prepare(list="home")
    for _ in range(count):
        world.clock.advance(draw.randint(1, 400))
        keys = draw.sample([f"p{number}" for number in range(ENTITIES)], draw.randint(1, ENTITIES))
        instant_ms = world.clock.now_ms()
        remember(served, instant_ms, features.get(keys))


def remember(served: Rows, instant_ms: int, made: FeatureMatrix) -> None:
    """Add the rows of an answer."""
    columns = [column.to_list() for column in made.columns]
    for place, key in enumerate(made.entities):
        values = {name: each[place] for name, each in zip(made.names, columns, strict=True)}
        age = None if made.ages_ms is None else int(made.ages_ms[place])
        served[instant_ms, key] = {**values, "fp_status": made.status[place], "fp_age_ms": age}


class _Killer:
    """Kills Spark after some commits (mutable)."""

    def __init__(self, after: int) -> None:
        self._left = after

    def __call__(self, fact: Progress) -> None:
        """Count what is reported."""
        self._left -= isinstance(fact, Committed)
        if not self._left:
            kill_spark()


def test_what_was_served_is_archived_once(broker: tuple[Stack, Settings], tmp_path: Path) -> None:
    """Sampled is sent and dropped; archived is sent; each value is the one that was answered."""
    stack, settings = broker
    world, served = make_world(tmp_path / "world"), Rows()
    with pytest.raises(EventLogError, match="no client has logged"):
        archive_feature_log(settings, "home", lambda _: None)
    log = FeatureLog.to_kafka(LOGGED, settings.kafka)
    cache = CacheSettings(bytes_max=1_000_000)
    client = FeatureClient(world.tiles, world.registry, clock=world.clock, cache=cache, log=log)
    with client:
        serve(world, client, REQUESTS // 4, 1, served)
        stack.down()
        serve(world, client, REQUESTS // 4, 2, served)
        world.registry.save_list(NEWER)
        stack.up()
        serve(world, client, REQUESTS // 2, 3, served)
    stats = log.stats()
    assert stats.sampled_rows == len(served)
    assert stats.sent_rows + sum(stats.dropped_rows.values()) == stats.sampled_rows
    assert stats.sent_rows > 0.9 * stats.sampled_rows, stats.dropped_rows
    assert is_logged(settings, "home")

    with pytest.raises(SparkFailedError, match="killed by signal 9"):
        archive_feature_log(settings, "home", _Killer(after=2))
    part = ServedLog.open(settings, "home").rows
    assert 0 < part < stats.sent_rows
    facts = fp(settings.project, "archive", "feature_log/home", "--json").facts
    assert facts[0]["records"] == stats.sent_rows
    again = archive_feature_log(settings, "home", lambda _: None)
    assert (again.added, again.records, again.dead_letters) == (0, stats.sent_rows, 0)

    table = ServedLog.open(settings, "home").to_arrow()
    found = table.to_pylist()
    keys = [(row["fp_instant_ms"], row["post"]) for row in found]
    assert len(set(keys)) == len(keys) == stats.sent_rows
    assert {row["fp_version"] for row in found} == {1, 2}
    assert {"views (int64)", "posts.watches", "posts.views_lifetime"} < set(table.column_names)
    for key, row in zip(keys, found, strict=True):
        assert_same(served[key], row)


def assert_same(answered: dict[str, Any], row: dict[str, Any]) -> None:
    """Check each value of a row; columns that its version has not are null."""
    is_old = row["fp_version"] == 1
    here = {"views" if name == "views (int64)" and is_old else name for name in row}
    assert row["views" if is_old else "views (int64)"] is None
    values = {**row, "views": row["views (int64)"]} if is_old else row
    assert {name: values[name] for name in answered} == answered
    absent = ("posts.watches", "posts.score_30m") if not is_old else ("posts.views_lifetime",)
    assert [row[name] for name in absent if name in here] == [None] * len(absent)
    has_head = row["fp_status"] == "ok"
    assert (row["fp_attempt_posts"], row["fp_flush_posts"]) == (
        (4, 17) if has_head else (None,) * 2
    )
    assert row["fp_instant_ms"] > NOW_MS
