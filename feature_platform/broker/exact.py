"""Sends records to exactly the partitions that are named, under times of their own."""

from collections.abc import Iterable
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException, Message

from feature_platform.broker.clients import Clients
from feature_platform.broker.sender import ACKNOWLEDGED, EVENT_BYTES_MAX, ensure_topic
from feature_platform.settings import KafkaSettings

FLUSH_TIMEOUT_S = 120.0
FOR_EVER = "-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A record, and where it goes; offsets follow from the order in which records are sent."""

    value: bytes | None
    partition: int
    timestamp_ms: int


def make_scratch_topic(settings: KafkaSettings, topic: str, partitions: int) -> None:
    """Create a topic that keeps records of any time, and takes all that an event may be.

    Raises:
        BrokerUnavailableError: The broker does not answer, or refuses to create it.
    """
    ensure_topic(
        settings.model_copy(update={"partitions": partitions}),
        topic,
        {"retention.ms": FOR_EVER, "max.message.bytes": str(EVENT_BYTES_MAX)},
        clock="producers",
    )


def send_placed(settings: KafkaSettings, topic: str, records: Iterable[Placed]) -> None:
    """Send records; returns when all are acknowledged.

    Raises:
        BrokerUnavailableError: One was not, or the broker does not answer.
    """
    clients, failed = Clients(settings), list[KafkaError]()
    producer = clients.producer({**ACKNOWLEDGED, "linger.ms": 20})

    def delivered(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            failed.append(error)

    for each in records:
        while True:
            try:
                producer.produce(
                    topic,
                    each.value,
                    partition=each.partition,
                    timestamp=each.timestamp_ms,
                    on_delivery=delivered,
                )
                break
            except BufferError:
                producer.poll(0.1)
            except KafkaException as error:
                raise clients.failure(error.args[0], producer) from error
        producer.poll(0)
    left = producer.flush(FLUSH_TIMEOUT_S)
    if failed:
        raise clients.failure(failed[0], producer)
    if left:
        msg = f"{left} records of topic {topic} were not acknowledged in time"
        raise clients.failure(msg, producer)
