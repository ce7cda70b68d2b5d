"""Until when a request waits for the store."""

from dataclasses import dataclass
from typing import Self

from feature_platform.clock import WaitingClock
from feature_platform.errors import StoreDownError


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """An instant of the clock that nobody sets back."""

    until_s: float
    allowed_ms: float
    clock: WaitingClock

    @classmethod
    def after(cls, milliseconds: float, clock: WaitingClock) -> Self:
        """Begin to count now."""
        until_s = clock.monotonic_s() + milliseconds / 1000
        return cls(until_s=until_s, allowed_ms=milliseconds, clock=clock)

    @property
    def left_s(self) -> float:
        """How long is left; 0 once it has passed."""
        return max(0.0, self.until_s - self.clock.monotonic_s())

    def missed(self) -> StoreDownError:
        """Return why an entity has no answer."""
        msg = (
            f"the store had not answered when the deadline of {self.allowed_ms:g} ms passed: pass "
            "a larger deadline_ms, or ask for fewer entities"
        )
        return StoreDownError(msg)
