"""A connection to Cassandra or ScyllaDB: log in, run statements, translate every error once.

The only module besides `cql.py` and the registry's that touches the driver.
"""

import asyncio
import os
import re
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from typing import Any, Self, TypeVar

import cassandra
from cassandra import ConsistencyLevel
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import (
    EXEC_PROFILE_DEFAULT,
    Cluster,
    ExecutionProfile,
)
from cassandra.policies import (
    DCAwareRoundRobinPolicy,
    ExponentialReconnectionPolicy,
    TokenAwarePolicy,
)
from cassandra.query import PreparedStatement, SimpleStatement, tuple_factory

from feature_platform.errors import StoreUnavailableError
from feature_platform.settings import StoreSettings
from feature_platform.store import event_loop
from feature_platform.store.base import READ_TIMEOUT_S, checked_identifier
from feature_platform.store.concurrently import Ended, Row, Runs, arun_all, run_all
from feature_platform.store.driver_errors import DRIVER_ERRORS, translate, translating
from feature_platform.store.tls import address

CONNECT_TIMEOUT_S = 10.0
RECONNECT_MIN_S, RECONNECT_MAX_S = 0.5, 5.0
"""The driver's own pauses grow to ten minutes, long after the store is back."""
NAMED_UNTIL = re.compile(r"\(|'|\$\$|\sWITH\s|\sUSING\s|\sAND\s|\bPASSWORD\b", re.IGNORECASE)
"""Where the part of a statement ends that errors may show."""
PASSWORD = re.compile(r"PASSWORD = '((?:[^']|'')*)'")
"""The secret in a statement about a role."""

event_loop.end_with_process()

_LOGGING_IN = threading.Lock()
"""Held while a forked child logs in; recreated in each child, for its parent may have held it."""


def _forked() -> None:
    global _LOGGING_IN  # noqa: PLW0603 - a lock is a process's
    _LOGGING_IN = threading.Lock()


os.register_at_fork(after_in_child=_forked)

Result = TypeVar("Result")
LogIn = Callable[[], tuple[Cluster, Any]]
"""Makes a cluster and its session; the driver is untyped."""


