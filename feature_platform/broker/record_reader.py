"""A topic and its records, read by position; leaves no trace on the broker."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from feature_platform.broker.topics import TopicClient
from feature_platform.settings import KafkaSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What the broker keeps at an offset."""

    partition: int
    offset: int
    timestamp_ms: int
    """When the broker took it, or its sender's time where the topic keeps that."""
    value: bytes | None


class RecordReader:
    """Implements `event_log.archiver.Topic`, and reads records."""

    def __init__(self, settings: KafkaSettings, topic: str) -> None:
        """Use a topic; every question opens a connection of its own."""
        self._client, self._topic = TopicClient(settings), topic

    def topic_id(self) -> str:
        """Return the id that the topic got when it was made; empty if there is none.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        return self._client.topic_id(self._topic)

    def bounds(self) -> dict[int, tuple[int, int]]:
        """Return the first kept offset and the end of each partition; nothing without a topic.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        found = self._client.bounds(self._topic)
        return {int(name.rpartition("/")[2]): span for name, span in found.items()}

    def read(self, spans: Mapping[int, tuple[int, int]]) -> Iterator[Record]:
        """Yield the records of offsets `[start, end)`; those of a partition in their order.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        for message in self._client.messages_between(self._topic, spans):
            value: object = message.value()
            yield Record(
                partition=message.partition() or 0,
                offset=message.offset() or 0,
                timestamp_ms=message.timestamp()[1],
                value=value if isinstance(value, bytes) else None,
            )
