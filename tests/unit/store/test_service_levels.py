"""Service levels against a ScyllaDB and a Cassandra that were written down.

The rows have the columns that ScyllaDB 2025.1 and later answer with; the replay keeps what the
statements do to them, and refuses a statement that it does not know, as a parser would.
"""

import re
from collections.abc import Sequence

import cassandra
import pytest

from feature_platform.errors import StoreUnavailableError
from feature_platform.settings import StoreSettings
from feature_platform.store.concurrently import Row
from feature_platform.store.driver_errors import translate
from feature_platform.store.roles import set_up
from feature_platform.store.service_levels import (
    ATTACHMENTS,
    LEVELS,
    SHARES,
    Isolation,
    changes,
    establish,
    supported,
)

FEATURES_2025_1 = (
    "AGGREGATE_STORAGE_OPTIONS,ALTERNATOR_STREAMS,CDC,COLLECTION_INDEXING,LWT,"
    "TABLETS,TYPED_ERRORS_IN_READ_RPC,UDA,VIEW_VIRTUAL_COLUMNS,WORKLOAD_PRIORITIZATION,ZERO_TOKEN"
)
FEATURES_6_2 = FEATURES_2025_1.replace("WORKLOAD_PRIORITIZATION,", "")
DEFAULT_LEVEL: Row = ("default", None, "", 1000, "100.00%")
STORE = StoreSettings()

_CREATE = re.compile(r"CREATE SERVICE LEVEL IF NOT EXISTS (\w+) WITH SHARES = (\d+)")
_ALTER = re.compile(r"ALTER SERVICE LEVEL (\w+) WITH SHARES = (\d+)")
_ATTACH = re.compile(r"ATTACH SERVICE LEVEL (\w+) TO (\w+)")
_EFFECTIVE = re.compile(r"LIST EFFECTIVE SERVICE LEVEL OF (\w+)")


