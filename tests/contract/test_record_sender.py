"""The feature log's sender, in memory and to a real broker: the fate of each record, once."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

import pytest

from feature_platform.broker import record_sender
from feature_platform.broker.record_sender import RecordSender
from feature_platform.broker.sender import ensure_topic
from feature_platform.broker.topics import TopicClient
from feature_platform.errors import BrokerUnavailableError
from feature_platform.feature_log.log import Sender
from feature_platform.local.stack import Stack
from feature_platform.settings import KafkaSettings
from feature_platform.testing.records import MemorySender

MEMORY_BYTES = 8_000_000
SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A sender, one whose broker is away, and what a topic holds."""

    sender: Sender
    cut_off: Sender
    held: Callable[[str], list[bytes]]


@pytest.fixture(params=["memory", "kafka"])
def case(request: pytest.FixtureRequest) -> Case:
    """Each implementation in turn."""
    if request.param == "memory":
        memory = MemorySender()
        away = MemorySender(trouble="no broker")
        return Case(sender=memory, cut_off=away, held=lambda topic: memory.topics.get(topic, []))
    stack: Stack = request.getfixturevalue("stack")
    kafka = stack.settings.kafka
    topics = TopicClient(kafka)

    def held(topic: str) -> list[bytes]:
        values = (message.value() for message in topics.messages(topic, None))
        return [value for value in values if isinstance(value, bytes)]

    nowhere = KafkaSettings(host="127.0.0.1", port=1)
    return Case(
        sender=RecordSender(kafka, MEMORY_BYTES),
        cut_off=RecordSender(nowhere, MEMORY_BYTES),
        held=held,
    )


@pytest.fixture
def topic() -> str:
    """A topic that no other test uses."""
    return f"feature_log.t{uuid4().hex[:12]}"


def test_what_is_sent_arrives_as_it_was(case: Case, topic: str) -> None:
    """Each record once, of any bytes; the topic is made; each fate is reported once."""
    values = [bytes([number % 256]) * (number + 1) for number in range(300)]
    fates: list[str] = []
    for value in values:
        case.sender.send(topic, value, fates.append)
        case.sender.serve(0)
    case.sender.finish(SECONDS)

    assert fates == [""] * 300
    assert sorted(case.held(topic)) == sorted(values)


def test_a_broker_that_is_away_refuses_with_a_reason(case: Case, topic: str) -> None:
    """The fate of every record is known when it has finished."""
    fates: list[str] = []
    for _ in range(3):
        case.cut_off.send(topic, b"x", fates.append)
    case.cut_off.finish(0)

    assert len(fates) == 3
    assert all(fates)


def test_a_topic_that_is_not_there_yet_is_waited_for(
    stack: Stack, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that has just started, or paused, makes none: nothing of it is lost."""
    refusals = iter(["all brokers are fenced"] * 3)

    def ensure(settings: KafkaSettings, name: str, *, timeout_s: float) -> int:
        for why in refusals:
            raise BrokerUnavailableError(why)
        return ensure_topic(settings, name, timeout_s=timeout_s)

    monkeypatch.setattr(record_sender, "ensure_topic", ensure)
    monkeypatch.setattr(record_sender, "RETRY_S", 0.0)
    sender, fates = RecordSender(stack.settings.kafka, MEMORY_BYTES), list[str]()
    sender.send(topic, b"first", fates.append)
    sender.send(topic, b"second", fates.append)
    assert fates == []
    sender.finish(SECONDS)

    assert fates == ["", ""]
    values = {
        message.value() for message in TopicClient(stack.settings.kafka).messages(topic, None)
    }
    assert values == {b"first", b"second"}


def test_finishing_twice_and_with_nothing_is_harmless(case: Case, topic: str) -> None:
    """And what comes after it is still sent."""
    fates: list[str] = []
    case.sender.finish(SECONDS)
    case.sender.send(topic, b"x", fates.append)
    case.sender.finish(SECONDS)
    case.sender.finish(SECONDS)

    assert fates == [""]
