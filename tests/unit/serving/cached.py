"""A feature set in memory, written as the kernel does, with a cache before it."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from feature_platform.plan.snapshot import Snapshot
from feature_platform.serving import CacheSettings, FeatureClient
from feature_platform.store.base import HEAD_LEVEL, RowWrite, TileKey, write_timestamp
from feature_platform.testing import Deployed, RawEvent
from feature_platform.testing.neighbours import WatchedReader

ROOM = CacheSettings(bytes_max=1 << 20)


class CachedWorld:
    """One job's table with clients before it. Mutable: events arrive."""

    def __init__(self, world: Deployed, settings: CacheSettings = ROOM) -> None:
        """Serve what is stored already."""
        self.world = world
        self.snapshot: Snapshot = world.snapshot
        self.reader = WatchedReader(world.tiles)
        self.client = FeatureClient(
            self.reader, world.registry, clock=world.clock, refresh_ms=0, cache=settings
        )
        self.attempt, self.flush = 3, 8
        self._stored = {entity: self._rows(entity) for entity in world.oracle.entities}

    def _rows(self, entity: str) -> dict[TileKey, bytes]:
        expected = self.world.oracle.entity(entity)
        return expected.rows if expected else {}

    def arrive(self, events: Iterable[RawEvent]) -> None:
        """Count events, and write what changes: an entity's head and its closed tiles together."""
        counted = {entity: len(rows) for entity, rows in self.world.oracle.rows.items()}
        self.world.oracle.add(events)
        self.flush += 1
        for entity, rows in self.world.oracle.rows.items():
            if len(rows) != counted.get(entity, 0):
                self.write(entity)

    def write(self, entity: str) -> None:
        """Write the rows of an entity that have changed, and its head in any case."""
        expected = self.world.oracle.entity(entity)
        assert expected is not None
        now_ms, before = self.world.clock.now_ms(), self._stored.get(entity, {})
        rows = [RowWrite(level=HEAD_LEVEL, start_ms=0, payload=expected.head)]
        for tile in expected.closed:
            left_ms = (tile.expires_ms or 0) - now_ms
            changed = before.get((tile.level, tile.start_ms)) != tile.payload
            if changed and left_ms > 0:
                rows.append(
                    RowWrite(
                        level=tile.level,
                        start_ms=tile.start_ms,
                        payload=tile.payload,
                        ttl_s=-(-left_ms // 1000),
                    )
                )
        self._stored[entity] = expected.rows
        stamp = write_timestamp(self.attempt, self.flush)
        self.world.tiles.write(self.snapshot.table, entity, rows, written=stamp)

    def deploy(self, *, generation: bool = False) -> None:
        """Start another job: of the same table, or of a new generation with all rows again."""
        number = self.snapshot.generation + generation
        table = f"{self.snapshot.table.rpartition('_g')[0]}_g{number}"
        self.snapshot = replace(
            self.snapshot,
            generation=number,
            table=table,
            deployment=f"{self.snapshot.deployment}+",
            job_id=f"{self.snapshot.job_id}+",
        )
        self.attempt, self.flush = self.attempt + 1, 1
        if generation:
            self.world.tiles.create_table(table)
            self._stored = {}
            for entity in self.world.oracle.entities:
                self.write(entity)
        self.world.registry.save(self.snapshot)

    def read(self) -> list[tuple[str, int]]:
        """Return which entities were read since the last call, and how many keys of each."""
        read, self.reader.requests = self.reader.requests, []
        return read

    def views(self, entities: Sequence[str], name: str = "posts.views_2h") -> list[object]:
        """Return one feature of some entities."""
        matrix = self.client.prepare([name]).get(entities)
        return [row["values"][name] for row in matrix.to_dicts()]
