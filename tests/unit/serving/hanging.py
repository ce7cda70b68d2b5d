"""A store that hangs: it answers some entities, or none, and uses up all the time it is given."""

import asyncio
import threading

from feature_platform.errors import StoreDownError
from feature_platform.store.base import READ_TIMEOUT_S, Outcome, Requests, TileReader
from feature_platform.testing.clock import ManualClock
from feature_platform.testing.neighbours import PassingReader

PATIENCE_S = 30.0


class HangingReader(PassingReader):
    """Mutable: hangs until `is_back`, by the clock that deadlines are kept by."""

    def __init__(
        self, inner: TileReader, clock: ManualClock, answered: tuple[str, ...] = ()
    ) -> None:
        """Hang, except for some entities."""
        super().__init__(inner)
        self.clock = clock
        self.answered = answered
        self.is_back = False
        self.timeouts_s: list[float] = []
        """What each read was given."""
        self.began = threading.Semaphore(0)
        self.may = threading.Event()
        """Holds reads back until it is set, which it is at first."""
        self.may.set()

    def read_tiles(
        self, table: str, requests: Requests, *, timeout_s: float = READ_TIMEOUT_S
    ) -> list[Outcome]:
        """Read what is answered."""
        self._begin(timeout_s)
        assert self.may.wait(PATIENCE_S)
        return self._end(table, requests, timeout_s)

    async def aread_tiles(
        self, table: str, requests: Requests, *, timeout_s: float = READ_TIMEOUT_S
    ) -> list[Outcome]:
        """Do the same."""
        self._begin(timeout_s)
        for _ in range(100_000):
            await asyncio.sleep(0)
            if self.may.is_set():
                break
        return self._end(table, requests, timeout_s)

    def _begin(self, timeout_s: float) -> None:
        self.timeouts_s.append(timeout_s)
        self.began.release()

    def _end(self, table: str, requests: Requests, timeout_s: float) -> list[Outcome]:
        found = self.inner.read_tiles(table, requests, timeout_s=timeout_s)
        if self.is_back:
            return found
        self.clock.sleep_s(timeout_s)
        return [
            outcome if entity in self.answered else StoreDownError("no answer in time")
            for (entity, _), outcome in zip(requests, found, strict=True)
        ]
