"""What topics hold, of the client library's own broker in this process."""

import time
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, Producer

from feature_platform.broker import topics
from feature_platform.broker.topics import TopicClient
from feature_platform.settings import KafkaSettings

WAIT_S = 20.0


@pytest.fixture(scope="module")
def settings() -> Iterator[KafkaSettings]:
    """A broker with three events in partition 0 of `events`, one in 1, and none in 2."""
    broker = Producer({"bootstrap.servers": "127.0.0.1:1", "test.mock.num.brokers": 1})
    (found,) = broker.list_topics(timeout=WAIT_S).brokers.values()
    for part in (0, 0, 0, 1):
        broker.produce("events", b"{}", partition=part)
    assert broker.flush(WAIT_S) == 0
    yield KafkaSettings(host=found.host, port=found.port)
    del broker


class _WithMarkers(TopicClient):
    """Topics whose partitions have offsets behind the last event that nobody reads."""

    def __init__(self, settings: KafkaSettings, markers: int) -> None:
        super().__init__(settings)
        self._markers = markers

    def _bounds(self, consumer: Consumer, topic: str) -> dict[int, tuple[int, int]]:
        bounds = super()._bounds(consumer, topic)
        return {part: (low, high + self._markers) for part, (low, high) in bounds.items()}


def test_ends_are_those_of_the_events(settings: KafkaSettings) -> None:
    """As long as nothing else stands behind them."""
    found = TopicClient(settings).event_ends("events")
    assert (found["events/0"], found["events/1"], found["events/2"]) == (3, 1, 0)
    assert found == TopicClient(settings).ends("events")


@pytest.mark.parametrize("markers", [1, 6])
def test_markers_are_no_events(
    settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch, markers: int
) -> None:
    """However many stand behind the last one."""
    monkeypatch.setattr(topics, "BACK_STEP", 8)
    assert _WithMarkers(settings, markers).event_ends("events") == TopicClient(settings).ends(
        "events"
    )


def test_messages_are_the_newest(settings: KafkaSettings) -> None:
    """Each partition has its share, and nobody waits for more than there is."""
    parts = len(TopicClient(settings).ends("events"))
    began_s = time.monotonic()
    found = TopicClient(settings).messages("events", parts)
    assert sorted((item.partition(), item.offset()) for item in found) == [(0, 2), (1, 0)]
    assert time.monotonic() - began_s < topics.POLL_S
