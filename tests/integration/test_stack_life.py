"""A stack as a person has it, in a folder with an odd name: it works, is watched over, and told."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from feature_platform.clock import SystemClock
from feature_platform.local.ports import with_free_ports
from feature_platform.local.process import MARKER, Processes
from feature_platform.local.stack import Stack
from feature_platform.settings import Settings, load_settings
from tests.integration.commands import Ran, fp
from tests.integration.waiting import until
from tests.settings_file import write_settings

NAME = "ä b %41 [x]{y} #z=1 (+@~)"
EVENTS = 500
SOURCE = """\
source: clicks
topic: clicks
format: json
event_time: ts
columns: {user_id: STRING, ts: TIMESTAMP}
"""
FEATURE_SET = """\
featureset: users
description: What users do.
owner: tests
entity: user_id
source: clicks
sql: |
  SELECT user_id, COUNT(*) AS clicks FROM clicks GROUP BY user_id
features:
  clicks: {windows: [1d], lifetime: true}
"""
SLOWER_MAX_S = 10
"""How much longer `fp status` may take; by 1.5 s on an idle machine, and by 20 without a limit."""


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    """A project with definitions and events; its servers are down at the end, whatever happens."""
    folder = tmp_path / NAME
    (folder / "featuresets" / "sources").mkdir(parents=True)
    (folder / "featuresets" / "sources" / "clicks.yaml").write_text(SOURCE)
    (folder / "featuresets" / "users.yaml").write_text(FEATURE_SET)
    now_ms = SystemClock().now_ms()
    events = (
        {"user_id": f"u{number % 7}", "ts": now_ms - number * 100} for number in range(EVENTS)
    )
    (folder / "events.jsonl").write_text("".join(f"{json.dumps(event)}\n" for event in events))
    made = with_free_ports(load_settings(folder, {}))
    write_settings(made)
    yield made
    Stack(made).down()


def _fp(settings: Settings, *arguments: str) -> Ran:
    return fp(settings.project, *arguments, environment={"LC_ALL": "C"})


def _done(settings: Settings, *arguments: str) -> Ran:
    ran = _fp(settings, *arguments)
    assert ran.code == 0, f"{arguments}: {ran.out}{ran.messages}"
    return ran


def _timed(settings: Settings, *arguments: str) -> tuple[Ran, float]:
    began = time.monotonic()
    ran = _fp(settings, *arguments)
    return ran, time.monotonic() - began


def _signal(settings: Settings, name: str, number: signal.Signals) -> None:
    process = Processes(settings.data).find(name)
    assert process is not None
    os.kill(process.pid, number)


@pytest.mark.long
def test_a_stack_in_an_odd_folder_lives(settings: Settings) -> None:
    """Up, deployed, stopped, started from its savepoint, archived, checked; then hurt, then down.

    One test, because a start takes half a minute.
    """
    up = _done(settings, "up")
    assert "a supervisor restarts servers that die" in up.messages
    assert settings.data.stat().st_mode & 0o077 == 0
    _its_paths_are_used(settings)
    _what_died_is_started_again(settings)
    _a_frozen_store_is_not_up(settings)
    _done(settings, "down")
    marked = [process for process in psutil.process_iter() if _is_ours(process, settings)]
    assert marked == []
    assert Processes(settings.data).names() == []


def _is_ours(process: psutil.Process, settings: Settings) -> bool:
    try:
        return bool(process.environ().get(MARKER) == str(settings.data.resolve()))
    except (psutil.Error, OSError):
        return False


def _its_paths_are_used(settings: Settings) -> None:
    """Nothing is written beside the project, and what was written is found again."""
    _done(settings, "apply", "users", "--yes")
    _done(settings, "produce", "clicks", "--file", str(settings.project / "events.jsonl"))
    _done(settings, "wait", "users")
    stopped = _done(settings, "stop", "users")
    assert f"{NAME}/.fp/flink/savepoints/savepoint-" in stopped.messages + stopped.out
    applied = _done(settings, "apply", "users", "--yes")
    assert "submit the job from the savepoint" in applied.messages + applied.out
    assert list((settings.data / "flink" / "checkpoints").glob("*/chk-*/_metadata"))
    _done(settings, "archive", "clicks")
    assert list((settings.data / "event_log" / "clicks").rglob("date=*/*.parquet"))
    checked = _done(settings, "check", "users", "--sample", "100%", "--json").facts
    assert {item["check"]: item["status"] for item in checked}["parity"] == "green"
    status = _done(settings, "status").out
    assert "feature set users: running, no events waiting" in status
    assert "checked " in status
    assert "event log clicks: archived " in status
    assert status.endswith("overall: healthy\n")
    assert [path.name for path in settings.project.parent.iterdir()] == [NAME]


def _what_died_is_started_again(settings: Settings) -> None:
    """A task manager, alone: the job goes on in the job manager that knows it."""
    job_manager = Processes(settings.data).find("flink-jobmanager")
    _signal(settings, "flink-taskmanager", signal.SIGKILL)
    log = settings.data / "logs" / "supervisor.log"
    until(lambda: "flink: restarted" in log.read_text(), "the supervisor's restart")
    assert Processes(settings.data).find("flink-jobmanager") == job_manager
    told = _fp(settings, "status").out
    assert "flink-taskmanager died at " in told
    assert ", restarted once" in told
    _done(settings, "produce", "clicks", "--file", str(settings.project / "events.jsonl"))
    _done(settings, "wait", "users")
    until(lambda: _fp(settings, "status").code == 0, "a healthy status")


def _a_frozen_store_is_not_up(settings: Settings) -> None:
    """It is told soon, with what to do, and without a word that points to `fp status` itself."""
    _, healthy_s = _timed(settings, "status")
    _signal(settings, "cassandra", signal.SIGSTOP)
    try:
        ran, frozen_s = _timed(settings, "status")
    finally:
        _signal(settings, "cassandra", signal.SIGCONT)
    assert ran.code == 1
    assert "down      cassandra: started at " in ran.out
    assert "healthy   kafka: up at " in ran.out
    assert "cannot list feature sets: the store " in ran.out
    assert "`fp status`" not in ran.out
    assert frozen_s < healthy_s + SLOWER_MAX_S
    until(lambda: _fp(settings, "status").code == 0, "a healthy status")
