"""`fp status` for people: a line for each thing; tables of internals fit into a hundred columns."""

import ast
import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from feature_platform.cli.status import _count, _failures, _jobs, _kernels
from feature_platform.engines.flink import Checkpoint
from feature_platform.engines.flink_metrics import METRICS, JobMetrics
from feature_platform.monitor.health import Health
from feature_platform.registry.base import Cut
from feature_platform.settings import SETTINGS_FILE
from tests.unit.cli.running import RunFp

WIDTH = 100
LARGE = JobMetrics(dict.fromkeys(METRICS, 123456789.0) | {"recovered": 0.0})
HEALTH = Health(
    featureset="post_engagement_by_author",
    wanted="running",
    generation=1,
    job_id="a" * 32,
    job_state="RUNNING",
    restarts=0,
    attempt=12_345,
    lag=1_234_567_890,
    checkpoint=Checkpoint(id=1, completed_ms=1, bytes=1, path="", is_savepoint=False),
    cut=Cut(attempt=1, checkpoint_id=1, positions={}, recorded_ms=1),
    rows_written=1,
    dead_letters={"not_json": 123_456},
    metrics=LARGE,
)


def _shown(*healths: Health) -> list[str]:
    console = Console(file=io.StringIO(), width=WIDTH, color_system=None)
    console.print(_jobs(healths))
    console.print(_kernels(healths))
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_large_numbers_fit() -> None:
    """Nothing is wrapped or cut off."""
    lines = _shown(HEALTH)
    (kernel,) = [line for line in lines if "123M" in line]
    assert max(len(line) for line in lines) <= WIDTH
    assert kernel.split() == [
        *("post_engagement_by_author", "no", "50.0%", "123M", "123M", "123M", "123k"),
        *("123M", "123M/123M", "123M"),
    ]


def test_what_is_not_known_is_a_dash() -> None:
    """A job of an older kernel, or one that has just started."""
    lines = _shown(replace(HEALTH, metrics=JobMetrics({}), dead_letters={}))
    assert lines[-2].split()[1:] == ["-", "-", "-", "-", "-", "0", "-", "-/-", "-"]


def test_jobs_that_were_not_let_write_are_counted_and_told() -> None:
    """Under the tables, with the failure of the deployed one."""
    health = replace(HEALTH, last_failure="a.b: boom", refused={"j0": "c.d: owned by x"})
    assert _shown(health)[-2].split()[5] == "1"
    assert _failures(health) == [
        "last failure of post_engagement_by_author: a.b: boom",
        "job j0 of post_engagement_by_author was fenced off: c.d: owned by x",
    ]
    assert _failures(HEALTH) == []
    assert health.to_json()["job"]["last_failure"] == "a.b: boom"
    assert health.to_json()["refused_jobs"] == {"j0": "c.d: owned by x"}


def test_counts_are_short() -> None:
    """Exact while that is short, then in thousands, millions, thousand millions."""
    counts = [0, 9_999, 10_000, 9_999_999, 10_000_000, 25_000_000_000, None]
    assert [_count(count) for count in counts] == ["0", "9,999", "10k", "10000k", "10M", "25G", "-"]


def test_a_status_has_a_line_for_each_thing_and_an_exit_code(fp: RunFp, folder: Path) -> None:
    """Nothing is started: that is down, with the command that starts it, and no table."""
    (folder / SETTINGS_FILE).write_text("[store]\nport = 1\n[kafka]\nport = 1\n")
    ran = fp("status")
    assert ran.code == 1
    lines = ran.out.splitlines()
    assert lines[0] == "down      kafka: not started"
    assert lines[1] == "          next: fp up kafka"
    assert lines[-1] == "overall: down"
    assert "fp status" not in ran.out + ran.messages
    facts = json.loads(fp("status", "--json").out)
    assert facts["level"] == "down"
    assert [server["state"] for server in facts["servers"]] == ["down"] * 4
    assert facts["verdicts"][0]["next"] == "fp up kafka"


def test_a_status_loads_nothing_that_it_does_not_need() -> None:
    """Else it would take a second longer."""
    code = (
        "import sys\n"
        "import feature_platform.cli.main as main, feature_platform.cli.status as status\n"
        "main.build()\n"
        "with status._without_numpy():\n"
        "    import feature_platform.local.status, feature_platform.monitor.glance\n"
        "print(sorted({name.split('.')[0] for name in sys.modules}))\n"
        "import numpy\n"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = set(ast.literal_eval(run.stdout))
    assert loaded & {"numpy", "pyspark", "pyflink", "dagster", "sqlglot", "pandas"} == set()
