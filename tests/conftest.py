"""Fixtures of all tests: the real servers, started once, and projects that use them."""

import json
import os
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import pytest

from feature_platform.deploy.flink import FlinkRest
from feature_platform.local.cassandra_roles import secure
from feature_platform.local.jars import build_kernel
from feature_platform.local.java import find_java_home
from feature_platform.local.ports import with_free_ports
from feature_platform.local.stack import Progress, Stack
from feature_platform.settings import Settings, load_settings

SERVERS = ("kafka", "cassandra", "flink")
TIMEOUT_S = 1200
"""Of a test on real servers; the first one waits for their start."""
INTEGRATION = Path(__file__).parent / "integration"
METRICS_ON = {"FP_FLINK__PROMETHEUS_PORT": "9249"}
"""Any port will do: the stack draws its own."""
RUNNING = "TEST_STACK"
"""Environment variable: a project whose servers are used, and left running."""


class MakeProject(Protocol):
    """Makes a project on the shared servers, with a keyspace of its own."""

    def __call__(self, files: Mapping[str, str] | None = None) -> Settings:
        """Write files (path in the project -> text) and return the project's settings."""
        ...


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what stands in tests/integration, or runs on a real server elsewhere."""
    for item in items:
        if INTEGRATION in item.path.parents or _needs_servers(item):
            item.add_marker("integration")
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))


def _needs_servers(item: pytest.Item) -> bool:
    """Tell whether a test uses the servers, by a fixture or as one case of a contract."""
    case = getattr(item, "callspec", None)
    values = case.params.values() if case else ()
    named = any(isinstance(value, str) and value in SERVERS for value in values)
    return named or "stack" in getattr(item, "fixturenames", ())


def write_settings(settings: Settings) -> None:
    """Write a project's `feature_platform.toml`, so that a command finds the same servers."""
    lines = []
    for section, values in settings.model_dump(exclude={"project", "cache"}).items():
        plain = {key: value for key, value in values.items() if not isinstance(value, dict)}
        lines.append(f"[{section}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in plain.items()]
    (settings.project / "feature_platform.toml").write_text("\n".join(lines) + "\n")


@pytest.fixture
def free_settings(tmp_path: Path) -> Settings:
    """Settings of an empty project with ports of its own, written to its file."""
    settings = with_free_ports(load_settings(tmp_path, {}))
    write_settings(settings)
    return settings


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Stack]:
    """Kafka, Cassandra and Flink, started once for all tests that ask for them."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    running = os.environ.get(RUNNING)
    folder = Path(running) if running else tmp_path_factory.mktemp("stack")
    settings = load_settings(folder, {} if running else METRICS_ON)
    servers = Stack(
        settings if running else with_free_ports(settings), servers=SERVERS, report=_print
    )
    with capture.global_and_fixture_disabled():
        build_kernel(settings, find_java_home())
        servers.up()
    yield servers
    if not running:
        servers.down()


@pytest.fixture
def project(stack: Stack, tmp_path: Path) -> Iterator[MakeProject]:
    """A factory of projects on the shared servers; jobs that the test left running end with it."""
    numbers = count()
    cluster = FlinkRest(stack.settings.flink.rest_url)

    def make(files: Mapping[str, str] | None = None) -> Settings:
        folder = tmp_path / f"project{next(numbers)}"
        folder.mkdir()
        (folder / ".fp").symlink_to(stack.settings.data)
        for path, text in (files or {}).items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        store = stack.settings.store.model_copy(update={"keyspace": f"t_{uuid4().hex[:12]}"})
        settings = stack.settings.model_copy(update={"project": folder, "store": store})
        write_settings(settings)
        assert secure(settings)
        return settings

    yield make
    ours = {path.stem for path in tmp_path.glob("project*/featuresets/*.yaml")}
    for job in cluster.jobs():
        if job.lives and any(name in job.name for name in ours):
            cluster.cancel(job.id)


def _print(progress: Progress) -> None:
    print(f"\n  {progress.server}: {progress.phase}", end="", flush=True)  # noqa: T201 (pytest's output)
