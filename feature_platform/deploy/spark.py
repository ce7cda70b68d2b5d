"""Backfills by Spark, as a child process: nothing of the engine is imported here.

The child ends with its parent: it is stopped when the parent is interrupted or told to end.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Thread
from typing import IO, Any

from feature_platform.errors import JobFailedError
from feature_platform.local.jars import fetch_jars
from feature_platform.local.java import find_java_home, java_environment
from feature_platform.settings import REPOSITORY, Settings, password, password_variable

MODULE = "backfill.main"
LOG_LINES_KEPT = 400
CAUSES_SHOWN = 4
STOP_TIMEOUT_S = 20.0

Report = Callable[[str], None]


class SparkCommand:
    """Runs backfills with the master of the settings."""

    def __init__(self, settings: Settings) -> None:
        """Use the kernel, the store and the brokers that the settings name."""
        self._settings = settings

    def backfill(
        self,
        spec: Mapping[str, Any],
        attempt: int,
        until: Mapping[str, int],
        report: Report,
    ) -> None:
        """Write every row of a generation; see `deploy.world.Backfiller`."""
        java_home = find_java_home()
        connectors = fetch_jars(self._settings, "spark", java_home)
        task = {
            "job": spec,
            "attempt": attempt,
            "until": dict(until),
            "jars": [str(self._settings.kernel_jar), *map(str, sorted(connectors.glob("*.jar")))],
            "spark": self._settings.spark.model_dump(),
        }
        with tempfile.TemporaryDirectory(prefix="fp-backfill-") as folder:
            path = Path(folder) / "spec.json"
            path.write_text(json.dumps(task))
            self._run(path, java_environment(java_home), spec["featureset"], report)

    def _run(
        self, spec: Path, environment: Mapping[str, str], featureset: str, report: Report
    ) -> None:
        secret = {password_variable("job"): password(self._settings, "job")}
        done = False
        with subprocess.Popen(
            [sys.executable, "-m", MODULE, "--spec", str(spec)],
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment, **secret},
            start_new_session=True,
        ) as child:
            log = _Log(child.stderr)
            try:
                for line in child.stdout or ():
                    facts = json.loads(line)
                    done = facts["done"]
                    report(_in_words(facts))
            except BaseException:
                _stop(child)
                raise
        log.join()
        if child.returncode or not done:
            msg = (
                f"the backfill of {featureset} by Spark ended with exit code {child.returncode}: "
                f"{log.cause()}; correct the cause and apply again"
            )
            raise JobFailedError(msg)


class _Log(Thread):
    """Reads what Spark says, so that its pipe never fills; keeps the end."""

    def __init__(self, stream: IO[str] | None) -> None:
        super().__init__(daemon=True)
        self._stream = stream
        self._lines: deque[str] = deque(maxlen=LOG_LINES_KEPT)
        self.start()

    def run(self) -> None:
        for line in self._stream or ():
            self._lines.append(line.rstrip())

    def cause(self) -> str:
        """Return the lines of a long trace that tell why."""
        lines = [line.strip() for line in self._lines if line.strip()]
        causes = [line for line in lines if line.startswith("Caused by: ") or "Error: " in line]
        return "\n".join(dict.fromkeys((causes or lines)[-CAUSES_SHOWN:])) or "it says nothing"


def _in_words(facts: Mapping[str, Any]) -> str:
    done = "all rows are written" if facts["done"] else "written so far"
    return f"{done}: {facts['rows']:,} rows, {facts['bytes'] / 1e6:,.1f} MB"


def _stop(child: "subprocess.Popen[str]") -> None:
    """End the child with the JVM that it has started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
            child.wait(STOP_TIMEOUT_S)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
