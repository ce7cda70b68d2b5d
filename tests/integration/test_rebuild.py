"""A generation that Spark writes and the job goes on with: every row as if one had done it all."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from feature_platform.broker.sender import ensure_topic
from feature_platform.deploy.apply import apply, make_plans
from feature_platform.deploy.execute import execute
from feature_platform.deploy.recover import make_rollback_plan
from feature_platform.deploy.wait import wait
from feature_platform.engines.ports import Submitter
from feature_platform.engines.spark import SparkBackfiller, archive
from feature_platform.engines.world import World, open_world
from feature_platform.errors import EventLogError, SparkFailedError
from feature_platform.plan.snapshot import Snapshot
from feature_platform.serving.opened import open_client
from feature_platform.settings import Settings
from feature_platform.testing import Oracle, RawEvent
from tests.integration.commands import kill_spark, spark_children
from tests.integration.everything import EVERYTHING, PARTITIONS, files, random_events
from tests.integration.judge import assert_equal, load, produce
from tests.integration.small_disk import small_disk
from tests.integration.waiting import PATIENCE_S, until

EVENTS = 9_000
ENTITIES = 150
SPARK_LIVES_S = 4.0
"""It takes longer to do its work."""
SEED = 77
LIVE, SLOW, LOOK_S, RANKED = 1_500, 30, 0.2, 10
WITH_HISTORY = ("keep: 6h}", "keep: 6h, on_change: rebuild}")
EDIT = ("FILTER (WHERE action = 'view')", "FILTER (WHERE action = 'like')")


class Ranker:
    """Reads one count of some entities again and again, by what it has prepared once. Mutable."""

    def __init__(self, settings: Settings, name: str, entities: Sequence[str]) -> None:
        """Begin when entered."""
        self._settings, self._name, self._entities = settings, name, entities
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="ranker")
        self.answers: dict[str, list[int]] = {entity: [] for entity in entities}
        self.statuses: set[str] = set()
        self.rounds = 0

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._ended.set()
        self._thread.join()

    def ask_once_more(self) -> None:
        """Return when a round of questions has begun and ended since now."""
        wanted = self.rounds + 2
        until(lambda: self.rounds >= wanted, "answers")

    def _work(self) -> None:
        with open_client(self._settings) as client:
            prepared = client.prepare(["events_lifetime"], featureset=self._name)
            while not self._ended.wait(LOOK_S):
                for answer in prepared.get(list(self._entities)).to_dicts():
                    self.statuses.add(answer["status"])
                    self.answers[answer["entity"]].append(answer["values"]["events_lifetime"])
                self.rounds += 1


def _send_slowly(settings: Settings, name: str, events: Sequence[RawEvent]) -> None:
    for first in range(0, len(events), SLOW):
        produce(settings, name, events[first : first + SLOW])
        time.sleep(LOOK_S)


def _applied_under_load(
    settings: Settings, world: World, name: str, before: Oracle, live: Sequence[RawEvent]
) -> tuple[Snapshot, list[str]]:
    """Rebuild while events come and a ranker reads: no answer is missing, none is ever wrong."""
    counts = {entity: len(rows) for entity, rows in before.rows.items()}
    entities = sorted(counts, key=lambda entity: -counts[entity])[:RANKED]
    sender = threading.Thread(target=_send_slowly, args=(settings, name, live))
    with Ranker(settings, name, entities) as ranker:
        sender.start()
        done = applied(settings, world, name)
        sender.join()
        wait(world, name, timeout_s=PATIENCE_S)
        ranker.ask_once_more()
    after = Oracle(before.featureset, before.layout, live)
    assert ranker.statuses == {"ok"}
    for entity, seen in ranker.answers.items():
        most = counts[entity] + len(after.rows.get(entity, ()))
        assert counts[entity] <= min(seen), "what was counted before was served all the time"
        assert (seen[-1], max(seen)) == (most, most)
    assert any(min(seen) < max(seen) for seen in ranker.answers.values()), "events came meanwhile"
    return done


def applied(settings: Settings, world: World, name: str) -> tuple[Snapshot, list[str]]:
    """Bring a feature set to its definition; return what is deployed, and what was said."""
    said: list[str] = []
    (outcome,) = apply(world, make_plans(world, load(settings), [name]), said.append)
    if outcome.error:
        raise outcome.error
    assert outcome.snapshot is not None
    return outcome.snapshot, said


def _kill_spark_later() -> None:
    """However late it was started: a busy machine takes its time."""
    until(lambda: list(spark_children()), "Spark")
    time.sleep(SPARK_LIVES_S)
    kill_spark()


def _kill_spark_in_the_middle(settings: Settings, world: World, name: str) -> None:
    """Begin a rebuild whose Spark dies; what is deployed goes on as it was."""
    killer = threading.Thread(target=_kill_spark_later)
    killer.start()
    (outcome,) = apply(world, make_plans(world, load(settings), [name]))
    killer.join()
    assert isinstance(outcome.error, SparkFailedError), outcome
    assert "was killed by signal 9" in str(outcome.error)


def _rebuild_on_a_full_disk(settings: Settings, world: World, name: str, folder: Path) -> None:
    """Begin a rebuild whose Spark has no room; what is deployed goes on as it was."""
    with small_disk(folder, megabytes=8) as disk:
        disk.fill()
        options = {**settings.spark.options, "spark.local.dir": str(disk.folder)}
        spark = settings.spark.model_copy(update={"options": options})
        backfiller = SparkBackfiller(settings.model_copy(update={"spark": spark}))
        plans = make_plans(world, load(settings), [name])
        (outcome,) = apply(replace(world, backfiller=backfiller), plans)
    assert isinstance(outcome.error, SparkFailedError), outcome
    assert "No space left on device" in str(outcome.error)


def _rebuild_from_a_damaged_log(settings: Settings, world: World, name: str) -> None:
    """Begin a rebuild while a file of the log is away; what is deployed goes on as it was."""
    log = Path(urlsplit(settings.event_log_folder).path) / name / name
    (file, *_) = sorted(log.glob("data/*/*.parquet"))
    away = file.rename(log / "away")
    (outcome,) = apply(world, make_plans(world, load(settings), [name]))
    away.rename(file)
    assert isinstance(outcome.error, EventLogError), outcome
    assert f"{file.name} of the event log is missing" in str(outcome.error)


def _drop_from_kafka(settings: Settings, until: Mapping[str, int]) -> None:
    """Let the broker forget the first records, as its retention does."""
    admin = AdminClient({"bootstrap.servers": settings.kafka.bootstrap})
    places = [(name.rpartition("/"), offset) for name, offset in until.items()]
    first = [TopicPartition(topic, int(part), offset) for (topic, _, part), offset in places]
    for done in admin.delete_records(first).values():
        done.result(timeout=30)


@pytest.mark.long
def test_a_rebuilt_generation_is_what_a_stream_would_have_written(
    project: Callable[[Mapping[str, str]], Settings],
    tmp_path: Path,
    submitter: Submitter,
) -> None:
    """Begun by Spark, edited, rebuilt by Spark, rolled back: events of all times on both sides."""
    name = f"rebuilt_{uuid4().hex[:6]}"
    definition = EVERYTHING.replace(*WITH_HISTORY)
    settings = project(files(name, definition))
    old = load(settings).featuresets[name]
    events = random_events(old, EVENTS, entities=ENTITIES, hours=2, seed=SEED)
    third = EVENTS // 3
    with open_world(settings, submitter) as world:
        assert ensure_topic(settings.kafka, name, clock="producers") == PARTITIONS
        produce(settings, name, events[:third])
        first, _ = applied(settings, world, name)  # a new feature set with a history
        archived = archive(settings, old.source, lambda _: None)
        produce(settings, name, events[third : 2 * third])
        assert_equal(settings, world, Oracle(old, first.layout, events[: 2 * third]), name)
        _drop_from_kafka(settings, archived.positions)  # the log alone has them now

        edited = definition.replace(*EDIT).format(name=name)
        (settings.featuresets / f"{name}.yaml").write_text(edited)
        _rebuild_on_a_full_disk(settings, world, name, tmp_path / "small")
        _kill_spark_in_the_middle(settings, world, name)
        _rebuild_from_a_damaged_log(settings, world, name)
        assert world.registry.snapshot(name) == first
        before = Oracle(old, first.layout, events[: 2 * third])
        live = events[2 * third : 2 * third + LIVE]
        second, said = _applied_under_load(settings, world, name, before, live)
        assert any("tasks; written so far: " in text for text in said)
        (compared,) = [text for text in said if "are equal in both generations" in text]
        assert "views" not in compared
        assert "watch_ms" in compared
        produce(settings, name, events[2 * third + LIVE :])
        new = load(settings).featuresets[name]
        assert_equal(settings, world, Oracle(new, second.layout, events), name)

        execute(make_rollback_plan(world, name), world)
        assert_equal(settings, world, Oracle(old, first.layout, events), name)
        kinds = [[item.kind for item in world.registry.attempts(name, n)] for n in (1, 2)]
        assert kinds == [["backfill", "stream", "stream"], ["backfill", "stream"]]


def test_what_a_changed_source_cannot_read_is_told_though_nobody_has_archived_it(
    project: Callable[[Mapping[str, str]], Settings], submitter: Submitter
) -> None:
    """The deployed version counts it: Kafka's tail is judged by that one's source."""
    name = f"retyped_{uuid4().hex[:6]}"
    settings = project(files(name, EVERYTHING.replace(*WITH_HISTORY)))
    old = load(settings).featuresets[name]
    with open_world(settings, submitter) as world:
        assert ensure_topic(settings.kafka, name, clock="producers") == PARTITIONS
        produce(settings, name, random_events(old, 300, entities=10, hours=1, seed=SEED))
        first, _ = applied(settings, world, name)
        source = settings.featuresets / "sources" / f"{name}.yaml"
        source.write_text(source.read_text().replace("muted: BOOLEAN", "muted: STRING"))
        (outcome,) = apply(world, make_plans(world, load(settings), [name]))
        assert isinstance(outcome.error, SparkFailedError), outcome
        assert "was readable before, but not with the current source definition" in str(
            outcome.error
        )
        assert world.registry.snapshot(name) == first
