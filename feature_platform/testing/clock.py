"""A clock that stands still until a test moves it, or something waits."""


class ManualClock:
    """Mutable: returns the instant it was set to."""

    def __init__(self, now_ms: int = 0) -> None:
        """Start at an instant."""
        self._now_ms = now_ms
        self._slept_s = 0.0

    def now_ms(self) -> int:
        """Return the instant it shows."""
        return self._now_ms

    def monotonic_s(self) -> float:
        """Return how long was slept so far, in seconds."""
        return self._slept_s

    def sleep_s(self, seconds: float) -> None:
        """Move forwards, at once; by whole milliseconds."""
        self._slept_s += seconds
        self.advance(round(seconds * 1000))

    def set(self, now_ms: int) -> None:
        """Move to an instant, forwards or backwards."""
        self._now_ms = now_ms

    def advance(self, by_ms: int) -> None:
        """Move forwards."""
        self._now_ms += by_ms
