"""Lists of several feature sets and kinds of entity, builds that were killed, and the edges."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from feature_platform.clock import SystemClock
from feature_platform.definition.loading import load_project
from feature_platform.engines.spark_request import AsOf
from feature_platform.errors import EventLogError, SparkFailedError
from feature_platform.event_log.commits import DATA
from feature_platform.testing import RawEvent, generate_events
from feature_platform.training.build import build
from feature_platform.training.spine import open_spine
from tests.integration.everything import EVERYTHING, SOURCE
from tests.integration.training_case import (
    END_MS,
    HOUR_MS,
    MIX,
    Case,
    InProcess,
    case_of,
    cases,
    event_times,
    everything,
    spine,
    write_log,
)
from tests.integration.training_judge import made, request_of, settings, wrong

ACTIONS = """
featureset: {name}
entity: action
source: {source}
sql: |
  SELECT action, COUNT(*) AS events, MAX(watch_ms) AS longest, LAST_N(user_id, 3) AS users
  FROM {source} GROUP BY action
features:
  events: {{windows: [1m, 2h], lifetime: true}}
  longest: {{windows: [1d]}}
  users: latest
"""
USERS = """
featureset: {name}
entity: user_id
source: {source}
sql: SELECT user_id, SUM(watch_ms) AS watched, LAST_VALUE(action) AS last FROM {source}
  GROUP BY user_id
features:
  watched: {{windows: [30m, 2d], lifetime: true}}
  last: latest
"""
EDGES = """
featureset: edges
entity: post_id
source: edges
sql: |
  SELECT post_id, SUM(watch_ms) AS watched, MAX(watch_ms) AS longest, LAST_VALUE(action) AS last
  FROM edges GROUP BY post_id
features:
  watched: {windows: [5m], lifetime: true}
  longest: {windows: [5m]}
  last: latest
