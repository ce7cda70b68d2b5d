"""Topics of the real broker, behind the port `engines.ports.Topics`."""

from collections.abc import Mapping, Sequence

from feature_platform.broker.sender import (
    ensure_letters_topic,
    ensure_topic,
    has_producers_clock,
)
from feature_platform.broker.topics import TopicClient
from feature_platform.plan.job import dead_letter_topic
from feature_platform.settings import KafkaSettings


class KafkaTopics:
    """Topics of the real broker."""

    def __init__(self, settings: KafkaSettings) -> None:
        """Connect when asked."""
        self._settings = settings

    def create(self, topics: Sequence[str]) -> Sequence[str]:
        """Create the topics that are missing, with the partitions of the settings.

        Returns:
            Those whose records are stamped by the producers' clocks instead of the broker's.
        """
        for topic in topics:
            source = topic.removesuffix(dead_letter_topic(""))
            if source == topic:
                ensure_topic(self._settings, topic)
            else:
                ensure_letters_topic(self._settings, topic, source)
        return [topic for topic in topics if has_producers_clock(self._settings, topic)]

    def end_offsets(self, topic: str) -> Mapping[str, int]:
        """Return the next offset of every partition, by "topic/partition"."""
        return TopicClient(self._settings).ends(topic)

    def event_ends(self, topic: str) -> Mapping[str, int]:
        """Return the offset behind the last event of every partition: as far as a job gets."""
        return TopicClient(self._settings).event_ends(topic)

    def waiting_since_ms(self, topic: str, positions: Mapping[str, int]) -> int:
        """Return the timestamp of the oldest record behind the positions; 0 if none is there."""
        return TopicClient(self._settings).waiting_since_ms(topic, positions)

    def bounds(self, topic: str) -> Mapping[str, tuple[int, int]]:
        """Return the first kept and the next offset of every partition, by "topic/partition"."""
        return TopicClient(self._settings).bounds(topic)

    def topic_id(self, topic: str) -> str:
        """Return the id that a topic got when it was made; empty if there is none."""
        return TopicClient(self._settings).topic_id(topic)

    def offsets_at(self, topic: str, time_ms: int) -> Mapping[str, int]:
        """Return the first offset from an instant on of every partition, by "topic/partition"."""
        return TopicClient(self._settings).offsets_at(topic, time_ms)

    def delete(self, topics: Sequence[str]) -> None:
        """Delete topics with all they hold; harmless if they are not there."""
        TopicClient(self._settings).delete(topics)
