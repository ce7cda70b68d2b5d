"""What the serving benchmark starts: a store, Redis, `fp serve`, and rankers, a process each.

Everything is on free ports and in one temporary folder, and is stopped with it.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from bench.measure import Usage, usage
from bench.rig import HERE, say
from bench.serving_load import Load, Requests
from bench.serving_plain import COLUMNS, KEY, TABLE, message_class
from feature_platform.clock import SystemClock
from feature_platform.definition.feature_list import FeatureList, ListedFeature
from feature_platform.local.ports import with_free_ports
from feature_platform.local.stack import Stack
from feature_platform.registry.cql import open_registry
from feature_platform.settings import Settings, load_settings, password
from feature_platform.store.base import TileKey
from feature_platform.store.connect import Connection, connect
from feature_platform.store.cql import CqlTiles

MODULES = ("serving_ranker", "serving_build", "serving_plain", "serving_feast", "serving_doors")
"""What rankers run: laid into a folder of their own, so that an older build's `bench` is not hidden
by this one's, nor its `feature_platform`."""
START_S = 60.0
LOOK_S = 0.1
SERVICE_DEADLINE_MS = 60_000
FEAST = "feast[redis]==0.67.0"
BATCH_ROWS = 50

Answer = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Rig:
    """The servers and the folder of a run."""

    folder: Path
    settings: Settings
    admin: Connection

    @property
    def definitions(self) -> Path:
        """Where the feature sets are."""
        return self.folder / "featuresets"

    @property
    def environment(self) -> dict[str, str]:
        """What rankers get: no settings of the project around them, and the service's password."""
        plain = {key: value for key, value in os.environ.items() if not key.startswith("FP_")}
        return plain | {
            "PYTHONPATH": str(self.folder / "rankers"),
            "BENCH_PASSWORD": password(self.settings, "service"),
        }

    def save(self, name: str, requests: Requests) -> str:
        """Write requests for rankers; return where."""
        path = self.folder / f"{name}.npz"
        requests.save(path)
        return str(path)

    def deploy(self, load: Load, keys: Sequence[TileKey], lists: Sequence[int] = ()) -> None:
        """Write the rows of a load, its snapshot, and feature lists.

        Args:
            load: The entities.
            keys: The closed tiles that will be asked for.
            lists: How many of the features each list has; `list_name` is its name.
        """
        registry, tiles = open_registry(self.admin, SystemClock()), CqlTiles(self.admin)
        tiles.create_table(load.snapshot.table)
        registry.save(load.snapshot)
        for count in lists:
            features = tuple(ListedFeature(name=name) for name in load.names[:count])
            name = list_name(count)
            registry.save_list(FeatureList(name=name, version=1, features=features, owner="bench"))
        say(f"writing the rows of {load.entities:,} entities of {load.featureset.name}")
        load.write(tiles, frozenset(keys))

    def write_plain(self, load: Load, keys: Sequence[TileKey]) -> None:
        """Write the tiles of a load as the straightforward client wants them."""
        keyspace = self.admin.keyspace
        self.admin.run_ddl(f"CREATE TABLE {keyspace}.{TABLE} ({COLUMNS}, PRIMARY KEY ({KEY}))")
        insert = (
            f"INSERT INTO {keyspace}.{TABLE} (entity, level, start, counts) VALUES (?, ?, ?, ?)"
        )
        names, wanted = [each.name for each in load.featureset.features], frozenset(keys)
        message: Any = message_class()

        def write(entity: int) -> None:
            rows = [
                (insert, (entity, *key, _encoded(message, names, counts)))
                for key, counts in load.tiles(entity).items()
                if key in wanted
            ]
            for first in range(0, len(rows), BATCH_ROWS):
                self.admin.run_batch(rows[first : first + BATCH_ROWS])

        say(f"writing the same for the straightforward client, {load.entities:,} entities")
        load.for_each(write)


def list_name(features: int) -> str:
    """Return the name of the feature list with this number of features."""
    return f"ranker_{features}"


def _encoded(message: Any, names: Sequence[str], counts: Sequence[int]) -> bytes:  # noqa: ANN401
    made = message(counts={name: n for name, n in zip(names, counts, strict=True) if n})
    return bytes(made.SerializeToString())


@contextmanager
def rig() -> Iterator[Rig]:
    """Start a store."""
    with tempfile.TemporaryDirectory(prefix="fp-bench-") as name:
        folder = Path(name)
        settings = with_free_ports(load_settings(folder, {}))
        (folder / "feature_platform.toml").write_text(f"[store]\nport = {settings.store.port}\n")
        (folder / "rankers" / "bench").mkdir(parents=True)
        for module in MODULES:
            shutil.copy(HERE / f"{module}.py", folder / "rankers" / "bench")
        say("starting Cassandra")
        with (
            Stack(settings, servers=("cassandra",)),
            connect(settings.store, "fp_admin", password(settings, "admin")) as admin,
        ):
            yield Rig(folder=folder, settings=settings, admin=admin)


