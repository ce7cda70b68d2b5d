"""What the embedded servers are configured with where clients ask for TLS and log in."""

import stat
from pathlib import Path

import pytest
import yaml

from feature_platform.errors import ServerError, SettingsError
from feature_platform.local.cassandra import Cassandra
from feature_platform.local.kafka import Kafka
from feature_platform.local.tls import server_identity
from feature_platform.settings import KAFKA_PASSWORD, Settings, load_settings
from tests.certificates import Pair, authority

SASL = {
    "FP_KAFKA__SECURITY__PROTOCOL": "SASL_SSL",
    "FP_KAFKA__SECURITY__MECHANISM": "SCRAM-SHA-512",
    "FP_KAFKA__SECURITY__USER": "features",
}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """A certificate and its key."""
    return authority(tmp_path_factory.mktemp("keys"), "ca")


def secured(folder: Path, pair: Pair, **more: str) -> Settings:
    """Settings of servers that speak TLS, with a login to Kafka."""
    shown = {
        "FP_EMBEDDED__CERTIFICATE_FILE": str(pair.certificate),
        "FP_EMBEDDED__KEY_FILE": str(pair.key),
        "FP_STORE__TLS__ENABLED": "true",
        "FP_STORE__TLS__CA_FILE": str(pair.certificate),
        "FP_KAFKA__SECURITY__CA_FILE": str(pair.certificate),
    }
    return load_settings(folder, {**SASL, **shown, **more})


def test_the_broker_reads_its_password_from_the_environment(
    tmp_path: Path, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its configuration names the variable; users may come with the mechanism of the settings."""
    monkeypatch.setenv(KAFKA_PASSWORD, "hidden")
    properties = Kafka(secured(tmp_path, pair))._properties()
    assert "hidden" not in str(properties)
    assert properties["listener.security.protocol.map"] == "CLIENTS:SASL_SSL,CONTROLLER:PLAINTEXT"
    assert properties["sasl.enabled.mechanisms"] == "PLAIN,SCRAM-SHA-512"
    assert properties["ssl.client.auth"] == "none"
    asking = secured(tmp_path, pair, FP_KAFKA__SECURITY__CERTIFICATE_FILE=str(pair.certificate))
    assert Kafka(asking)._properties()["ssl.client.auth"] == "required"


def test_without_settings_the_broker_is_as_it_was(tmp_path: Path) -> None:
    """No login, no certificate."""
    properties = Kafka(load_settings(tmp_path, {}))._properties()
    assert properties["listener.security.protocol.map"] == "CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT"
    assert not [name for name in properties if name.startswith(("ssl.", "sasl."))]


@pytest.mark.parametrize("secret", ['a"b', "a\\b", "a b", "a;b", "a\nb", "ä"])
def test_a_password_that_needs_quoting_is_refused_by_the_embedded_broker(
    tmp_path: Path, pair: Pair, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    """It would be read as something else; the message does not repeat it."""
    monkeypatch.setenv(KAFKA_PASSWORD, secret)
    with pytest.raises(
        ServerError, match=f"{KAFKA_PASSWORD}: the embedded broker accepts"
    ) as caught:
        Kafka(secured(tmp_path, pair))._properties()
    assert secret not in str(caught.value)


def test_the_store_asks_for_what_clients_have(tmp_path: Path, pair: Pair) -> None:
    """A certificate of theirs, if they have one; without TLS there is no word of it."""
    found = yaml.safe_load(Cassandra(secured(tmp_path, pair))._encryption())
    options = found["client_encryption_options"]
    assert (options["enabled"], options["optional"], options["require_client_auth"]) == (
        True,
        False,
        False,
    )
    asking = secured(tmp_path, pair, FP_STORE__TLS__CERTIFICATE_FILE=str(pair.certificate))
    found = yaml.safe_load(Cassandra(asking)._encryption())
    assert found["client_encryption_options"]["require_client_auth"] is True
    assert Cassandra(load_settings(tmp_path, {}))._encryption() == ""


def test_the_key_is_for_its_owner_alone(tmp_path: Path, pair: Pair) -> None:
    """In the one file that both servers read."""
    path = server_identity(secured(tmp_path, pair), "store.tls.enabled")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().count("-----BEGIN ") == 2


def test_a_server_without_a_certificate_is_told(tmp_path: Path, pair: Pair) -> None:
    """Which setting asks for it, and which names it."""
    settings = load_settings(tmp_path, {"FP_STORE__TLS__ENABLED": "true"})
    with pytest.raises(SettingsError, match=r"store\.tls\.enabled.*embedded\.certificate_file"):
        server_identity(settings, "store.tls.enabled")
    gone = secured(tmp_path, pair, FP_EMBEDDED__KEY_FILE="gone.key")
    with pytest.raises(SettingsError, match=r"embedded\.key_file = .*gone\.key"):
        server_identity(gone, "store.tls.enabled")
