"""The broker: Kafka in KRaft mode, broker and controller in one process, from Maven's jars."""

import hashlib
import re
import subprocess
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from confluent_kafka.cimpl import NewTopic

from feature_platform.broker.clients import Clients
from feature_platform.broker.security import KAFKA, trust
from feature_platform.errors import ServerError
from feature_platform.local.environment import chosen, kafka_secret
from feature_platform.local.jars import fetch_jars
from feature_platform.local.java import UNICODE
from feature_platform.local.process import Command
from feature_platform.local.server import Port, accepts
from feature_platform.local.tls import server_identity
from feature_platform.settings import KAFKA_PASSWORD, Settings, kafka_password
from feature_platform.transport import KafkaSecurity

JVM = ("-Xms256m", "-Xmx512m", "-XX:TieredStopAtLevel=1")
"""The second compiler would take longer than it saves in the life of such a broker."""
READY_TOPIC = "_fp_ready"
REQUEST_TIMEOUT_S = 5
AS_IT_IS = frozenset(range(0x21, 0x7F)) - {ord("\\")}
"""Characters that need no escape in Java properties."""
EVENT_BYTES_MAX = 2_000_000
"""An event of 1 MB is dead-lettered with its original bytes and headers around them."""

PLAIN_TEXT = re.compile(r"[A-Za-z0-9._~+-]+")
"""What needs no quoting where the embedded broker reads it."""
SCRAM = {
    "SCRAM-SHA-256": ScramMechanism.SCRAM_SHA_256,
    "SCRAM-SHA-512": ScramMechanism.SCRAM_SHA_512,
}
SCRAM_ITERATIONS = 4096

LOG4J = """\
status = error
appender.console.type = Console
appender.console.name = out
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %m (%c)%n
rootLogger.level = INFO
rootLogger.appenderRef.console.ref = out
"""


class Kafka:
    """The broker of the embedded stack."""

    name = "kafka"
    start_timeout_s = 180.0
    process_names: tuple[str, ...] = ("kafka",)
    alone: tuple[str, ...] = ()

    def __init__(self, settings: Settings) -> None:
        """Keep its data in `kafka/` of the stack's folder."""
        self._all = settings
        self._settings = settings.kafka
        self._folder = settings.data / "kafka"

    @property
    def address(self) -> str:
        """The bootstrap address."""
        return self._settings.bootstrap

    @property
    def ports(self) -> tuple[Port, ...]:
        """The port of clients and the controller's own."""
        return (
            Port(number=self._settings.port, setting="kafka.port"),
            Port(number=self._settings.controller_port, setting="kafka.controller_port"),
        )

    def prepare(self, java_home: Path) -> tuple[Command, ...]:
        """Write the configuration and, before the first start, format the storage."""
        self._folder.mkdir(parents=True, exist_ok=True)
        properties = self._folder / "server.properties"
        log4j = self._folder / "log4j2.properties"
        properties.write_text(as_properties(self._properties()), encoding="ascii")
        log4j.write_text(LOG4J)
        jars = fetch_jars(self._all, "kafka", java_home)
        java = (
            str(java_home / "bin" / "java"),
            "-cp",
            f"{jars}/*",
            f"-Dlog4j2.configurationFile={log4j.as_uri()}",
        )
        if not (self._folder / "data" / "meta.properties").exists():
            self._format((*java, "kafka.tools.StorageTool"), properties)
        options = (*JVM, "-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true")
        arguments = (java[0], *options, *java[1:], "kafka.Kafka", str(properties))
        secret = kafka_secret(self._all)
        return (Command(name="kafka", arguments=arguments, environment=secret),)

    def answers(self) -> bool:
        """Create a topic (or learn that it exists), which has a leader.

        The controller knows of a topic that exists before it lets the broker lead it.
        """
        if not accepts(self._settings.port):
            return False
        security = self._settings.security
        with_password = security.model_copy(update={"mechanism": "PLAIN" if security.sasl else ""})
        first = self._settings.model_copy(update={"security": with_password})
        clients = Clients(first)
        admin = clients.admin()
        topic = NewTopic(READY_TOPIC, num_partitions=1, replication_factor=1)
        try:
            if security.mechanism in SCRAM:
                _add_scram_user(admin, security)
            created = admin.create_topics([topic], request_timeout=REQUEST_TIMEOUT_S)
            created[READY_TOPIC].result(timeout=2 * REQUEST_TIMEOUT_S)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                return _is_led(admin)
            admin.poll(0)
            if clients.is_refused:
                raise ServerError(str(clients.failure(error.args[0]))) from error
            return False
        return _is_led(admin)

    def _properties(self) -> dict[str, object]:
        clients, controller = (
            self._settings.bootstrap,
            f"127.0.0.1:{self._settings.controller_port}",
        )
        return self._security() | {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.bootstrap.servers": controller,
            "listeners": f"CLIENTS://{clients},CONTROLLER://{controller}",
            "advertised.listeners": f"CLIENTS://{clients},CONTROLLER://{controller}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "CLIENTS",
            "log.dirs": self._folder / "data",
            "auto.create.topics.enable": "false",
            "message.max.bytes": EVENT_BYTES_MAX,
            "num.network.threads": 2,
            "num.io.threads": 2,
            "group.initial.rebalance.delay.ms": 0,
            "offsets.topic.num.partitions": 1,
            "offsets.topic.replication.factor": 1,
            "share.coordinator.state.topic.num.partitions": 1,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            "transaction.state.log.num.partitions": 1,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
        }

    def _security(self) -> dict[str, object]:
        """Let clients in as they are configured to connect; the controller is the same process."""
        security = self._settings.security
        protocols = f"CLIENTS:{security.protocol},CONTROLLER:PLAINTEXT"
        properties: dict[str, object] = {"listener.security.protocol.map": protocols}
        if security.sasl:
            properties |= _logins(security)
        if security.tls:
            properties |= {
                "ssl.keystore.type": "PEM",
                "ssl.keystore.location": server_identity(self._all, "kafka.security.protocol"),
                # The broker is a client of itself, by its address.
                "ssl.endpoint.identification.algorithm": "https"
                if security.check_host_name
                else "",
                "ssl.client.auth": "required" if security.certificate_file else "none",
                **trust(security),  # the broker is a client of itself, by its address
            }
        if security.ca_file:
            properties |= {
                "ssl.truststore.type": "PEM",
                "ssl.truststore.location": security.ca_file,
            }
        return properties

    def _format(self, tool: tuple[str, ...], properties: Path) -> None:
        digest = hashlib.sha256(str(self._folder).encode()).digest()[:16]
        cluster = urlsafe_b64encode(digest).decode().rstrip("=")
        # With "=", because an id may begin with a dash.
        options = (f"--cluster-id={cluster}", "--config", str(properties), "--standalone")
        run = subprocess.run(
            (*tool, "format", *options),
            capture_output=True,
            text=True,
            check=False,
            env={**chosen(), **UNICODE, **kafka_secret(self._all)},
        )
        if run.returncode:
            msg = f"kafka: formatting {self._folder} failed:\n{run.stdout}{run.stderr}"
            raise ServerError(msg)


