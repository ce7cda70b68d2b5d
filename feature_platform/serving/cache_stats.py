"""What a cache counts. Counters only grow; rates are a monitor's business."""

from collections.abc import Sequence
from dataclasses import dataclass

from feature_platform.errors import WorldError
from feature_platform.serving.kept import Entry, FoundKept
from feature_platform.store.base import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheStats:
    """What a cache of one process holds, and what it has done since it began.

    Each entity of a request and feature set is a hit, a refresh, a miss, or joined.
    """

    entries: int
    """Entities that are kept, of each feature set."""
    bytes: int
    """About what they take."""
    hits: int
    """Answered without a read."""
    refreshes: int
    """Of which something was kept, and the head was read."""
    misses: int
    """Of which nothing was kept."""
    joined: int
    """That another request was reading already."""
    ahead: int
    """That were read again before a request had to."""
    rows_read: int
    failed: int
    """Reads of an entity that the store did not answer."""
    evicted: int
    """Entries dropped for want of room."""
    answers: int
    """Entities that were answered, each with an age."""
    absent: int
    """Of these, entities that have no rows."""
    age_ms_sum: int
    """Ages of all answers together."""
    age_ms_max: int
    """The highest of them."""


class Counters:
    """Counts. Mutable; whoever counts holds the cache's lock."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.hits = self.refreshes = self.misses = self.joined = self.ahead = 0
        self.rows_read = self.failed = self.evicted = 0
        self.answers = self.absent = self.age_ms_sum = self.age_ms_max = 0

    def asked(self, entry: Entry | None, *, is_ahead: bool) -> None:
        """Count an entity that is read."""
        if is_ahead:
            self.ahead += 1
        elif entry is None:
            self.misses += 1
        else:
            self.refreshes += 1

    def has_read(self, outcomes: Sequence[Outcome]) -> None:
        """Count what the store answered."""
        for outcome in outcomes:
            if isinstance(outcome, WorldError):
                self.failed += 1
            else:
                self.rows_read += len(outcome)

    def answered(self, found: FoundKept) -> None:
        """Count answers and their ages."""
        ages_ms = found.ages_ms  # 0 of those that have failed
        self.answers += len(ages_ms) - len(found.errors)
        self.absent += int(found.is_empty.sum()) - len(found.errors)
        self.age_ms_sum += int(ages_ms.sum())
        self.age_ms_max = max(self.age_ms_max, int(ages_ms.max(initial=0)))

    def stats(self, *, entries: int, size: int) -> CacheStats:
        """Return all counts.

        Args:
            entries: How many there are now.
            size: Bytes that they take.
        """
        return CacheStats(
            entries=entries,
            bytes=size,
            hits=self.hits,
            refreshes=self.refreshes,
            misses=self.misses,
            joined=self.joined,
            ahead=self.ahead,
            rows_read=self.rows_read,
            failed=self.failed,
            evicted=self.evicted,
            answers=self.answers,
            absent=self.absent,
            age_ms_sum=self.age_ms_sum,
            age_ms_max=self.age_ms_max,
        )
