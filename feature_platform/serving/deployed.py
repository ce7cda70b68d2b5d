"""What is deployed, as a client last read it from the registry; requests do not wait for it."""

import os
import threading
from math import nan

from feature_platform.clock import Clock
from feature_platform.errors import StoreUnavailableError
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.base import RegistryReader


class DeployedReader:
    """Reads what is deployed again and again. Mutable; safe for use by threads.

    Only the first read makes callers wait, and one at a time asks. From then on a thread of its own
    asks every `refresh_ms`; without one, the first caller that finds the answer old asks, and the
    others continue with what is known.
    """

    def __init__(
        self, registry: RegistryReader, clock: Clock, refresh_ms: int, *, background: bool
    ) -> None:
        """Read nothing yet.

        Args:
            registry: Whom to ask.
            clock: Shows how old an answer is.
            refresh_ms: How long an answer is good for.
            background: Ask in a thread of its own.
        """
        self._registry = registry
        self._clock = clock
        self._refresh_ms = refresh_ms
        self._background = background
        self._known: tuple[Snapshot, ...] | None = None
        self._read_ms = 0
        self._answered_ms: int | None = None
        self._reads = 0
        self._error: StoreUnavailableError | None = None
        self._closed = threading.Event()
        self._begin_process()

    def _begin_process(self) -> None:
        """Make what belongs to one process: after a fork, another thread may hold the old lock."""
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        was_closed, self._closed = self._closed.is_set(), threading.Event()
        if was_closed:
            self._closed.set()

    def snapshots(self) -> tuple[Snapshot, ...]:
        """Return what is deployed, at most `refresh_ms` old unless the registry does not answer.

        Raises:
            StoreUnavailableError: The registry has never answered.
        """
        if self._pid != os.getpid():
            self._begin_process()
        if self._known is None:
            self._read_first()
        if self._background:
            self._keep_reading()
        elif self._is_old() and self._lock.acquire(blocking=False):
            try:
                self._read()
            finally:
                self._lock.release()
        return self._known or ()

    def look(self) -> None:
        """Ask now, however new the answer is. Blocks, while others continue with what is known."""
        with self._lock:
            self._read()

    @property
    def age_s(self) -> float:
        """How long ago the registry last answered; NaN: never."""
        if self._answered_ms is None:
            return nan
        return (self._clock.now_ms() - self._answered_ms) / 1000

    def close(self) -> None:
        """Ask no more."""
        self._closed.set()

    def _is_old(self) -> bool:
        """Return whether it is time to ask again; a clock set back makes any answer old."""
        return not 0 <= self._clock.now_ms() - self._read_ms < self._refresh_ms

    def _read_first(self) -> None:
        """Ask until there is an answer; who waited for a failed read fails with it.

        Raises:
            StoreUnavailableError: The registry does not answer.
        """
        before = self._reads
        with self._lock:
            if self._reads == before:
                self._read()
            if self._known is None and self._error:
                raise StoreUnavailableError(str(self._error)) from self._error

    def _read(self) -> None:
        """Ask the registry; what was deployed before is served while it does not answer."""
        try:
            found = tuple(self._registry.snapshots())
            if found != self._known:  # else what was planned by it is still right
                self._known = found
            self._error = None
            self._answered_ms = self._clock.now_ms()
        except StoreUnavailableError as error:
            self._error = error
        self._reads += 1
        self._read_ms = self._clock.now_ms()

    def _keep_reading(self) -> None:
        """Start the thread that asks, unless it runs; a forked child has lost its parent's."""
        if self._runs() or not self._lock.acquire(blocking=False):
            return
        try:
            if not self._runs():
                self._thread = threading.Thread(
                    target=self._run, args=(self._closed,), name="fp-registry", daemon=True
                )
                self._thread.start()
        finally:
            self._lock.release()

    def _runs(self) -> bool:
        return self._closed.is_set() or (self._thread is not None and self._thread.is_alive())

    def _run(self, closed: threading.Event) -> None:
        while not closed.wait(self._refresh_ms / 1000):
            self._read()
