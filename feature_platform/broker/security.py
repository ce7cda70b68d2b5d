"""One set of settings, under the names of each family of Kafka's clients.

librdkafka (Python) is handed the password. Java's clients are not: their properties are in job
graphs and in Spark's plans, so they name the environment variable, which `EnvironmentLogin` of the
kernel reads where a client logs in.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from feature_platform.errors import SettingsError
from feature_platform.settings import KAFKA_PASSWORD, KafkaSettings, kafka_password
from feature_platform.transport import KafkaSecurity, checked_file

KAFKA = "org.apache.kafka"
"""The package of Java's client as Spark has it."""
FLINK_KAFKA = f"org.apache.flink.kafka.shaded.{KAFKA}"
"""The same, as Flink's connector has it."""
LOGIN = "io.featureplatform.kernel.login.EnvironmentLogin"
UNSUITABLE = "${}:"
"""Characters that the path of a key may not hold: Java's client would take it for a variable."""


def librdkafka_properties(
    settings: KafkaSettings, environment: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return what librdkafka is configured with.

    Raises:
        SettingsError: The password or a file is missing.
    """
    security = settings.security
    properties: dict[str, Any] = {
        "bootstrap.servers": settings.bootstrap,
        "log_level": 0,
        **settings.properties,
        "security.protocol": security.protocol,
    }
    if security.sasl:
        properties |= {
            "sasl.mechanism": security.mechanism,
            "sasl.username": security.user,
            "sasl.password": kafka_password(security, environment),
        }
    if security.tls:
        _check_files(security)
        named = {
            "ssl.ca.location": security.ca_file,
            "ssl.certificate.location": security.certificate_file,
            "ssl.key.location": security.key if security.certificate_file else "",
        }
        properties |= {name: path for name, path in named.items() if path}
        check = "https" if security.check_host_name else "none"
        properties["ssl.endpoint.identification.algorithm"] = check
    return properties


def java_properties(settings: KafkaSettings, package: str) -> dict[str, str]:
    """Return the properties of a Java client beside its address; no secret is among them.

    Args:
        settings: Where Kafka is, and how connections to it are kept safe.
        package: Where the client's classes are, `KAFKA` or `FLINK_KAFKA`.

    Raises:
        SettingsError: The path of a key cannot be named to a Java client.
    """
    security = settings.security
    properties = {**settings.properties, "security.protocol": security.protocol}
    if security.sasl:
        properties |= {
            "sasl.mechanism": security.mechanism,
            "sasl.jaas.config": _jaas(security, package),
        }
    if security.tls:
        properties |= trust(security) | _identity(security, package)
    return properties


def _jaas(security: KafkaSecurity, package: str) -> str:
    kind = "plain.Plain" if security.mechanism == "PLAIN" else "scram.Scram"
    options = {
        "module": f"{package}.common.security.{kind}LoginModule",
        "username": security.user,
        "password_env": KAFKA_PASSWORD,
    }
    said = " ".join(f"{name}={_quoted(value)}" for name, value in options.items())
    return f"{LOGIN} required {said};"


def _quoted(text: str) -> str:
    """Write a text as the login configuration reads it: backslashes begin an escape there."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def trust(security: KafkaSecurity) -> dict[str, str]:
    """Return the properties that say whose certificates a Java client or broker believes."""
    check = "https" if security.check_host_name else ""
    properties = {"ssl.endpoint.identification.algorithm": check}
    if security.ca_file:
        properties |= {"ssl.truststore.type": "PEM", "ssl.truststore.location": security.ca_file}
    return properties


def _identity(security: KafkaSecurity, package: str) -> dict[str, str]:
    """Name the client's certificate and key; Kafka's own provider reads them where it runs."""
    if not security.certificate_file:
        return {}
    for path in (security.certificate_file, security.key):
        if unsuitable := sorted(set(path) & set(UNSUITABLE)):
            msg = (
                f"kafka.security: the path {path} contains {' '.join(unsuitable)}: use another path"
            )
            raise SettingsError(msg)
    certificate, key = Path(security.certificate_file), Path(security.key)
    return {
        "config.providers": "pem",
        "config.providers.pem.class": f"{package}.common.config.provider.DirectoryConfigProvider",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.certificate.chain": f"${{pem:{certificate.parent}:{certificate.name}}}",
        "ssl.keystore.key": f"${{pem:{key.parent}:{key.name}}}",
    }


def _check_files(security: KafkaSecurity) -> None:
    for name in ("ca_file", "certificate_file", "key_file"):
        if path := getattr(security, name):
            checked_file(f"kafka.security.{name}", path)
