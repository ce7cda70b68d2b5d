"""The same contracts run on the shipped fakes and on a real Cassandra."""

import uuid
from collections.abc import Callable, Iterator

import pytest

from feature_platform.clock import SystemClock
from feature_platform.local.cassandra_roles import secure
from feature_platform.local.stack import Stack
from feature_platform.registry.base import Registry
from feature_platform.registry.cql import CqlRegistry, open_registry
from feature_platform.registry.memory import MemoryRegistry
from feature_platform.settings import Role, Settings, password
from feature_platform.store.connect import Connection, connect
from tests.contract.jobs import CqlJob, World


@pytest.fixture(scope="session")
def running(stack: Stack) -> Settings:
    """Settings of the running stack, with a keyspace of these tests' own."""
    keyspace = f"c_{uuid.uuid4().hex[:12]}"
    store = stack.settings.store.model_copy(update={"keyspace": keyspace})
    settings = stack.settings.model_copy(update={"store": store})
    assert secure(settings)
    return settings


@pytest.fixture(scope="session")
def login(running: Settings) -> Iterator[Callable[[Role], Connection]]:
    """Log in as a role; all sessions are closed at the end."""
    connections: list[Connection] = []

    def log_in(role: Role) -> Connection:
        user = "cassandra" if role == "superuser" else f"fp_{role}"
        connection = connect(running.store, user, password(running, role))
        connections.append(connection)
        return connection

    yield log_in
    for connection in connections:
        connection.close()


@pytest.fixture(scope="session")
def admin(login: Callable[[Role], Connection]) -> Connection:
    """A session as fp_admin, with the registry's tables in place."""
    connection = login("admin")
    open_registry(connection, SystemClock())
    return connection


@pytest.fixture
def name() -> str:
    """A feature set's name that no other test uses."""
    return f"t{uuid.uuid4().hex[:12]}"


@pytest.fixture(params=["memory", "cassandra"])
def world(request: pytest.FixtureRequest) -> World:
    """Each implementation in turn, with a job beside it."""
    if request.param == "memory":
        memory = MemoryRegistry(SystemClock())
        return memory, memory
    admin: Connection = request.getfixturevalue("admin")
    login: Callable[[Role], Connection] = request.getfixturevalue("login")
    return CqlRegistry(admin), CqlJob(login("job"))


@pytest.fixture
def registry(world: World) -> Registry:
    """The registry alone."""
    return world[0]
