"""Bad neighbours: ports that fail on purpose, to try what is above them."""

from collections.abc import Sequence

from feature_platform.errors import StoreDownError, StoreUnavailableError
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.memory import MemoryRegistry
from feature_platform.store.base import (
    READ_TIMEOUT_S,
    Outcome,
    Requests,
    StoredRow,
    TileReader,
)


class PassingReader:
    """Passes reads on; a subclass changes what it reads or when. Mutable."""

    def __init__(self, inner: TileReader) -> None:
        """Wrap another reader."""
        self.inner = inner

    def read_tiles(
        self, table: str, requests: Requests, *, timeout_s: float = READ_TIMEOUT_S
    ) -> list[Outcome]:
        """Read."""
        return self.inner.read_tiles(table, requests, timeout_s=timeout_s)

    async def aread_tiles(
        self, table: str, requests: Requests, *, timeout_s: float = READ_TIMEOUT_S
    ) -> list[Outcome]:
        """Read as `read_tiles` does."""
        return self.read_tiles(table, requests, timeout_s=timeout_s)

    def read_entity(self, table: str, entity: str) -> list[StoredRow]:
        """Read all."""
        return self.inner.read_entity(table, entity)


class WatchedReader(PassingReader):
    """Passes reads on, notes them, and fails for some entities. Mutable."""

    def __init__(self, inner: TileReader, failing: Sequence[str] = ()) -> None:
        """Wrap another reader."""
        super().__init__(inner)
        self.failing = failing
        self.requests: list[tuple[str, int]] = []
        """Each entity that was read, and how many keys of it."""

    def read_tiles(
        self, table: str, requests: Requests, *, timeout_s: float = READ_TIMEOUT_S
    ) -> list[Outcome]:
        """Read, or fail."""
        self.requests += [(entity, len(keys)) for entity, keys in requests]
        answers = super().read_tiles(table, requests, timeout_s=timeout_s)
        return [
            StoreUnavailableError("no answer") if entity in self.failing else answer
            for (entity, _), answer in zip(requests, answers, strict=True)
        ]


class DownReader:
    """A store that is down altogether."""

    def read_tiles(
        self,
        table: str,
        requests: Requests,
        *,
        timeout_s: float = READ_TIMEOUT_S,  # noqa: ARG002 (of the port)
    ) -> list[Outcome]:
        """Fail."""
        msg = f"{table}: no answer for {len(requests)} requests"
        raise StoreDownError(msg)

    async def aread_tiles(
        self, table: str, requests: Requests, *, timeout_s: float = READ_TIMEOUT_S
    ) -> list[Outcome]:
        """Fail."""
        return self.read_tiles(table, requests, timeout_s=timeout_s)

    def read_entity(self, table: str, entity: str) -> list[StoredRow]:
        """Fail."""
        msg = f"{table}: no answer for {entity}"
        raise StoreDownError(msg)


class FlakyRegistry(MemoryRegistry):
    """A registry that can be made to fail. Mutable."""

    down = False

    def snapshots(self) -> list[Snapshot]:
        """Answer, or fail."""
        if self.down:
            msg = "no answer"
            raise StoreUnavailableError(msg)
        return super().snapshots()
