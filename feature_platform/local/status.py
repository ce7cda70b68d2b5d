"""What each server of the embedded stack is doing, for `fp status` and the Dagster page."""

from dataclasses import dataclass

import psutil

from feature_platform.clock import Clock, SystemClock
from feature_platform.local.process import Processes, State, resident_bytes
from feature_platform.local.stack import SERVERS
from feature_platform.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatus:
    """One server as its processes show it; `dead` means that one of them ended by itself."""

    name: str
    state: State
    address: str
    pid: int | None
    """Of its first process."""
    resident_bytes: int
    uptime_ms: int


def server_status(settings: Settings, clock: Clock | None = None) -> list[ServerStatus]:
    """Look at every server's processes; asks the servers nothing, so it never blocks."""
    processes = Processes(settings.data)
    now_ms = (clock or SystemClock()).now_ms()
    status = []
    for name, make in SERVERS.items():
        server = make(settings)
        found = [processes.find(each) for each in server.process_names]
        running = [process for process in found if process]
        status.append(
            ServerStatus(
                name=name,
                state=_worst([processes.state(each) for each in server.process_names]),
                address=server.address,
                pid=running[0].pid if running else None,
                resident_bytes=sum(resident_bytes(process) for process in running),
                uptime_ms=min((_uptime_ms(process, now_ms) for process in running), default=0),
            )
        )
    return status


def _worst(states: list[State]) -> State:
    if set(states) == {"up"}:
        return "up"
    return "down" if set(states) == {"down"} else "dead"


def _uptime_ms(process: psutil.Process, now_ms: int) -> int:
    try:
        return max(0, now_ms - round(process.create_time() * 1000))
    except psutil.NoSuchProcess:
        return 0
