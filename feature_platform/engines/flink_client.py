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
from pathlib import Path

from feature_platform.engines.flink_frames import Answer, Channel, Request
from feature_platform.errors import ServerError
from feature_platform.local.flink_client import FlinkClient
from feature_platform.local.jars import unpack_kernel
from feature_platform.paths import STREAMING_MAIN
from feature_platform.settings import Settings

ANSWER_TIMEOUT_S = 300.0
END_TIMEOUT_S = 60.0
"""The first client of all archives its classes when it ends."""
LOOK_S = 0.1
ADDRESS_BYTES_MAX = 107
"""What the system takes as the path of a Unix socket."""
USUAL_FOLDERS = ("/tmp", "/var/tmp")  # noqa: S108 - a folder of its own is made there, mode 0700
ADDRESS_BYTES = len("/fp-client-12345678/requests")


class NoAnswerError(Exception):
    """The client ended; the message is what it has printed."""


@dataclass(frozen=True, slots=True)
class Client:
    """A client that waits for requests."""

    requests: socket.socket
    process: subprocess.Popen[bytes]
    output: Path

    def ask(self, request: Request) -> Answer:
        """Send a request and return its answer.

        Raises:
            TimeoutError: It did not answer in time.
            NoAnswerError: It ended instead.
            FrameError: It answered something else.
        """
        channel = Channel(self.requests)
        self.requests.settimeout(ANSWER_TIMEOUT_S)
        try:
            channel.send(request)
            return channel.receive(Answer)
        except (EOFError, ConnectionError):
            raise NoAnswerError(self.output.read_text(errors="replace")) from None


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
    unpack_kernel(settings)
    with tempfile.TemporaryDirectory(prefix="fp-client-", dir=socket_folder()) as name:
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


def socket_folder() -> Path:
    """Return where a socket may be made: the folder for temporary files, unless its path is long.

    Raises:
        ServerError: There is none.
    """
    names = (tempfile.gettempdir(), os.environ.get("XDG_RUNTIME_DIR", ""), *USUAL_FOLDERS)
    for folder in map(Path, filter(None, names)):
        fits = len(os.fsencode(folder)) + ADDRESS_BYTES <= ADDRESS_BYTES_MAX
        if fits and os.access(folder, os.W_OK | os.X_OK):
            return folder
    msg = (
        f"no folder for a Unix socket, whose path may have {ADDRESS_BYTES_MAX} bytes: "
        f"set TMPDIR to a folder with a shorter path than {tempfile.gettempdir()}"
    )
    raise ServerError(msg)


def _connected(
    door: socket.socket, process: subprocess.Popen[bytes], output: Path
) -> socket.socket:
    """Wait until the client has connected."""
    deadline = time.monotonic() + ANSWER_TIMEOUT_S
    while not select.select([door], [], [], LOOK_S)[0]:
        if process.poll() is not None:
            raise NoAnswerError(output.read_text(errors="replace"))
        if time.monotonic() > deadline:
            raise TimeoutError
    return door.accept()[0]


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
        *("-py", str(STREAMING_MAIN)),
        *("-j", str(settings.kernel_jar)),
        *(argument for jar in connectors for argument in ("-C", jar.as_uri())),
        *("--deployer", str(address)),
    ]
