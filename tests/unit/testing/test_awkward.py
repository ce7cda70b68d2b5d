"""The second ring of events: both ways in which the kernel reads, and the oracle, agree on it."""

import json
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from feature_platform.plan.job_source import JobSource
from feature_platform.testing.awkward import (
    RING_MS,
    RING_SOURCE,
    awkward_events,
    mixed_events,
)
from feature_platform.testing.events import REASONS
from feature_platform.testing.reference_events import Accepted, DeadLetter, RawEvent, judge

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NOT_PLAIN = b'{"\\u0078": 0, '
"""A name with an escape, which the plain reader leaves to Jackson."""
MANY = 1_000
BOTH_REFUSED = 2
OF_THE_WHOLE = {"not_json", "duplicate_key", "too_deep", "bad_text"}
NOT_FLAT = b'{"deeper": {"x": [{}]}, '


def judged(value: bytes) -> Accepted | DeadLetter:
    """Return the oracle's decision."""
    event = RawEvent(value=value, partition=0, offset=0, timestamp_ms=RING_MS)
    return judge(RING_SOURCE, "id", event)


def test_the_ring_holds_good_events_and_nearly_every_reason() -> None:
    """It would prove little if all were refused, or all for one reason."""
    found = Counter(
        each.reason if isinstance(each, DeadLetter) else "good"
        for each in map(judged, awkward_events())
    )
    assert set(REASONS) - set(found) == {"too_large", "bad_entity"}
    assert found["good"] > MANY
    assert mixed_events(10, seed=3) == mixed_events(10, seed=3)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_both_readers_and_the_oracle_agree_on_awkward_events(spark: "SparkSession") -> None:
    """The same values, or the same reason, however the kernel comes to read an event."""
    kernel = _Kernel(spark)
    wrong = [
        (variant[:200], expected, found)
        for variant in _variants(awkward_events())
        if not _agree(expected := _of_oracle(variant), found := kernel.read(variant))
    ]
    assert not wrong, wrong[:10]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_events_of_several_awkward_values_are_taken_by_all_or_none(spark: "SparkSession") -> None:
    """Of several faults any may be the reason."""
    kernel = _Kernel(spark)
    wrong = [
        (variant[:400], expected, found)
        for variant in _variants(mixed_events(1_500, seed=20_261_201))
        if (expected := _of_oracle(variant)) != (found := kernel.read(variant))
        and len(expected) + len(found) > BOTH_REFUSED
    ]
    assert not wrong, wrong[:10]


def _variants(events: list[bytes]) -> Iterator[bytes]:
    """Yield each event as it is, and so that Jackson reads it, flat and not."""
    for event in events:
        yield event
        if event.startswith(b'{"'):
            yield event.replace(b"{", NOT_PLAIN, 1)
            yield event.replace(b"{", NOT_FLAT, 1)


def _agree(expected: list[object], found: list[object]) -> bool:
    """Compare; a value that spoils its whole event may be refused as a value before that."""
    spoilt = expected[0] in OF_THE_WHOLE and len(found) == len(expected)
    return expected == found or spoilt


def _of_oracle(value: bytes) -> list[object]:
    decided = judged(value)
    if isinstance(decided, DeadLetter):
        return [decided.reason]
    return [decided.time_ms, *(_written(decided.columns[name]) for name, _ in RING_SOURCE.columns)]


class _Kernel:
    """The kernel's parser, in Spark's JVM."""

    def __init__(self, session: "SparkSession") -> None:
        jvm: Any = session._jvm
        event = jvm.io.featureplatform.kernel.event
        schema = event.SourceSchema.fromJson(
            json.dumps(JobSource.of(RING_SOURCE, RING_SOURCE.columns).to_json())
        )
        self._parser = event.EventParser(schema, "id")
        gateway: Any = session.sparkContext._gateway
        self._out = gateway.new_array(jvm.java.lang.Object, len(RING_SOURCE.columns))

    def read(self, value: bytes) -> list[object]:
        """Return the event time and the values, or the reason."""
        if not self._parser.parse(bytearray(value), RING_MS, self._out):
            assert self._parser.detail()
            return [self._parser.reason().code()]
        return [self._parser.eventTimeMs(), *(_written(each) for each in self._out)]


def _written(value: object) -> object:
    """Return a value so that values of different types, zeros and scales, differ."""
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    if isinstance(value, str):
        return value.encode()
    return (
        (type(value).__name__, str(value)) if isinstance(value, float | bool | Decimal) else value
    )
