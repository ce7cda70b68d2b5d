"""What is logged of feature sets, in the platform's keyspace.

The row of version 0 names the version in force as `current`. The parts of a version are written
before it is named, and those of the one before are kept: a job that is just reading them finds them
whole. Who writes parts has claimed their version, the `parts` of that row, so that nobody else
writes them; a version that was claimed and never named is skipped.
"""

from collections.abc import Collection
from typing import Any

from feature_platform.registry.watches import Mode, Watch, changed_meanwhile, next_watch
from feature_platform.store.connect import Connection

PART_ENTITIES = 1_000


class CqlWatches:
    """Of which entities commands are logged, in Cassandra or ScyllaDB."""

    def __init__(self, connection: Connection) -> None:
        """Use a connection that the caller closes."""
        self._connection = connection
        self._keyspace = connection.keyspace

    def watch(self, name: str) -> Watch:
        """Return what is logged; see `WatchReader`."""
        version = self._current(name)
        if not version:
            return Watch()
        rows = self._run(
            "SELECT mode, share, entities FROM {keyspace}.changelog "
            "WHERE featureset = ? AND version = ?",
            *(name, version),
        )
        entities = frozenset(each for row in rows for each in row[2] or ())
        if not rows:
            return Watch(version=version)
        return Watch(version=version, mode=rows[0][0], share=rows[0][1], entities=entities)

    def save_watch(
        self,
        name: str,
        mode: Mode,
        share: float = 0.0,
        entities: Collection[str] = (),
        *,
        before: int | None = None,
    ) -> Watch:
        """Store what is to be logged; see `WatchWriter`."""
        current, claimed = self._head(name)
        if before not in {None, current}:
            raise changed_meanwhile(name)
        last = Watch(version=max(current, claimed))
        wanted = next_watch(last, mode, share, entities)
        self._claim(name, wanted.version, current, claimed)
        self._write(name, wanted)
        named = self._lwt(
            "UPDATE {keyspace}.changelog SET current = ? "
            "WHERE featureset = ? AND version = 0 AND part = 0 IF current = ?",
            *(wanted.version, name, current or None),
        )
        if not named and self._current(name) != wanted.version:
            raise changed_meanwhile(name)
        self._run(
            "DELETE FROM {keyspace}.changelog WHERE featureset = ? AND version > 0 AND version < ?",
            *(name, current),
        )
        return wanted

    def _claim(self, name: str, version: int, current: int, claimed: int) -> None:
        if not self._lwt(
            "UPDATE {keyspace}.changelog SET parts = ? "
            "WHERE featureset = ? AND version = 0 AND part = 0 IF current = ? AND parts = ?",
            *(version, name, current or None, claimed or None),
        ):
            raise changed_meanwhile(name)

    def _write(self, name: str, wanted: Watch) -> None:
        named = sorted(wanted.entities)
        parts = range(0, max(len(named), 1), PART_ENTITIES)
        for number, start in enumerate(parts):
            part = named[start : start + PART_ENTITIES]
            self._run(
                "INSERT INTO {keyspace}.changelog "
                "(featureset, version, part, parts, mode, share, entities) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                *(name, wanted.version, number, len(parts)),
                *(wanted.mode, float(wanted.share), part),
            )

    def _current(self, name: str) -> int:
        return self._head(name)[0]

    def _head(self, name: str) -> tuple[int, int]:
        """Return the version in force, and the last that somebody has claimed."""
        rows = self._run(
            "SELECT current, parts FROM {keyspace}.changelog "
            "WHERE featureset = ? AND version = 0 AND part = 0",
            name,
        )
        return (int(rows[0][0] or 0), int(rows[0][1] or 0)) if rows else (0, 0)

    def _run(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        return self._connection.run(statement.replace("{keyspace}", self._keyspace), values)

    def _lwt(self, statement: str, *values: object) -> bool:
        return self._connection.try_lwt(statement.replace("{keyspace}", self._keyspace), values)
