"""Spares requests the wait for a store that is down: after one has waited, others fail at once.

The circuit opens when no node has answered a read at all, and lets a single read through after a
pause, to see; see Nygard, "Release It!", "Circuit Breaker".
"""

from collections.abc import Sequence
from typing import Literal

from feature_platform.clock import WaitingClock
from feature_platform.errors import StoreDownError, StoreUnavailableError
from feature_platform.store.base import (
    READ_TIMEOUT_S,
    Outcome,
    Requests,
    StoredRow,
    TileReader,
)

PAUSE_MIN_S, PAUSE_MAX_S = 0.1, 2.0
"""Between reads that see whether the store is back: doubled each time."""
CircuitState = Literal["closed", "open"]


class Circuit:
    """A reader that does not ask a store that is down. Mutable; safe for use by threads.

    There is no lock: two reads that see at the same time whether the store is back do no harm, and
    a forked child could not release it.
    """

    def __init__(self, reader: TileReader, patience_s: float, clock: WaitingClock) -> None:
        """Guard a reader.

        Args:
            reader: The store.
            patience_s: A read that was given less time says nothing about the store.
            clock: By which it waits.
        """
        self._reader = reader
        self._patience_s = patience_s
        self._clock = clock
        self._pause_s = 0.0
        """How long the next read waits; 0 while the circuit is closed."""
        self._again_s = 0.0
        """From when on a read may be tried, by the monotonic clock."""
        self._reason = ""
        self.opened = 0
        """How often it has opened."""
        self.refused = 0
        """Reads that were not tried."""

    @property
    def state(self) -> CircuitState:
        """Whether reads are tried."""
        return "open" if self._pause_s else "closed"

    def read_tiles(
        self, table: str, requests: Requests, *, timeout_s: float = READ_TIMEOUT_S
    ) -> list[Outcome]:
        """Read if the store may be up; see `TileReader`. Also what fails as a whole is answered."""
        refused = self._refusal(timeout_s)
        if refused is not None:
            return [refused for _ in requests]
        try:
            outcomes = self._reader.read_tiles(table, requests, timeout_s=timeout_s)
        except StoreUnavailableError as error:
            outcomes = [error for _ in requests]
        return self._seen(outcomes, timeout_s)

    async def aread_tiles(
        self, table: str, requests: Requests, *, timeout_s: float = READ_TIMEOUT_S
    ) -> list[Outcome]:
        """Do what `read_tiles` does on an event loop."""
        refused = self._refusal(timeout_s)
        if refused is not None:
            return [refused for _ in requests]
        try:
            outcomes = await self._reader.aread_tiles(table, requests, timeout_s=timeout_s)
        except StoreUnavailableError as error:
            outcomes = [error for _ in requests]
        return self._seen(outcomes, timeout_s)

    def read_entity(self, table: str, entity: str) -> list[StoredRow]:
        """Read every row of an entity, whatever the circuit says."""
        return self._reader.read_entity(table, entity)

    def _refusal(self, timeout_s: float) -> StoreDownError | None:
        """Return why a read is not tried; None: it is, and others wait for what it finds."""
        if not self._pause_s:
            return None
        now_s = self._clock.monotonic_s()
        if now_s >= self._again_s:
            self._again_s = now_s + max(timeout_s, self._pause_s)
            return None
        self.refused += 1
        msg = f"the store is asked again in up to {PAUSE_MAX_S:g} s, for it did not answer: "
        return StoreDownError(msg + self._reason)

    def _seen(self, outcomes: list[Outcome], timeout_s: float) -> list[Outcome]:
        """Learn from what a read found."""
        error = _silence(outcomes)
        if error is None:
            if outcomes:
                self._pause_s = 0.0
        elif timeout_s >= self._patience_s:
            self.opened += not self._pause_s
            self._reason = str(error)
            self._pause_s = min(PAUSE_MAX_S, 2 * self._pause_s or PAUSE_MIN_S)
            self._again_s = self._clock.monotonic_s() + self._pause_s
        return outcomes


def _silence(outcomes: Sequence[Outcome]) -> StoreDownError | None:
    """Return an error if no node has answered for any entity."""
    first: StoreDownError | None = None
    for outcome in outcomes:
        if not isinstance(outcome, StoreDownError):
            return None
        first = first or outcome
    return first
