"""Asking a job for checkpoints while something waits for its cuts: as few as show the end soon.

With every checkpoint the kernel flushes, and writes an undo row for each entity
that it touches after it. One every few seconds took a third of its speed from a job under load.
"""

from feature_platform.engines.reads import Reads
from feature_platform.errors import JobFailedError
from feature_platform.registry.base import Epoch

SHORTEST_S = 0.5
LONGEST_S = 30.0
UNANSWERED_S = 5.0
"""A job that is restarting forgets what was asked of it."""


class CheckpointPace:
    """Decides when to ask. Mutable: it remembers the cuts that it was shown."""

    def __init__(self) -> None:
        """Ask at the first look."""
        self._began_s: float | None = None
        self._due_s = float("-inf")
        self._place: Epoch | None = None
        self._seen: tuple[float, int] | None = None

    def is_due(self, now_s: float, place: Epoch | None, left: int) -> bool:
        """Return whether to ask now; a yes is taken as asked.

        After a new cut, half of the time that the rest will take at the present rate, but never
        more than has been waited so far, because a job that warms up gets faster.

        Args:
            now_s: Seconds of any steady clock.
            place: The newest cut's epoch; None before the first.
            left: Events still to be read as of that cut.
        """
        if self._began_s is None:
            self._began_s, self._place = now_s, place
        waited_s = now_s - self._began_s
        if place != self._place:
            self._place = place
            self._due_s = now_s + self._gap_s(now_s, waited_s, left)
            self._seen = (now_s, left)
        if now_s < self._due_s:
            return False
        self._due_s = now_s + max(UNANSWERED_S, min(waited_s, LONGEST_S))
        return True

    def _gap_s(self, now_s: float, waited_s: float, left: int) -> float:
        """Return how long to wait after a cut; nothing is known of the rate at the first one."""
        if self._seen is None:
            return SHORTEST_S
        seen_s, seen_left = self._seen
        read = seen_left - left
        half_s = left * (now_s - seen_s) / read / 2 if read > 0 else LONGEST_S
        return max(SHORTEST_S, min(half_s, waited_s, LONGEST_S))


class CheckpointRequests:
    """Asks one job at that pace."""

    def __init__(self, reads: Reads, job_id: str) -> None:
        """Begin to wait."""
        self._reads, self._job_id, self._pace = reads, job_id, CheckpointPace()

    def look(self, place: Epoch | None, left: int) -> None:
        """Ask if it is time; a checkpoint under way, or a restarting job, is waited for."""
        if not self._pace.is_due(self._reads.clock.monotonic_s(), place, left):
            return
        try:
            self._reads.cluster.trigger_checkpoint(self._job_id)
        except JobFailedError:
            return
