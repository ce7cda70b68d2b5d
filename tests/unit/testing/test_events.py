"""Random events: bad ones are refused for the reason they were spoilt for, the others count."""

import random
from collections import Counter

import pytest

from feature_platform.definition.model import ColumnType, Source, TypeName
from feature_platform.testing.events import REASONS, Mix, generate_events, spoil
from feature_platform.testing.reference_events import (
    Accepted,
    DeadLetter,
    RawEvent,
    Reason,
    judge,
)

TYPES: tuple[TypeName, ...] = ("BIGINT", "INT", "DOUBLE", "STRING", "BOOLEAN", "TIMESTAMP")
NOW_MS = 1_700_000_000_000


def _source(entity: TypeName = "STRING") -> Source:
    return Source(
        name="s",
        topic="s",
        format="json",
        event_time="ts",
        max_future_ms=60_000,
        columns=(
            ("post", ColumnType(name=entity)),
            ("ts", ColumnType(name="TIMESTAMP")),
            ("price", ColumnType(name="DECIMAL", precision=10, scale=2)),
            *((name.lower(), ColumnType(name=name)) for name in TYPES),
        ),
    )


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("entity", ["STRING", "BIGINT", "INT"])
def test_a_spoilt_event_is_refused_for_that_reason(reason: Reason, entity: TypeName) -> None:
    """An event with one fault is a dead letter that names this fault."""
    source = _source(entity)
    chance = random.Random(reason)  # noqa: S311 - the same in every run
    good = {"post": "p" if entity == "STRING" else 7, "ts": NOW_MS, "string": "x", "int": 5}
    numeric = reason == "bad_entity" and entity != "STRING"
    expected = "missing_event_time" if numeric else reason
    for offset in range(50):
        value = spoil(source, "post", good, reason, arrival_ms=NOW_MS, chance=chance)
        event = RawEvent(value=value, partition=1, offset=offset, timestamp_ms=NOW_MS)

        judged = judge(source, "post", event)

        assert DeadLetter(partition=1, offset=offset, reason=expected) == judged, value


def test_generated_events_are_mostly_good_and_bad_in_every_way() -> None:
    """The mix holds good events of every entity and every reason to refuse one."""
    mix = Mix(count=5_000, entities=20, end_ms=NOW_MS, span_ms=3_600_000, bad=0.1)
    source = _source()

    events = list(generate_events(source, "post", mix, seed=1))
    judged = [judge(source, "post", event) for event in events]

    reasons = Counter(each.reason for each in judged if isinstance(each, DeadLetter))
    assert set(REASONS) == set(reasons)
    assert 0.05 < sum(reasons.values()) / len(events) < 0.15
    assert {f"post-{rank}" for rank in range(20)} == {
        str(each.columns["post"]) for each in judged if isinstance(each, Accepted)
    }
    assert events == list(generate_events(source, "post", mix, seed=1))


def test_offsets_count_up_in_each_partition() -> None:
    """Producing the events in order gives them the offsets they claim."""
    mix = Mix(count=1_000, entities=5, end_ms=NOW_MS, span_ms=60_000, partitions=3)
    seen: Counter[int] = Counter()

    for event in generate_events(_source(), "post", mix, seed=2):
        assert seen[event.partition] == event.offset
        seen[event.partition] += 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2023-11-14T22:13:20Z", NOW_MS),
        ("2023-11-14T22:13:20.0009Z", NOW_MS),
        ("2023-11-15 03:43:20,5+05:30", NOW_MS + 500),
        ("2023-11-14t22:13", NOW_MS - 20_000),
        ("2023-11-14T17:13:20-05", NOW_MS),
        ("0000-01-01T00:00Z", -62_167_219_200_000),
    ],
)
def test_times_are_read(text: str, expected: int) -> None:
    """ISO-8601 to the minute or finer, a zone or UTC; finer than a millisecond is cut off."""
    value = f'{{"post": "p", "ts": 1700000000000, "timestamp": "{text}"}}'.encode()

    judged = judge(
        _source(), "post", RawEvent(value=value, partition=0, offset=0, timestamp_ms=NOW_MS)
    )

    assert isinstance(judged, Accepted)
    assert expected == judged.columns["timestamp"]


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("1", "1.00"),
        ("0.005", "0.01"),
        ("-0.005", "-0.01"),
        ("1e-400", "0.00"),
        ("12345678", "12345678.00"),
    ],
)
def test_decimals_are_rounded_half_up(number: str, expected: str) -> None:
    """A DECIMAL with more digits than its scale is rounded half up, away from zero."""
    value = f'{{"post": "p", "ts": 1700000000000, "price": {number}}}'.encode()

    judged = judge(
        _source(), "post", RawEvent(value=value, partition=0, offset=0, timestamp_ms=NOW_MS)
    )

    assert isinstance(judged, Accepted)
    assert expected == str(judged.columns["price"])
