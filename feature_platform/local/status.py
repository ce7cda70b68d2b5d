"""What each server of the embedded stack is doing, for `fp status` and the Dagster page."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal

import psutil

from feature_platform.clock import Clock, SystemClock
from feature_platform.local.process import Processes, resident_bytes
from feature_platform.local.project import HOSTS, is_loopback
from feature_platform.local.stack import SERVERS
from feature_platform.settings import Settings

ServerState = Literal["up", "silent", "dead", "down", "elsewhere"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatus:
    """One server, as its processes show it, and as it answers if it was asked.

    `dead`: a process of it ended by itself; `silent`: all run, and it does not answer; `elsewhere`:
    it is on another machine, and none of ours.
    """

    name: str
    state: ServerState
    address: str
    pid: int | None
    """Of its first process."""
    resident_bytes: int
    uptime_ms: int
    dead: tuple[str, ...] = ()
    """Its processes that ended by themselves."""
    problem: str = ""
    """How it does not answer."""


def server_status(settings: Settings, clock: Clock | None = None) -> list[ServerStatus]:
    """Look at every server's processes; asks the servers nothing, so it never blocks."""
    processes = Processes(settings.data)
    now_ms = (clock or SystemClock()).now_ms()
    status = []
    for name, make in SERVERS.items():
        server = make(settings)
        found = {each: processes.find(each) for each in server.process_names}
        running = [process for process in found.values() if process]
        gone = [each for each, process in found.items() if not process]
        dead = tuple(each for each in gone if processes.state(each) == "dead")
        state = _state(len(running), gone=len(gone), dead=len(dead))
        if state == "down" and not is_loopback(getattr(settings, HOSTS[name]).host):
            state = "elsewhere"
        status.append(
            ServerStatus(
                name=name,
                state=state,
                address=server.address,
                pid=running[0].pid if running else None,
                resident_bytes=sum(resident_bytes(process) for process in running),
                uptime_ms=min((_uptime_ms(process, now_ms) for process in running), default=0),
                dead=dead or tuple(gone if running else ()),
                problem=_frozen(running),
            )
        )
    return status


def with_answers(
    servers: Iterable[ServerStatus], problems: Mapping[str, str]
) -> list[ServerStatus]:
    """Add what asking them has shown: one that runs and does not answer is silent.

    Args:
        servers: As their processes are.
        problems: What is wrong with each, see `probe`.
    """
    return [
        _answered(server, server.problem or problems.get(server.name, "")) for server in servers
    ]


def _answered(server: ServerStatus, problem: str) -> ServerStatus:
    is_silent = problem and server.state in ("up", "elsewhere")
    return replace(server, state="silent" if is_silent else server.state, problem=problem)


def _state(running: int, *, gone: int, dead: int) -> ServerState:
    if not gone:
        return "up"
    return "dead" if running or dead else "down"


def _frozen(processes: Iterable[psutil.Process]) -> str:
    """Say which process was stopped by a signal and may continue; empty if none was."""
    for process in processes:
        with suppress(psutil.Error):
            if process.status() == psutil.STATUS_STOPPED:
                return (
                    f"process {process.pid} is stopped by a signal (`kill -CONT {process.pid}` "
                    "resumes it)"
                )
    return ""


def _uptime_ms(process: psutil.Process, now_ms: int) -> int:
    try:
        return max(0, now_ms - round(process.create_time() * 1000))
    except psutil.NoSuchProcess:
        return 0
