"""Bad neighbours: ports that fail on purpose, to try what is above them."""

from collections.abc import Sequence

from feature_platform.errors import StoreUnavailableError, WorldError
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.memory import MemoryRegistry
from feature_platform.store.base import StoredRow, TileKey, TileReader


class WatchedReader:
    """Passes reads on, notes them, and fails for some entities. Mutable."""

    def __init__(self, inner: TileReader, failing: Sequence[str] = ()) -> None:
        """Wrap another reader."""
        self.inner = inner
        self.failing = failing
        self.requests: list[tuple[str, int]] = []
        """Each entity that was read, and how many keys of it."""

    def read_tiles(
        self, table: str, requests: Sequence[tuple[str, Sequence[TileKey]]]
    ) -> list[list[StoredRow] | WorldError]:
        """Read, or fail."""
        self.requests += [(entity, len(keys)) for entity, keys in requests]
        answers = self.inner.read_tiles(table, requests)
        return [
            StoreUnavailableError("no answer") if entity in self.failing else answer
            for (entity, _), answer in zip(requests, answers, strict=True)
        ]

    def read_entity(self, table: str, entity: str) -> list[StoredRow]:
        """Read all."""
        return self.inner.read_entity(table, entity)


class DownReader:
    """A store that is down altogether."""

    def read_tiles(
        self, table: str, requests: Sequence[tuple[str, Sequence[TileKey]]]
    ) -> list[list[StoredRow] | WorldError]:
        """Fail."""
        msg = f"{table}: no answer for {len(requests)} requests"
        raise StoreUnavailableError(msg)

    def read_entity(self, table: str, entity: str) -> list[StoredRow]:
        """Fail."""
        msg = f"{table}: no answer for {entity}"
        raise StoreUnavailableError(msg)


class FlakyRegistry(MemoryRegistry):
    """A registry that can be made to fail. Mutable."""

    down = False

    def snapshots(self) -> list[Snapshot]:
        """Answer, or fail."""
        if self.down:
            msg = "no answer"
            raise StoreUnavailableError(msg)
        return super().snapshots()
