"""Commands of `fp`, timed as processes, on servers that a build's own `fp up` starts."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from bench.measure import Usage, usage
from bench.rig import HERE, say
from feature_platform.local.ports import with_free_ports
from feature_platform.settings import Settings, load_settings

CHECKOUT = HERE.parent
LOOK_S = 0.1
NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
"""With it each `fp` compiles again what has changed since `make setup`, and its start doubles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the result."""

    name: str
    seconds: float
    cpu_s: float | None = None
    """Of the process that was started; the servers' is not in it."""
    peak_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project in a folder of its own, with its servers, seen through one build's `fp`."""

    checkout: Path
    settings: Settings
    environment: Mapping[str, str]

    def fp(self, *command: str, codes: Sequence[int] = (0,)) -> Figure:
        """Run a command.

        Raises:
            SystemExit: It ended with another exit code.
        """
        started = time.monotonic()
        with tempfile.TemporaryFile("w+") as said:
            process = subprocess.Popen(
                [self.checkout / ".venv/bin/fp", *command],
                cwd=self.settings.project,
                env=dict(self.environment),
                stdout=said,
                stderr=said,
            )
            try:
                used = _usage_until_end(process)
            finally:
                process.send_signal(signal.SIGINT)  # an interrupted benchmark leaves none behind
            seconds = time.monotonic() - started
            if process.returncode not in codes:
                said.seek(0)
                msg = f"fp {' '.join(command)} ended with {process.returncode}:\n{said.read()}"
                raise SystemExit(msg)
        return Figure(
            name=command[0], seconds=seconds, cpu_s=used.cpu_s, peak_bytes=used.peak_bytes
        )

    def facts(self, *command: str) -> dict[str, Any]:
        """Run a command, and return the JSON that it prints.

        Raises:
            SystemExit: It ended with another exit code than 0.
        """
        ran = subprocess.run(
            [self.checkout / ".venv/bin/fp", *command, "--json"],
            cwd=self.settings.project,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            check=False,
        )
        if ran.returncode:
            msg = f"fp {' '.join(command)} ended with {ran.returncode}:\n{ran.stdout}{ran.stderr}"
            raise SystemExit(msg)
        found: dict[str, Any] = json.loads(ran.stdout)
        return found


def _usage_until_end(process: subprocess.Popen[bytes]) -> Usage:
    """Wait for a process; return what it had used when it was last looked at."""
    used = usage(process.pid)
    while True:
        try:
            process.wait(LOOK_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(psutil.Error, OSError, ValueError):
                used = usage(process.pid)
        else:
            return used


@contextlib.contextmanager
def project(checkout: Path, flink: str, servers: Sequence[str] = ()) -> Iterator[Project]:
    """Lay the benchmark's project into a folder, and start its servers with a build's `fp up`.

    Args:
        checkout: The build, set up.
        flink: The section of the settings, to be continued.
        servers: Those that are needed; empty: all.
    """
    with tempfile.TemporaryDirectory(prefix="fp-bench-") as folder:
        shutil.copytree(HERE / "project", folder, dirs_exist_ok=True)
        free = with_free_ports(load_settings(Path(folder), {}))
        (Path(folder) / "feature_platform.toml").write_text(flink + _ports(free))
        made = Project(
            checkout=checkout,
            settings=load_settings(Path(folder), {}),
            environment={
                key: value
                for key, value in os.environ.items()
                if not key.startswith("FP_") and key != NO_BYTECODE
            },
        )
        try:
            say(f"starting servers with {checkout.name}")
            made.fp("up", *servers)
            yield made
        finally:
            made.fp("down", codes=(0, 1))


def _ports(settings: Settings) -> str:
    """Write the ports alone: settings that an older build knows, too."""
    flink, kafka, store, dagster = settings.flink, settings.kafka, settings.store, settings.dagster
    return (
        f"port = {flink.port}\nrpc_port = {flink.rpc_port}\n"
        f"[kafka]\nport = {kafka.port}\ncontroller_port = {kafka.controller_port}\n"
        f"[store]\nport = {store.port}\nstorage_port = {store.storage_port}\n"
        f"[dagster]\nport = {dagster.port}\ncode_port = {dagster.code_port}\n"
    )


def middle(name: str, figures: Sequence[Figure]) -> Figure:
    """Return the median of some figures, with the largest peak; tell it."""
    figure = Figure(
        name=name,
        seconds=median(figure.seconds for figure in figures),
        cpu_s=median(figure.cpu_s or 0.0 for figure in figures),
        peak_bytes=max(figure.peak_bytes or 0 for figure in figures),
    )
    say(f"{name}: {figure.seconds:.2f} s")
    return figure
