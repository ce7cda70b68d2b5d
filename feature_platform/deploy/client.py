"""A running Flink client that builds and submits one graph after the other, as it is asked.

`flink run` starts `streaming/main.py`, which connects to a socket of ours and answers until we hang
up. A client that serves once costs seconds each time: a JVM starts and loads Flink's planner.
"""

import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from feature_platform.local.flink_client import FlinkClient
from feature_platform.settings import REPOSITORY, Settings

ANSWER_TIMEOUT_S = 300.0
END_TIMEOUT_S = 60.0
"""The first client of all archives its classes when it ends."""
LOOK_S = 0.1


class NoAnswerError(Exception):
    """The client ended; the message is what it has printed."""


@dataclass(frozen=True, slots=True)
class Client:
    """A client that waits for requests."""

    requests: Connection
    process: subprocess.Popen[bytes]
    output: Path

    def ask(self, request: dict[str, str]) -> dict[str, str]:
        """Send a request and return its answer, as `streaming.main` describes them.

        Raises:
            TimeoutError: It did not answer in time.
            NoAnswerError: It ended instead.
        """
        try:
            self.requests.send(request)
            if not self.requests.poll(ANSWER_TIMEOUT_S):
                raise TimeoutError
            answer: dict[str, str] = self.requests.recv()
        except (EOFError, ConnectionError):
            raise NoAnswerError(self.output.read_text(errors="replace")) from None
        return answer


@contextmanager
def open_client(settings: Settings) -> Iterator[Client]:
    """Start a client; it ends when the block does, at once if by an exception.

    Raises:
        TimeoutError: It did not connect in time.
        NoAnswerError: It ended instead.
        ServerError: The Flink distribution or a JDK is missing.
    """
    conf = Path(os.environ.get("FLINK_CONF_DIR", settings.flink_conf))
    flink = FlinkClient(settings, conf)
    with tempfile.TemporaryDirectory(prefix="fp-client-") as name:
        address, output = Path(name) / "requests", Path(name) / "output"
        with (
            socket.socket(socket.AF_UNIX) as door,
            flink.running(_arguments(settings, address), output) as process,
        ):
            try:
                door.bind(str(address))
                door.listen(1)
                with _connected(door, process, output) as requests:
                    yield Client(requests, process, output)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(END_TIMEOUT_S)
            finally:
                process.kill()


def _connected(door: socket.socket, process: subprocess.Popen[bytes], output: Path) -> Connection:
    """Wait until the client has connected."""
    deadline = time.monotonic() + ANSWER_TIMEOUT_S
    while not select.select([door], [], [], LOOK_S)[0]:
        if process.poll() is not None:
            raise NoAnswerError(output.read_text(errors="replace"))
        if time.monotonic() > deadline:
            raise TimeoutError
    return Connection(door.accept()[0].detach())


def _arguments(settings: Settings, address: Path) -> list[str]:
    flink = settings.flink
    options = {
        "rest.address": flink.host,
        "rest.port": flink.port,
        "jobmanager.rpc.address": flink.host,
    }
    connectors = sorted(settings.connector_jars.glob("*.jar"))
    return [
        *("run", "--detached"),
        *(f"-D{name}={value}" for name, value in options.items()),
        *("-pyclientexec", sys.executable),
        *("-py", str(REPOSITORY / "streaming" / "main.py")),
        *("-j", str(settings.kernel_jar)),
        *(argument for jar in connectors for argument in ("-C", jar.as_uri())),
        *("--deployer", str(address)),
    ]
