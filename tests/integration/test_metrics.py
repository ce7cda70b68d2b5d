"""What a running job tells about itself: to `fp status`, and to Prometheus."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen
from uuid import uuid4

import pytest

from feature_platform.engines.flink_metrics import METRICS
from feature_platform.settings import Settings, embedded_passwords
from tests.integration.commands import fp
from tests.integration.waiting import until

MakeProject = Callable[[Mapping[str, str]], Settings]

SOURCE = """
source: {name}
topic: {name}
format: json
event_time: at
columns: {{page: STRING, at: TIMESTAMP}}
"""
FEATURE_SET = """
featureset: {name}
description: How often a page is seen.
owner: tests
entity: page
source: {name}
sql: |
  SELECT page, COUNT(*) AS seen
  FROM {name}
  GROUP BY page
features:
  seen: {{windows: [30m], lifetime: true}}
"""
PAGES = 7
EVENTS = "".join(f'{{"page": "p{page}", "at": 60000}}\n' for page in range(PAGES))
OURS = "flink_taskmanager_job_task_operator_state_misses"


@pytest.fixture
def name() -> str:
    """A feature set's name, and its topic's, that no other test uses."""
    return f"clicks_{uuid4().hex[:6]}"


@pytest.fixture
def settings(project: MakeProject, name: str) -> Settings:
    """A project whose job has counted the events."""
    settings = project(
        {
            f"featuresets/sources/{name}.yaml": SOURCE.format(name=name),
            f"featuresets/{name}.yaml": FEATURE_SET.format(name=name),
        }
    )
    folder = settings.project
    assert fp(folder, "apply", name, "--yes").code == 0
    assert fp(folder, "produce", name, "--file", "-", "--shift-to-now", given=EVENTS).code == 0
    assert fp(folder, "produce", name, "--file", "-", given="no json\n").code == 0
    assert fp(folder, "wait", name).code == 0
    return settings


def _told(folder: Path) -> dict[str, Any]:
    """Ask until the counts of both operators are there: an answer is what Flink fetched before."""

    def look() -> dict[str, Any] | None:
        status = fp(folder, "status", "--json").facts
        (health,) = status["featuresets"]
        metrics = health["metrics"]
        counted = metrics["state_misses"] and metrics["dead_letters"]
        return {**metrics, "isolation": status["isolation"]} if counted else None

    return until(look, "counts of both operators", every_s=2)


def _scraped(settings: Settings) -> str:
    """Return what both of Flink's processes tell to Prometheus."""
    port = settings.flink.prometheus_port
    assert port, "the stack must run with flink.prometheus_port set"
    pages = []
    for number in (port, port + 1):
        try:
            with urlopen(f"http://{settings.flink.host}:{number}/metrics", timeout=10) as answer:
                pages.append(answer.read().decode())
        except URLError as error:
            pages.append(f"# {number}: {error}")
    return "\n".join(pages)


def test_a_job_tells_how_it_is_doing(settings: Settings, name: str) -> None:
    """Each page was met for the first time; the line that was no JSON is a dead letter."""
    told = _told(settings.project)
    assert (told["state_misses"], told["state_hits"], told["hot"]) == (PAGES, 0, 0.0)
    assert (told["dead_letters"], told["written_rows"] >= PAGES) == (1, True)
    low, high = settings.store.reads_in_flight_min, settings.store.reads_in_flight_max
    assert low <= told["reads_in_flight_limit"] <= high
    assert told["read_latency_ms"] is not None
    assert set(METRICS) <= set(told)
    assert told["isolation"].startswith("client-side only: the store has no service levels")
    scraped = [line for line in _scraped(settings).splitlines() if line.startswith(OURS)]
    ours = [line for line in scraped if f'job_name="{name}_g1"' in line.replace(" ", "")]
    assert [float(line.rsplit(" ", 1)[1]) for line in ours] == [float(PAGES)], scraped


def test_roles_can_be_set_again(settings: Settings) -> None:
    """Nothing changes on a store that has them all; passwords stay, and isolation is told."""
    passwords = embedded_passwords(settings)
    again = fp(settings.project, "roles", environment=passwords)
    assert (again.code, f"keyspace {settings.store.keyspace} are set" in again.messages) == (
        0,
        True,
    )
    assert "isolation: client-side only" in " ".join(again.messages.split())
    assert fp(settings.project, "status", "--json").code == 0
    other = fp(settings.project, "roles", "--user", "fp_admin", environment=passwords)
    assert (other.code, "refused the user or password" in other.messages) == (1, True)
