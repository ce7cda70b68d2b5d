"""A topic in memory, as the feature log sends to it: it can be full, slow, or down."""

from collections.abc import Callable
from dataclasses import dataclass, field

Done = Callable[[str], None]


@dataclass(slots=True, kw_only=True)
class MemorySender:
    """Implements `feature_log.log.Sender`. Mutable; used by one thread, looked at by others."""

    topics: dict[str, list[bytes]] = field(default_factory=dict)
    """What has arrived."""
    trouble: str = ""
    """Why nothing is taken; empty: everything is."""
    slow: bool = False
    """Whether what is sent arrives only when `slow` is false again."""
    under_way: list[tuple[str, bytes, Done]] = field(default_factory=list)

    def send(self, topic: str, value: bytes, done: Done) -> None:
        """Take a record."""
        self.under_way.append((topic, value, done))
        self.serve(0)

    def serve(self, seconds: float) -> None:  # noqa: ARG002 (there is nothing to wait for)
        """Let what is under way arrive, unless it is slow."""
        if not self.slow:
            self._settle(self.trouble)

    def finish(self, seconds: float) -> None:
        """Let all of it arrive; what is slow is given up."""
        self.serve(seconds)
        self._settle("given up")

    def _settle(self, why: str) -> None:
        settled, self.under_way = self.under_way, []
        for topic, value, done in settled:
            if not why:
                self.topics.setdefault(topic, []).append(value)
            done(why)
