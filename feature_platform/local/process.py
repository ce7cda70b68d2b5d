"""Child processes of the embedded stack: started detached, remembered and stopped by pid.

A pid file holds pid and start time, and a child's environment carries the data folder: a process
that does not match both is not ours and is never signalled, whatever number a stale file names.
"""

import json
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import psutil

from feature_platform.errors import ServerError

MARKER = "FP_STACK"
"""Environment variable of every process of a stack: the stack's data folder."""

START_TIME_TOLERANCE_S = 2.0
"""Start times are relative to the boot time, which moves when the clock is set."""

EXEC_POLLS, EXEC_POLL_S = 20, 0.01
STOP_TIMEOUT_S = 20.0
LOG_BYTES_MAX = 20_000_000
TAIL_BYTES = 16_384

State = Literal["up", "down", "dead"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One process to start."""

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to our own environment."""
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
        self._run.mkdir(parents=True, exist_ok=True)
        pid = os.posix_spawn(
            command.arguments[0],
            command.arguments,
            {**os.environ, **command.environment, MARKER: str(self._data)},
            file_actions=self._streams(command.name),
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
        record = {"pid": pid, "started": process.create_time(), "arguments": command.arguments}
        self._pid_file(command.name).write_text(json.dumps(record))
        return process

    def find(self, name: str) -> psutil.Process | None:
        """Return the process if it lives and is the one that was started."""
        path = self._pid_file(name)
        if not path.exists():
            return None
        record = json.loads(path.read_text())
        try:
            process = psutil.Process(record["pid"])
            if process.status() == psutil.STATUS_ZOMBIE:
                process.wait(timeout=0)
                return None
            same_start = abs(process.create_time() - record["started"]) < START_TIME_TOLERANCE_S
        except psutil.Error:
            return None
        return process if same_start and _marked(process, self._data, EXEC_POLLS) else None

    def state(self, name: str) -> State:
        """Tell whether a process runs, was never started (or was stopped), or died."""
        if self.find(name):
            return "up"
        return "dead" if self._pid_file(name).exists() else "down"

    def stop(self, *names: str) -> None:
        """Stop processes with all they started: SIGTERM, and after a limit SIGKILL.

        Raises:
            ServerError: A process outlived SIGKILL.
        """
        leaders = [process for name in names if (process := self.find(name))]
        _stop(leaders, [child for leader in leaders for child in _children(leader)])
        for name in names:
            self._pid_file(name).unlink(missing_ok=True)

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


def _marked(process: psutil.Process, data: Path, polls: int = 1) -> bool:
    """Tell by its environment whether a process is of a stack; amid exec it shows none."""
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
    psutil.wait_procs(leaders, timeout=STOP_TIMEOUT_S)
    left = [process for process in (*leaders, *children) if process.is_running()]
    for process in left:
        _signal(process, signal.SIGKILL)
    _, alive = psutil.wait_procs(left, timeout=STOP_TIMEOUT_S)
    if alive:
        pids = ", ".join(str(process.pid) for process in alive)
        msg = f"processes {pids} did not end, even killed; is their disk hanging?"
        raise ServerError(msg)


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
