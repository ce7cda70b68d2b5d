"""Why a client of Kafka's could not connect, or may not do what it was asked to."""

from pathlib import Path

import pytest
from confluent_kafka import KafkaError

from feature_platform.broker import topics
from feature_platform.broker.clients import Clients
from feature_platform.broker.topics import TopicClient
from feature_platform.errors import BrokerUnavailableError, SettingsError
from feature_platform.settings import KafkaSettings
from feature_platform.transport import KafkaSecurity
from tests.certificates import authority, signed
from tests.tls_server import tls_server


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for long."""
    monkeypatch.setattr(topics, "REQUEST_TIMEOUT_S", 1.5)


def test_a_certificate_that_is_not_trusted_is_told(tmp_path: Path) -> None:
    """Of another authority, or of another host: with the setting, the file and the host."""
    ours, other = authority(tmp_path, "ours"), authority(tmp_path, "other")
    for shown, trusted in (
        (signed(other, tmp_path, "a"), ours),
        (signed(ours, tmp_path, "b", "DNS:kafka.example.org"), ours),
    ):
        security = KafkaSecurity(protocol="SSL", ca_file=str(trusted.certificate))
        with tls_server(shown) as port:
            settings = KafkaSettings(port=port, security=security)
            said = rf"kafka\.security\.ca_file \({trusted.certificate}\) and name 127\.0\.0\.1"
            with pytest.raises(BrokerUnavailableError, match=said):
                TopicClient(settings).ends("events")


def test_a_listener_of_another_kind_is_told(tmp_path: Path) -> None:
    """A client without TLS gets no word out of it; one that nobody answers is told so."""
    pair = authority(tmp_path, "ca")
    with (
        tls_server(pair) as port,
        pytest.raises(BrokerUnavailableError, match="on this port use PLAINTEXT"),
    ):
        TopicClient(KafkaSettings(port=port)).ends("events")
    with pytest.raises(BrokerUnavailableError, match="is it running\\? `fp up` starts it"):
        TopicClient(KafkaSettings(port=1)).ends("events")


@pytest.mark.parametrize("name", ["no.such.property", "max.block.ms", "log_level.x"])
def test_a_property_that_nobody_knows_is_named(name: str) -> None:
    """Not a traceback of the library."""
    settings = KafkaSettings(properties={name: "1"})
    with pytest.raises(SettingsError, match=rf"kafka\.properties.*{name}"):
        Clients(settings).admin()
    with pytest.raises(SettingsError, match=rf"kafka\.properties.*{name}"):
        Clients(settings).producer({})
    with pytest.raises(SettingsError, match=name):
        TopicClient(settings).ends("events")


@pytest.mark.parametrize(
    "code",
    [
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    ],
)
def test_what_is_not_allowed_is_told_as_such(code: int) -> None:
    """Not as a broker that does not run."""
    login = KafkaSecurity(protocol="SASL_PLAINTEXT", mechanism="PLAIN", user="features")
    said = str(Clients(KafkaSettings(security=login)).failure(KafkaError(code)))
    assert "user features is not allowed to do this" in said
    assert "fp up" not in said
    assert "a client without a login" in str(Clients(KafkaSettings()).failure(KafkaError(code)))


def test_a_refused_login_names_user_and_variable() -> None:
    """As librdkafka calls it back, whatever the request itself failed with."""
    login = KafkaSecurity(protocol="SASL_SSL", mechanism="SCRAM-SHA-256", user="features")
    clients = Clients(KafkaSettings(security=login))
    clients._hear(KafkaError(KafkaError._AUTHENTICATION, "invalid credentials"))
    assert clients.is_refused
    said = str(clients.failure(KafkaError(KafkaError._TRANSPORT)))
    assert "invalid credentials" in said
    assert "user (features), its mechanism (SCRAM-SHA-256)" in said
    assert "FP_KAFKA_PASSWORD" in said
