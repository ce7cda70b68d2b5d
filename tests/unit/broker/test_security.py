"""One set of settings under the names of both families of Kafka's clients."""

from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from feature_platform.broker.security import (
    FLINK_KAFKA,
    KAFKA,
    java_properties,
    librdkafka_properties,
)
from feature_platform.errors import SettingsError
from feature_platform.settings import KafkaSettings
from feature_platform.transport import KafkaSecurity, Mechanism
from tests.certificates import Pair, authority

ENVIRONMENT = {"FP_KAFKA_PASSWORD": 'a "b" \\c'}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """A certificate and its key."""
    return authority(tmp_path_factory.mktemp("keys"), "ca")


def secured(pair: Pair, mechanism: Mechanism = "SCRAM-SHA-512", user: str = "u") -> KafkaSettings:
    """Settings with all that there is."""
    return KafkaSettings(
        properties={"client.rack": "a"},
        security=KafkaSecurity(
            protocol="SASL_SSL",
            mechanism=mechanism,
            user=user,
            ca_file=str(pair.certificate),
            certificate_file=str(pair.certificate),
            key_file=str(pair.key),
        ),
    )


def test_without_security_nothing_is_said_but_that(pair: Pair) -> None:
    """As before there were such settings."""
    assert pair
    plain = KafkaSettings(properties={"client.rack": "a"})
    assert java_properties(plain, KAFKA) == {"client.rack": "a", "security.protocol": "PLAINTEXT"}
    assert librdkafka_properties(plain, {}) == {
        "bootstrap.servers": "127.0.0.1:9092",
        "log_level": 0,
        "client.rack": "a",
        "security.protocol": "PLAINTEXT",
    }


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_librdkafka_takes_what_it_is_told(pair: Pair, mechanism: Mechanism) -> None:
    """It refuses any name that it does not know, and files that are none."""
    properties = librdkafka_properties(secured(pair, mechanism), ENVIRONMENT)
    assert AdminClient(properties) is not None
    assert properties["sasl.password"] == ENVIRONMENT["FP_KAFKA_PASSWORD"]
    assert properties["ssl.endpoint.identification.algorithm"] == "https"


def test_java_is_told_the_name_of_the_variable_alone(pair: Pair) -> None:
    """No password, no key; classes as each engine has them."""
    for package in (KAFKA, FLINK_KAFKA):
        properties = java_properties(secured(pair, user='a "b" \\c'), package)
        assert properties["sasl.jaas.config"] == (
            "io.featureplatform.kernel.login.EnvironmentLogin required "
            f'module="{package}.common.security.scram.ScramLoginModule" '
            'username="a \\"b\\" \\\\c" password_env="FP_KAFKA_PASSWORD";'
        )
        assert properties["config.providers.pem.class"].startswith(f"{package}.")
        assert properties["ssl.keystore.key"] == f"${{pem:{pair.key.parent}:{pair.key.name}}}"
        assert pair.key.read_text().splitlines()[1] not in str(properties)


def test_the_check_of_host_names_may_be_left_out(pair: Pair) -> None:
    """By both, each in its own words."""
    security = KafkaSecurity(protocol="SSL", ca_file=str(pair.certificate), check_host_name=False)
    settings = KafkaSettings(security=security)
    name = "ssl.endpoint.identification.algorithm"
    assert librdkafka_properties(settings, {})[name] == "none"
    assert java_properties(settings, KAFKA)[name] == ""


def test_what_is_missing_is_named(pair: Pair, tmp_path: Path) -> None:
    """The password's variable; the setting of a file."""
    with pytest.raises(SettingsError, match="set FP_KAFKA_PASSWORD"):
        librdkafka_properties(secured(pair), {})
    gone = KafkaSecurity(protocol="SSL", ca_file=str(tmp_path / "gone.pem"))
    with pytest.raises(SettingsError, match=r"kafka\.security\.ca_file = .*gone\.pem"):
        librdkafka_properties(KafkaSettings(security=gone), {})


@pytest.mark.parametrize("name", ["a:b", "${x}", "a}b"])
def test_a_path_that_java_would_take_apart_is_refused(pair: Pair, name: str) -> None:
    """Else the key would be looked for elsewhere."""
    security = secured(pair).security.model_copy(update={"key_file": f"/keys/{name}/k.pem"})
    with pytest.raises(SettingsError, match="use another path"):
        java_properties(KafkaSettings(security=security), KAFKA)