class Connection:
    """A session on one keyspace; statements are prepared once. Safe for use by threads.

    A forked child logs in again at its first statement: threads and sockets are its parent's.
    """

    def __init__(self, log_in: LogIn, settings: StoreSettings) -> None:
        """Log in.

        Args:
            log_in: Makes a cluster and its session.
            settings: What it logs in to.

        Raises:
            StoreUnavailableError: The store does not answer, or refuses.
        """
        self._log_in = log_in
        self._begin_process()
        self.keyspace = settings.keyspace
        self.address = ", ".join(settings.contact_points)

    def _begin_process(self) -> None:
        """Log in; what was prepared belongs to a session."""
        self._cluster, self._session = self._log_in()
        self._prepared: dict[str, PreparedStatement] = {}
        self._being_prepared: dict[str, Future[PreparedStatement]] = {}
        self._pid = os.getpid()

    def _here(self) -> Any:  # noqa: ANN401 - the driver is untyped
        """Return this process's session.

        Raises:
            StoreUnavailableError: It is a forked child, and the store does not answer.
        """
        if self._pid != os.getpid():
            with _LOGGING_IN:
                if self._pid != os.getpid():
                    self._begin_process()
        return self._session

    def __enter__(self) -> Self:
        """Hand out itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close all sockets of this process; twice is harmless."""
        if self._pid == os.getpid():
            self._cluster.shutdown()

    def run(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        """Run a prepared statement and return all its rows. Blocks.

        Raises:
            StoreUnavailableError: The store did not answer or refused.
        """
        return self._execute(statement, values, again=_verb(statement) == "SELECT")

    def try_lwt(self, statement: str, values: Sequence[object]) -> bool:
        """Run a conditional statement; returns whether its condition held.

        One that got no answer in time is run a second time. Then False may also mean that the
        first one was applied: callers read what is stored before they conclude anything.

        Raises:
            StoreUnavailableError: It is unknown whether it was applied.
        """
        return bool(self._execute(statement, values, again=True)[0][0])

    def run_ddl(self, statement: str) -> None:
        """Run a statement that cannot be prepared, and wait until all nodes agree on the schema.

        Raises:
            StoreUnavailableError: The store did not answer or refused.
        """
        with translating(f"{_named(statement)} at {self.address}", PASSWORD.findall(statement)):
            self._here().execute(SimpleStatement(statement), timeout=READ_TIMEOUT_S)

    def run_many(self, runs: Runs) -> list[list[Row] | StoreUnavailableError]:
        """Run one statement with many values, some at a time; errors are answers. Blocks.

        Raises:
            StoreUnavailableError: The statement itself could not be prepared.
        """
        doing = f"{_verb(runs.statement)} at {self.address}"
        with translating(doing):
            until_s = time.monotonic() + runs.timeout_s
            prepared = self._preparing(runs.statement).result(runs.timeout_s)
            outcomes = run_all(self._here(), runs.bound(prepared), **_limits(runs, until_s))
        return [_answer(outcome, doing) for outcome in outcomes]

    async def arun_many(self, runs: Runs) -> list[list[Row] | StoreUnavailableError]:
        """Do what `run_many` does on an event loop; only the login of a forked child blocks."""
        doing = f"{_verb(runs.statement)} at {self.address}"
        with translating(doing):
            until_s = time.monotonic() + runs.timeout_s
            preparing = asyncio.wrap_future(self._preparing(runs.statement))
            prepared = await asyncio.wait_for(preparing, runs.timeout_s)
            outcomes = await arun_all(self._here(), runs.bound(prepared), **_limits(runs, until_s))
        return [_answer(outcome, doing) for outcome in outcomes]

    def owner(self) -> Callable[[str], Hashable]:
        """Return what names the first node of a partition, or None where there is one node."""
        metadata = self._here().cluster.metadata
        if len(metadata.all_hosts()) == 1:
            return lambda _: None
        return lambda key: next(iter(metadata.get_replicas(self.keyspace, key.encode())), None)

    def run_batch(self, statements: Sequence[tuple[str, Sequence[object]]]) -> bool:
        """Run statements on one partition as one batch; False if a condition in it did not hold.

        Statements write what does not depend on what is there, or are conditional: it is run a
        second time if it got no answer in time, as in `try_lwt`.

        Raises:
            StoreUnavailableError: It is unknown whether it was applied.
        """
        batch = cassandra.query.BatchStatement(
            batch_type=cassandra.query.BatchType.UNLOGGED,
            consistency_level=ConsistencyLevel.LOCAL_QUORUM,
            serial_consistency_level=ConsistencyLevel.LOCAL_SERIAL,
        )
        with translating(f"BATCH at {self.address}"):
            for statement, values in statements:
                batch.add(self._prepare(statement), values)
            rows = _again(lambda: list(self._here().execute(batch)))
        return bool(rows[0][0]) if rows else True

    def _execute(self, statement: str, values: Sequence[object], *, again: bool) -> list[Row]:
        """Run a prepared statement, a second time if it may be and got no answer in time."""
        with translating(f"{_verb(statement)} at {self.address}"):
            prepared = self._prepare(statement)
            if again:
                return _again(lambda: list(self._here().execute(prepared, values)))
            return list(self._here().execute(prepared, values))

    def _preparing(self, statement: str) -> Future[PreparedStatement]:
        """Prepare a statement in a thread, unless it is: the driver itself may take 40 s to fail.

        Nobody who waits for it can cancel what is returned.
        """
        self._here()
        found = self._being_prepared.get(statement)
        if found is None or (found.done() and found.exception()):
            found = self._being_prepared[statement] = Future()
            found.set_running_or_notify_cancel()
            work = threading.Thread(
                target=self._prepare_into, args=(statement, found), name="fp-prepare", daemon=True
            )
            work.start()
        return found

    def _prepare_into(self, statement: str, made: Future[PreparedStatement]) -> None:
        try:
            made.set_result(self._prepare(statement))
        except Exception as error:  # noqa: BLE001 - whoever waits for it handles it
            made.set_exception(error)

    def _prepare(self, statement: str) -> PreparedStatement:
        session = self._here()
        if statement not in self._prepared:
            self._prepared[statement] = _again(lambda: session.prepare(statement))
        return self._prepared[statement]


def _limits(runs: Runs, until_s: float) -> dict[str, Any]:
    return {
        "in_flight_max": runs.in_flight_max,
        "timeout_s": until_s - time.monotonic(),
        "expected": DRIVER_ERRORS,
    }


def _answer(outcome: Ended, doing: str) -> list[Row] | StoreUnavailableError:
    return translate(outcome, doing) if isinstance(outcome, Exception) else outcome


def _named(statement: str) -> str:
    """Name a statement by what it does to what: what follows may be a secret, or long."""
    return NAMED_UNTIL.split(statement, maxsplit=1)[0].strip()


def _verb(statement: str) -> str:
    return statement.split(maxsplit=1)[0]


def _again(ask: Callable[[], Result]) -> Result:
    """Ask a second time what got no answer in time.

    A store that is busy, or does not know yet that one of its nodes is down, is not a dead one.
    """
    try:
        return ask()
    except (cassandra.OperationTimedOut, cassandra.Timeout):
        return ask()


def connect(settings: StoreSettings, user: str, password: str) -> Connection:
    """Log in. Blocks until the cluster is known, `CONNECT_TIMEOUT_S` at most.

    Raises:
        StoreUnavailableError: No contact point answers, or it refuses the user.
        SettingsError: A file of `store.tls` is missing, or is not what it should be.
    """
    checked_identifier(settings.keyspace)
    return Connection(lambda: _log_in(settings, user, password), settings)


def _log_in(settings: StoreSettings, user: str, password: str) -> tuple[Cluster, Any]:
    where = ", ".join(settings.contact_points)
    cluster = Cluster(
        **address(settings),
        auth_provider=PlainTextAuthProvider(user, password),
        execution_profiles={EXEC_PROFILE_DEFAULT: _profile(settings)},
        connect_timeout=CONNECT_TIMEOUT_S,
        control_connection_timeout=CONNECT_TIMEOUT_S,
        schema_metadata_enabled=False,
        reconnection_policy=ExponentialReconnectionPolicy(
            RECONNECT_MIN_S, RECONNECT_MAX_S, max_attempts=None
        ),
        protocol_version=4,
        idle_heartbeat_interval=10,
    )
    try:
        with translating(f"connecting to the store at {where} as {user}"):
            session = cluster.connect()
            # Else the driver reads every table's schema at each login and change of a table, and
            # gives up after 2 s. Routing needs this keyspace's replicas alone.
            cluster.refresh_keyspace_metadata(settings.keyspace, max_schema_agreement_wait=0)
            return cluster, session
    except StoreUnavailableError:
        cluster.shutdown()
        raise


def _profile(settings: StoreSettings) -> ExecutionProfile:
    return ExecutionProfile(
        load_balancing_policy=TokenAwarePolicy(DCAwareRoundRobinPolicy(settings.local_dc)),
        consistency_level=ConsistencyLevel.LOCAL_QUORUM,
        serial_consistency_level=ConsistencyLevel.LOCAL_SERIAL,
        request_timeout=READ_TIMEOUT_S,
        row_factory=tuple_factory,
    )


def quoted(text: str) -> str:
    """Write a text as a CQL literal, for statements that take no bound values."""
    return "'" + text.replace("'", "''") + "'"
