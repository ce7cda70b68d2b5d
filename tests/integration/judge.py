"""Puts raw events through the real stack and compares all that stands there with the oracle."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

from confluent_kafka import KafkaError, Message, Producer

from feature_platform.broker.topics import TopicClient
from feature_platform.cli.reading import open_store
from feature_platform.clock import SystemClock
from feature_platform.definition.loading import Project, load_project
from feature_platform.deploy.apply import apply, make_plans
from feature_platform.deploy.wait import wait
from feature_platform.engines.world import World
from feature_platform.plan.snapshot import Snapshot
from feature_platform.serving import FeatureClient
from feature_platform.settings import Settings
from feature_platform.store.base import HEAD_LEVEL, StoredRow
from feature_platform.testing import ExpectedEntity, ManualClock, Oracle, RawEvent
from feature_platform.tiles.grid import MINUTE_MS
from tests.integration.differences import WRITTEN_MAX, Difference, explain
from tests.integration.waiting import PATIENCE_S

GRACE_MS = 1_500
"""No task freezes here, so none can write later than this after its end."""
NOBODY = "-987654321"
"""A key of any type that no event has."""


def load(settings: Settings) -> Project:
    """Load the project's definitions, which must be without mistakes."""
    return load_project(settings.featuresets).checked()


def short_grace(settings: Settings) -> Settings:
    """Return settings with which an upgrade after an unclean end waits for a moment only."""
    store = settings.store.model_copy(update={"zombie_grace_ms": GRACE_MS})
    return settings.model_copy(update={"store": store})


def deploy(world: World, settings: Settings, name: str) -> Snapshot:
    """Bring a feature set to its definition; return what is deployed."""
    (outcome,) = apply(world, make_plans(world, load(settings), [name]))
    if outcome.error:
        raise outcome.error
    assert outcome.snapshot is not None
    return outcome.snapshot


def produce(settings: Settings, topic: str, events: Iterable[RawEvent]) -> None:
    """Send events to exactly the partitions that they name; offsets follow by themselves."""
    failed: list[KafkaError] = []

    def delivered(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            failed.append(error)

    producer = Producer(
        {
            "bootstrap.servers": settings.kafka.bootstrap,
            "enable.idempotence": True,
            "message.max.bytes": 2_000_000,
            "linger.ms": 20,
        }
    )
    for event in events:
        while True:
            try:
                producer.produce(
                    topic,
                    event.value,
                    partition=event.partition,
                    timestamp=event.timestamp_ms,
                    on_delivery=delivered,
                )
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    assert producer.flush(60) == 0
    assert failed == []


def produce_in_transactions(
    settings: Settings, topic: str, events: Sequence[RawEvent], size: int
) -> list[RawEvent]:
    """Send events in transactions of so many; return them with their offsets.

    Each transaction leaves a marker behind its events, which takes an offset, too.
    """
    sent: list[RawEvent] = []

    def delivered(event: RawEvent, error: KafkaError | None, message: Message) -> None:
        assert error is None
        sent.append(replace(event, offset=message.offset() or 0))

    producer = Producer(
        {"bootstrap.servers": settings.kafka.bootstrap, "transactional.id": f"test-{topic}"}
    )
    producer.init_transactions(60)
    for first in range(0, len(events), size):
        producer.begin_transaction()
        for event in events[first : first + size]:
            producer.produce(
                topic,
                event.value,
                partition=event.partition,
                timestamp=event.timestamp_ms,
                on_delivery=partial(delivered, event),
            )
        producer.commit_transaction(60)
    assert len(sent) == len(events)
    return sent


def differences(settings: Settings, world: World, oracle: Oracle, name: str) -> list[Difference]:
    """Wait until all that was sent is written, then compare every row and every served value."""
    wait(world, name, timeout_s=PATIENCE_S)
    snapshot = world.registry.snapshot(name)
    assert snapshot is not None
    return [
        *_rows(settings, snapshot, oracle),
        *_served(settings, name, oracle),
    ]


def assert_equal(settings: Settings, world: World, oracle: Oracle, name: str) -> None:
    """Wait until all is written, and compare; what differs is explained."""
    found = differences(settings, world, oracle, name)
    if found:
        snapshot = world.registry.snapshot(name)
        assert snapshot is not None
        lines = [f"{len(found)} differences", *explain(settings, snapshot, found)]
        raise AssertionError("\n".join(lines))


def _rows(settings: Settings, snapshot: Snapshot, oracle: Oracle) -> Iterable[Difference]:
    """Compare the rows of every entity that is stored or should be."""
    with open_store(settings) as (_, tiles):
        for key in sorted({*oracle.entities, *tiles.entities(snapshot.table)}):
            rows = tiles.read_entity(snapshot.table, key)
            yield from _entity(key, oracle.entity(key), rows)


def _entity(
    key: str, expected: ExpectedEntity | None, rows: Sequence[StoredRow]
) -> Iterable[Difference]:
    wanted, stored = expected.rows if expected else {}, {}
    for row in rows:
        if row.level >= HEAD_LEVEL:
            place = (row.level, row.start_ms)
            stored[place] = row.payload
            if row.written >= WRITTEN_MAX:
                yield Difference(
                    entity=key,
                    what=f"timestamp of {place}",
                    expected="an attempt's",
                    actual=row.written,
                )
    for place in sorted(wanted.keys() | stored.keys()):
        if wanted.get(place) != stored.get(place):
            yield Difference(
                entity=key,
                what=f"row {place}",
                expected=wanted.get(place),
                actual=stored.get(place),
            )


def _served(settings: Settings, name: str, oracle: Oracle) -> Iterable[Difference]:
    """Compare what is served for now and for instants of the last hour, all by one clock."""
    now_ms = SystemClock().now_ms()
    with open_store(settings) as (registry, tiles):
        client = FeatureClient(tiles, registry, clock=ManualClock(now_ms))
        prepared = client.prepare(featureset=name)
        for at_ms in (None, now_ms - 7 * MINUTE_MS, now_ms - 43 * MINUTE_MS):
            answers = prepared.get([*oracle.entities, NOBODY], at=at_ms).to_dicts()
            assert answers.pop()["status"] == "no_data"
            for answer in answers:
                expected = oracle.served(answer["entity"], now_ms, at_ms=at_ms)
                actual = {"status": answer["status"], **answer["values"]}
                for served, value in {"status": "ok", **expected}.items():
                    if value != actual[served]:
                        yield Difference(
                            entity=answer["entity"],
                            what=f"{served} at {at_ms}",
                            expected=value,
                            actual=actual[served],
                        )


def dead_letters(settings: Settings, topic: str) -> int:
    """Count what stands in the topic of dead letters."""
    return sum(TopicClient(settings.kafka).ends(f"{topic}.dead_letters").values())
