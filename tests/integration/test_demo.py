"""The demo as a person runs it: every served number is equal, and Ctrl-C leaves nothing behind."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from feature_platform.demo.stage import JOB_NAME
from feature_platform.engines.flink import FlinkRest
from feature_platform.local.stack import Stack
from feature_platform.local.status import server_status
from feature_platform.settings import Settings
from tests.integration.commands import FP, fp, variables

TIMEOUT_S = 1800
INTERRUPTED = 130


def test_every_served_number_is_equal(stack: Stack) -> None:
    """Flights are replayed, a column is added meanwhile, and the recount agrees: exit code 0."""
    settings = stack.settings
    ran = fp(
        settings.project,
        "demo",
        "--seconds",
        "20",
        "--flights",
        "30000",
        timeout_s=TIMEOUT_S,
        environment=variables(settings),
    )
    assert ran.code == 0, f"{ran.out[-3000:]}\n{ran.messages[-3000:]}"
    assert "was upgraded from its savepoint" in ran.out
    assert "30,000 flights of 2013" in ran.out
    assert ran.out.count("equal") == 3
    recent = {int(number) for number in re.findall(r"EWR: departures_30m ([0-9]+)", ran.out)}
    assert len(recent - {0}) > 1, "the window moved while flights happened at the present"
    assert _left(settings) == []


@pytest.mark.long
def test_an_interrupted_demo_leaves_nothing_behind(stack: Stack, tmp_path: Path) -> None:
    """Ctrl-C while flights flow ends jobs and the servers that the demo started, no others."""
    settings = stack.settings
    before = _servers_up(settings)
    messages = tmp_path / "messages"
    with (
        messages.open("w") as file,
        subprocess.Popen(
            [FP, "--project", settings.project, "demo"],
            env={**os.environ, **variables(settings)},
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
        ) as demo,
    ):
        assert demo.stdout is not None
        next(line for line in demo.stdout if "flights of 2013" in line)
        demo.send_signal(signal.SIGINT)
        demo.stdout.read()
    assert demo.returncode == INTERRUPTED, messages.read_text()[-3000:]
    assert _left(settings) == []
    assert _servers_up(settings) == before


def _left(settings: Settings) -> list[str]:
    """Return the demo's jobs that still live."""
    jobs = FlinkRest(settings.flink.rest_url).jobs()
    return [job.name for job in jobs if job.lives and JOB_NAME.fullmatch(job.name)]


def _servers_up(settings: Settings) -> set[str]:
    return {server.name for server in server_status(settings) if server.state == "up"}
