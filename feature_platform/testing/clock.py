"""A clock that stands still until a test moves it."""


class ManualClock:
    """Mutable: tells the instant it was set to."""

    def __init__(self, now_ms: int = 0) -> None:
        """Start at an instant."""
        self._now_ms = now_ms

    def now_ms(self) -> int:
        """Return the instant it stands at."""
        return self._now_ms

    def set(self, now_ms: int) -> None:
        """Move to an instant, forwards or backwards."""
        self._now_ms = now_ms

    def advance(self, by_ms: int) -> None:
        """Move forwards."""
        self._now_ms += by_ms
