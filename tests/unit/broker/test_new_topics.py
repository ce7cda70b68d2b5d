"""A broker may not make a topic at once, or not know one that was just made: it is asked again."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from itertools import chain, repeat
from types import SimpleNamespace

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigEntry, ConfigResource
from confluent_kafka.cimpl import NewTopic

from feature_platform.broker import sender
from feature_platform.broker.sender import ensure_topic, has_producers_clock
from feature_platform.errors import BrokerUnavailableError
from feature_platform.settings import KafkaSettings

TIMEOUT_S = 0.3

Answer = KafkaError | dict[str, ConfigEntry]
Broker = Callable[[Sequence[Answer]], None]


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    """A broker that gives these answers, the last one again and again."""

    def answering(answers: Sequence[Answer]) -> None:
        left = chain(answers, repeat(answers[-1]))

        def describe(
            _admin: AdminClient, resources: Sequence[ConfigResource], **_options: float
        ) -> dict[ConfigResource, Future[dict[str, ConfigEntry]]]:
            answer = next(left)
            future: Future[dict[str, ConfigEntry]] = Future()
            if isinstance(answer, KafkaError):
                future.set_exception(KafkaException(answer))
            else:
                future.set_result(answer)
            return dict.fromkeys(resources, future)

        monkeypatch.setattr(AdminClient, "describe_configs", describe)
        monkeypatch.setattr(sender, "KNOWN_TIMEOUT_S", TIMEOUT_S)

    return answering


UNKNOWN = KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)
FORBIDDEN = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)


def _stamped(kind: str) -> dict[str, ConfigEntry]:
    return {sender.TIMESTAMP_TYPE: ConfigEntry(sender.TIMESTAMP_TYPE, kind)}


@pytest.mark.parametrize(
    ("answers", "producers"),
    [
        ([_stamped(sender.PRODUCERS_CLOCK)], True),
        ([UNKNOWN, _stamped(sender.PRODUCERS_CLOCK)], True),
        ([UNKNOWN, UNKNOWN, _stamped(sender.BROKERS_CLOCK)], False),
        ([FORBIDDEN], False),
    ],
)
def test_whose_clock_stamps_a_new_topic_is_found(
    broker: Broker, answers: list[Answer], *, producers: bool
) -> None:
    """The answer of a broker that has heard of it counts."""
    broker(answers)

    assert has_producers_clock(KafkaSettings(), "events") is producers


def test_a_topic_that_stays_unknown_is_an_error(broker: Broker) -> None:
    """It is not waited for without end."""
    broker([UNKNOWN])

    with pytest.raises(BrokerUnavailableError, match="Unknown topic"):
        has_producers_clock(KafkaSettings(), "events")


NO_BROKERS = KafkaError(KafkaError.INVALID_REPLICATION_FACTOR, "All brokers are currently fenced.")


@pytest.fixture
def makers(monkeypatch: pytest.MonkeyPatch) -> list[KafkaError | None]:
    """A broker without topics; what it says when one is to be made, the last one for ever."""
    said: list[KafkaError | None] = [None]

    def listed(*_: object, **__: float) -> SimpleNamespace:
        return SimpleNamespace(topics=defaultdict(lambda: SimpleNamespace(error=UNKNOWN)))

    def create(_: AdminClient, wanted: Sequence[NewTopic], **__: float) -> dict[str, Future[None]]:
        error = said.pop(0) if len(said) > 1 else said[0]
        future: Future[None] = Future()
        if error:
            future.set_exception(KafkaException(error))
        else:
            future.set_result(None)
        return {wanted[0].topic: future}

    monkeypatch.setattr(AdminClient, "list_topics", listed)
    monkeypatch.setattr(AdminClient, "create_topics", create)
    return said


def test_a_topic_is_made_when_the_broker_has_registered_again(
    makers: list[KafkaError | None],
) -> None:
    """As just after its start, or a pause in which the controller heard nothing of it."""
    makers[:] = [NO_BROKERS, NO_BROKERS, None]

    assert ensure_topic(KafkaSettings(partitions=3), "events") == 3
    assert makers == [None]


def test_a_topic_that_cannot_be_made_is_an_error(makers: list[KafkaError | None]) -> None:
    """The broker is not waited for without end."""
    makers[:] = [NO_BROKERS]

    with pytest.raises(BrokerUnavailableError, match="fenced"):
        ensure_topic(KafkaSettings(), "events", timeout_s=TIMEOUT_S)
