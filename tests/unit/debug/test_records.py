"""Where an entity's records are looked for, and what is said of those that nobody has any more."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from feature_platform.broker.record_reader import Record
from feature_platform.debug import records
from feature_platform.debug.records import Origin, Searched, search
from feature_platform.testing.reference_events import RawEvent
from tests.unit.debug.debug_case import record, snapshot

SOURCE = snapshot().job.source


class Topic:
    """A topic of one partition that has deleted its first records."""

    def __init__(self, low: int, end: int) -> None:
        """Hold offsets `[low, end)`."""
        self._bounds = {0: (low, end)}

    def bounds(self) -> dict[int, tuple[int, int]]:
        """Return them."""
        return self._bounds

    def read(self, spans: Mapping[int, tuple[int, int]]) -> Iterator[Record]:
        """Yield records of the entity."""
        for start, end in spans.values():
            for offset in range(start, end):
                event = record(offset).event
                yield Record(
                    partition=0,
                    offset=offset,
                    timestamp_ms=event.timestamp_ms,
                    value=event.value,
                )


def test_everything_that_kafka_has_is_found(tmp_path: Path) -> None:
    """Nothing is archived, and nothing is missing."""
    found = search(SOURCE, tmp_path.as_uri(), Topic(0, 3), "")
    assert sorted(each.event.offset for each in found.records) == [0, 1, 2]
    assert found.looked_at == {"event log": 0, "Kafka": 3}
    assert found.ends == {0: 3}
    assert found.notes == []


class Values(Topic):
    """A topic with these records."""

    def __init__(self, *values: bytes | None) -> None:
        """Hold them."""
        super().__init__(0, len(values))
        self._values = values

    def read(self, spans: Mapping[int, tuple[int, int]]) -> Iterator[Record]:
        """Yield them."""
        for offset in range(*spans[0]):
            yield Record(partition=0, offset=offset, timestamp_ms=1, value=self._values[offset])


def test_kafka_is_searched_for_the_key(tmp_path: Path) -> None:
    """Other keys and records without a value are looked at, and left out."""
    topic = Values(b'{"k": 4}', b'{"k": 42}', None, b'{"k": 4, "x": 1}', b"\xff")
    found = search(SOURCE, tmp_path.as_uri(), topic, '"k": 4(?:[^0-9]|$)')
    assert [each.event.offset for each in found.records] == [0, 3]
    assert found.looked_at["Kafka"] == 5
    every = search(SOURCE, tmp_path.as_uri(), topic, "")
    assert [each.event.offset for each in every.records] == [0, 1, 2, 3, 4]


def test_records_that_nobody_has_are_named(tmp_path: Path) -> None:
    """So that what is compared without them is not called wrong."""
    found = search(SOURCE, tmp_path.as_uri(), Topic(5, 7), "")
    assert len(found.records) == 2
    (note,) = found.notes
    assert "posts/0: 0 to 4" in note


def test_the_newest_records_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never twice as many are held, however many match; what is left out is said."""
    monkeypatch.setattr(records, "RECORDS_MAX", 3)
    held: list[int] = []
    take = Searched.take

    def taking(found: Searched, event: RawEvent, origin: Origin) -> None:
        take(found, event, origin)
        held.append(len(found.records))

    monkeypatch.setattr(Searched, "take", taking)
    found = search(SOURCE, tmp_path.as_uri(), Topic(0, 20), "")
    assert [each.event.offset for each in found.records] == [2, 1, 0]
    assert max(held) < 6
    assert found.dropped == 17
    (note,) = found.notes
    assert "the oldest 17 are left out" in note
