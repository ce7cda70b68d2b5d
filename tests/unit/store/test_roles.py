"""Statements about roles: passwords that are to be set stand in no error."""

import pytest
from cassandra import InvalidRequest, Unauthorized

from feature_platform.errors import StoreUnavailableError
from feature_platform.settings import Role, StoreSettings
from feature_platform.store.connect import Connection, quoted
from feature_platform.store.roles import statements

PASSWORDS: dict[Role, str] = {
    "admin": "sec'ret-admin",
    "job": "sec(ret-job",
    "service": "sec with ret-service",
    "test": "PASSWORD = sec",
}


class Refusing:
    """A session that repeats what it was asked, as a store may."""

    def __init__(self, kind: type[Exception]) -> None:
        """Refuse in one way."""
        self._kind = kind

    def execute(self, statement: object, timeout: float) -> None:
        """Refuse."""
        assert timeout
        msg = f"no: {statement}"
        raise self._kind(msg)


class Cluster:
    """One that nobody shuts down."""


@pytest.mark.parametrize("kind", [Unauthorized, InvalidRequest, OSError])
def test_no_error_holds_a_password(kind: type[Exception]) -> None:
    """Of any statement that sets roles up, also if the store repeats it."""
    connection = Connection(lambda: (Cluster(), Refusing(kind)), StoreSettings())
    said = [f"ALTER ROLE cassandra WITH PASSWORD = {quoted(PASSWORDS['admin'])}"]
    said += [text.replace(" WITH ", " with ") for text in statements("fp", PASSWORDS)]
    for cql in (*said, *statements("fp", PASSWORDS)):
        with pytest.raises(StoreUnavailableError) as caught:
            connection.run_ddl(cql)
        told = str(caught.value)
        assert not [text for text in PASSWORDS.values() if text in told or quoted(text) in told]
        assert told.startswith(cql.split()[0])


def test_an_error_still_says_what_was_done() -> None:
    """Verb and object."""
    connection = Connection(lambda: (Cluster(), Refusing(Unauthorized)), StoreSettings())
    cases = {
        "ALTER ROLE fp_admin WITH PASSWORD = 'x'": "ALTER ROLE fp_admin at ",
        "CREATE TABLE fp.a (b int PRIMARY KEY)": "CREATE TABLE fp.a at ",
        "GRANT SELECT ON KEYSPACE fp TO fp_job": "GRANT SELECT ON KEYSPACE fp TO fp_job at ",
    }
    for cql, said in cases.items():
        with pytest.raises(StoreUnavailableError, match=f"^{said}"):
            connection.run_ddl(cql)
