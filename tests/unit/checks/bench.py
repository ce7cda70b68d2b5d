"""A deployed feature set in memory, and a recounter that asks the oracle instead of Spark."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from feature_platform.checks.result import Check, CheckResult
from feature_platform.checks.run import CheckRequest, check
from feature_platform.definition.model import FeatureSet
from feature_platform.engines.reads import Reads
from feature_platform.engines.spark_facts import (
    Counted,
    EntityRows,
    EventsFound,
    LogRead,
    RecountFact,
    Sampled,
)
from feature_platform.engines.spark_request import EventsTask, RecountTask
from feature_platform.errors import FeaturePlatformError
from feature_platform.plan.job import job_definition
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.base import Attempt, Cut
from feature_platform.registry.memory import MemoryRegistry
from feature_platform.settings import load_settings
from feature_platform.store.memory import MemoryTiles
from feature_platform.testing import Mix, Oracle, RawEvent, generate_events
from feature_platform.testing.clock import ManualClock
from feature_platform.testing.deployed import snapshot_of, write_expected
from feature_platform.testing.reference_events import Accepted

NOW_MS = 1_772_366_400_000
"""2026-03-01T12:00Z"""
HOUR_MS = 3_600_000
ENTITIES = 5

SOURCE = """\
source: events
topic: events
format: json
event_time: ts
max_future: 5m
columns: {post: STRING, action: STRING, watch: BIGINT, ts: TIMESTAMP}
"""
FEATURESET = """\
featureset: posts
entity: post
source: events
sql: |
  SELECT post, COUNT(*) AS events, SUM(watch) AS watch, MAX(watch) AS longest,
         COUNT(*) FILTER (WHERE action = 'view') AS views,
         LAST_VALUE(action) AS action, LAST_N(watch, 3) AS recent
  FROM events
  GROUP BY post
features:
  events: {windows: [30m, 2h, 5d], lifetime: true}
  watch: {windows: [2h, 1d], lifetime: true}
  longest: {windows: [1d]}
  views: {windows: [30m, 1d]}
  action: latest
  recent: latest
settings: {keep: 3d}
"""

ATTEMPT = Attempt(
    attempt=1,
    execution="x/1",
    deployment="test",
    kind="stream",
    restore_point=(0, 0),
    end_offsets={},
    claimed_ms=NOW_MS,
)


@dataclass
class OracleRecounter:
    """Recomputes by the oracle. Mutable: a test takes events away."""

    featureset: FeatureSet
    snapshot: Snapshot
    events: list[RawEvent]
    complete_ms: int = 0
    damage: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    """Damage that is seen only if the whole log is looked at."""
    nameless: FeaturePlatformError | None = None
    """Why events cannot be named."""

    def _oracle(self, span: Sequence[int] | None) -> Oracle:
        oracle = Oracle(self.featureset, self.snapshot.layout, self.events)
        if span:
            for entity, rows in list(oracle.rows.items()):
                oracle.rows[entity] = [row for row in rows if span[0] <= row.time_ms < span[1]]
                if not oracle.rows[entity]:
                    del oracle.rows[entity]
        return oracle

    def recount(self, task: RecountTask) -> Iterator[RecountFact]:
        """Tell what Spark would."""
        assert task.job.job.featureset == "posts"
        assert task.until
        oracle = self._oracle(task.wanted.span)
        damage = self.damage + (self.elsewhere if task.wanted.whole_log else [])
        yield LogRead(complete_ms=self.complete_ms, damage=tuple(damage))
        yield Sampled(slices=task.wanted.slices_of)
        for bucket_ms in task.wanted.buckets_ms:
            counts = Counter(
                row.time_ms - row.time_ms % bucket_ms
                for rows in oracle.rows.values()
                for row in rows
            )
            for start_ms, number in counts.items():
                yield Counted(bucket_ms=bucket_ms, start_ms=start_ms, events=number)
        for key in oracle.entities:
            expected = oracle.entity(key)
            assert expected is not None
            yield EntityRows.of(key, expected.rows)

    def events_of(self, task: EventsTask) -> Iterator[EventsFound]:
        """Name events of tiles."""
        assert task.job.job.featureset == "posts"
        assert task.until
        if self.nameless:
            raise self.nameless
        oracle = self._oracle(None)
        for entity, start_ms, end_ms in task.places:
            found: list[Accepted] = [
                row for row in oracle.rows.get(entity, []) if start_ms <= row.time_ms < end_ms
            ]
            if found:
                yield EventsFound(
                    entity=entity,
                    start_ms=start_ms,
                    end_ms=end_ms,
                    events=len(found),
                    offsets=tuple(sorted((row.partition, row.offset) for row in found)),
                )


@dataclass
class Ends:
    """A topic's ends. Mutable: events come."""

    ends: dict[str, int] = field(default_factory=lambda: {"events/0": 9})

    def end_offsets(self, topic: str) -> Mapping[str, int]:
        """Return them."""
        assert topic == "events"
        return dict(self.ends)


