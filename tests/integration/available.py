"""A Flink with high availability: a ZooKeeper remembers its jobs when its job manager dies.

Flink's own distribution holds both sides of ZooKeeper.
"""

import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import psutil

from feature_platform.local.flink import Flink
from feature_platform.local.flink_home import find_flink_home
from feature_platform.local.java import find_java_home
from feature_platform.local.ports import with_free_ports
from feature_platform.local.process import Command, Processes
from feature_platform.local.stack import Stack
from feature_platform.settings import Settings, load_settings
from tests.settings_file import write_settings

QUORUM_PEER = "org.apache.flink.runtime.zookeeper.FlinkZooKeeperQuorumPeer"
ZOOKEEPER = """\
tickTime=500
dataDir={folder}/zookeeper
clientPort={port}
clientPortAddress=127.0.0.1
maxClientCnxns=0
"""
OPTIONS = {
    "high-availability.type": "zookeeper",
    "high-availability.zookeeper.client.session-timeout": "6 s",
    "heartbeat.interval": "1 s",
    "heartbeat.timeout": "12 s",
}
JOB_MANAGER, TASK_MANAGER = Flink.process_names


@dataclass(frozen=True, kw_only=True)
class AvailableFlink:
    """One job manager, one task manager and a ZooKeeper."""

    settings: Settings
    """Of a project that uses it, beside the Kafka and the store of all tests."""

    @cached_property
    def _processes(self) -> Processes:
        return Processes(self.settings.data)

    def replace(self, *names: str) -> None:
        """Kill -9 processes, then start others in their place, as a container's restart does."""
        for name in names:
            leader = self._processes.find(name)
            assert leader is not None
            members = [leader, *leader.children(recursive=True)]
            for member in members:
                member.send_signal(signal.SIGKILL)
            psutil.wait_procs(members, timeout=10)
        for command in Flink(self.settings).prepare(find_java_home()):
            if command.name in names:
                self._processes.start(command)


@contextmanager
def available_flink(shared: Settings, folder: Path) -> Iterator[AvailableFlink]:
    """Start one for a project, whose definitions are copied; stop it at the end.

    Args:
        shared: The project, on the servers of all tests.
        folder: A new one, for its data.
    """
    shutil.copytree(shared.featuresets, folder / shared.featuresets.name)
    drawn = with_free_ports(load_settings(folder, {}))
    zookeeper_port = drawn.dagster.port
    options = OPTIONS | {
        "high-availability.zookeeper.quorum": f"127.0.0.1:{zookeeper_port}",
        "high-availability.storageDir": (folder / "available").as_uri(),
    }
    flink = drawn.flink.model_copy(update={"slots": 6, "options": options})
    settings = shared.model_copy(update={"project": folder, "flink": flink})
    settings.data.mkdir()
    shutil.copy(shared.secrets_file, settings.secrets_file)
    write_settings(settings)
    processes, stack = Processes(settings.data), Stack(settings, servers=("flink",))
    try:
        processes.start(_zookeeper(folder, zookeeper_port))
        stack.up()
        yield AvailableFlink(settings=settings)
    finally:
        stack.down()
        processes.stop("zookeeper")


def _zookeeper(folder: Path, port: int) -> Command:
    configuration = folder / "zoo.cfg"
    configuration.write_text(ZOOKEEPER.format(folder=folder, port=port))
    jvm = ("-Xmx128m", "-XX:+UseSerialGC", "-cp", f"{find_flink_home()}/lib/*")
    java = str(find_java_home() / "bin" / "java")
    peer = (QUORUM_PEER, "--zkConfigFile", str(configuration), "--peerId", "1")
    return Command(name="zookeeper", arguments=(java, *jvm, *peer))
