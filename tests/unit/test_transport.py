"""Settings of TLS and SASL: what contradicts itself is refused by name, and no secret is shown."""

from pathlib import Path

import pytest

from feature_platform.errors import SettingsError
from feature_platform.settings import (
    SETTINGS_FILE,
    kafka_password,
    load_settings,
    password,
    server_password,
)
from feature_platform.transport import KafkaSecurity, checked_file

SASL = 'protocol = "SASL_SSL"\nmechanism = "PLAIN"\nuser = "u"\n'


def loaded(folder: Path, text: str) -> str:
    """Return what is said of a settings file; empty if it is right."""
    (folder / SETTINGS_FILE).write_text(text)
    try:
        load_settings(folder, {})
    except SettingsError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[kafka.security]\nprotocol = "SASL_SSL"\nuser = "u"\n', "mechanism is missing"),
        ('[kafka.security]\nprotocol = "SASL_PLAINTEXT"\nmechanism = "PLAIN"\n', "user is missing"),
        ('[kafka.security]\nprotocol = "SSL"\nuser = "u"\n', "user is set and protocol is SSL"),
        ('[kafka.security]\nmechanism = "PLAIN"\n', "mechanism is set and protocol is PLAINTEXT"),
        ('[kafka.security]\nca_file = "ca.pem"\n', "ca_file is set and protocol is PLAINTEXT"),
        ("[kafka.security]\ncheck_host_name = false\n", "check_host_name is set and protocol"),
        ('[kafka.security]\nprotocol = "TLS"\n', "kafka.security.protocol = 'TLS'"),
        (
            f'[kafka.security]\n{SASL}key_file = "k"\n',
            "key_file is set and certificate_file is not",
        ),
        (f'[kafka.security]\n{SASL}password = "hunter2"\n', "kafka.security.password: "),
        ('[store.tls]\nca_file = "ca.pem"\n', "ca_file is set and enabled is not"),
        ('[store.tls]\nenabled = true\nkey_file = "k"\n', "certificate_file is not"),
        ('[kafka.properties]\n"sasl.username" = "u"\n', r"kafka.properties has sasl.username"),
        ('[kafka.properties]\n"sasl.jaas.config" = "u"\n', r"has sasl.jaas.config"),
        ('[kafka.properties]\n"security.protocol" = "SSL"\n', r"has security.protocol"),
        ('[kafka.properties]\n"ssl.truststore.location" = "f"\n', r"has ssl.truststore.location"),
        ('[kafka.properties]\n"enable.ssl.certificate.verification" = "f"\n', r"has enable.ssl"),
        ('[kafka.properties]\n"config.providers" = "f"\n', r"has config.providers"),
        ('[kafka.properties]\n"bootstrap.servers" = "f"\n', r"has bootstrap.servers"),
    ],
)
def test_a_contradiction_is_named(tmp_path: Path, text: str, said: str) -> None:
    """With both settings, or with the one to use instead."""
    assert said in loaded(tmp_path, text)


@pytest.mark.parametrize(
    "text",
    [
        f"[kafka.security]\n{SASL}",
        '[kafka.security]\nprotocol = "SSL"\nca_file = "ca.pem"\ncertificate_file = "both.pem"\n',
        '[kafka.properties]\n"isolation.level" = "read_committed"\n',
        "[store.tls]\nenabled = true\n",
    ],
)
def test_what_agrees_is_taken(tmp_path: Path, text: str) -> None:
    """A login over TLS, a certificate with its key in one file, other properties."""
    assert loaded(tmp_path, text) == ""


