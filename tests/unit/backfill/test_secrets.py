"""What executors of a cluster need to write, and who else could see it."""

import subprocess
import sys
from dataclasses import replace

import pytest

from backfill.main import secrets
from backfill.session import shown
from feature_platform.engines.spark_request import (
    ArchiveTask,
    RecountTask,
    SparkRequest,
    TileSelection,
)
from feature_platform.paths import PARTS
from feature_platform.settings import KafkaSettings, SparkSettings
from tests.unit.engines.spec import SOURCE, SPEC

SECRET, KEY = "hidden-1", "hidden-2"
PROGRAM = f"""
import os
from pathlib import Path
from backfill.session import open_session

options = {{
    "spark.executor.memory": "512m",
    "spark.hadoop.fs.s3a.secret.key": "{KEY}",
    "spark.hadoop.fs.azure.account.key.us.dfs.core.windows.net": "hidden-3",
    "spark.hadoop.google.cloud.auth.service.account.private.key": "hidden-4",
    "spark.hadoop.fs.azure.sas.box.us": "hidden-5",
}}
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
    spark = SparkSettings()
    recount = RecountTask(job=SPEC, until={}, wanted=TileSelection())
    request = SparkRequest(task=recount, log="", spark=spark, jars=())
    archive = ArchiveTask(source=SOURCE, kafka=KafkaSettings(), records_max=1, accept_gap=False)
    environment = {"FP_JOB_PASSWORD": SECRET, "FP_ADMIN_PASSWORD": "x"}
    assert secrets(request, environment) == {"FP_JOB_PASSWORD": SECRET}
    assert secrets(request, {}) == {}
    assert secrets(replace(request, task=archive), environment) == {}
    assert secrets(request, {"FP_KAFKA_PASSWORD": "k"}) == {"FP_KAFKA_PASSWORD": "k"}


@pytest.mark.parametrize(
    "name",
    [
        "spark.hadoop.fs.azure.account.key.us.dfs.core.windows.net",
        "spark.hadoop.google.cloud.auth.service.account.private.key",
        "spark.hadoop.fs.azure.sas.box.us",
        "spark.hadoop.fs.s3a.access.key",
        "spark.ssl.keyPassword",
        "spark.executorEnv.ANYTHING",
        "spark.anything.else",
        "spark.kubernetes.authenticate.submission.oauthToken",
    ],
)
def test_a_command_line_shows_only_what_java_is_started_with(name: str) -> None:
    """Whatever the secret is called; memory and class path must be there."""
    needed = {"spark.driver.memory": "1g", "spark.driver.extraClassPath": "/a/*", "spark.jars": "a"}
    assert dict(shown({**needed, name: "hidden"})) == needed


@pytest.mark.slow
def test_executors_have_the_password_and_no_command_line_shows_it() -> None:
    """Nor a key of an object store; a driver and an executor in processes of their own."""
    found = subprocess.run(
        [sys.executable, "-"],
        input=PROGRAM,
        capture_output=True,
        text=True,
        cwd=PARTS,
        timeout=120,
        start_new_session=True,
        check=False,
    )
    told, *shown = found.stdout.splitlines() or [found.stderr[-2000:]]
    secret, key, javas = told.split()
    assert (secret, key) == (SECRET, KEY)
    assert int(javas) >= 2
    assert shown == ["False"]
