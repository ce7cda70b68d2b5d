"""The broker: Kafka in KRaft mode, broker and controller in one process, from Maven's jars."""

import hashlib
import os
import subprocess
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from feature_platform.errors import ServerError
from feature_platform.local.jars import fetch_jars
from feature_platform.local.java import UNICODE
from feature_platform.local.process import Command
from feature_platform.local.server import Port, accepts
from feature_platform.settings import Settings

JVM = ("-Xms256m", "-Xmx512m", "-XX:TieredStopAtLevel=1")
"""The second compiler would take longer than it saves in the life of such a broker."""
READY_TOPIC = "_fp_ready"
REQUEST_TIMEOUT_S = 5
AS_IT_IS = frozenset(range(0x21, 0x7F)) - {ord("\\")}
"""Characters that stand for themselves in Java properties."""
EVENT_BYTES_MAX = 2_000_000
"""An event of 1 MB is dead-lettered with its original bytes and headers around them."""

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
        return (Command(name="kafka", arguments=arguments),)

    def answers(self) -> bool:
        """Create a topic (or be told that it exists): the controller and the broker both answer."""
        if not accepts(self._settings.port):
            return False
        admin = AdminClient({"bootstrap.servers": self.address, "log_level": 0})
        topic = NewTopic(READY_TOPIC, num_partitions=1, replication_factor=1)
        try:
            created = admin.create_topics([topic], request_timeout=REQUEST_TIMEOUT_S)
            created[READY_TOPIC].result(timeout=2 * REQUEST_TIMEOUT_S)
        except KafkaException as error:
            return bool(error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS)
        return True

    def _properties(self) -> dict[str, object]:
        clients, controller = (
            self._settings.bootstrap,
            f"127.0.0.1:{self._settings.controller_port}",
        )
        return {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.bootstrap.servers": controller,
            "listeners": f"PLAINTEXT://{clients},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{clients},CONTROLLER://{controller}",
            "controller.listener.names": "CONTROLLER",
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
            env={**os.environ, **UNICODE},
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
