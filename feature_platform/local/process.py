"""Child processes of the embedded stack: started detached, remembered and stopped by pid.

A pid file holds pid and start time, and a child's environment carries the data folder: a process
that does not match both is not ours and is never signalled, whatever number a stale file names.
Where a pid file cannot be read (a full disk, a power cut), only the environment shows it.
"""

import json
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import psutil

from feature_platform.errors import ServerError
from feature_platform.local.environment import chosen
from feature_platform.local.java import UNICODE
from feature_platform.paths import make_private

MARKER = "FP_STACK"
"""Environment variable of every process of a stack: the stack's data folder."""
NAME = "FP_STACK_PROCESS"
"""Environment variable of every process of a stack: under which name it was started."""

START_FIELD = 19
"""Place of the start time in /proc/PID/stat behind the name, which ends with a bracket."""
SUPERVISOR = "supervisor"
"""Name of the process of `fp up`'s that starts again what died."""

STDERR = 2
EXEC_POLLS, EXEC_POLL_S = 20, 0.01
STOP_TIMEOUT_S = 20.0
STOP_POLL_S = 0.02
LOG_BYTES_MAX = 20_000_000
RECORD_BYTES = 8_192
"""More than a pid file takes."""
TAIL_BYTES = 16_384

State = Literal["up", "down", "dead"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One process to start."""

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to what every child gets of our own."""
    listens: int | None = None
    """A port that must accept connections before the server's next command is started."""


class Processes:
    """The processes of one stack, by name; knows them by the pid files in its folder."""

    def __init__(self, data: Path) -> None:
        """Keep pid files in `data/run` and logs in `data/logs`."""
        self._data = data.resolve()
        self._run = self._data / "run"
        self._logs = self._data / "logs"

    def start(self, command: Command) -> psutil.Process:
        """Start a process with its output in its log file, and write its pid file.

        The child gets a session of its own (Ctrl-C at a terminal does not reach it) and default
        signal handling (a shell's background jobs ignore SIGINT, and Dagster then SIGTERM, too).
        """
        make_private(self._data)
        self._run.mkdir(parents=True, exist_ok=True)
        fresh = self._pid_file(command.name).with_suffix(".new")
        fresh.write_text(" " * RECORD_BYTES)  # a full disk is reported before anything runs
        pid = os.posix_spawn(
            command.arguments[0],
            command.arguments,
            self._environment(command),
            file_actions=[*self._streams(command.name), *_inherited()],
            setsid=True,
            setsigdef=(
                signal.SIGINT,
                signal.SIGTERM,
                signal.SIGHUP,
                signal.SIGQUIT,
                signal.SIGPIPE,
            ),
        )
        process = psutil.Process(pid)
        record = {"pid": pid, "ticks": start_ticks(pid), "arguments": command.arguments}
        try:
            fresh.write_text(json.dumps(record))
            fresh.replace(self._pid_file(command.name))
        except OSError:
            _stop([process], _children(process))  # nobody would find it again by its file
            raise
        return process

    def find(self, name: str) -> psutil.Process | None:
        """Return the process if it lives and is the one that was started."""
        record = self._record(name)
        if record is None:
            return None
        if not record:
            return self._by_marker(name)
        try:
            process = psutil.Process(record["pid"])
            if _has_ended(process):
                return None
            same_start = start_ticks(process.pid) == record["ticks"]
        except (psutil.Error, OSError):
            return None
        return process if same_start and _marked(process, self._data, EXEC_POLLS) else None

    def state(self, name: str) -> State:
        """Return whether a process runs, was never started (or was stopped), or died."""
        if self.find(name):
            return "up"
        return "dead" if self._pid_file(name).exists() else "down"

    def stop(self, *names: str, forget: bool = True) -> None:
        """Stop processes with all they started: SIGTERM, and after a limit SIGKILL.

        Args:
            names: Which; those that do not run are passed over.
            forget: Remove their pid files, so that they count as stopped; else they are dead.

        Raises:
            ServerError: A process outlived SIGKILL.
        """
        leaders = [process for name in names if (process := self.find(name))]
        _stop(leaders, [child for leader in leaders for child in _children(leader)])
        for name in names if forget else ():
            self._pid_file(name).unlink(missing_ok=True)

    def forget(self, name: str) -> None:
        """Remove the pid file of a process that ends by itself, as it should."""
        self._pid_file(name).unlink(missing_ok=True)

    def names(self) -> list[str]:
        """Return all that was started and not stopped, whether it runs or not."""
        return sorted(path.stem for path in self._run.glob("*.json"))

    def stop_strays(self) -> None:
        """Stop what the stack's processes had started and that outlived them."""
        own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
        strays = [
            process
            for process in psutil.process_iter()
            if process.pid not in own and _marked(process, self._data)
        ]
        _stop(strays, [])

    def log(self, name: str) -> Path:
        """Return the path of a process's log."""
        return self._logs / f"{name}.log"

    def tail(self, name: str, lines: int = 15) -> str:
        """Return the end of a process's log."""
        path = self.log(name)
        if not path.exists():
            return "(no log was written)"
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            text = file.read().decode(errors="replace")
        return "\n".join(text.splitlines()[-lines:]) or "(the log is empty)"

    def _streams(self, name: str) -> list[tuple[int, int, str, int, int] | tuple[int, int, int]]:
        self._logs.mkdir(parents=True, exist_ok=True)
        path = self.log(name)
        if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
            path.replace(path.with_suffix(".log.1"))
        return [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(path), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]

    def _pid_file(self, name: str) -> Path:
        return self._run / f"{name}.json"

    def _environment(self, command: Command) -> dict[str, str]:
        own = {MARKER: str(self._data), NAME: command.name}
        return {**chosen(), **UNICODE, **command.environment, **own}

    def _record(self, name: str) -> dict[str, Any] | None:
        """Read a pid file: None if there is none, nothing in it if it cannot be read."""
        try:
            record = json.loads(self._pid_file(name).read_text())
            return {"pid": int(record["pid"]), "ticks": int(record["ticks"])}
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def _by_marker(self, name: str) -> psutil.Process | None:
        """Find a process by its environment alone: the oldest of those that carry its name."""
        found = [
            process
            for process in psutil.process_iter()
            if _marked(process, self._data) and _leads(process, name)
        ]
        return min(found, key=lambda process: process.create_time(), default=None)


def _inherited() -> list[tuple[int, int]]:
    """Close in a child what we were given open, such as a pipe or a lock: it outlives us."""
    open_now = [int(path.name) for path in Path("/proc/self/fd").iterdir()]
    return [
        (os.POSIX_SPAWN_CLOSE, number)
        for number in open_now
        if number > STDERR and _is_inherited(number)
    ]


def _is_inherited(number: int) -> bool:
    try:
        return os.get_inheritable(number)
    except OSError:  # it was the folder's own, and is closed
        return False


def start_ticks(pid: int) -> int:
    """Return when a process started, in ticks since boot: setting the clock does not move it.

    Raises:
        OSError: There is no such process.
    """
    text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    return int(text.rpartition(")")[2].split()[START_FIELD])


def resident_bytes(process: psutil.Process) -> int:
    """Return the resident memory of a process and of all it started."""
    return sum(_memory(each) for each in (process, *_children(process)))


def _memory(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _leads(process: psutil.Process, name: str) -> bool:
    """Return whether a process is the one that was started under a name, and no child of it."""
    try:
        leads_session = os.getsid(process.pid) == process.pid
        return leads_session and process.environ().get(NAME) == name
    except (psutil.Error, OSError):
        return False


def _marked(process: psutil.Process, data: Path, polls: int = 1) -> bool:
    """Return by its environment whether a process is of a stack; amid exec it shows none."""
    for _ in range(polls):
        try:
            environment = process.environ()
        except (psutil.Error, OSError):
            return False
        if environment:
            return environment.get(MARKER) == str(data)
        time.sleep(EXEC_POLL_S)
    return False


def _stop(leaders: list[psutil.Process], children: list[psutil.Process]) -> None:
    for process in leaders:
        _signal(process, signal.SIGTERM)
    _wait(leaders)
    left = [process for process in (*leaders, *children) if process.is_running()]
    for process in left:
        _signal(process, signal.SIGKILL)
    alive = _wait(left)
    if alive:
        pids = ", ".join(str(process.pid) for process in alive)
        msg = f"processes {pids} did not exit even after being killed; is their disk hanging?"
        raise ServerError(msg)


def _wait(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Wait until processes have ended; return those that have not within the limit.

    One that ended stays a zombie while its parent lives and does not ask for it, and for good in
    a container whose first process reaps nobody.
    """
    deadline = time.monotonic() + STOP_TIMEOUT_S
    alive = [process for process in processes if not _has_ended(process)]
    while alive and time.monotonic() < deadline:
        time.sleep(STOP_POLL_S)
        alive = [process for process in alive if not _has_ended(process)]
    return alive


def _has_ended(process: psutil.Process) -> bool:
    try:
        if process.status() != psutil.STATUS_ZOMBIE:
            return not process.is_running()
        process.wait(timeout=0)  # reaps a child of this process
    except (psutil.NoSuchProcess, psutil.TimeoutExpired):
        pass  # gone, or a zombie of another parent, which holds nothing any more
    return True


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
