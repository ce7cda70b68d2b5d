"""Sends events to a topic: idempotent, acknowledged by all replicas, through a bounded queue.

Values go out as they are, without a key, in turn to every partition: event time orders them later,
not the place in a partition.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self

from confluent_kafka import KafkaError, KafkaException, Message
from confluent_kafka.admin import AdminClient, ConfigEntry, ConfigResource
from confluent_kafka.cimpl import NewTopic

from feature_platform.broker.clients import Clients
from feature_platform.settings import KafkaSettings
from feature_platform.words import counted, verb

QUEUE_EVENTS_MAX = 100_000
EVENT_BYTES_MAX = 2_000_000
LETTER_BYTES_MAX = 1_100_000
"""What a dead letter takes at most: 900 kB of its event, 64 kB of its key, and headers."""
REQUEST_TIMEOUT_S = 15.0
DELIVERY_TIMEOUT_MS = 120_000
POLL_EVERY = 500
REASONS_MAX = 10
POLL_MADE_S = 0.1
KNOWN_TIMEOUT_S = 5.0
ACKNOWLEDGED: Mapping[str, str | int | bool] = {
    "enable.idempotence": True,
    "acks": "all",
    "compression.type": "lz4",
    "message.max.bytes": EVENT_BYTES_MAX,
    "delivery.timeout.ms": DELIVERY_TIMEOUT_MS,
}
"""Options of a producer whose records are written once, and by all replicas."""
ABSENT = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC)  # noqa: SLF001
PASSING = (KafkaError.TOPIC_ALREADY_EXISTS, KafkaError.INVALID_REPLICATION_FACTOR)
"""Why a topic is not made now, but may be in a moment: another client makes it; or no broker has
registered with the controller lately, as just after its start or a long pause."""
TIMESTAMP_TYPE = "message.timestamp.type"
BROKERS_CLOCK, PRODUCERS_CLOCK = "LogAppendTime", "CreateTime"


@dataclass(slots=True, kw_only=True)
class Tally:
    """What became of the events so far; grows while sending."""

    sent: int = 0
    refused: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    """Why events were refused, with counts; the first few kinds."""

    def refuse(self, reason: str) -> None:
        """Count an event that was not sent."""
        self.refused += 1
        if reason in self.reasons or len(self.reasons) < REASONS_MAX:
            self.reasons[reason] = self.reasons.get(reason, 0) + 1


class EventSender:
    """An open connection to one topic; leaving it waits until every event is acknowledged."""

    def __init__(self, settings: KafkaSettings, topic: str) -> None:
        """Connect, and create the topic if it is missing.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        self.tally = Tally()
        self._topic = topic
        self._clients = Clients(settings)
        self._partitions = ensure_topic(settings, topic)
        self._handed_over = 0
        self._producer = self._clients.producer(
            {
                **ACKNOWLEDGED,
                "linger.ms": 20,
                "queue.buffering.max.messages": QUEUE_EVENTS_MAX,
            }
        )

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for the acknowledgements of what was handed over, also after Ctrl-C."""
        self.flush()

    def send(self, value: bytes, *, timestamp_ms: int = 0) -> None:
        """Hand one event over; blocks while the queue is full."""
        partition = self._handed_over % self._partitions
        self._handed_over += 1
        if self._handed_over % POLL_EVERY == 0:
            self._producer.poll(0)
        while True:
            try:
                self._producer.produce(
                    self._topic,
                    value,
                    partition=partition,
                    timestamp=timestamp_ms,
                    on_delivery=self._delivered,
                )
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:
                self.tally.refuse(_reason(error.args[0]))
                return
            else:
                return

    def flush(self) -> None:
        """Return when the fate of every event handed over is known.

        Raises:
            BrokerUnavailableError: The broker stopped answering.
        """
        left = self._producer.flush(DELIVERY_TIMEOUT_MS / 1000 + REQUEST_TIMEOUT_S)
        if left:
            msg = f"{counted(left, 'event')} {verb(left, 'was', 'were')} not acknowledged in time"
            raise self._clients.failure(msg, self._producer)

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        if error is None:
            self.tally.sent += 1
        else:
            self.tally.refuse(_reason(error))


class Pace:
    """Holds a loop to a number of steps per second; 0 lets it run free."""

    def __init__(
        self,
        rate: float,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Start counting now."""
        self._rate, self._now, self._sleep = rate, now, sleep
        self._started = now()
        self._steps = 0

    def step(self) -> None:
        """Wait until the next step is due."""
        self._steps += 1
        if self._rate <= 0:
            return
        ahead = self._steps / self._rate - (self._now() - self._started)
        if ahead > 0:
            self._sleep(ahead)


