"""Holding a feature set's lease while its stages are walked: a thread renews it beside the work."""

import threading
import time
from types import TracebackType
from typing import Self
from uuid import uuid4

from feature_platform.clock import Clock
from feature_platform.errors import LeaseHeldError, StoreUnavailableError
from feature_platform.registry.base import LEASE_TTL_S, Registry

RENEW_S = LEASE_TTL_S / 4


class HeldLease:
    """A lease that is renewed until it is left. Mutable: remembers when it was renewed last."""

    def __init__(self, registry: Registry, clock: Clock, name: str, holder: str) -> None:
        """Take it.

        Raises:
            LeaseHeldError: Someone else holds it.
        """
        self._registry, self._clock, self._name = registry, clock, name
        self._holder = f"{holder}, walk {uuid4().hex[:8]}"  # two threads are two holders
        self._left = threading.Event()
        self._renewed_s = time.monotonic()
        self._registry.take_lease(name, self._holder, clock.now_ms())
        self._thread = threading.Thread(target=self._renew, name=f"lease-{name}", daemon=True)

    def __enter__(self) -> Self:
        """Begin to renew it."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give it back. If the store is down, it runs out by itself."""
        self._left.set()
        self._thread.join()
        if isinstance(error, StoreUnavailableError):
            return
        self._registry.release_lease(self._name, self._holder)

    def check(self) -> None:
        """Make sure that it is still held; called before each stage.

        Raises:
            LeaseHeldError: It could not be renewed in time.
        """
        if time.monotonic() - self._renewed_s > LEASE_TTL_S - RENEW_S:
            msg = (
                f"the lease of {self._name} could not be renewed in time, so someone else may be "
                f"changing it; stopped here: see `fp plan {self._name}` and apply again"
            )
            raise LeaseHeldError(msg)

    def _renew(self) -> None:
        while not self._left.wait(RENEW_S):
            try:
                self._registry.take_lease(self._name, self._holder, self._clock.now_ms())
            except LeaseHeldError:
                self._renewed_s = float("-inf")
                return
            except StoreUnavailableError:
                continue  # `check` notices when it has been too long
            self._renewed_s = time.monotonic()
