"""The real stack under test: its servers, the proxy before the store, and what production would do.

Servers that died are started again as `fp up` (or a container's restart) does; jobs are looked
after by a thread that does what the platform's sensor does. Nothing else helps the platform.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import psutil

from feature_platform.deploy.recover import ensure_running
from feature_platform.deploy.wait import wait
from feature_platform.engines.world import World, open_world
from feature_platform.errors import FeaturePlatformError
from feature_platform.local.flink import Flink
from feature_platform.local.java import find_java_home
from feature_platform.local.kafka import Kafka
from feature_platform.local.ports import with_free_ports
from feature_platform.local.process import Processes
from feature_platform.local.stack import Stack
from feature_platform.settings import load_settings
from tests.chaos.definitions import NAME, write_definitions
from tests.chaos.odd_events import OddSender
from tests.chaos.proxy import Proxy, Spoil
from tests.settings_file import write_settings

SERVERS = ("kafka", "cassandra", "flink")
JOB_MANAGER, TASK_MANAGER = "flink-jobmanager", "flink-taskmanager"
ZOMBIE = "flink-taskmanager-zombie"
SENSOR_S = 3.0
SETTLE_S = 300.0
DEPLOY_S = 180.0
UP_TRIES = 3
MOUNT_OPTIONS = ("-t", "tmpfs", "-o", "size=256m")
"""The disk of the checkpoints: small, so that it can be filled."""
FLINK_OPTIONS = {
    # What is lost is noticed in seconds, so that many faults fit into an hour.
    "heartbeat.interval": "1 s",
    "heartbeat.timeout": "12 s",
    "restart-strategy.exponential-delay.max-backoff": "3 s",
}
STORE = {"commitlog_sync": "group", "retry_ms": 120_000, "zombie_grace_ms": 25_000}
"""The grace is longer than what the settings above need, as the default's is."""
FLINK = {"slots": 4, "options": FLINK_OPTIONS, "store_starts_max": 10}
"""Faults hit starts, too: what would ask a person soon is tried some times more."""


@dataclass(slots=True)
class Trouble:
    """Mutable: what is broken at the moment and has to be taken back at the end of a round."""

    frozen: set[int] = field(default_factory=set)
    ballast: set[Path] = field(default_factory=set)
    deployers: list[subprocess.Popen[bytes]] = field(default_factory=list)