@dataclass(frozen=True, kw_only=True)
class Process:
    """A ranker that runs. Mutable: it answers tasks."""

    name: str
    process: subprocess.Popen[str]

    def begin(self, **task: Any) -> None:  # noqa: ANN401
        """Send a task; `end` waits for what came of it."""
        assert self.process.stdin is not None  # noqa: S101
        self.process.stdin.write(json.dumps(task) + "\n")
        self.process.stdin.flush()

    def end(self) -> Answer:
        """Return what came of the task.

        Raises:
            SystemExit: The ranker has ended.
        """
        assert self.process.stdout is not None  # noqa: S101
        line = self.process.stdout.readline()
        if not line:
            msg = f"{self.name} ended with code {self.process.wait()}; see above"
            raise SystemExit(msg)
        answer: Answer = json.loads(line)
        return answer

    def run(self, **task: Any) -> Answer:  # noqa: ANN401
        """Send a task, and return what came of it."""
        self.begin(**task)
        return self.end()


@contextmanager
def ranker(
    made: Rig, name: str, module: str, spec: Mapping[str, Any], python: str = sys.executable
) -> Iterator[Process]:
    """Run a ranker.

    Args:
        made: The servers.
        name: For people.
        module: Of `MODULES`.
        spec: What the module's `ranker` is made of.
        python: The interpreter of a build's environment, or of Feast's.
    """
    path = made.folder / f"{name.replace(' ', '-').replace('/', '-')}.json"
    path.write_text(json.dumps(spec))
    process = subprocess.Popen(
        [python, "-m", "bench.serving_ranker", f"bench.{module}", str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=made.environment,
        cwd=made.folder,
    )
    try:
        running = Process(name=name, process=process)
        running.end()  # it is ready
        yield running
    finally:
        _stop(process)


@dataclass(frozen=True, kw_only=True)
class Service:
    """`fp serve` as it runs."""

    port: int
    http_port: int
    pid: int

    def used(self) -> Usage:
        """Return what all its processes have used."""
        return usage(self.pid)


@contextmanager
def fp_serve(made: Rig, workers: int, environment: Mapping[str, str]) -> Iterator[Service]:
    """Run the service on free ports.

    Raises:
        SystemExit: It does not answer.
    """
    free = with_free_ports(made.settings)
    port, http_port = free.flink.port, free.dagster.port
    said = made.folder / f"serve-{port}.log"
    plain = {key: value for key, value in made.environment.items() if key != "PYTHONPATH"}
    deadlines = {
        f"FP_SERVICE__{name}": str(SERVICE_DEADLINE_MS)
        for name in ("DEADLINE_MS", "DEADLINE_MAX_MS")
    }
    command = [str(Path(sys.executable).with_name("fp")), "serve", "--workers", str(workers)]
    command += ["--port", str(port), "--http-port", str(http_port)]
    with said.open("w") as log:
        process = subprocess.Popen(
            command,
            cwd=made.folder,
            env=plain | deadlines | dict(environment),
            stdout=log,
            stderr=log,
        )
        try:
            _wait_for(said, "serving:", process)
            yield Service(port=port, http_port=http_port, pid=process.pid)
        finally:
            process.send_signal(signal.SIGTERM)  # twice: at once, nobody waits for it
            time.sleep(LOOK_S)
            _stop(process)


@contextmanager
def redis(made: Rig) -> Iterator[int]:
    """Run Debian's Redis, nothing kept on disk; yield its port.

    Raises:
        SystemExit: It is not installed, or does not start.
    """
    program = _program("redis-server")
    port = made.settings.kafka.port
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(made.folder)]
    said = made.folder / "redis.log"
    with said.open("w") as log:
        process = subprocess.Popen(
            [*command, "--save", "", "--appendonly", "no"], stdout=log, stderr=log
        )
        try:
            _wait_for(said, "Ready to accept connections", process)
            yield port
        finally:
            _stop(process)


def redis_version() -> str:
    """Return the version of the server."""
    command = [_program("redis-server"), "--version"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return next(part for part in said.split() if part.startswith("v=")).removeprefix("v=")


def make_feast(venv: Path) -> str:
    """Return the interpreter of an environment with Feast, made if it is not there."""
    python = venv / "bin" / "python"
    if not python.exists():
        say(f"installing {FEAST} into {venv}")
        uv = _program("uv")
        subprocess.run([uv, "venv", "--python", "3.11", str(venv)], check=True)
        subprocess.run([uv, "pip", "install", "--python", str(python), FEAST], check=True)
    return str(python)


def run_feast(made: Rig, python: str, spec: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Write values into Feast: `spec` is that of its rankers."""
    np.savez(made.folder / "feast.npz", **values)
    path = made.folder / "feast-fill.json"
    path.write_text(json.dumps(spec))
    subprocess.run(
        [python, "-m", "bench.serving_feast", str(path), str(made.folder / "feast.npz")],
        check=True,
        env=made.environment,
        cwd=made.folder,
    )


def _program(name: str) -> str:
    """Return where a program is, of the machine or of this checkout's tools.

    Raises:
        SystemExit: It is not installed.
    """
    tools = HERE.parent / ".tools" / "bin"
    path = shutil.which(name) or shutil.which(name, path=str(tools))
    if path is None:
        msg = f"there is no {name}: install it (apt-get install {name}), or leave --feast out"
        raise SystemExit(msg)
    return path


def _wait_for(path: Path, text: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_S
    while text not in path.read_text():
        if process.poll() is not None or time.monotonic() > until:
            msg = f"{path.stem} did not start:\n{path.read_text()}"
            raise SystemExit(msg)
        time.sleep(LOOK_S)


def _stop(process: "subprocess.Popen[Any]") -> None:
    """End a process; its children end with it."""
    children = []
    with suppress(psutil.Error):
        children = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for child in children:
        with suppress(psutil.Error):
            child.kill()
