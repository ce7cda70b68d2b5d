"""Keeps a number of workers running, which share the ports; imports neither gRPC nor HTTP."""

import asyncio
import os
import signal
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from feature_platform.errors import ServerError

READY = "FP_SERVICE_READY"
"""Environment variable of a worker: the descriptor on which it reports that it answers."""
METRICS = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable of a worker: where its metrics are, for all workers to add up."""
RESTARTS_WITHIN_S = 600.0
PAUSE_S, PAUSE_MAX_S = 0.2, 10.0
"""Before a worker is started again; twice as long each time."""
OVER_S = 5.0
"""How long workers get to end beyond what their own settings allow."""

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """Which workers to keep."""

    command: Sequence[str]
    """Starts one; `process.py` says what it must do."""
    count: int
    restarts_max: int
    """Within ten minutes, over all workers."""
    stop_s: float
    """How long they may take to end; then they are killed."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to our own."""


class Supervisor:
    """Starts workers, and starts again those that die. Mutable; used by one event loop."""

    def __init__(
        self, crew: Crew, report: Report, *, ready: Callable[[], None] | None = None
    ) -> None:
        """Start nothing yet.

        Args:
            crew: Which workers.
            report: Is handed what a person should know.
            ready: Called when all workers answer for the first time.
        """
        self._crew = crew
        self._report = report
        self._ready = ready
        self._stop = asyncio.Event()
        self._deaths: deque[float] = deque()
        self._running: dict[int, asyncio.subprocess.Process] = {}
        self._waiting = crew.count
        self._hurry = False

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes of the workers that run."""
        return tuple(process.pid for process in self._running.values())

    def end(self) -> None:
        """Ask all workers to end; asked again, kill them."""
        self._hurry = self._stop.is_set()
        self._stop.set()
        if self._hurry:
            self._signal(signal.SIGKILL)

    async def run(self) -> None:
        """Keep the workers until `end`, then wait until they have ended.

        Raises:
            ServerError: Workers do not start, or die again and again.
        """
        with tempfile.TemporaryDirectory(prefix="fp-service-metrics-") as folder:
            slots = [
                asyncio.create_task(self._keep(slot, folder)) for slot in range(self._crew.count)
            ]
            stopped = asyncio.create_task(self._stop.wait())
            try:
                await asyncio.wait([stopped, *slots], return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._stop.set()
                stopped.cancel()
                await self._end_all(slots)
            for slot in slots:
                slot.result()

    async def _keep(self, slot: int, folder: str) -> None:
        """Keep one worker running.

        Raises:
            ServerError: It does not start, or workers die too often.
        """
        pause_s, has_answered = PAUSE_S, False
        while not self._stop.is_set():
            process, answers = await self._start(slot, folder)
            if answers and not has_answered:
                has_answered = True
                self._count_ready()
            code = await process.wait()
            self._running.pop(slot, None)
            _forget_gauges(folder, process.pid)
            if self._stop.is_set():
                return
            if not has_answered:
                msg = f"worker {process.pid} ended with code {code} before it answered; see above"
                raise ServerError(msg)
            self._count_death(process.pid, code)
            await _pause(self._stop, pause_s)
            pause_s = min(pause_s * 2, PAUSE_MAX_S)

    def _count_ready(self) -> None:
        self._waiting -= 1
        if not self._waiting and self._ready is not None:
            self._ready()

    def _count_death(self, pid: int, code: int) -> None:
        """Report a death.

        Raises:
            ServerError: It is one too many.
        """
        now_s, most = asyncio.get_running_loop().time(), self._crew.restarts_max
        self._deaths.append(now_s)
        while now_s - self._deaths[0] > RESTARTS_WITHIN_S:
            self._deaths.popleft()
        if len(self._deaths) > most:
            msg = (
                f"worker {pid} ended with code {code}, and workers were restarted {most} times "
                "within ten minutes (service.restarts_max): see above why, then start again"
            )
            raise ServerError(msg)
        self._report(
            f"worker {pid} ended with code {code}; restarting it "
            f"({len(self._deaths)} of {most} within ten minutes)"
        )

    async def _start(self, slot: int, folder: str) -> tuple[asyncio.subprocess.Process, bool]:
        """Start a worker and wait until it answers, or has ended."""
        ours, theirs = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *self._crew.command,
                stdin=asyncio.subprocess.PIPE,
                env=os.environ
                | dict(self._crew.environment)
                | {READY: str(theirs), METRICS: folder},
                pass_fds=(theirs,),
                start_new_session=True,  # Ctrl-C reaches us alone
            )
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        self._running[slot] = process
        if self._stop.is_set():  # while it was started
            process.terminate()
        return process, await _first_byte(ours)

    async def _end_all(self, slots: Sequence["asyncio.Task[None]"]) -> None:
        """Ask the workers to end, and kill those that do not."""
        self._signal(signal.SIGTERM)
        _, left = await asyncio.wait(slots, timeout=self._crew.stop_s + OVER_S)
        if left:
            self._report(
                f"{len(left)} workers did not end within {self._crew.stop_s:.0f} s: killed"
            )
            self._signal(signal.SIGKILL)
            await asyncio.wait(left)

    def _signal(self, number: signal.Signals) -> None:
        for process in tuple(self._running.values()):
            with suppress(ProcessLookupError):
                process.send_signal(number)


def supervise(crew: Crew, report: Report, started: str) -> None:
    """Keep workers until SIGTERM or SIGINT comes. Blocks.

    Args:
        crew: Which workers.
        report: Is handed what a person should know.
        started: What is reported when all workers answer.

    Raises:
        ServerError: Workers do not start, or die again and again.
    """

    async def run() -> None:
        supervisor = Supervisor(crew, report, ready=lambda: report(started))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, supervisor.end)
        await supervisor.run()

    asyncio.run(run())


def worker_command(project: Path) -> tuple[str, ...]:
    """Return what starts a worker of a project: nothing in it is secret."""
    return (sys.executable, "-m", "feature_platform.service.process", str(project))


async def _first_byte(descriptor: int) -> bool:
    """Wait until a pipe has a byte, or its other end is closed; return which."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    with open(descriptor, "rb", buffering=0) as pipe:  # noqa: ASYNC230 (a descriptor)
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe
        )
        try:
            return bool(await reader.read(1))
        finally:
            transport.close()


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


def _forget_gauges(folder: str, pid: int) -> None:
    """Remove what a process that has ended counts as under way; its counters stay."""
    for path in Path(folder).glob(f"gauge_live*_{pid}.db"):
        path.unlink(missing_ok=True)
