"""Three nodes of the store on loopback addresses; every row has three replicas.

What a node has missed while it was down it is not told later (no hints): only quorums and the
repair at reading stand between a stale replica and a wrong row.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import yaml
from cassandra import ConsistencyLevel
from cassandra.query import SimpleStatement

from feature_platform.errors import StoreUnavailableError
from feature_platform.local.cassandra import Cassandra
from feature_platform.local.cassandra_roles import secure
from feature_platform.local.java import find_java_home
from feature_platform.local.process import Command, Processes
from feature_platform.local.server import accepts
from feature_platform.settings import Settings, password
from feature_platform.store.connect import connect
from feature_platform.store.driver_errors import translating
from tests.integration.waiting import PATIENCE_S, until

NODES = 3
NUMBERS = range(1, NODES + 1)

RING = 2**64
HEAP = {"-Xms1024m": "-Xms384m", "-Xmx1024m": "-Xmx384m", "-XX:MaxDirectMemorySize=256m": ""}
OPTIONS = (
    f"-Dcassandra.system_auth.default_rf={NODES}",
    "-Dcassandra.ring_delay_ms=2000",
    "-Dcassandra.superuser_setup_delay_ms=2000",
)


@dataclass(frozen=True, kw_only=True)
class Ring:
    """The nodes, by their numbers."""

    folder: Path
    settings: Settings
    """Of a project that uses it; every node is a contact point."""

    @cached_property
    def _processes(self) -> Processes:
        return Processes(self.folder)

    def create(self) -> None:
        """Start all nodes for the first time; create keyspace and roles."""
        for number in NUMBERS:
            self._start(number)
        self._wait(partial(secure, self._unsecured()), "roles")
        self._wait_for_all()

    def start(self, number: int) -> None:
        """Start a node again; returns when every node sees every other one."""
        self._start(number)
        self._wait_for_all()

    def kill(self, number: int) -> None:
        """Kill -9 a node."""
        process = self._processes.find(_name(number))
        assert process is not None
        process.kill()
        process.wait()
        self._processes.stop(_name(number))

    def stop(self) -> None:
        """Stop all."""
        self._processes.stop(*map(_name, NUMBERS))

    def seen_from(self, number: int) -> Settings:
        """Return settings whose only contact point is one node."""
        store = self.settings.store.model_copy(update={"host": address(number)})
        return self.settings.model_copy(update={"store": store})

    def _unsecured(self) -> Settings:
        """Return settings of a folder in which no node has got its roles yet."""
        own = self.settings.model_copy(update={"project": self.folder})
        (own.data / "cassandra").mkdir(parents=True, exist_ok=True)
        own.secrets_file.write_bytes(self.settings.secrets_file.read_bytes())
        return own

    def _start(self, number: int) -> None:
        self._processes.start(self._command(number))
        port = self.settings.store.port
        self._wait(partial(accepts, port, address(number)), f"node {number}")

    def _wait_for_all(self) -> None:
        """Wait until a read of all replicas succeeds, whichever node is asked."""
        for number in NUMBERS:
            self._wait(partial(self._reads_all, number), f"what node {number} sees")

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        try:
            until(condition, what, timeout_s=PATIENCE_S)
        except AssertionError as error:
            for number in NUMBERS:
                error.add_note(self._processes.tail(_name(number)))
            raise

    def _reads_all(self, number: int) -> bool:
        statement = SimpleStatement(
            "SELECT role FROM system_auth.roles", consistency_level=ConsistencyLevel.ALL
        )
        settings = self.seen_from(number)
        try:
            with (
                translating("a read of all replicas"),
                connect(settings.store, "cassandra", password(settings, "superuser")) as connection,
            ):
                connection._session.execute(statement)
        except StoreUnavailableError:
            return False
        return True

    def _command(self, number: int) -> Command:
        """Take the embedded node's command and give it neighbours, an address and less memory."""
        node = self.seen_from(number).model_copy(update={"project": self.folder / f"node{number}"})
        (command,) = Cassandra(node).prepare(find_java_home())
        _edit(node.data / "cassandra" / "cassandra.yaml", self._overrides(number))
        arguments = [HEAP.get(argument, argument) for argument in command.arguments]
        java, *rest = (argument for argument in arguments if argument)
        return Command(name=_name(number), arguments=(java, *rest[:-3], *OPTIONS, *rest[-3:]))

    def _overrides(self, number: int) -> dict[str, object]:
        seeds = f"{address(1)}:{self.settings.store.storage_port}"
        return {
            "listen_address": address(number),
            "rpc_address": address(number),
            "initial_token": str(-RING // 2 + (number - 1) * (RING // NODES)),
            "hinted_handoff_enabled": False,
            "phi_convict_threshold": 5,  # a node that was killed is known to be down sooner
            "memtable_heap_space": "64MiB",
            "memtable_offheap_space": "64MiB",
            "seed_provider": [
                {
                    "class_name": "org.apache.cassandra.locator.SimpleSeedProvider",
                    "parameters": [{"seeds": seeds}],
                }
            ],
        }


def address(number: int) -> str:
    """Return where a node listens."""
    return f"127.0.0.{number}"


def _name(number: int) -> str:
    return f"cassandra-{number}"


def _edit(path: Path, overrides: dict[str, object]) -> None:
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | overrides))