@dataclass
class Bench:
    """All that a test plays with."""

    reads: Reads
    registry: MemoryRegistry
    tiles: MemoryTiles
    clock: ManualClock
    snapshot: Snapshot
    oracle: Oracle
    recounter: OracleRecounter
    topics: Ends

    def check(self, ask: CheckRequest | None = None) -> dict[Check, CheckResult]:
        """Run all checks."""
        found = check(self.reads, "posts", ask or CheckRequest())
        return {result.check: result for result in found.results}

    def red(self, ask: CheckRequest | None = None) -> set[Check]:
        """Return which checks are red."""
        return {name for name, result in self.check(ask).items() if result.status == "red"}

    def cut(self, attempt: int, checkpoint_id: int, position: int) -> None:
        """Let the job record a complete cut, now."""
        cut = Cut(
            attempt=attempt,
            checkpoint_id=checkpoint_id,
            positions={"events/0": position},
            recorded_ms=self.clock.now_ms(),
        )
        self.registry.record_cut("posts", 1, cut)

    def deploy(self, snapshot: Snapshot) -> None:
        """Record another snapshot as deployed."""
        self.registry.save(snapshot)
        self.snapshot = snapshot


def counted_bench(featureset: FeatureSet, folder: Path) -> Bench:
    """Return a feature set whose job has counted all events, with a cut."""
    mix = Mix(count=150, entities=ENTITIES, end_ms=NOW_MS - 1, span_ms=60 * HOUR_MS, partitions=2)
    events = list(generate_events(featureset.source, "post", mix, seed=5))
    clock = ManualClock(NOW_MS)
    registry, tiles = MemoryRegistry(clock), MemoryTiles(clock)
    bare = snapshot_of(featureset)
    snapshot = replace(bare, job=job_definition(featureset, bare.layout))
    oracle = Oracle(featureset, snapshot.layout, events)
    tiles.create_table(snapshot.table)
    registry.save(snapshot)
    write_expected(tiles, snapshot.table, oracle, NOW_MS)
    registry.add_attempt("posts", 1, ATTEMPT)
    registry.record_cut(
        "posts", 1, Cut(attempt=1, checkpoint_id=1, positions={"events/0": 9}, recorded_ms=NOW_MS)
    )
    no_flink: Any = None  # a check asks no job
    topics: Any = Ends()
    recounter = OracleRecounter(featureset, snapshot, events)
    reads = Reads(
        settings=load_settings(folder, {}),
        registry=registry,
        tiles=tiles,
        topics=topics,
        cluster=no_flink,
        recounter=recounter,
        clock=clock,
    )
    return Bench(
        reads=reads,
        registry=registry,
        tiles=tiles,
        clock=clock,
        snapshot=snapshot,
        oracle=oracle,
        recounter=recounter,
        topics=topics,
    )
