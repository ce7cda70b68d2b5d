"""Starts and stops the embedded stack: Kafka, Cassandra, Flink and Dagster as children on loopback.

`up` is all or nothing: what it started before something failed, or before Ctrl-C, is stopped again.
"""

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from feature_platform import interrupts
from feature_platform.errors import ServerError
from feature_platform.local.cassandra import Cassandra
from feature_platform.local.cassandra_roles import generate_passwords
from feature_platform.local.dagster import Dagster
from feature_platform.local.flink import Flink
from feature_platform.local.java import find_java_home
from feature_platform.local.kafka import Kafka
from feature_platform.local.lock import locked
from feature_platform.local.ports import check_free
from feature_platform.local.process import SUPERVISOR, Command, Processes
from feature_platform.local.project import check_project
from feature_platform.local.server import Server, accepts
from feature_platform.paths import make_private
from feature_platform.settings import Settings

SERVERS: Mapping[str, Callable[[Settings], Server]] = {
    "kafka": Kafka,
    "cassandra": Cassandra,
    "flink": Flink,
    "dagster": Dagster,
}
FREE_BYTES_MIN = 2 * 1024**3
POLL_S = 0.2

Phase = Literal["preparing", "starting", "up", "failed", "stopping", "stopped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One thing that happened to a server while the stack starts or stops."""

    server: str
    phase: Phase


class _CancelledError(Exception):
    """Another server failed, or a person pressed Ctrl-C."""


class Stack:
    """The embedded stack of one project, or some of its servers."""

    def __init__(
        self,
        settings: Settings,
        *,
        servers: Sequence[str] = tuple(SERVERS),
        report: Callable[[Progress], None] = lambda _: None,
        waiting: Callable[[], None] = lambda: None,
    ) -> None:
        """Choose servers by name; nothing starts yet.

        Args:
            settings: Of the project.
            servers: Their names.
            report: Called with what happens, from several threads.
            waiting: Called if another process starts or stops servers of this project right now.
        """
        self.settings = settings
        self._servers = [SERVERS[name](settings) for name in servers]
        self._report = report
        self._waiting = waiting
        self._processes = Processes(settings.data)
        self._cancelled = threading.Event()
        self._started: list[str] = []

    def __enter__(self) -> Self:
        """Start the servers."""
        self.up()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the servers."""
        self.down()

    def up(self) -> dict[str, float]:
        """Start the servers that do not run; return when each has answered a real request.

        Returns:
            The seconds that each started server took; empty if all ran already.

        Raises:
            ServerError: One cannot start; all that this call started is stopped again.
        """
        with self._changing():
            self._cancelled.clear()
            self._started.clear()
            # 1. What runs stays as it is; it may be slow to answer, which is no reason to stop it.
            missing = [server for server in self._servers if self._missing(server)]
            for server in self._servers:
                if server not in missing:
                    self._await(server, server.answers, _deadline(server))
            if not missing:
                return {}
            # 2. What would fail later fails now, in one line.
            java_home = self._ready_to_start(missing, forget=True)
            generate_passwords(self.settings)
            if any(server.name == "cassandra" for server in missing):
                (self.settings.data / "cassandra").mkdir(exist_ok=True)  # whose passwords count
            # 3. All start at once.
            return self._start_all(missing, java_home)

    def revive(self, name: str) -> bool:
        """Start again what has died of one server; false if nothing has, or it was stopped.

        Raises:
            ServerError: It cannot start; it is dead still.
        """
        with self._changing():
            self._cancelled.clear()
            self._started.clear()
            (server,) = (server for server in self._servers if server.name == name)
            states = {self._processes.state(each) for each in server.process_names}
            if "dead" not in states or "down" in states:
                return False
            java_home = self._ready_to_start([server], forget=False)
            try:
                self._start(server, java_home)
            except Exception:
                self._processes.stop(*reversed(self._started), forget=False)
                raise
            return True

    def down(self) -> None:
        """Stop the servers with everything that they started; their data stays.

        Raises:
            ServerError: A process outlived SIGKILL.
        """
        is_whole = len(self._servers) == len(SERVERS)
        if is_whole:  # first, and not waiting for it: it may be about to start a server
            self._processes.stop(SUPERVISOR)
        with self._changing(), ThreadPoolExecutor() as pool:
            list(pool.map(self._stop, self._servers))
            if is_whole:
                self._processes.stop_strays()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Keep other starts and stops of this project out."""
        data = self.settings.data
        try:
            make_private(data)
            with locked(data / "lock", self._waiting):
                yield
        except OSError as error:
            msg = (
                f"{error.filename or data}: {error.strerror or error}: the servers keep their data "
                f"in {data}: make it writable, with free disk space"
            )
            raise ServerError(msg) from error

    def _missing(self, server: Server) -> tuple[str, ...]:
        """Return the processes of a server that are to be started: those that cannot do alone."""
        gone = tuple(name for name in server.process_names if not self._processes.find(name))
        return gone if set(gone) <= set(server.alone) else server.process_names

    def _ready_to_start(self, missing: Sequence[Server], *, forget: bool) -> Path:
        """Check what servers need, and stop what is left of them; return the JDK's home."""
        check_project(self.settings, [server.name for server in missing])
        java_home = find_java_home()
        _check_disk(self.settings.data)
        for server in missing:
            names = self._missing(server)
            self._processes.stop(*reversed(names), forget=forget)
            if names == server.process_names:
                check_free(server.name, server.ports)
        return java_home

    def _start_all(self, servers: list[Server], java_home: Path) -> dict[str, float]:
        with ThreadPoolExecutor(max_workers=len(servers)) as pool:
            starts = {
                pool.submit(self._start, server, java_home): server.name for server in servers
            }
            try:
                return {starts[done]: done.result() for done in as_completed(starts)}
            except BaseException:
                # One failed, or Ctrl-C: the others stop waiting, and nothing is left half-started.
                with interrupts.ignored():
                    self._cancelled.set()
                    pool.shutdown()
                    self._processes.stop(*reversed(self._started))
                raise

    def _start(self, server: Server, java_home: Path) -> float:
        started = time.monotonic()
        deadline = _deadline(server)
        try:
            self._report(Progress(server=server.name, phase="preparing"))
            names = self._missing(server)
            commands = [each for each in server.prepare(java_home) if each.name in names]
            self._report(Progress(server=server.name, phase="starting"))
            for command in commands:
                self._launch(server, command, deadline)
            self._await(server, server.answers, deadline)
        except _CancelledError:
            self._report(Progress(server=server.name, phase="stopped"))
            raise
        except Exception:
            self._report(Progress(server=server.name, phase="failed"))
            raise
        self._report(Progress(server=server.name, phase="up"))
        return time.monotonic() - started

    def _launch(self, server: Server, command: Command, deadline: float) -> None:
        if self._cancelled.is_set():
            raise _CancelledError
        self._started.append(command.name)
        self._processes.start(command)
        port = command.listens
        if port is not None:
            self._await(server, lambda: accepts(port), deadline)

    def _await(self, server: Server, ready: Callable[[], bool], deadline: float) -> None:
        """Wait until a server is ready, watching over its processes meanwhile."""
        while not self._cancelled.is_set():
            for name in server.process_names:
                if self._processes.state(name) == "dead":
                    raise self._failure(server, name, "exited during startup")
            if ready():
                return
            if time.monotonic() > deadline:
                name = server.process_names[0]
                raise self._failure(
                    server, name, f"did not respond within {server.start_timeout_s:.0f} s"
                )
            self._cancelled.wait(POLL_S)
        raise _CancelledError

    def _failure(self, server: Server, process: str, what: str) -> ServerError:
        return ServerError(
            f"{server.name}: the process {process} {what}. "
            f"The end of {self._processes.log(process)}:\n{self._processes.tail(process)}\n"
            "Fix the cause that the log names, then run `fp up` again."
        )

    def _stop(self, server: Server) -> None:
        self._report(Progress(server=server.name, phase="stopping"))
        self._processes.stop(*reversed(server.process_names))
        self._report(Progress(server=server.name, phase="stopped"))


def _deadline(server: Server) -> float:
    return time.monotonic() + server.start_timeout_s


def _check_disk(data: Path) -> None:
    free = shutil.disk_usage(data).free
    if free < FREE_BYTES_MIN:
        msg = (
            f"only {free / 1024**2:.0f} MiB are free on the disk of {data}; the servers need "
            f"{FREE_BYTES_MIN / 1024**2:.0f} MiB to start: free some space"
        )
        raise ServerError(msg)