class Site:
    """One stack with its project. Mutable; `close` leaves nothing behind."""

    def __init__(self, folder: Path, *, seed: int) -> None:
        """Write the project; nothing starts yet."""
        folder.mkdir(parents=True, exist_ok=True)
        drawn = with_free_ports(load_settings(folder, {}))
        store = drawn.store.model_copy(update=STORE)
        flink = drawn.flink.model_copy(update=FLINK)
        self.settings = drawn.model_copy(update={"store": store, "flink": flink})
        # The job and `fp` reach the store through the proxy, at the port that Dagster does not use.
        self._proxy_port = drawn.dagster.port
        self.proxied = self.settings.model_copy(
            update={"store": store.model_copy(update={"port": self._proxy_port})}
        )
        write_settings(self.settings)
        write_definitions(self.settings.featuresets, 0)
        self.stack = Stack(self.settings, servers=SERVERS)
        self.processes = Processes(self.settings.data)
        self.proxy = Proxy(self._proxy_port, store.port, seed=seed)
        self.lock = threading.RLock()
        """Held by who starts or kills processes."""
        self.trouble = Trouble()
        self.odd_events = OddSender(self.settings)
        self.variant = 0
        self.small_disk = False
        self.sensor_said = ""
        self.notes: list[str] = []
        self.applies: Counter[str] = Counter()
        """How the deployments ended that nobody killed."""
        self._ended = threading.Event()
        self._sensor = threading.Thread(target=self._watch_jobs, name="sensor", daemon=True)

    @property
    def checkpoints(self) -> Path:
        """The folder that Flink keeps checkpoints in."""
        return self.settings.data / "flink" / "checkpoints"

    @property
    def savepoints(self) -> Path:
        """The folder of savepoints."""
        return self.settings.data / "flink" / "savepoints"

    def start(self) -> None:
        """Start everything but the feature set's job."""
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        self.small_disk = _run("mount", *MOUNT_OPTIONS, "tmpfs", str(self.checkpoints))
        self.stack.up()
        self.proxy.start()

    def start_sensor(self) -> None:
        """Look after the job from now on."""
        self._sensor.start()

    def close(self) -> None:
        """Stop everything, however far the start came."""
        self._ended.set()
        if self._sensor.is_alive():
            self._sensor.join()
        self._take_back()
        self._end_deployers(0.0)
        self.processes.stop(ZOMBIE)
        self.stack.down()
        self.processes.stop_strays()
        if self.small_disk:
            _run("umount", "-l", str(self.checkpoints))
        if self.proxy.listens:
            self.proxy.stop()

    @contextmanager
    def world(self) -> Iterator[World]:
        """Open the world as `fp` on another machine would: the registry directly, jobs proxied."""
        with open_world(self.settings) as world:
            yield replace(world, settings=self.proxied)

    def _watch_jobs(self) -> None:
        """Do what the sensor does, again and again."""
        while not self._ended.wait(SENSOR_S):
            try:
                with self.world() as world:
                    if ensure_running(world, NAME):
                        self.sensor_said = "started the job"
            except FeaturePlatformError as error:
                self.sensor_said = str(error)

    def family(self, name: str) -> list[psutil.Process]:
        """Return a server's process and those that it started."""
        process = self.processes.find(name)
        try:
            return [process, *process.children(recursive=True)] if process else []
        except psutil.NoSuchProcess:
            return []

    def send(self, name: str, number: signal.Signals) -> bool:
        """Send a signal to a server; tells whether it ran."""
        members = self.family(name)
        for member in members:
            with suppress(psutil.NoSuchProcess):
                member.send_signal(number)
            if number is signal.SIGSTOP:
                self.trouble.frozen.add(member.pid)
        if number is signal.SIGKILL:
            psutil.wait_procs(members, timeout=10)
        return bool(members)

    def thaw(self) -> None:
        """Let every paused process go on."""
        for pid in tuple(self.trouble.frozen):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
            self.trouble.frozen.discard(pid)

    def start_process(self, name: str) -> None:
        """Start one process alone, as a container's restart does; harmless if it runs."""
        with self.lock:
            if self.processes.find(name):
                return
            server = Kafka(self.settings) if name == "kafka" else Flink(self.settings)
            commands = server.prepare(find_java_home())
            self.processes.start(next(command for command in commands if command.name == name))

    def make_zombie(self) -> bool:
        """Freeze the task manager, forget it and start another one; False if there is none."""
        with self.lock:
            if self.processes.find(ZOMBIE) or not self.send(TASK_MANAGER, signal.SIGSTOP):
                return False
            run = self.settings.data / "run"
            (run / f"{TASK_MANAGER}.json").rename(run / f"{ZOMBIE}.json")
            self.start_process(TASK_MANAGER)
        return True

    def start_deployer(self) -> subprocess.Popen[bytes]:
        """Run `fp apply` with the next variant of the definition."""
        self.variant += 1
        write_definitions(self.settings.featuresets, self.variant)
        log = (self.settings.data / "logs" / "fp-apply.log").open("ab")
        with log:
            process = subprocess.Popen(
                (
                    Path(sys.executable).with_name("fp"),
                    *("--project", self.settings.project, "apply", NAME, "--yes"),
                ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "FP_STORE__PORT": str(self._proxy_port)},
                start_new_session=True,
            )
        self.trouble.deployers.append(process)
        return process

    def deploy_at_last(self) -> None:
        """Apply once more when nothing is broken and nobody else, dead or alive, changes anything.

        Raises:
            TimeoutError: It did not succeed.
        """
        deadline = time.monotonic() + DEPLOY_S
        while self._is_being_changed():
            if time.monotonic() > deadline:
                msg = f"somebody still changes {NAME} after {DEPLOY_S:.0f} s: {self.sensor_said}"
                raise TimeoutError(msg)
            time.sleep(1)
        process = self.start_deployer()
        self._end_deployers(DEPLOY_S)
        if process.returncode != 0:
            log = (self.settings.data / "logs" / "fp-apply.log").read_text().splitlines()
            msg = f"fp apply, with nothing broken, ended with {process.returncode}: {log[-3:]}"
            raise TimeoutError(msg)

    def _is_being_changed(self) -> bool:
        with self.world() as world:
            snapshot = world.registry.snapshot(NAME)
            return world.registry.lease(NAME) is not None or bool(snapshot and snapshot.unswept)

    def kill_deployer(self, process: subprocess.Popen[bytes], *, children: bool) -> None:
        """Kill -9 a deploying `fp`, with what it started or leaving that alone."""
        with suppress(ProcessLookupError):
            if children:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                os.kill(process.pid, signal.SIGKILL)
        process.wait()

    def newest_attempt(self) -> int:
        """Return the number of the newest attempt; 0 if the registry does not answer."""
        try:
            with self.world() as world:
                snapshot = world.registry.snapshot(NAME)
                assert snapshot is not None
                attempts = world.registry.attempts(NAME, snapshot.generation)
        except FeaturePlatformError:
            return 0
        return attempts[-1].attempt if attempts else 0

    def note(self, text: str) -> None:
        """Keep a line for the report of the round."""
        self.notes.append(text)

    def bring_back(self) -> None:
        """Take every trouble back and start what is dead, as `fp up` does."""
        self._take_back()
        with self.lock:
            self.processes.stop(ZOMBIE)
            for tried in range(UP_TRIES):
                try:
                    self.stack.up()
                except FeaturePlatformError:
                    if tried == UP_TRIES - 1:
                        raise
                else:
                    break
        self._end_deployers(DEPLOY_S)

    def _take_back(self) -> None:
        self.thaw()
        if self.proxy.listens:
            self.proxy.spoil(Spoil())
        while self.trouble.ballast:
            self.trouble.ballast.pop().unlink(missing_ok=True)

    def _end_deployers(self, seconds: float) -> None:
        """Wait for deployments that were not killed; one that waits for too long is."""
        deadline = time.monotonic() + seconds
        for process in self.trouble.deployers:
            if process.returncode is not None:  # killed by its fault
                continue
            try:
                code = process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.note(f"fp apply had not ended {seconds:.0f} s after everything was back")
                self.kill_deployer(process, children=True)
                self.applies["late"] += 1
            else:
                self.applies["failed" if code else "ok"] += 1
        self.trouble.deployers.clear()

    def settle(self) -> None:
        """Wait until everything in the topic is counted and written.

        Raises:
            TimeoutError: It is not, and never will be.
        """
        deadline = time.monotonic() + SETTLE_S
        while time.monotonic() < deadline:
            try:
                with self.world() as world:
                    wait(world, NAME, timeout_s=30.0)
            except FeaturePlatformError as error:
                said = str(error)
                time.sleep(0.5)
            else:
                return
        msg = f"not settled after {SETTLE_S:.0f} s: {said}; the sensor said: {self.sensor_said}"
        raise TimeoutError(msg)


def print_progress(text: str) -> None:
    """Print a line of progress with the time of day."""
    print(f"[{datetime.now(UTC):%H:%M:%S}] {text}", file=sys.stderr, flush=True)  # noqa: T201


def _run(program: str, *arguments: str) -> bool:
    """Run a program of the system; tells whether it is there and succeeded."""
    path = shutil.which(program)
    return path is not None and not subprocess.run((path, *arguments), check=False).returncode
