"""Judges the whole table against the recount of the topic, and explains what differs."""

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from feature_platform.broker.topics import TopicClient
from feature_platform.cli.reading import open_store
from feature_platform.clock import SystemClock
from feature_platform.definition.model import FeatureSet
from feature_platform.plan.snapshot import Snapshot
from feature_platform.serving import FeatureClient
from feature_platform.settings import Settings, password
from feature_platform.store.base import HEAD_LEVEL
from feature_platform.store.concurrently import Runs
from feature_platform.store.connect import Connection, connect
from feature_platform.store.cql import CqlTiles
from feature_platform.testing import ManualClock, RawEvent
from feature_platform.tiles.grid import MINUTE_MS
from tests.chaos.definitions import NAME, TOPIC
from tests.chaos.recount import GrowingOracle, Place
from tests.integration.differences import WRITTEN_MAX, Difference
from tests.integration.waiting import PATIENCE_S

READ_TIMEOUT_S = 60.0
LETTERS_TIMEOUT_S = 20.0
LETTERS_MAX = 1_000_000
READS_IN_FLIGHT = 32
SERVED_SAMPLE = 6


@dataclass(slots=True)
class Judge:
    """Mutable: has read the topic up to some offsets, and counted."""

    settings: Settings
    featureset: FeatureSet
    snapshot: Snapshot
    chance: random.Random
    positions: dict[int, int] = field(default_factory=dict)
    rows_compared: int = 0
    """In the judgement before."""
    oracle: GrowingOracle = field(init=False)

    def __post_init__(self) -> None:
        """Begin with an empty recount."""
        self.oracle = GrowingOracle(self.featureset, self.snapshot.layout)

    def differences(self) -> list[Difference]:
        """Compare every row of every entity, and served values of some; reads the topic first."""
        self.oracle.add(self._new_events())
        with _open(self.settings) as connection:
            return [
                *self._rows(connection),
                *self._strangers(connection),
                *self._served(SERVED_SAMPLE),
                *self._letters(),
            ]

    def final_differences(self) -> list[Difference]:
        """Compare everything once more, the recount itself with the naive oracle included."""
        now_ms = SystemClock().now_ms()
        wrong = []
        for entity in self.oracle.naive.entities:
            expected = self.oracle.naive.entity(entity)
            assert expected is not None
            rows = {
                place: payload
                for place, payload in expected.rows.items()
                if self.oracle.judged(place, now_ms)
            }
            if rows != self.oracle.rows(entity, now_ms):
                wrong.append(_difference(entity, "the suite's own recount", rows, None))
        return [*wrong, *self.differences(), *self._served(10 * SERVED_SAMPLE)]

    def _new_events(self) -> Iterator[RawEvent]:
        """Yield what came into the topic since the last time, as the broker holds it."""
        ends = {
            int(place.rpartition("/")[2]): end
            for place, end in TopicClient(self.settings.kafka).ends(TOPIC).items()
        }
        left = {part: end for part, end in ends.items() if end > self.positions.get(part, 0)}
        options = {"bootstrap.servers": self.settings.kafka.bootstrap, "group.id": "chaos"}
        deadline = time.monotonic() + READ_TIMEOUT_S
        with closing(Consumer({**options, "enable.auto.commit": False})) as consumer:
            consumer.assign(
                [TopicPartition(TOPIC, part, self.positions.get(part, 0)) for part in left]
            )
            while left:
                assert time.monotonic() < deadline, f"the topic was not read to {left}"
                for message in consumer.consume(10_000, timeout=0.5):
                    if message.error():
                        raise KafkaException(message.error())
                    part, offset = message.partition() or 0, message.offset() or 0
                    if part in left and offset < left[part]:
                        yield RawEvent(
                            value=message.value(),
                            partition=part,
                            offset=offset,
                            timestamp_ms=message.timestamp()[1],
                        )
                        self.positions[part] = offset + 1
                left = {
                    part: end for part, end in left.items() if end > self.positions.get(part, 0)
                }

    def _letters(self) -> Iterator[Difference]:
        """Compare the dead letters; one that is there twice is no difference, one too few is.

        A cut may be known a moment before the letters of its barrier have arrived.
        """
        expected = self.oracle.dead_letters
        deadline = time.monotonic() + LETTERS_TIMEOUT_S
        while (found := self._read_letters()) != expected and time.monotonic() < deadline:
            time.sleep(1)
        for place in sorted(expected.keys() | found.keys()):
            if expected.get(place) != found.get(place):
                what = "dead letter of partition {}, offset {}".format(*place)
                yield _difference("(none)", what, expected.get(place), found.get(place))

    def _read_letters(self) -> dict[tuple[int, int], str]:
        found = {}
        for message in TopicClient(self.settings.kafka).messages(
            f"{TOPIC}.dead_letters", LETTERS_MAX
        ):
            headers: Any = dict(message.headers() or [])
            found[int(headers["partition"]), int(headers["offset"])] = headers["reason"].decode()
        return found

    def _rows(self, connection: Connection) -> Iterator[Difference]:
        entities, now_ms = self.oracle.entities, SystemClock().now_ms()
        self.rows_compared = 0
        for entity, stored in zip(entities, self._stored(connection, entities), strict=True):
            expected = self.oracle.rows(entity, now_ms)
            actual = {
                place: payload
                for place, (payload, _) in stored.items()
                if self.oracle.judged(place, now_ms)
            }
            self.rows_compared += len(expected)
            for place in sorted(expected.keys() | actual.keys()):
                if expected.get(place) != actual.get(place):
                    yield _difference(
                        entity, f"row {place}", expected.get(place), stored.get(place)
                    )
            for place, (_, written) in stored.items():
                if written >= WRITTEN_MAX:
                    yield _difference(entity, f"timestamp of {place}", "an attempt's", written)

    def _strangers(self, connection: Connection) -> Iterator[Difference]:
        """Find rows of entities that no event in the topic counts for."""
        stored = set(CqlTiles(connection).entities(self.snapshot.table))
        strangers = sorted(stored - set(self.oracle.entities))
        for entity, rows in zip(strangers, self._stored(connection, strangers), strict=True):
            for place, row in rows.items():
                yield _difference(entity, f"row {place}", None, row)

    def _stored(
        self, connection: Connection, entities: Sequence[str]
    ) -> Iterator[dict[Place, tuple[bytes, int]]]:
        """Read the rows of entities, without their undo rows."""
        statement = (
            f"SELECT level, start, payload, WRITETIME(payload) FROM {connection.keyspace}."
            f"{self.snapshot.table} WHERE entity = ? AND level >= {HEAD_LEVEL}"
        )
        runs = Runs(
            statement=statement,
            values=[(entity, (entity,)) for entity in entities],
            in_flight_max=READS_IN_FLIGHT,
            timeout_s=PATIENCE_S,
        )
        answers = connection.run_many(runs)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
            yield {(level, start): (payload, written) for level, start, payload, written in answer}

    def _served(self, sample: int) -> Iterator[Difference]:
        """Compare served values with the naive oracle, for now and an instant of the past."""
        naive, now_ms = self.oracle.naive, SystemClock().now_ms()
        entities = self.chance.sample(naive.entities, min(sample, len(naive.entities)))
        with open_store(self.settings) as (registry, tiles):
            client = FeatureClient(tiles, registry, clock=ManualClock(now_ms))
            prepared = client.prepare(featureset=NAME)
            for at_ms in (None, now_ms - self.chance.randrange(90) * MINUTE_MS):
                for answer in prepared.get(entities, at=at_ms).to_dicts():
                    expected = naive.served(answer["entity"], now_ms, at_ms=at_ms)
                    actual = {"status": answer["status"], **answer["values"]}
                    for served, value in {"status": "ok", **expected}.items():
                        if value != actual[served]:
                            what = f"{served} at {at_ms}"
                            yield _difference(answer["entity"], what, value, actual[served])


def _open(settings: Settings) -> Connection:
    return connect(settings.store, "fp_service", password(settings, "service"))


def _difference(entity: str, what: str, expected: object, actual: object) -> Difference:
    return Difference(entity=entity, what=what, expected=expected, actual=actual)
