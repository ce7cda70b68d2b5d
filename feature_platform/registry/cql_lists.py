"""Feature lists in the platform's keyspace, a row per version; races end by compare-and-set."""

import json
from itertools import groupby
from typing import Any

from feature_platform.definition.feature_list import FeatureList
from feature_platform.errors import LeaseHeldError
from feature_platform.plan.lists import StoredList
from feature_platform.registry.lists import check_version
from feature_platform.store.connect import Connection

TRIES_MAX = 20


class CqlLists:
    """What is stored of feature lists, in Cassandra or ScyllaDB."""

    def __init__(self, connection: Connection) -> None:
        """Use a connection that the caller closes."""
        self._connection = connection
        self._keyspace = connection.keyspace

    def feature_lists(self) -> list[StoredList]:
        """Return all lists; see `ListReader`."""
        rows = self._run("SELECT name, version, content, removed FROM {keyspace}.feature_lists")
        return _lists(rows)

    def save_list(self, wanted: FeatureList) -> None:
        """Store a version; see `ListWriter`."""
        content = json.dumps(wanted.to_json(), sort_keys=True)
        for _ in range(TRIES_MAX):
            stored = self._feature_list(wanted.name)
            check_version(wanted, stored)
            if stored is None or stored.newest.version < wanted.version:
                done = self._lwt(
                    "INSERT INTO {keyspace}.feature_lists (name, version, content) "
                    "VALUES (?, ?, ?) IF NOT EXISTS",
                    *(wanted.name, wanted.version, content),
                )
            else:
                before = json.dumps(stored.newest.to_json(), sort_keys=True)
                done = before == content or self._lwt(
                    "UPDATE {keyspace}.feature_lists SET content = ? "
                    "WHERE name = ? AND version = ? IF content = ?",
                    *(content, wanted.name, wanted.version, before),
                )
            if done:
                self._set_removed(wanted.name, removed=False)
                return
        msg = f"feature list {wanted.name} is being changed by other processes; try again"
        raise LeaseHeldError(msg)

    def remove_list(self, name: str) -> None:
        """Offer a list no more; see `ListWriter`."""
        if self._feature_list(name) is not None:
            self._set_removed(name, removed=True)

    def _set_removed(self, name: str, *, removed: bool) -> None:
        for _ in range(TRIES_MAX):
            rows = self._run("SELECT removed FROM {keyspace}.feature_lists WHERE name = ?", name)
            present = rows[0][0] if rows else None
            if bool(present) == removed or self._lwt(
                "UPDATE {keyspace}.feature_lists SET removed = ? WHERE name = ? IF removed = ?",
                *(removed, name, present),
            ):
                return
        msg = f"feature list {name} is being changed by other processes; try again"
        raise LeaseHeldError(msg)

    def _feature_list(self, name: str) -> StoredList | None:
        rows = self._run(
            "SELECT name, version, content, removed FROM {keyspace}.feature_lists WHERE name = ?",
            name,
        )
        return next(iter(_lists(rows)), None)

    def _run(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        return self._connection.run(statement.replace("{keyspace}", self._keyspace), values)

    def _lwt(self, statement: str, *values: object) -> bool:
        return self._connection.try_lwt(statement.replace("{keyspace}", self._keyspace), values)


def _lists(rows: list[tuple[Any, ...]]) -> list[StoredList]:
    """Read rows of name, version, content and whether the list was removed."""
    written = sorted((row for row in rows if row[2] is not None), key=lambda row: row[:2])
    found = []
    for name, group in groupby(written, key=lambda row: row[0]):
        members = list(group)
        versions = tuple(FeatureList.from_json(json.loads(row[2])) for row in members)
        found.append(StoredList(name=name, versions=versions, removed=bool(members[0][3])))
    return found
