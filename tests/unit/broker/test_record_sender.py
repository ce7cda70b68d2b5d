"""What waits for a topic that is not there: it is bounded, grows old, and is never silent."""

import time
from functools import partial

import pytest

from feature_platform.broker import record_sender
from feature_platform.broker.clients import Clients
from feature_platform.broker.record_sender import FULL, RecordSender
from feature_platform.errors import BrokerUnavailableError, SettingsError
from feature_platform.settings import KafkaSettings

TOPIC = "feature_log.home"


@pytest.fixture
def tries(monkeypatch: pytest.MonkeyPatch) -> list[Exception]:
    """A broker that makes no topics; what it says is taken from here, the last one for ever."""
    said: list[Exception] = [BrokerUnavailableError("away")]

    def ensure(*_: object, **__: float) -> int:
        raise said.pop(0) if len(said) > 1 else said[0]

    monkeypatch.setattr(record_sender, "ensure_topic", ensure)
    return said


def _sender(memory_bytes_max: int = 100) -> RecordSender:
    return RecordSender(KafkaSettings(), memory_bytes_max)


@pytest.mark.usefixtures("tries")
def test_what_there_is_no_room_for_is_dropped_at_once() -> None:
    """And what is given up makes room."""
    fates: dict[str, str] = {}
    sender = _sender(memory_bytes_max=10)
    for name, size in (("a", 6), ("b", 5), ("c", 4)):
        sender.send(TOPIC, bytes(size), partial(fates.__setitem__, name))
    assert fates == {"b": FULL}
    sender.finish(0)
    assert fates == {"a": "away", "b": FULL, "c": "away"}

    sender.send(TOPIC, bytes(10), partial(fates.__setitem__, "d"))
    assert "d" not in fates


@pytest.mark.usefixtures("tries")
def test_what_has_waited_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the reason that was heard last."""
    fates: list[str] = []
    sender = _sender()
    sender.send(TOPIC, b"new", fates.append)
    sender.serve(0)
    assert fates == []
    monkeypatch.setattr(record_sender, "DELIVERY_TIMEOUT_MS", 0)
    sender.send(TOPIC, b"old", fates.append)
    sender.serve(0)
    assert fates == []  # the first one is younger than that, and they keep their order
    sender.finish(0)
    assert fates == ["away", "away"]


def test_a_wrong_setting_is_not_waited_for(tries: list[Exception]) -> None:
    """It is told at once."""
    tries[:] = [SettingsError("kafka.properties: no such thing")]
    fates: list[str] = []
    _sender().send(TOPIC, b"x", fates.append)

    assert fates == ["kafka.properties: no such thing"]


def test_a_broker_is_asked_again_after_a_while_only(
    tries: list[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A try may take seconds, in which the thread does nothing else."""
    tries[:] = [BrokerUnavailableError(str(number)) for number in range(4)]
    sender = _sender()
    for _ in range(5):
        sender.send(TOPIC, b"x", lambda _: None)
        sender.serve(0)
    assert len(tries) == 3
    monkeypatch.setattr(time, "monotonic", lambda: 1e9)
    sender.serve(0)
    assert len(tries) == 2


def test_a_setting_that_only_a_producer_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its topic was made; each record gets the reason, and nothing is raised at the sender."""
    monkeypatch.setattr(record_sender, "ensure_topic", lambda *_, **__: 1)

    def refusing(*_: object) -> None:
        msg = "kafka.properties: acks is another"
        raise SettingsError(msg)

    monkeypatch.setattr(Clients, "producer", refusing)
    fates: list[str] = []
    sender = _sender(memory_bytes_max=2)
    for _ in range(3):
        sender.send(TOPIC, b"xx", fates.append)
    assert fates == ["kafka.properties: acks is another"] * 3