def ensure_letters_topic(settings: KafkaSettings, topic: str, source: str) -> int:
    """Create the topic of a source's dead letters if it is missing: it takes what letters hold.

    Raises:
        BrokerUnavailableError: The broker does not answer, or refuses to create it.
    """
    taken = max(_message_bytes_max(settings, source), LETTER_BYTES_MAX)
    return ensure_topic(settings, topic, {"max.message.bytes": str(taken)})


def _message_bytes_max(settings: KafkaSettings, topic: str) -> int:
    """Return how large a topic's events may be; 0 if the broker does not say."""
    try:
        found = _configuration(Clients(settings).admin(), topic)["max.message.bytes"].value
        return int(found or 0)
    except (KafkaException, KeyError):  # it may be that this login must not ask
        return 0


def ensure_topic(
    settings: KafkaSettings,
    topic: str,
    config: Mapping[str, str] | None = None,
    *,
    clock: Literal["broker", "producers"] = "broker",
    timeout_s: float = REQUEST_TIMEOUT_S,
) -> int:
    """Create the topic if it is missing, and return its number of partitions.

    Args:
        settings: Where the broker is, and how many partitions a new topic has.
        topic: Its name.
        config: What a new topic is configured with.
        clock: Whose clock the records of a new topic are stamped by, which bounds event times.
        timeout_s: How long each of two requests may take, and what may pass is waited for.

    Raises:
        BrokerUnavailableError: The broker does not answer, or refuses to create it.
        SettingsError: A setting of Kafka's is wrong.
    """
    clients = Clients(settings)
    admin = clients.admin()
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            known = admin.list_topics(topic, timeout=timeout_s).topics[topic]
            if known.error is None:
                return len(known.partitions)
            if known.error.code() not in ABSENT:
                raise clients.failure(known.error)
            stamps = {TIMESTAMP_TYPE: BROKERS_CLOCK if clock == "broker" else PRODUCERS_CLOCK}
            wanted = NewTopic(
                topic, num_partitions=settings.partitions, config={**stamps, **(config or {})}
            )
            created = admin.create_topics([wanted], request_timeout=timeout_s)
            created[topic].result(timeout=2 * timeout_s)
        except KafkaException as error:
            if error.args[0].code() not in PASSING or time.monotonic() > deadline:
                raise clients.failure(error.args[0], admin) from error
            time.sleep(POLL_MADE_S)
        else:
            return settings.partitions


def has_producers_clock(settings: KafkaSettings, topic: str) -> bool:
    """Return whether a topic's records bear the time of their producers' clocks, not the broker's.

    It is False where the broker refuses to show the topic's configuration.

    Raises:
        BrokerUnavailableError: The broker does not answer.
        SettingsError: A setting of Kafka's is wrong.
    """
    clients = Clients(settings)
    admin = clients.admin()
    try:
        found = _configuration(admin, topic)
    except KafkaException as error:
        if error.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            return False
        raise clients.failure(error.args[0], admin) from error
    return TIMESTAMP_TYPE in found and found[TIMESTAMP_TYPE].value == PRODUCERS_CLOCK


def _configuration(admin: AdminClient, topic: str) -> dict[str, ConfigEntry]:
    """Return a topic's configuration; a broker may not know at once of one that was just made."""
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    deadline = time.monotonic() + KNOWN_TIMEOUT_S
    while True:
        asked = admin.describe_configs([resource], request_timeout=REQUEST_TIMEOUT_S)[resource]
        try:
            found: dict[str, ConfigEntry] = asked.result(timeout=2 * REQUEST_TIMEOUT_S)
        except KafkaException as error:
            if error.args[0].code() not in ABSENT or time.monotonic() > deadline:
                raise
            time.sleep(POLL_MADE_S)
        else:
            return found


def _reason(error: KafkaError) -> str:
    return str(error.str())
