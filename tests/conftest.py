"""Fixtures of all tests: the real servers, started once, and projects that use them."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from uuid import uuid4

import pytest

from feature_platform.engines.flink import FlinkRest
from feature_platform.engines.flink_submitter import FlinkSubmitter
from feature_platform.local.cassandra_roles import secure
from feature_platform.local.jars import build_kernel, fetch_jars
from feature_platform.local.java import find_java_home
from feature_platform.local.lock import locked
from feature_platform.local.ports import with_free_ports
from feature_platform.local.stack import Progress, Stack
from feature_platform.settings import SETTINGS_FILE, Settings, load_settings
from tests.settings_file import write_settings

if TYPE_CHECKING:  # Spark is imported by the tests that use it
    from pyspark.sql import SparkSession

SERVERS = ("kafka", "cassandra", "flink")
TIMEOUT_S = 1800
"""Of a test on real servers; the first one waits for their start."""
LONGEST = (
    "test_demo",
    "test_chaos",
    "test_wheel",
    "test_upgrade_matrix",
    "test_exactness",
    "test_dagster",
    "test_ring",
    "test_rebuild",
)
CASES = ("kafka", "cassandra")
"""Servers that a case of a contract is named after; `flink` is a dialect, too."""
INTEGRATION = Path(__file__).parent / "integration"
FOR_ALL_TESTS = {
    "FP_FLINK__PROMETHEUS_PORT": "9249",  # any will do: the stack draws its own ports
    "FP_FLINK__SLOTS": "16",
    "FP_FLINK__TASK_MANAGER_MEMORY": "3200m",
}
"""Jobs of two tests at a time run on it, the demo's three among them."""
SHARED = "TEST_STACK_SHARED"
"""Environment variable: the folder of the servers that all workers of this run (`-n`) use."""
JVM_OPTIONS = "JAVA_TOOL_OPTIONS"
ONE_COMPILER = "-XX:TieredStopAtLevel=1"
"""Jobs and children of tests live for seconds: the second compiler takes more than it gives."""
RUNNING = "TEST_STACK"
"""Environment variable: a project whose servers are used, and left running."""


class MakeProject(Protocol):
    """Makes a project on the shared servers, with a keyspace of its own."""

    def __call__(self, files: Mapping[str, str] | None = None) -> Settings:
        """Write files (path in the project -> text) and return the project's settings."""
        ...


def pytest_configure(config: pytest.Config) -> None:
    """Let the workers share servers: the first that needs them starts them."""
    os.environ.setdefault(JVM_OPTIONS, ONE_COMPILER)
    if config.getoption("numprocesses", None) and not _is_worker(config):
        os.environ[SHARED] = tempfile.mkdtemp(prefix="fp-test-stack-")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Stop what the workers shared; after a failure its data and logs are kept."""
    if SHARED not in os.environ or _is_worker(session.config):
        return
    folder = Path(os.environ.pop(SHARED))
    if (folder / SETTINGS_FILE).exists():
        Stack(load_settings(folder, {}), servers=SERVERS, report=_print).down()
    if exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        shutil.rmtree(folder)
    else:
        print(f"\nthe servers' logs are in {folder}/.fp/logs")  # noqa: T201 (pytest's output)


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what stands in tests/integration, or runs on a real server elsewhere; long ones first.

    With two workers the last file to begin should be a short one.
    """
    place = {name: index for index, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(place)))
    for item in items:
        if INTEGRATION in item.path.parents or _needs_servers(item):
            item.add_marker("integration")
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))


def _needs_servers(item: pytest.Item) -> bool:
    """Tell whether a test uses the servers, by a fixture or as one case of a contract."""
    case = getattr(item, "callspec", None)
    values = case.params.values() if case else ()
    named = any(isinstance(value, str) and value in CASES for value in values)
    return named or "stack" in getattr(item, "fixturenames", ())


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
    shared = os.environ.get(RUNNING) or os.environ.get(SHARED)
    servers = Stack(
        _settings(Path(shared or tmp_path_factory.mktemp("stack"))), servers=SERVERS, report=_print
    )
    with capture.global_and_fixture_disabled():
        build_kernel(servers.settings, find_java_home())
        servers.up()
    yield servers
    if not shared:
        servers.down()


@pytest.fixture(scope="session")
def submitter(stack: Stack) -> Iterator[FlinkSubmitter]:
    """A client of the shared Flink for all worlds of this process: a start costs 8 CPU seconds."""
    with closing(FlinkSubmitter(stack.settings)) as client:
        yield client


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator["SparkSession"]:
    """Spark in this process, started once for all tests that ask for it.

    A second session would go on in the JVM of the first, without its own jars.
    """
    from backfill.session import open_session

    folder = tmp_path_factory.mktemp("spark")
    settings, home = load_settings(folder, {}), find_java_home()
    session = open_session(
        master="local[2]",
        jars=[build_kernel(settings, home), *fetch_jars(settings, "spark", home).glob("*.jar")],
        options={
            "spark.sql.shuffle.partitions": "4",
            "spark.sql.warehouse.dir": f"{folder}/warehouse",
        },
        driver_memory="1g",
    )
    yield session
    session.stop()


def _settings(folder: Path) -> Settings:
    """Return the settings of the servers in a folder, drawn and written at their first use."""
    with locked(folder / "lock"):
        if not (folder / SETTINGS_FILE).exists():
            write_settings(with_free_ports(load_settings(folder, FOR_ALL_TESTS)))
        return load_settings(folder, {})


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