"""
Event = tuple[int, int, int, int, str]
"""Partition, event time and arrival relative to `END_MS`, `watch_ms`, and `action`."""
EVENTS: Sequence[Event] = (
    (0, -300_001, -300_001, 1, "before"),
    (0, -300_000, -300_000, 2, "edge"),
    (0, 0, 0, 4, "first"),
    (1, 0, 10, 8, "second"),
    (2, 0, 20, 16, "third"),
    (3, 2_000, 30, 32, "ahead"),
    (0, 60_000, 700_000, 64, "late"),
)
"""Of one post; each sum says which of them counted."""
FRAME: Sequence[Event] = ((0, -HOUR_MS, -HOUR_MS, 1, "x"), (0, HOUR_MS, HOUR_MS, 1, "x"))
"""Of another post: the log can answer all instants between."""
BY_TIME: Mapping[int, tuple[int, int, int | None, str | None]] = {
    -300_001: (0, 0, None, None),
    -300_000: (1, 1, 1, "before"),
    -299_999: (3, 3, 2, "edge"),
    -1: (3, 3, 2, "edge"),  # the tail is floored to -360,000
    0: (2, 3, 2, "edge"),  # the tail is exactly at "edge", and those at the instant do not count
    1: (30, 31, 16, "third"),
    2_000: (30, 31, 16, "third"),
    2_001: (62, 63, 32, "ahead"),
    59_999: (62, 63, 32, "ahead"),
    60_000: (60, 63, 32, "ahead"),
    60_001: (124, 127, 64, "late"),
    359_999: (124, 127, 64, "late"),
    360_000: (64, 127, 64, "late"),
    420_000: (0, 127, None, "late"),
}
"""Sum of 5 minutes and of all, maximum and last value, by instant."""
BY_ARRIVAL: Mapping[int, tuple[int, int, int | None, str | None]] = {
    -300_002: (0, 0, None, None),
    -300_001: (1, 1, 1, "before"),
    -300_000: (3, 3, 2, "edge"),
    -1: (3, 3, 2, "edge"),
    0: (6, 7, 4, "first"),  # at the instant, and the broker has it
    9: (6, 7, 4, "first"),
    10: (14, 15, 8, "second"),  # of the same time, from another partition
    19: (14, 15, 8, "second"),
    20: (30, 31, 16, "third"),
    30: (62, 63, 32, "ahead"),  # of later than the instant
    360_000: (0, 63, None, "ahead"),
    700_000: (0, 127, None, "late"),
}


@pytest.fixture(scope="module", name="several")
def _several(tmp_path_factory: pytest.TempPathFactory) -> list[Case]:
    definitions = {
        "everything": ("everything", EVERYTHING),
        "actions": ("everything", ACTIONS),
        "users": ("buys", USERS),
    }
    return cases(tmp_path_factory.mktemp("several"), definitions, seed=23)


@pytest.mark.parametrize(("as_of", "lag_ms"), [("event", 0), ("known", 45_000)])
def test_kinds_of_entity_side_by_side(
    spark: SparkSession, several: list[Case], tmp_path: Path, as_of: AsOf, lag_ms: int
) -> None:
    """Two sources, three kinds of entity: each row has the values of all of its keys."""
    table = spine(several, 200, seed=3, lag_ms=lag_ms)

    found = made(spark, several, table, tmp_path / "set", as_of, lag_ms=lag_ms)

    differing = wrong(several, found, table, as_of, lag_ms)
    assert differing[:5] == [], f"{len(differing)} values differ"
    assert found.manifest.keys == {"post_id": "post", "action": "what", "user_id": "user"}
    assert [used.source for used in found.manifest.featuresets] == ["buys", *["everything"] * 2]
    assert found.manifest.status["ok"] > 100


def test_a_killed_build_continues_after_the_first_feature_set(
    spark: SparkSession, several: list[Case], tmp_path: Path
) -> None:
    """Which is not asked again; events that were archived meanwhile count for none."""
    log, table = tmp_path / "log", spine(several, 60, seed=5)
    for each in several:
        folder = log / each.snapshot.source / each.snapshot.topic
        if not folder.exists():
            of_source = [one for one in several if one.snapshot.topic == each.snapshot.topic]
            write_log(folder, each.raw, event_times(of_source))
    request = request_of(several, everything(several), tmp_path / "set", "event")
    names = [part.featureset for part in request.asked.parts]
    killed, good = InProcess(spark, log, dies_after=2), InProcess(spark, log)

    with pytest.raises(SparkFailedError):
        build(settings(tmp_path), request, open_spine(table), killed, SystemClock())
    first = tmp_path / "set.part" / f"answers-{names[0]}"
    written = {path.name: path.stat().st_mtime_ns for path in first.iterdir()}
    later(several, log)
    seen: list[dict[str, int]] = []

    def look(_: str) -> None:
        if first.exists():
            seen.append({path.name: path.stat().st_mtime_ns for path in first.iterdir()})

    found = build(settings(tmp_path), request, open_spine(table), good, SystemClock(), look)

    assert (killed.asked, good.asked) == (names, names[2:])
    assert seen
    assert all(each == written for each in seen)
    assert wrong(several, found, table, "event")[:5] == []


def later(several: Sequence[Case], log: Path) -> None:
    """Archive more events of the source of which one feature set is answered."""
    of = next(each for each in several if each.snapshot.featureset == "actions")
    ends: dict[int, int] = {}
    for event in of.raw:
        ends[event.partition] = max(ends.get(event.partition, 0), event.offset + 1)
    mix = replace(MIX, count=500, end_ms=END_MS + 60 * HOUR_MS)
    more = [
        replace(event, offset=ends.get(event.partition, 0) + event.offset)
        for event in generate_events(of.featureset.source, "post_id", mix, seed=99)
    ]
    times = {(event.partition, event.offset): event.timestamp_ms for event in more}
    write_log(log / of.snapshot.source / of.snapshot.topic, more, times, commit_number=1)


@pytest.mark.parametrize(
    ("as_of", "lag_ms", "expected"),
    [("event", 0, BY_TIME), ("known", 0, BY_ARRIVAL), ("known", 5, BY_ARRIVAL)],
)
def test_edges(
    spark: SparkSession,
    tmp_path: Path,
    as_of: AsOf,
    lag_ms: int,
    expected: Mapping[int, tuple[int, int, int | None, str | None]],
) -> None:
    """An event at the instant, at the window's edge, and later ones of the same time elsewhere."""
    if lag_ms:  # the instant is when rankers asked: what they had is older; windows begin there
        expected = {10: expected[9], 14: expected[9], 15: expected[10], 25: expected[20]}
    instants = sorted(expected)
    at = pa.array([END_MS + each for each in instants], pa.timestamp("ms"))
    table = pa.table({"post": ["a"] * len(instants), "at": at})

    found = made(spark, edges(tmp_path), table, tmp_path / "set", as_of, lag_ms=lag_ms)

    rows = found.to_table().select(["watched_5m", "watched_lifetime", "longest_5m", "last"])
    values = [tuple(row.values()) for row in rows.to_pylist()]
    assert dict(zip(instants, values, strict=True)) == expected


def edges(folder: Path) -> Case:
    """Make the feature set of the edges."""
    featuresets = folder / "featuresets"
    (featuresets / "sources").mkdir(parents=True)
    (featuresets / "sources" / "edges.yaml").write_text(SOURCE.format(name="edges"))
    (featuresets / "edges.yaml").write_text(EDGES)
    raw: list[RawEvent] = []
    for post, events in (("z", FRAME), ("a", EVENTS)):
        for partition, at_ms, arrived_ms, watch_ms, action in events:
            value = {"post_id": post, "at": END_MS + at_ms, "watch_ms": watch_ms, "action": action}
            before = sum(event.partition == partition for event in raw)
            raw.append(
                RawEvent(
                    value=json.dumps(value).encode(),
                    partition=partition,
                    offset=before,
                    timestamp_ms=END_MS + arrived_ms,
                )
            )
    made_of = case_of(load_project(featuresets).checked().featuresets["edges"], raw, folder / "log")
    write_log(folder / "log" / "edges" / "edges", raw, event_times([made_of]))
    return made_of


def test_a_damaged_log_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    """A file that is gone: what is learned from a part of the events would be wrong."""
    each = edges(tmp_path)
    gone = next((each.log / "edges" / "edges" / DATA).rglob("*.parquet"))
    gone.unlink()
    table = pa.table({"post": ["a"], "at": pa.array([END_MS], pa.timestamp("ms"))})
    with pytest.raises(EventLogError, match="is missing"):
        made(spark, each, table, tmp_path / "set")