class Scylla:
    """Replays what a node answers. Mutable: it takes what it is told, unless it is deaf."""

    def __init__(self, features: str | None = FEATURES_2025_1, *, deaf: bool = False) -> None:
        """Start with the level that is always there; without features it is a Cassandra."""
        self.features = features
        self.deaf = deaf
        self.levels: dict[str, int | None] = {"default": 1000}
        self.attached: dict[str, str] = {}
        self.told: list[str] = []

    def run(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        """Answer a question."""
        assert not values
        if "system_schema.columns" in statement:
            return [] if self.features is None else [("supported_features",)]
        if statement == "SELECT supported_features FROM system.local":
            return [(self.features,)]
        if statement == LEVELS:
            return [
                (name, None, "", shares, f"{(shares or 1000) / 20:.2f}%")
                for name, shares in self.levels.items()
            ]
        if statement == ATTACHMENTS:
            return list(self.attached.items())
        found = _EFFECTIVE.fullmatch(statement)
        assert found, statement
        return self._effective(found[1])

    def run_ddl(self, statement: str) -> None:
        """Do what is said."""
        self.told.append(statement)
        create, alter = _CREATE.fullmatch(statement), _ALTER.fullmatch(statement)
        attach = _ATTACH.fullmatch(statement)
        assert create or alter or attach or statement.startswith("GRANT "), statement
        if self.deaf:
            return
        if create:
            self.levels.setdefault(create[1], int(create[2]))
        if alter:
            assert alter[1] in self.levels
            self.levels[alter[1]] = int(alter[2])
        if attach:
            assert attach[1] in self.levels
            self.attached[attach[2]] = attach[1]

    def _effective(self, role: str) -> list[Row]:
        level = self.attached.get(role)
        if level is None:
            text = f"Role {role} doesn't have assigned any service level"
            raise translate(cassandra.InvalidRequest(text), "LIST at 127.0.0.1:9042")
        shares = str(self.levels[level])
        return [("workload_type", level, ""), ("timeout", level, None), ("shares", level, shares)]


@pytest.mark.parametrize(
    ("features", "expected"),
    [(FEATURES_2025_1, True), (FEATURES_6_2, False), ("", False), (None, False)],
)
def test_support_is_read_from_the_features(features: str | None, *, expected: bool) -> None:
    """A store that does not even have the column is asked nothing that it would refuse."""
    assert supported(Scylla(features)) is expected


def test_levels_are_made_and_attached() -> None:
    """Each role gets the level of its name, with its shares; the default level is left alone."""
    scylla = Scylla()
    assert establish(scylla)
    assert scylla.levels == {"default": 1000, "fp_service": 1000, "fp_job": 200, "fp_test": 50}
    assert scylla.attached == {role: role for role in SHARES}
    assert scylla.told[:2] == [
        "CREATE SERVICE LEVEL IF NOT EXISTS fp_service WITH SHARES = 1000",
        "ATTACH SERVICE LEVEL fp_service TO fp_service",
    ]


def test_a_second_time_nothing_is_said() -> None:
    """What is as wanted is left as it is."""
    scylla = Scylla()
    establish(scylla)
    scylla.told.clear()
    assert establish(scylla)
    assert scylla.told == []


def test_what_differs_is_changed() -> None:
    """Shares that a person changed, shares never set, and a role on another level."""
    scylla = Scylla()
    establish(scylla)
    scylla.told.clear()
    scylla.levels |= {"fp_job": 900, "fp_test": None, "old": 10}
    scylla.attached["fp_service"] = "old"
    assert establish(scylla)
    assert scylla.told == [
        "ATTACH SERVICE LEVEL fp_service TO fp_service",
        "ALTER SERVICE LEVEL fp_job WITH SHARES = 200",
        "ALTER SERVICE LEVEL fp_test WITH SHARES = 50",
    ]


@pytest.mark.parametrize("features", [FEATURES_6_2, None])
def test_elsewhere_nothing_is_said(features: str | None) -> None:
    """Neither Cassandra nor an older ScyllaDB hears a statement that it cannot parse."""
    scylla = Scylla(features)
    assert not establish(scylla)
    assert scylla.told == []


def test_levels_that_do_not_hold_are_an_error() -> None:
    """A store that takes the statements and does not show their effect is not believed."""
    with pytest.raises(StoreUnavailableError, match=r"still missing: CREATE SERVICE LEVEL IF NOT"):
        establish(Scylla(deaf=True), pause_s=0)


def test_roles_come_before_levels() -> None:
    """A level is attached to a role that is there."""
    scylla = Scylla()
    assert set_up(scylla, ["GRANT SELECT ON KEYSPACE fp TO fp_job"])
    assert scylla.told[0].startswith("GRANT")
    assert len(scylla.told) == 1 + 2 * len(SHARES)


def test_the_default_level_alone_misses_everything() -> None:
    """The statements follow from what is listed, with the columns in the store's order."""
    assert len(changes([DEFAULT_LEVEL], [])) == 2 * len(SHARES)


def test_the_status_tells_what_is_in_force() -> None:
    """With the shares; then the job's reads need no bound of their own."""
    scylla = Scylla()
    establish(scylla)
    isolation = Isolation.of(scylla)
    assert isolation.by_store
    assert isolation.in_words(STORE) == (
        "service levels with shares: fp_service 1000, fp_job 200, fp_test 50"
    )
    assert isolation.bounded(STORE).read_latency_target_ms == 0


def test_the_status_tells_what_is_not_set() -> None:
    """A store that could, but was not told, says how to tell it; the bound stays."""
    scylla = Scylla()
    isolation = Isolation.of(scylla)
    assert (isolation.supported, isolation.by_store) == (True, False)
    assert "run `fp roles`" in isolation.in_words(STORE)
    assert isolation.bounded(STORE) == STORE
    establish(scylla)
    scylla.levels["fp_job"] = 1000
    assert not Isolation.of(scylla).by_store


def test_elsewhere_isolation_is_client_side_only() -> None:
    """And it says from which latency on the job steps back, or that it does not."""
    isolation = Isolation.of(Scylla(None))
    assert isolation.in_words(STORE) == (
        "client-side only: the store has no service levels; the job's reads are throttled above "
        "20 ms"
    )
    assert isolation.bounded(STORE) == STORE
    unbounded = STORE.model_copy(update={"read_latency_target_ms": 0})
    assert "the job's reads are not throttled" in isolation.in_words(unbounded)


def test_a_store_that_is_down_is_no_store_without_levels() -> None:
    """Its error is handed on."""

    class Down(Scylla):
        def _effective(self, role: str) -> list[Row]:
            raise translate(cassandra.OperationTimedOut(), f"LIST {role} at 127.0.0.1:9042")

    with pytest.raises(StoreUnavailableError, match="is the store up"):
        Isolation.of(Down())
