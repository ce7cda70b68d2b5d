"""Submitting a job by `flink run`: in a fresh JVM the uids are stable.

The job gets the id that the deployer chose: whether a submission succeeded can always be found out.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from feature_platform.deploy.restore import failed_to_restore
from feature_platform.errors import JobFailedError, RestoreFailedError
from feature_platform.local.flink_client import FlinkClient
from feature_platform.settings import REPOSITORY, Settings

SUBMIT_TIMEOUT_S = 300.0
OUTPUT_LINES_MAX = 12
_JOB_ID = re.compile(r"Job has been submitted with JobID ([0-9a-f]{32})")
_PYTHON_ERROR = re.compile(r"^\S*(?:Error|Exception)\b.*")


class FlinkCommand:
    """Runs `flink run`."""

    def __init__(self, settings: Settings) -> None:
        """Use the cluster and the configuration folder that the settings name."""
        self._settings = settings

    def submit(self, spec: Mapping[str, Any], job_id: str, restore_path: str) -> None:
        """Submit a job; returns when the cluster has accepted it, before it runs.

        Args:
            spec: The job spec.
            job_id: 32 hexadecimal digits that the job is going to have.
            restore_path: Savepoint or checkpoint to start from; empty for none.

        Raises:
            JobFailedError: The graph cannot be built, or the cluster refuses it.
            RestoreFailedError: What it is to restore cannot be read.
            ServerError: The Flink distribution or a JDK is missing.
        """
        with tempfile.TemporaryDirectory(prefix="fp-job-") as folder:
            path = Path(folder) / "spec.json"
            path.write_text(json.dumps(spec, indent=1))
            output = self._run(self._arguments(path, job_id, restore_path))
        found = _JOB_ID.search(output)
        if not found or found[1] != job_id:
            msg = f"flink run for {spec['featureset']} accepted no job {job_id}: {_short(output)}"
            raise JobFailedError(msg)

    def _arguments(self, spec: Path, job_id: str, restore_path: str) -> list[str]:
        flink = self._settings.flink
        options = {
            "rest.address": flink.host,
            "rest.port": flink.port,
            "jobmanager.rpc.address": flink.host,
            "$internal.pipeline.job-id": job_id,
        }
        connectors = sorted(self._settings.connector_jars.glob("*.jar"))
        return [
            *("run", "--detached"),
            *(f"-D{name}={value}" for name, value in options.items()),
            *(["-s", restore_path, "-n"] if restore_path else []),
            *("-pyclientexec", sys.executable),
            *("-py", str(REPOSITORY / "streaming" / "main.py")),
            *("-j", str(self._settings.kernel_jar)),
            *(argument for jar in connectors for argument in ("-C", jar.as_uri())),
            *("--spec", str(spec)),
        ]

    def _run(self, arguments: list[str]) -> str:
        conf = Path(os.environ.get("FLINK_CONF_DIR", self._settings.flink_conf))
        client = FlinkClient(self._settings, conf)
        try:
            run = client.run(arguments, os.environ, SUBMIT_TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            msg = (
                f"flink run did not end within {SUBMIT_TIMEOUT_S:.0f} s; "
                f"is Flink up? See `fp status`"
            )
            raise JobFailedError(msg) from error
        if run.returncode:
            msg = f"flink run refused the job: {_short(run.stdout)}"
            raise (RestoreFailedError if failed_to_restore(run.stdout) else JobFailedError)(msg)
        return run.stdout


def _short(output: str) -> str:
    """Return the lines of a long Java or Python trace that tell why."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    causes = [line for line in lines if line.startswith("Caused by: ") or _PYTHON_ERROR.match(line)]
    return "\n".join(dict.fromkeys((causes or lines)[-OUTPUT_LINES_MAX:]))