def as_properties(values: Mapping[str, object]) -> str:
    """Write Java properties, which are read as Latin-1: all else is escaped."""
    return "".join(f"{key}={_escaped(str(value))}\n" for key, value in values.items())


def _escaped(text: str) -> str:
    units = text.encode("utf-16-be")
    numbers = (int.from_bytes(units[at : at + 2]) for at in range(0, len(units), 2))
    return "".join(chr(number) if number in AS_IT_IS else f"\\u{number:04x}" for number in numbers)


def _logins(security: KafkaSecurity) -> dict[str, object]:
    """Return who may log in: the one user, whose password is in the environment alone.

    The broker is a client of itself, too; it, and the client that makes the user of SCRAM, come
    with PLAIN.
    """
    for name, text in (("kafka.security.user", security.user), (KAFKA_PASSWORD, None)):
        if not PLAIN_TEXT.fullmatch(text or kafka_password(security) or ""):
            msg = f"{name}: the embedded broker accepts only letters, digits and . _ ~ + -"
            raise ServerError(msg)
    variable = f"${{env:{KAFKA_PASSWORD}}}"
    modules = f"{KAFKA}.common.security"
    properties: dict[str, object] = {
        "config.providers": "env",
        "config.providers.env.class": f"{KAFKA}.common.config.provider.EnvVarConfigProvider",
        "config.providers.env.param.allowlist.pattern": KAFKA_PASSWORD,
        "sasl.enabled.mechanisms": ",".join({"PLAIN": 1, security.mechanism: 1}),
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "listener.name.clients.plain.sasl.jaas.config": (
            f"{modules}.plain.PlainLoginModule required "
            f'username="{security.user}" password="{variable}" user_{security.user}="{variable}";'
        ),
    }
    if security.mechanism in SCRAM:
        scram = f"listener.name.clients.{security.mechanism.lower()}.sasl.jaas.config"
        properties[scram] = f"{modules}.scram.ScramLoginModule required;"
    return properties


def _add_scram_user(admin: AdminClient, security: KafkaSecurity) -> None:
    info = ScramCredentialInfo(SCRAM[security.mechanism], SCRAM_ITERATIONS)
    secret = (kafka_password(security) or "").encode()
    change = UserScramCredentialUpsertion(security.user, info, secret)
    added = admin.alter_user_scram_credentials([change], request_timeout=REQUEST_TIMEOUT_S)
    added[security.user].result(timeout=2 * REQUEST_TIMEOUT_S)


def _is_led(admin: AdminClient) -> bool:
    """Return whether the broker leads the topic that was made last."""
    try:
        found = admin.list_topics(READY_TOPIC, timeout=REQUEST_TIMEOUT_S).topics[READY_TOPIC]
    except KafkaException:
        return False
    return bool(found.partitions) and all(each.leader >= 0 for each in found.partitions.values())
