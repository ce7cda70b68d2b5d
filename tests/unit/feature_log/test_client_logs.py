"""A client shows its log what it answers: by list, of now, with what it rests on."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from feature_platform.definition.feature_list import FeatureList, ListedFeature
from feature_platform.definition.loading import load_project
from feature_platform.errors import CallerError
from feature_platform.feature_log.decode import Served, decode
from feature_platform.feature_log.log import FeatureLog
from feature_platform.feature_log_settings import FeatureLogSettings
from feature_platform.serving import CacheSettings, FeatureClient, FeatureMatrix
from feature_platform.store.base import written_by
from feature_platform.testing import Deployed, RawEvent, deploy_in_memory
from feature_platform.testing.records import MemorySender
from tests.unit.feature_log.test_round_trip import exact

NOW_MS = 1_700_000_040_000
SOURCE = """
source: events
topic: events
format: json
event_time: ts
columns: {post: STRING, ts: TIMESTAMP, action: STRING, watch: BIGINT, score: DOUBLE}
"""
POSTS = """
featureset: posts
owner: tests
entity: post
source: events
sql: |
  SELECT post, COUNT(*) AS views, AVG(score) AS score, LAST_VALUE(action) AS action,
         LAST_N(watch, 3) AS watches
  FROM events GROUP BY post
features:
  views: {windows: [30m], lifetime: true}
  score: {windows: [30m], scale: 2}
  action: latest
  watches: latest
