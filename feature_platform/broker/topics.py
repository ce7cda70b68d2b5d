"""What is in the topics: their ends, and dead letters by feature set and reason."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicCollection,
    TopicPartition,
)

from feature_platform.broker.clients import Clients
from feature_platform.settings import KafkaSettings

REQUEST_TIMEOUT_S = 10.0
POLL_S = 5.0
POLL_GONE_S = 0.2
DELETE_TIMEOUT_S = 30.0
BATCH_MESSAGES_MAX = 10_000
BACK_STEP = 100
"""Where the last offsets of a partition hold no event, this many times as many are looked at."""
NO_ID = "A" * 22
"""What a broker says that is too old to give ids to topics."""
DEAD_LETTERS_READ_MAX = 100_000
"""How many of the newest dead letters are looked at; older ones are left out of the counts."""

Ends = dict[str, int]
"""Next offset to be written for each "topic/partition"."""


class TopicClient:
    """Reads topics without leaving a trace on the broker."""

    def __init__(self, settings: KafkaSettings) -> None:
        """Keep the address; every question opens a connection of its own."""
        self._clients = Clients(settings)
        # As a job reads, unless settings say else.
        self._isolation = settings.properties.get("isolation.level", "read_uncommitted")

    def ends(self, topic: str) -> Ends:
        """Return the end of each partition; nothing if there is no such topic.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        with closing(self._consumer()) as consumer:
            return {
                f"{topic}/{part}": bounds[1]
                for part, bounds in self._bounds(consumer, topic).items()
            }

    def bounds(self, topic: str) -> dict[str, tuple[int, int]]:
        """Return the first offset that is kept, and the end, of each "topic/partition".

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        with closing(self._consumer()) as consumer:
            return {
                f"{topic}/{part}": bounds for part, bounds in self._bounds(consumer, topic).items()
            }

    def event_ends(self, topic: str) -> Ends:
        """Return the offset behind the last event of each partition; 0 for one without events.

        It is the end, unless markers of transactions follow: those no job's position passes before
        the next event comes.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        with closing(self._consumer()) as consumer:
            bounds = self._bounds(consumer, topic)
            found = dict.fromkeys(bounds, 0)
            left, back = dict(bounds), 1
            while left:
                spans = {part: (max(low, end - back), end) for part, (low, end) in left.items()}
                for message in self._between(consumer, topic, spans):
                    found[message.partition() or 0] = (message.offset() or 0) + 1
                left = {
                    part: (low, end)
                    for part, (low, end) in left.items()
                    if not found[part] and spans[part][0] > low
                }
                back *= BACK_STEP
        return {f"{topic}/{part}": end for part, end in found.items()}

    def topic_id(self, topic: str) -> str:
        """Return the id that the broker gave a topic when it was made; another is another topic.

        It is empty if there is no such topic, or if the broker gives no ids.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        admin = self._clients.admin()
        try:
            asked = admin.describe_topics(
                TopicCollection([topic]), request_timeout=REQUEST_TIMEOUT_S
            )
            found = str(asked[topic].result(timeout=2 * REQUEST_TIMEOUT_S).topic_id)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                return ""
            raise self._clients.failure(error.args[0], admin) from error
        return "" if found == NO_ID else found

    def offsets_at(self, topic: str, time_ms: int) -> dict[str, int]:
        """Return the first offset of each "topic/partition" that the broker took from then on.

        It is the end where there is none yet.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        with closing(self._consumer()) as consumer:
            ends = {part: high for part, (_, high) in self._bounds(consumer, topic).items()}
            asked = [TopicPartition(topic, part, time_ms) for part in ends]
            try:
                found = consumer.offsets_for_times(asked, timeout=REQUEST_TIMEOUT_S)
            except KafkaException as error:
                raise self._clients.failure(error.args[0], consumer) from error
        firsts = {item.partition: item.offset for item in found if item.offset >= 0}
        return {f"{topic}/{part}": firsts.get(part, end) for part, end in ends.items()}

    def waiting_since_ms(self, topic: str, positions: Mapping[str, int]) -> int:
        """Return the timestamp of the oldest record behind the positions; 0 if none is there.

        Args:
            topic: Whose records.
            positions: Next offset to read for each "topic/partition", of those that are behind.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        with closing(self._consumer()) as consumer:
            bounds = self._bounds(consumer, topic)
            starts = {
                part: max(low, positions.get(f"{topic}/{part}", 0))
                for part, (low, _) in bounds.items()
            }
            spans = {
                part: (starts[part], starts[part] + 1)
                for part, (_, high) in bounds.items()
                if starts[part] < high
            }
            found = [each.timestamp()[1] for each in self._between(consumer, topic, spans)]
        return min(found, default=0)

    def dead_letters(self, topic: str) -> dict[str, Counter[str]]:
        """Count the dead letters in a topic by feature set and reason.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        counts: dict[str, Counter[str]] = {}
        for message in self.messages(topic, DEAD_LETTERS_READ_MAX):
            headers = {name: value.decode(errors="replace") for name, value in _headers(message)}
            reasons = counts.setdefault(headers.get("featureset", ""), Counter())
            reasons[headers.get("reason", "")] += 1
        return counts

    def messages(self, topic: str, newest_max: int | None) -> Iterator[Message]:
        """Yield what a topic holds at the time of the call.

        Args:
            topic: Its name.
            newest_max: How many of its newest messages at most; None for all.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        with closing(self._consumer()) as consumer:
            bounds = self._bounds(consumer, topic)
            held = sum(high - low for low, high in bounds.values())
            share = -(-newest_max // max(len(bounds), 1)) if newest_max is not None else held
            spans = {part: (max(low, high - share), high) for part, (low, high) in bounds.items()}
            yield from self._between(consumer, topic, spans)

    def messages_from(self, topic: str, starts: Mapping[str, int]) -> Iterator[Message]:
        """Yield what a topic holds at the time of the call, from some offsets on.

        Args:
            topic: Its name.
            starts: First offsets by "topic/partition"; all of a partition that is not named.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        with closing(self._consumer()) as consumer:
            spans = {
                part: (max(low, starts.get(f"{topic}/{part}", low)), high)
                for part, (low, high) in self._bounds(consumer, topic).items()
            }
            yield from self._between(consumer, topic, spans)

    def messages_between(
        self, topic: str, spans: Mapping[int, tuple[int, int]]
    ) -> Iterator[Message]:
        """Yield what is in offsets `[start, end)` of partitions.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        with closing(self._consumer()) as consumer:
            yield from self._between(consumer, topic, spans)

    def message(self, topic: str, partition: int, offset: int) -> Message | None:
        """Return the message of an offset; None if none is kept there.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        with closing(self._consumer()) as consumer:
            low, high = self._bounds(consumer, topic).get(partition, (0, 0))
            if not low <= offset < high:
                return None
            found = self._between(consumer, topic, {partition: (offset, offset + 1)})
            return next(iter(found), None)

    def delete(self, topics: Sequence[str]) -> None:
        """Delete topics with all they hold; returns when the broker no longer knows them.

        Raises:
            BrokerUnavailableError: The broker does not answer, or keeps them.
        """
        admin = self._clients.admin()
        deadline = time.monotonic() + DELETE_TIMEOUT_S
        while time.monotonic() < deadline:
            try:
                known = admin.list_topics(timeout=REQUEST_TIMEOUT_S).topics
                left = [topic for topic in topics if topic in known]
                if not left:
                    return
                for future in admin.delete_topics(left).values():
                    future.result(timeout=REQUEST_TIMEOUT_S)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise self._clients.failure(error.args[0], admin) from error
            time.sleep(POLL_GONE_S)
        msg = f"topics {', '.join(left)} were not deleted in time"
        raise self._clients.failure(msg)

    def _between(
        self, consumer: Consumer, topic: str, spans: Mapping[int, tuple[int, int]]
    ) -> Iterator[Message]:
        """Yield what is in offsets `[start, end)` of partitions."""
        left = {part: end for part, (start, end) in spans.items() if start < end}
        consumer.assign([TopicPartition(topic, part, spans[part][0]) for part in left])
        while left:
            for message in self._poll(consumer):
                part, offset = message.partition() or 0, message.offset() or 0
                if not message.error() and offset < left.get(part, 0):
                    yield message
                if message.error() or offset + 1 >= left.get(part, 0):
                    left.pop(part, None)

    def _poll(self, consumer: Consumer) -> list[Message]:
        """Return the next messages; one with an error says that its partition has no more."""
        messages = consumer.consume(1, timeout=POLL_S)  # more would wait for the whole time
        messages += consumer.consume(BATCH_MESSAGES_MAX, timeout=0)
        errors = [error for message in messages if (error := message.error())]
        failed = [error for error in errors if error.code() != KafkaError._PARTITION_EOF]  # noqa: SLF001
        if failed or not messages:
            raise self._clients.failure(failed[0] if failed else "no answer", consumer)
        return messages

    def _bounds(self, consumer: Consumer, topic: str) -> dict[int, tuple[int, int]]:
        try:
            known = consumer.list_topics(topic, timeout=REQUEST_TIMEOUT_S).topics[topic]
            if known.error is not None:
                if known.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                    return {}
                raise self._clients.failure(known.error)
            return {
                part: consumer.get_watermark_offsets(
                    TopicPartition(topic, part), timeout=REQUEST_TIMEOUT_S
                )
                for part in known.partitions
            }
        except KafkaException as error:
            raise self._clients.failure(error.args[0], consumer) from error

    def _consumer(self) -> Consumer:
        return self._clients.consumer(
            {
                "isolation.level": self._isolation,
                "group.id": "fp-reader",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
            }
        )


def _headers(message: Message) -> list[tuple[str, bytes]]:
    headers: Any = message.headers()
    return [(name, value) for name, value in headers or [] if isinstance(value, bytes)]
