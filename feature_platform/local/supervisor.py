"""The supervisor of `fp up`: a small process that starts again what died of the embedded servers.

It looks at their processes each second. What `fp down` stopped has no pid file and is left alone;
what has one and does not run has died. A process that can do alone is started alone (a task manager
beside its job manager), else the whole server. What dies again and again is left to a person.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import FrameType
from typing import NoReturn

from feature_platform.clock import Clock, SystemClock, to_iso
from feature_platform.errors import ServerError
from feature_platform.local.process import SUPERVISOR, Command, Processes, State
from feature_platform.settings import Settings, load_settings

LOOK_S = 1.0
RESTARTS_MAX = 5
WINDOW_MS = 600_000
"""How many restarts of a server are made in a period; the next death is left to a person."""
FIRST_PAUSE_MS, LAST_PAUSE_MS = 1_000, 60_000
"""How long a server that died again is left dead: twice as long each time, up to the last."""
ERROR_MAX = 500

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Revived:
    """What the supervisor has done for one server."""

    died: tuple[str, ...] = ()
    """The processes that were found dead last."""
    died_ms: int = 0
    restarts_ms: tuple[int, ...] = ()
    """When it was started again, those of the last ten minutes."""
    error: str = ""
    """Why the last start failed; empty if it did not."""
    gave_up: bool = False
    """Whether it is left to a person."""

    @property
    def pause_ms(self) -> int:
        """How long after its death the server is started again."""
        tries = len(self.restarts_ms)
        return min(FIRST_PAUSE_MS << (tries - 1), LAST_PAUSE_MS) if tries else 0

    def in_words(self) -> str:
        """Say what happened; empty if nothing."""
        if not self.died_ms:
            return ""
        died = f"{', '.join(self.died)} died at {to_iso(self.died_ms // 1000 * 1000)}"
        count = len(self.restarts_ms)
        times = {1: "once", 2: "twice"}.get(count, f"{count} times")
        if self.gave_up:
            why = f"; the last start failed: {self.error}" if self.error else ""
            return f"{died}; restarted {times} within ten minutes, no further restarts{why}"
        if self.error:
            return f"{died}; the restart failed and will be retried: {self.error}"
        return f"{died}, restarted {times}" if count else f"{died}, restart pending"


class Supervisor:
    """Looks at processes and starts again what died (mutable: what it has done)."""

    def __init__(
        self,
        settings: Settings,
        servers: Mapping[str, Iterable[str]],
        revive: Callable[[str], bool],
        clock: Clock | None = None,
    ) -> None:
        """Begin with nothing done.

        Args:
            settings: Of the project.
            servers: The processes of each server.
            revive: Starts again what died of a server; see `Stack.revive`.
            clock: Returns the time.
        """
        self._settings = settings
        self._servers = {name: tuple(processes) for name, processes in servers.items()}
        self._revive = revive
        self._clock = clock or SystemClock()
        self._processes = Processes(settings.data)
        self._done: dict[str, Revived] = {}

    def look(self, report: Report) -> None:
        """Look at every server once, and start again what is due."""
        for server, names in self._servers.items():
            states = {name: self._processes.state(name) for name in names}
            dead = tuple(name for name, state in states.items() if state == "dead")
            if dead and "down" not in states.values():
                self._dead(server, dead, report)
            elif server in self._done and set(states.values()) == {"up"}:
                self._up(server)

    def _dead(self, server: str, dead: tuple[str, ...], report: Report) -> None:
        now_ms = self._clock.now_ms()
        done = self._done.get(server, Revived())
        recent = tuple(at_ms for at_ms in done.restarts_ms if now_ms - at_ms < WINDOW_MS)
        is_new = not done.died or done.died_ms <= max(done.restarts_ms, default=0)
        if done.gave_up:
            return
        if is_new:
            done = replace(done, died=dead, died_ms=now_ms, restarts_ms=recent)
            report(f"{server}: {', '.join(dead)} died")
        if len(recent) >= RESTARTS_MAX:
            report(
                f"{server}: restarted {RESTARTS_MAX} times within ten minutes: no further restarts"
            )
            self._note(server, replace(done, gave_up=True))
        elif now_ms - done.died_ms >= done.pause_ms:
            self._start(server, done, report)
        else:
            self._note(server, done)

    def _start(self, server: str, done: Revived, report: Report) -> None:
        self._note(server, done)
        try:
            started, error = self._revive(server), ""
        except ServerError as failed:
            started, error = True, str(failed)[:ERROR_MAX]
        if not started:  # somebody else has started or stopped it meanwhile
            return
        now_ms = self._clock.now_ms()
        self._note(server, replace(done, restarts_ms=(*done.restarts_ms, now_ms), error=error))
        report(f"{server}: the restart failed: {error}" if error else f"{server}: restarted")

    def _up(self, server: str) -> None:
        """A server that runs after it was given up was started by a person: it counts from new."""
        done = self._done[server]
        if done.gave_up or done.error:
            self._note(server, replace(done, gave_up=False, error="", restarts_ms=()))

    def _note(self, server: str, done: Revived) -> None:
        if self._done.get(server) == done:
            return
        self._done[server] = done
        write_state(self._settings, self._done)


def read_state(settings: Settings) -> dict[str, Revived]:
    """Return what the supervisor has done, by server; nothing if none ever ran."""
    try:
        found = json.loads(_state_file(settings).read_text())
        return {
            name: Revived(**item | {key: tuple(item[key]) for key in ("died", "restarts_ms")})
            for name, item in found.items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):  # none, or cut off
        return {}


def write_state(settings: Settings, done: Mapping[str, Revived]) -> None:
    """Write what was done, for `fp status`."""
    path = _state_file(settings)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({name: asdict(item) for name, item in done.items()}))
    fresh.replace(path)


def supervisor_state(settings: Settings) -> State:
    """Return whether the supervisor runs, was never started (or was stopped), or died."""
    return Processes(settings.data).state(SUPERVISOR)


def ensure_supervisor(settings: Settings) -> bool:
    """Start the supervisor unless it runs; true if it was started."""
    processes = Processes(settings.data)
    if processes.find(SUPERVISOR):
        return False
    _state_file(settings).unlink(missing_ok=True)
    processes.start(
        Command(
            name=SUPERVISOR,
            arguments=(sys.executable, "-m", __name__, str(settings.project)),
            environment=dict(os.environ),
        )
    )
    return True


def _state_file(settings: Settings) -> Path:
    return settings.data / "supervisor.json"


def _report(text: str) -> None:
    sys.stdout.write(f"{to_iso(SystemClock().now_ms())} {text}\n")
    sys.stdout.flush()


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    _report("stopped")
    raise SystemExit(0)


def main(project: str) -> None:
    """Supervise a project's servers until everything is stopped."""
    from feature_platform.local.stack import SERVERS, Stack

    signal.signal(signal.SIGTERM, _end)
    settings = load_settings(Path(project))
    servers = {name: make(settings).process_names for name, make in SERVERS.items()}
    processes = Processes(settings.data)
    supervisor = Supervisor(settings, servers, lambda name: Stack(settings).revive(name))
    _report(f"watching {', '.join(servers)} of {settings.project}")
    while set(processes.names()) - {SUPERVISOR}:
        try:
            supervisor.look(_report)
        except OSError as error:  # a full disk: what was done is kept in memory
            _report(f"cannot write: {error}")
        time.sleep(LOOK_S)
    _report("all servers are stopped: exiting")
    processes.forget(SUPERVISOR)


if __name__ == "__main__":
    main(sys.argv[1])