"""
HOME = FeatureList(
    name="home",
    version=1,
    features=(
        ListedFeature(name="posts.views_30m", shown_as="views"),
        ListedFeature(name="posts.score_30m"),
        ListedFeature(name="posts.action", default="none"),
        ListedFeature(name="posts.watches"),
    ),
)


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> Deployed:
    return make_world(tmp_path)


def make_world(parent: Path) -> Deployed:
    """Serve ten posts from memory, and the list."""
    folder = parent / "featuresets"
    (folder / "sources").mkdir(parents=True)
    (folder / "sources" / "events.yaml").write_text(SOURCE)
    (folder / "posts.yaml").write_text(POSTS)
    featureset = load_project(folder).checked().featuresets["posts"]
    events = [event(number) for number in range(60)]
    world = deploy_in_memory(featureset, events, NOW_MS, attempt=4, flush=17)
    world.registry.save_list(HOME)
    return world


def event(number: int) -> RawEvent:
    """Return an event of one of ten posts; each third has no score."""
    score = "" if number % 3 == 0 else f', "score": {number / 7:.2f}'
    text = (
        f'{{"post": "p{number % 10}", "ts": {NOW_MS - 1_000 * number}, "watch": {number}, '
        f'"action": "a{number}"{score}}}'
    )
    return RawEvent(value=text.encode(), partition=0, offset=number, timestamp_ms=NOW_MS)


def logged(
    world: Deployed, *, cache: CacheSettings | None = None, by_entity: float = 0.0
) -> tuple[FeatureClient, MemorySender]:
    """Return a client that logs, and where to."""
    sender = MemorySender()
    settings = FeatureLogSettings(share=1.0)
    if by_entity:
        settings = FeatureLogSettings(share=by_entity, by="entity")
    log = FeatureLog(settings, lambda: sender)
    client = FeatureClient(world.tiles, world.registry, clock=world.clock, cache=cache, log=log)
    return client, sender


def held(sender: MemorySender) -> list[Served]:
    """Return what has arrived."""
    return [decode(each) for records in sender.topics.values() for each in records]


def assert_same(served: Served, made: FeatureMatrix, rows: Sequence[int]) -> None:
    """Each value, status and key is that of the answer."""
    assert served.names == made.names
    for column, answered in zip(served.columns, made.columns, strict=True):
        assert [*map(exact, column.to_list())] == [exact(answered.to_list()[row]) for row in rows]
    assert served.status == tuple(made.status[row] for row in rows)
    assert served.keys == {
        kind: tuple(keys[row] for row in rows) for kind, keys in made.keys.items()
    }


@pytest.mark.parametrize("cache", [None, CacheSettings(bytes_max=1_000_000)])
def test_what_was_answered_is_what_was_logged(world: Deployed, cache: CacheSettings | None) -> None:
    """Value by value; with the attempt and the flush of each head; ages only with a cache."""
    client, sender = logged(world, cache=cache)
    with client:
        features = client.prepare(list="home")
        first = features.get(["p3", "p1", "nobody", "p3"])
        world.clock.advance(400)
        second = asyncio.run(features.aget(["p1"]))

    one, two = held(sender)
    assert_same(one, first, range(4))
    assert_same(two, second, range(1))
    assert (one.list, one.version, one.instant_ms) == ("home", 1, NOW_MS)
    assert two.instant_ms == NOW_MS + 400
    assert one.columns[2].to_list()[2] == "none"  # a default is what was served
    writers = [written_by(each) for each in one.written["posts"].tolist()]
    assert writers == [(4, 17), (4, 17), (0, 0), (4, 17)]
    ages = [None if each.ages_ms is None else each.ages_ms.tolist() for each in (one, two)]
    assert ages == ([[0] * 4, [400]] if cache else [None, None])


def test_a_ranker_names_its_answer(world: Deployed) -> None:
    """By an id that events can have, too; without one the log makes another each time."""
    client, sender = logged(world)
    with client:
        features = client.prepare(list="home")
        features.get(["p1"], request_id="impression 7")
        asyncio.run(features.aget(["p1"], request_id="8" * 128))
        features.get(["p1"])
        features.get(["p1"])
        with pytest.raises(CallerError, match="129 characters; the limit is 128"):
            features.get(["p1"], request_id="8" * 129)
    ids = [served.request_id for served in held(sender)]
    assert ids[:2] == ["impression 7", "8" * 128]
    assert len({*ids}) == 4


def test_a_sample_of_entities_has_their_rows_alone(world: Deployed) -> None:
    """Of each answer those in it; nothing of an answer without any."""
    client, sender = logged(world, by_entity=0.3)
    keys = [f"p{number}" for number in range(10)]
    with client:
        made = client.prepare(list="home").get(keys)
    (served,) = held(sender)
    rows = [keys.index(key) for key in served.keys["post"]]
    assert 0 < len(rows) < 10
    assert_same(served, made, rows)
    assert served.written["posts"].tolist() == [(4 << 30) + 17] * len(rows)


def test_what_is_no_list_and_what_is_past_is_not_logged(world: Deployed) -> None:
    """There is no stable name for it; a past instant is asked by a person."""
    client, sender = logged(world)
    with client:
        client.prepare(["posts.views_30m"]).get(["p1"])
        client.prepare(list="home").get(["p1"], at=NOW_MS - 60_000)
    assert held(sender) == []
    assert client.log is not None
    assert client.log.stats().sampled_rows == 0


def test_versions_of_a_list_share_its_topic(world: Deployed) -> None:
    """Each record says which columns it has."""
    client, sender = logged(world)
    more = replace(
        HOME, version=2, features=(*HOME.features[1:], ListedFeature(name="posts.views_lifetime"))
    )
    world.registry.save_list(more)
    with client:
        client.prepare(list="home", version=1).get(["p1"])
        client.prepare(list="home").get(["p1"])
    assert [*sender.topics] == ["feature_log.home"]
    one, two = held(sender)
    assert (one.version, two.version) == (1, 2)
    assert two.names == (*one.names[1:], "posts.views_lifetime")


def test_floats_that_a_ranker_changes_are_not_the_logs(world: Deployed) -> None:
    """The arrays that it is handed share no memory with the columns, which are read later."""
    client, _ = logged(world)
    with client:
        made = client.prepare(list="home").get(["p1", "p2"])
    for array in (made.values, made.to_numpy(), made.to_numpy("float16"), made.present):
        assert not any(
            np.shares_memory(array, part)
            for column in made.columns
            if column.is_numeric
            for part in (column.data, column.present)
        )


def test_what_is_changed_before_columns_are_made_changes_no_column(world: Deployed) -> None:
    """Columns are made when the log first asks for them, which may be later."""
    client, _ = logged(world)
    with client:
        features = client.prepare(list="home")
        wanted = [column.to_list() for column in features.get(["p1", "p2"]).columns]
        for name in ("float64", "float32"):
            made = features.get(["p1", "p2"])
            made.to_numpy(name)[:] = 7
            assert [column.to_list() for column in made.columns] == wanted


def test_counts_are_in_the_metrics(world: Deployed) -> None:
    """Sampled, sent, dropped by reason, and the memory that waits."""
    client, sender = logged(world)
    sender.trouble = "away"
    with client:
        client.prepare(list="home").get(["p1", "p2"])
        client.close()
        text = client.metrics()
    assert "fp_reader_log_sampled_rows_total 2.0" in text
    assert "fp_reader_log_sent_rows_total 0.0" in text
    assert 'fp_reader_log_dropped_rows_total{reason="broker"} 2.0' in text
    assert "fp_reader_log_waiting_bytes 0.0" in text
