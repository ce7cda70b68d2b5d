"""What executors of a cluster need to write, and who else could see it."""

import subprocess
import sys

import pytest

from backfill.main import store_secrets
from feature_platform.settings import REPOSITORY

SECRET, KEY = "hidden-1", "hidden-2"
PROGRAM = f"""
import os
from pathlib import Path
from backfill.session import open_session

options = {{"spark.executor.memory": "512m", "spark.hadoop.fs.s3a.secret.key": "{KEY}"}}
session = open_session(
    master="local-cluster[1,1,512]",
    jars=[],
    options=options,
    driver_memory="512m",
    secrets={{"FP_JOB_PASSWORD": "{SECRET}"}},
)
lookup = "java_method('java.lang.System', 'getenv', 'FP_JOB_PASSWORD') AS found"
(row,) = session.range(1).selectExpr(lookup).collect()
hadoop = session._jsc.hadoopConfiguration().get("fs.s3a.secret.key")
me, shown = os.getpid(), []
for folder in Path("/proc").glob("[0-9]*"):
    try:
        if os.getsid(int(folder.name)) == os.getsid(me):
            shown.append((folder / "cmdline").read_text())
    except OSError:
        pass
print(row["found"], hadoop, len([text for text in shown if "java" in text]))
print(any("hidden-" in text for text in shown))
session.stop()
"""


def test_executors_are_told_what_the_spec_names() -> None:
    """If this process knows it; a task that writes nothing is not told."""
    spec = {"job": {"store": {"password_env": "FP_JOB_PASSWORD"}}}
    environment = {"FP_JOB_PASSWORD": SECRET, "FP_ADMIN_PASSWORD": "x"}
    assert store_secrets(spec, environment) == {"FP_JOB_PASSWORD": SECRET}
    assert store_secrets(spec, {}) == {}
    assert store_secrets({"source": {}}, environment) == {}


@pytest.mark.slow
def test_executors_have_the_password_and_no_command_line_shows_it() -> None:
    """Nor a key of an object store; a driver and an executor in processes of their own."""
    found = subprocess.run(
        [sys.executable, "-"],
        input=PROGRAM,
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        timeout=120,
        start_new_session=True,
        check=False,
    )
    told, *shown = found.stdout.splitlines() or [found.stderr[-2000:]]
    secret, key, javas = told.split()
    assert (secret, key) == (SECRET, KEY)
    assert int(javas) >= 2
    assert shown == ["False"]