@pytest.mark.parametrize(
    "text",
    [
        '[kafka.properties]\n"sasl.password" = "hunter2"\n',
        '[kafka.properties]\n"sasl.password" = ["hunter2"]\n',
        '[kafka.properties]\n"anything" = ["hunter2"]\n',
        "[kafka]\nproperties = 'hunter2'\n",
        "[spark.options]\n'fs.azure.account.key.us' = [\"hunter2\"]\n",
        "[flink.options]\n's3.secret-key' = {a = \"hunter2\"}\n",
        "[kafka.security]\npassword = 'hunter2'\n",
        "[store]\npassword = 'hunter2'\n",
        "[store]\ntls = 'hunter2'\n",
        "[kafka]\nsecurity = ['hunter2']\n",
        "password = 'hunter2'\n",
        "[secrets]\nFP_ADMIN_PASSWORD = 'hunter2'\n",
    ],
)
def test_a_mistake_with_a_secret_does_not_repeat_it(tmp_path: Path, text: str) -> None:
    """Whatever it is called and wherever it stands; the setting is named."""
    said = loaded(tmp_path, text)
    assert said
    assert "hunter2" not in said


def test_the_environment_reaches_every_table(tmp_path: Path) -> None:
    """And paths are relative to the project, wherever they come from."""
    found = load_settings(
        tmp_path,
        {
            "FP_STORE__TLS__ENABLED": "true",
            "FP_STORE__TLS__CA_FILE": "tls/ca.pem",
            "FP_KAFKA__SECURITY__PROTOCOL": "SSL",
            "FP_KAFKA__SECURITY__CA_FILE": "/etc/ca.pem",
        },
    )
    assert found.store.tls.ca_file == str(tmp_path / "tls" / "ca.pem")
    assert found.kafka.security.ca_file == "/etc/ca.pem"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With its setting, before a client says less."""
    with pytest.raises(SettingsError, match=r"store\.tls\.ca_file = .*nowhere\.pem: No such file"):
        checked_file("store.tls.ca_file", str(tmp_path / "nowhere.pem"))
    with pytest.raises(SettingsError, match="Is a directory"):
        checked_file("store.tls.ca_file", str(tmp_path))


def test_kafkas_password_is_asked_for_where_clients_log_in() -> None:
    """By its variable; without a login nobody is asked for one."""
    login = KafkaSecurity(protocol="SASL_SSL", mechanism="PLAIN", user="features")
    assert kafka_password(KafkaSecurity(), {}) is None
    assert kafka_password(login, {"FP_KAFKA_PASSWORD": "k"}) == "k"
    for missing in ({}, {"FP_KAFKA_PASSWORD": ""}):
        with pytest.raises(SettingsError, match="user features: set FP_KAFKA_PASSWORD"):
            kafka_password(login, missing)


@pytest.mark.parametrize("host", ["store.example.org", "10.0.0.1", "127.0.0.1,10.0.0.1", "::"])
def test_local_passwords_are_of_the_local_store_alone(tmp_path: Path, host: str) -> None:
    """Another store's are never guessed from them."""
    (tmp_path / ".fp").mkdir()
    (tmp_path / ".fp" / "secrets").write_text("FP_JOB_PASSWORD=local\n")
    (tmp_path / ".fp" / "cassandra").mkdir()
    far = load_settings(tmp_path, {"FP_STORE__HOST": host})
    with pytest.raises(SettingsError, match="set FP_JOB_PASSWORD, which the operators") as caught:
        password(far, "job", {})
    assert ".fp/secrets" not in str(caught.value)
    for here in ("127.0.0.1", "localhost", "127.0.0.5", "::1"):
        near = load_settings(tmp_path, {"FP_STORE__HOST": here})
        assert password(near, "job", {}) == "local"


def test_embedded_servers_take_the_embedded_stores_passwords(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is exported is of another store, unless this is no embedded one."""
    (tmp_path / ".fp").mkdir()
    (tmp_path / ".fp" / "secrets").write_text("FP_JOB_PASSWORD=local\n")
    monkeypatch.setenv("FP_JOB_PASSWORD", "production")
    settings = load_settings(tmp_path, {})
    assert server_password(settings, "job") == "production"
    (tmp_path / ".fp" / "cassandra").mkdir()
    assert server_password(settings, "job") == "local"
    far = load_settings(tmp_path, {"FP_STORE__HOST": "store.example.org"})
    assert server_password(far, "job") == "production"
