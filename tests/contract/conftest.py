"""The same contracts run on the shipped fakes and on a real Cassandra."""

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from feature_platform.clock import SystemClock
from feature_platform.registry.cql import open_registry
from feature_platform.settings import Settings, load_settings, password
from feature_platform.store.connect import Connection, connect


@pytest.fixture(scope="session")
def running(request: pytest.FixtureRequest) -> Settings:
    """Settings of a running stack: the one of the project in TEST_STACK, else the tests' own."""
    project = os.environ.get("TEST_STACK")
    if project:
        return load_settings(Path(project))
    settings: Settings = request.getfixturevalue("stack")
    return settings


@pytest.fixture(scope="session")
def login(running: Settings) -> Iterator[Callable[[str], Connection]]:
    """Log in as a role; all sessions are closed at the end."""
    connections: list[Connection] = []

    def log_in(role: str) -> Connection:
        user = "cassandra" if role == "superuser" else f"fp_{role}"
        connection = connect(running.store, user, password(running, role))  # type: ignore[arg-type]
        connections.append(connection)
        return connection

    yield log_in
    for connection in connections:
        connection.close()


@pytest.fixture(scope="session")
def admin(login: Callable[[str], Connection]) -> Connection:
    """A session as fp_admin, with the registry's tables in place."""
    connection = login("admin")
    open_registry(connection, SystemClock())
    return connection


@pytest.fixture
def name() -> str:
    """A feature set's name that no other test uses."""
    return f"t{uuid.uuid4().hex[:12]}"
