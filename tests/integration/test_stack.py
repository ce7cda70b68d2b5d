"""The embedded stack: starts, says why it cannot, keeps data, and leaves nothing behind."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from feature_platform.broker.topics import TopicClient
from feature_platform.errors import ServerError
from feature_platform.local.process import MARKER
from feature_platform.local.stack import SERVERS, Progress, Stack
from feature_platform.local.status import server_status
from feature_platform.settings import Settings
from tests.integration.waiting import PATIENCE_S, until

RESIDENT_BYTES_MAX = 6 * 1024**3


@pytest.fixture
def settings(free_settings: Settings) -> Iterator[Settings]:
    """A project of its own, whose servers are down at the end whatever happens."""
    yield free_settings
    Stack(free_settings).down()


def _kafka(settings: Settings, report: Callable[[Progress], None] = lambda _: None) -> Stack:
    return Stack(settings, servers=["kafka"], report=report)


def _processes(settings: Settings) -> list[psutil.Process]:
    """Find every process that carries the stack's mark, however it was started."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARKER) == str(settings.data.resolve()):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def _fp(settings: Settings, *arguments: str) -> subprocess.Popen[str]:
    fp = str(Path(sys.executable).with_name("fp"))
    command = [fp, "--project", str(settings.project), *arguments]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def _send(settings: Settings, value: bytes) -> None:
    admin = AdminClient({"bootstrap.servers": settings.kafka.bootstrap})
    admin.create_topics([NewTopic("kept", num_partitions=1, replication_factor=1)])["kept"].result()
    producer = Producer({"bootstrap.servers": settings.kafka.bootstrap})
    producer.produce("kept", value)
    assert producer.flush(PATIENCE_S) == 0


def _receive(settings: Settings) -> bytes | None:
    consumer = Consumer({"bootstrap.servers": settings.kafka.bootstrap, "group.id": "test"})
    consumer.assign([TopicPartition("kept", 0, 0)])
    message = consumer.poll(PATIENCE_S)
    consumer.close()
    return message.value() if message else None


def test_all_servers_start_answer_and_end(settings: Settings) -> None:
    """All four servers start within 6 GiB, a second start does nothing, and none is left."""
    stack = Stack(settings)
    assert set(stack.up()) == set(SERVERS)
    status = server_status(settings)
    assert {server.name: server.state for server in status} == dict.fromkeys(SERVERS, "up")
    assert sum(server.resident_bytes for server in status) < RESIDENT_BYTES_MAX
    assert stack.up() == {}
    stack.down()
    assert _processes(settings) == []
    assert {server.state for server in server_status(settings)} == {"down"}


def test_data_survives_a_restart(settings: Settings) -> None:
    """An event sent before the servers went down is there when they are up again."""
    with _kafka(settings):
        _send(settings, b"kept")
    with _kafka(settings):
        assert _receive(settings) == b"kept"


def test_a_topic_made_anew_has_another_id(settings: Settings) -> None:
    """The id of a topic that is there is the same at every call; without a topic there is none."""
    with _kafka(settings):
        topics = TopicClient(settings.kafka)
        assert topics.topic_id("kept") == ""
        _send(settings, b"kept")
        first = topics.topic_id("kept")
        assert first == topics.topic_id("kept") != ""
        topics.delete(["kept"])
        _send(settings, b"kept")
        assert topics.topic_id("kept") not in ("", first)


def test_a_dead_server_is_seen_and_started_again(settings: Settings) -> None:
    """A killed server shows as dead, and the next start repairs it."""
    stack = _kafka(settings)
    stack.up()
    pid = server_status(settings)[0].pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    until(lambda: server_status(settings)[0].state == "dead", "a dead server")
    assert set(stack.up()) == {"kafka"}


def test_a_port_in_use_is_named(settings: Settings) -> None:
    """A port in use is told with its holder and the setting, before anything starts."""
    with socket.create_server(("127.0.0.1", settings.kafka.port)):
        with pytest.raises(ServerError) as caught:
            _kafka(settings).up()
        assert f"port {settings.kafka.port} is in use by process {os.getpid()}" in str(caught.value)
        assert "set another kafka.port in feature_platform.toml" in str(caught.value)
    assert _processes(settings) == []


def test_a_child_that_dies_ends_the_start(settings: Settings) -> None:
    """When a server dies while it starts, its log is shown and the others are stopped."""
    meta = settings.data / "kafka" / "data" / "meta.properties"
    meta.parent.mkdir(parents=True)
    meta.write_text("version=99\n")
    with pytest.raises(ServerError) as caught:
        Stack(settings, servers=["kafka", "cassandra"]).up()
    assert "kafka: the process kafka exited during startup" in str(caught.value)
    assert "meta.properties" in str(caught.value)
    assert _processes(settings) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_start_leaves_nothing(settings: Settings, number: signal.Signals) -> None:
    """Ctrl-C (or a request to end) while servers start stops them all."""
    command = _fp(settings, "up", "kafka", "cassandra")
    until(lambda: len(_processes(settings)) > 1, "two servers", every_s=0.05)
    command.send_signal(number)
    command.communicate()
    assert command.returncode == 128 + signal.SIGINT
    assert _processes(settings) == []


def test_a_failed_start_spares_what_ran(settings: Settings) -> None:
    """A server that ran before a start failed goes on running."""
    kafka = _kafka(settings)
    kafka.up()
    with socket.create_server(("127.0.0.1", settings.store.port)), pytest.raises(ServerError):
        Stack(settings, servers=["kafka", "cassandra"]).up()
    assert server_status(settings)[0].state == "up"


def test_the_command_line_starts_and_stops(settings: Settings) -> None:
    """`fp up` and `fp down` end with 0, and `fp down` leaves no process."""
    up = _fp(settings, "up", "kafka")
    assert "kafka: up" in up.communicate()[1]
    down = _fp(settings, "down")
    down.communicate()
    assert [up.returncode, down.returncode] == [0, 0]
    assert _processes(settings) == []


def test_a_torn_pid_file_stops_nothing(settings: Settings) -> None:
    """After a power cut: what runs is seen, left alone by `up`, and stopped by `down`."""
    stack = _kafka(settings)
    stack.up()
    (settings.data / "run" / "kafka.json").write_text("")
    assert server_status(settings)[0].state == "up"
    assert stack.up() == {}
    stack.down()
    assert _processes(settings) == []


def test_an_interrupted_start_is_told(settings: Settings) -> None:
    """With what was stopped again; a second start that waits says so, too."""
    command = _fp(settings, "up", "kafka", "cassandra")
    until(lambda: len(_processes(settings)) > 1, "two servers", every_s=0.05)
    second = _fp(settings, "up", "kafka")
    assert second.stderr is not None
    assert "waiting for another `fp up` or `fp down` of this project" in second.stderr.readline()
    second.send_signal(signal.SIGINT)
    command.send_signal(signal.SIGINT)  # at once: it ends as soon as its servers are up
    assert "interrupted; nothing was started" in second.communicate()[1]
    text = command.communicate()[1]
    assert (
        "interrupted; stopped again: kafka, cassandra. Servers that were already running keep"
        in text
    )
    assert [command.returncode, second.returncode] == [128 + signal.SIGINT] * 2


def test_an_unknown_server_is_wrong_use(settings: Settings) -> None:
    """A server's name that does not exist ends with 2 and says which exist."""
    command = _fp(settings, "up", "redis")
    text = command.communicate()[1]
    assert command.returncode == 2
    assert "redis" in text
