"""`fp status` for people: both tables fit into a hundred columns."""

import io
from dataclasses import replace

from rich.console import Console

from feature_platform.cli.status import _count, _failures, _jobs, _kernels
from feature_platform.deploy.flink import Checkpoint
from feature_platform.deploy.metrics import METRICS, JobMetrics
from feature_platform.orchestration.health import Health
from feature_platform.registry.base import Cut

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
    cut=Cut(attempt=1, label=1, positions={}, recorded_ms=1),
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
        "job j0 of post_engagement_by_author was not let write: c.d: owned by x",
    ]
    assert _failures(HEALTH) == []
    assert health.to_json()["job"]["last_failure"] == "a.b: boom"
    assert health.to_json()["refused_jobs"] == {"j0": "c.d: owned by x"}


def test_counts_are_short() -> None:
    """Exact while that is short, then in thousands, millions, thousand millions."""
    counts = [0, 9_999, 10_000, 9_999_999, 10_000_000, 25_000_000_000, None]
    assert [_count(count) for count in counts] == ["0", "9,999", "10k", "10000k", "10M", "25G", "-"]
