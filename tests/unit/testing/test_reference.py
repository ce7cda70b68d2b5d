"""The oracle on events few enough to check by hand."""

import json
from pathlib import Path

import pytest

from feature_platform.definition.loading import load_project
from feature_platform.definition.model import FeatureSet
from feature_platform.rows.codec import decode_head, decode_row
from feature_platform.rows.partials import Item
from feature_platform.testing import DeadLetter, Oracle, RawEvent
from feature_platform.testing.deployed import snapshot_of

SOURCE = """
source: events
topic: events
format: json
event_time: ts
max_future: 5m
columns: {post: BIGINT, ts: TIMESTAMP, action: STRING, watch: BIGINT, price: "DECIMAL(6,2)"}
"""
FEATURESET = """
featureset: posts
description: Posts.
owner: tests
entity: post
source: events
sql: |
  WITH seen AS (SELECT post, LOWER(action) AS action, watch, price FROM events WHERE watch >= 0)
  SELECT post,
         COUNT(*) FILTER (WHERE action = 'view') AS views,
         AVG(price) AS price,
         MAX(price) AS dearest,
         LAST_N(action, 2) AS actions
  FROM seen
  WHERE watch < 100
  GROUP BY post
features:
  views: {windows: [5m], lifetime: true}
  price: {windows: [1m], scale: 1}
  dearest: {lifetime: true}
  actions: latest
"""
MINUTE_MS = 60_000


@pytest.fixture(name="featureset", scope="module")
def _featureset(tmp_path_factory: pytest.TempPathFactory) -> FeatureSet:
    folder: Path = tmp_path_factory.mktemp("project") / "featuresets"
    (folder / "sources").mkdir(parents=True)
    (folder / "sources" / "events.yaml").write_text(SOURCE)
    (folder / "posts.yaml").write_text(FEATURESET)
    return load_project(folder).checked().featuresets["posts"]


def _event(offset: int, minute: float, **columns: object) -> RawEvent:
    value = json.dumps({"post": 7, "ts": round(minute * MINUTE_MS), "watch": 1} | columns)
    return RawEvent(value=value.encode(), partition=0, offset=offset, timestamp_ms=100 * MINUTE_MS)


EVENTS = [
    _event(0, 10, action="VIEW", price=1.25),
    _event(1, 10.5, action="like", price=1.2),
    _event(2, 14, action="view"),
    _event(3, 3, action="view", price=9),
    _event(4, 14, action="view", watch=-1),
    _event(5, 14, action="view", watch=100),
    _event(6, 14, action="view", watch=None),
    _event(7, 14, action=7),
]


@pytest.fixture(name="oracle")
def _oracle(featureset: FeatureSet) -> Oracle:
    return Oracle(featureset, snapshot_of(featureset).layout, EVENTS)


def test_rows_pass_inner_queries_and_where(oracle: Oracle) -> None:
    """Inner selects transform and filter, WHERE filters again; a bad event is a dead letter."""
    assert oracle.entities == ["7"]
    assert [row.columns["action"] for row in oracle.rows["7"]] == ["view", "like", "view", "view"]
    assert [DeadLetter(partition=0, offset=7, reason="wrong_type")] == oracle.dead_letters


def test_tiles_are_in_the_head_or_closed(oracle: Oracle) -> None:
    """The newest three minutes, the newest five and lifetime are in the head, others closed."""
    expected = oracle.entity("7")

    assert expected is not None
    assert [(tile.level, tile.start_ms // MINUTE_MS, tile.in_head) for tile in expected.tiles] == [
        (0, 3, False),
        (0, 10, False),
        (0, 14, True),
        (1, 0, False),
        (1, 10, True),
        (6, 0, True),
    ]
    assert [tile[:2] for tile in decode_head(expected.head)] == [
        (0, 14 * MINUTE_MS),
        (1, 10 * MINUTE_MS),
        (6, 0),
    ]


def test_tiles_hold_the_columns_of_their_level(oracle: Oracle) -> None:
    """A column stands where a window of it can look, and what has nothing is left out."""
    expected = oracle.entity("7")

    assert expected is not None
    partials = {(tile.level, tile.start_ms // MINUTE_MS): tile.partials for tile in expected.tiles}
    # 1.25 is 13 tenths, rounded half up
    assert partials[0, 10] == {"_events": 2, "views": 1, "price#sum": 25, "price#count": 2}
    assert partials[1, 10] == {"_events": 3, "views": 2}
    newest = (Item(14 * MINUTE_MS, 0, 2, "view"), Item(630_000, 0, 1, "like"))
    assert {"_events": 4, "views": 3, "dearest": 900, "actions": newest} == partials[6, 0]


def test_payloads_are_rows(oracle: Oracle) -> None:
    """The bytes of a closed tile decode to its partials, under the ids of the layout."""
    expected = oracle.entity("7")

    assert expected is not None
    ids = {oracle.layout.column(name).id: name for name in ("_events", "views")}
    tile = next(tile for tile in expected.closed if tile.level == 1)
    counters = decode_row(tile.payload).counters
    assert tile.partials == {ids[key]: value for key, value in counters.items()}


def test_closed_tiles_expire_after_the_longest_window_and_keep(oracle: Oracle) -> None:
    """A closed tile goes when no window reaches it, an hour later by default; heads stay."""
    expected = oracle.entity("7")

    assert expected is not None
    expiries = {
        (tile.level, tile.start_ms // MINUTE_MS): tile.expires_ms for tile in expected.tiles
    }
    assert expiries[0, 10] == (11 + 5 + 60) * MINUTE_MS
    assert expiries[0, 14] is None


def test_served_now(oracle: Oracle) -> None:
    """At minute 14 and a half: five minutes and the open tile, all of time, the newest two."""
    served = oracle.served("7", round(14.5 * MINUTE_MS))

    assert served == {
        "views_5m": 2,
        "views_lifetime": 3,
        "price_1m": None,
        "dearest_lifetime": 9.0,
        "actions": ["view", "like"],
    }


def test_served_as_of_a_past_instant(oracle: Oracle) -> None:
    """At minute 11 as it was then: only tiles that had ended, and nothing of lifetimes."""
    served = oracle.served("7", 20 * MINUTE_MS, at_ms=11 * MINUTE_MS)

    assert served == {
        "views_5m": 1,
        "views_lifetime": None,
        "price_1m": 1.25,
        "dearest_lifetime": None,
        "actions": None,
    }


def test_an_unknown_entity_has_nothing(oracle: Oracle) -> None:
    """Nothing happened: counts are 0, the rest is None, and the store holds nothing."""
    assert oracle.entity("8") is None
    assert {name: value for name, value in oracle.served("8", 0).items() if value is not None} == {
        "views_5m": 0,
        "views_lifetime": 0,
    }


@pytest.mark.parametrize(
    ("text", "kept"), [("a" * 4_097, 4_096), ("aé" * 4_096, 2_731), ("😀" * 2_000, 1_024)]
)
def test_long_texts_are_cut(featureset: FeatureSet, text: str, kept: int) -> None:
    """Whole characters within 4,096 bytes."""
    oracle = Oracle(featureset, snapshot_of(featureset).layout, [_event(0, 10, action=text)])
    assert oracle.served("7", 20 * MINUTE_MS)["actions"] == [text[:kept]]
