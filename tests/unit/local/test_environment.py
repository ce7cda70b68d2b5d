"""What children get of our environment, and what not."""

import re
import sys
from pathlib import Path

import pytest

from feature_platform.engines import spark
from feature_platform.local.environment import FLINK, OBJECT_STORES, SPARK, chosen
from feature_platform.local.process import Command, Processes

OURS = {
    "PATH": "/bin",
    "LC_ALL": "C.UTF-8",
    "https_proxy": "http://proxy",
    "FP_STACK": "/s",
    "JAVA_TOOL_OPTIONS": "-Xss1m",
}
OTHERS = {
    "FP_ADMIN_PASSWORD": "a",
    "FP_JOB_PASSWORD": "a",
    "FP_KAFKA_PASSWORD": "a",
    "GITHUB_TOKEN": "a",
    "PGPASSWORD": "a",
    "PATHS": "a",
    "MY_PATH": "a",
}
OF_STORES = {
    "AWS_ACCESS_KEY_ID": "k",
    "GOOGLE_APPLICATION_CREDENTIALS": "f",
    "AZURE_TENANT_ID": "t",
}


def test_children_get_what_they_need_alone() -> None:
    """No password, unless it is handed to them."""
    everything = OURS | OTHERS | OF_STORES | {"SPARK_HOME": "s", "FLINK_HOME": "f"}
    assert chosen((), everything) == OURS
    assert chosen(FLINK, everything) == OURS | {"FLINK_HOME": "f"}
    assert chosen((*SPARK, *OBJECT_STORES), everything) == OURS | OF_STORES | {"SPARK_HOME": "s"}
    assert chosen((re.escape("PGPASSWORD"),), everything) == OURS | {"PGPASSWORD": "a"}


def test_a_server_starts_with_its_own_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And none of those that a person has exported."""
    monkeypatch.setenv("FP_ADMIN_PASSWORD", "production")
    said = tmp_path / "environment"
    program = f"import os; open({str(said)!r}, 'w').write(repr(dict(os.environ)))"
    processes = Processes(tmp_path / ".fp")
    processes.start(
        Command(name="s", arguments=(sys.executable, "-c", program), environment={"OWN": "1"})
    ).wait(20)
    assert "'OWN': '1'" in said.read_text()
    assert "production" not in said.read_text()


def test_spark_starts_without_what_is_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its child has exactly what it is given."""
    monkeypatch.setenv("FP_ADMIN_PASSWORD", "production")
    program = "import os; print(sorted(os.environ))"
    with (
        (tmp_path / "log").open("wb") as log,
        spark._child([sys.executable, "-c", program], {"OWN": "1"}, log) as child,
    ):
        assert child.stdout is not None
        names = child.stdout.read().decode()
    assert "OWN" in names
    assert "FP_ADMIN_PASSWORD" not in names
