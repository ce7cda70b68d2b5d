"""Runs `fp` as a person does: a process, its exit code, what it printed."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from feature_platform.settings import Settings

FP = Path(sys.executable).with_name("fp")
TIMEOUT_S = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What became of a command."""

    code: int
    out: str
    messages: str

    @property
    def facts(self) -> Any:  # noqa: ANN401 (JSON)
        """What it printed with --json."""
        assert self.out, f"exit code {self.code}: {self.messages}"
        return json.loads(self.out)


def fp(
    project: Path,
    *arguments: str,
    given: str = "",
    timeout_s: float = TIMEOUT_S,
    environment: Mapping[str, str] | None = None,
) -> Ran:
    """Run `fp` on a project; standard input holds what is given and is no terminal."""
    run = subprocess.run(
        [FP, "--project", project, *arguments],
        input=given,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    return Ran(code=run.returncode, out=run.stdout, messages=run.stderr)


def spark_children() -> Iterator[psutil.Process]:
    """Yield the Python of each Spark that this process has started and that still runs."""
    for process in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):  # it has just ended
            if "backfill.main" in " ".join(process.cmdline()):
                yield process


def kill_spark() -> None:
    """Kill the Spark that this process has started: python first, its Java ends with it."""
    for process in spark_children():
        process.kill()


def variables(settings: Settings) -> dict[str, str]:
    """Return settings as the environment variables that override a project's file."""
    sections = settings.model_dump(exclude={"project", "cache"}).items()
    return {
        f"FP_{section}__{name}".upper(): ",".join(value) if isinstance(value, list) else str(value)
        for section, values in sections
        for name, value in values.items()
        if not isinstance(value, dict)
    }
