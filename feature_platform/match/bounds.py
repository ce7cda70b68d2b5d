"""Between which offsets the rows were that an answer rests on, by attempts and cuts. Pure.

Every cut that was recorded before a row was read is in the row: its writes were acknowledged by
then. Nothing beyond the next cut of the attempt that wrote the row is in it. So what a row held is
known by offsets, except for the events between two cuts.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from feature_platform.registry.base import Attempt, Cut, Epoch, Positions
from feature_platform.registry.history import GENESIS

CLOCKS_MS = 1_000
"""How far apart the clocks of jobs, brokers and readers may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What the rows of an entity held when they were read, by offset."""

    lower: Positions
    """All events before these count."""
    upper: Positions
    """No event from these on does."""
    replays: bool
    """Whether the writer still repeated what an attempt before it had counted."""


class Timeline:
    """Attempts and cuts of a generation, by when they were recorded."""

    def __init__(self, attempts: Sequence[Attempt], cuts: Sequence[Cut]) -> None:
        """Take what the registry knows.

        Args:
            attempts: All of the generation.
            cuts: Complete ones, those before the period as far as to the newest before it.
        """
        self._attempts = {each.attempt: each for each in attempts}
        self._cuts = {each.epoch: each for each in cuts}
        self._by_time = sorted(cuts, key=lambda each: each.recorded_ms)
        self._times = [each.recorded_ms for each in self._by_time]
        self._newest: list[Cut] = []
        for each in self._by_time:
            before = self._newest[-1] if self._newest else each
            self._newest.append(max(before, each, key=lambda cut: cut.epoch))
        self._of_attempt: dict[int, list[int]] = {}
        for attempt, checkpoint_id in sorted(self._cuts):
            self._of_attempt.setdefault(attempt, []).append(checkpoint_id)

    @property
    def positions(self) -> list[Positions]:
        """Return the positions of all cuts, the oldest first."""
        return [each.positions for _, each in sorted(self._cuts.items())]

    def bounds(self, read_ms: int, asked_ms: int, written: Epoch | None) -> Bounds | None:
        """Return what a row held; None if that is not settled yet.

        Args:
            read_ms: When the oldest data behind the answer was read.
            asked_ms: When the newest was: the answer's instant.
            written: Attempt and flush of the head; None without one.
        """
        cut = self._before(read_ms - CLOCKS_MS)
        lower = cut.positions if cut else {}
        if written is None:
            later = self._after(asked_ms + CLOCKS_MS)
            return Bounds(lower=lower, upper=later, replays=False) if later else None
        attempt, flush = written
        upper = self._upper(attempt, flush)
        if upper is None:
            return None
        if cut is not None and attempt <= cut.attempt:
            return Bounds(lower=lower, upper=upper, replays=self._replays(attempt, read_ms))
        return Bounds(
            lower=self._restored(attempt), upper=upper, replays=self._replays(attempt, read_ms)
        )

    def _before(self, time_ms: int) -> Cut | None:
        """Return the newest cut of those that were recorded by then."""
        place = bisect_right(self._times, time_ms)
        return self._newest[place - 1] if place else None

    def _after(self, time_ms: int) -> Positions | None:
        """Return the positions of the first cut that was recorded from then on."""
        place = bisect_left(self._times, time_ms)
        return self._by_time[place].positions if place < len(self._by_time) else None

    def _upper(self, attempt: int, flush: int) -> Positions | None:
        """Return what a flush of an attempt cannot have got beyond; None: not settled yet."""
        writer = self._attempts.get(attempt)
        last = writer.checkpoint_id_at_most(flush) if writer else None
        ids = self._of_attempt.get(attempt, [])
        if last is not None:
            place = bisect_left(ids, last)
            if place < len(ids):
                return self._cuts[attempt, ids[place]].positions
        if writer is not None and writer.kind != "stream":
            return writer.end_offsets
        later = [each for number, each in self._attempts.items() if number > attempt]
        return min(later, key=lambda each: each.attempt).end_offsets if later else None

    def _restored(self, attempt: int) -> Positions:
        """Return the positions of the epoch that an attempt started from; none if unknown."""
        writer = self._attempts.get(attempt)
        point = writer.restore_point if writer else GENESIS
        cut = self._cuts.get(point)
        return cut.positions if cut else {}

    def _replays(self, attempt: int, read_ms: int) -> bool:
        """Return whether an attempt had not yet passed what was there before it."""
        writer = self._attempts.get(attempt)
        if writer is None or writer.restore_point == GENESIS:
            return False
        for checkpoint_id in self._of_attempt.get(attempt, ()):
            cut = self._cuts[attempt, checkpoint_id]
            if cut.recorded_ms > read_ms:
                return True
            if reaches(cut.positions, writer.end_offsets):
                return False
        return True


def reaches(positions: Positions, ends: Mapping[str, int]) -> bool:
    """Return whether positions are at or past others in every partition."""
    return all(positions.get(partition, 0) >= end for partition, end in ends.items())


def chain_of(positions: Sequence[Positions]) -> list[Positions]:
    """Return positions that ascend in every partition, from none on; others are left out."""
    chain: list[Positions] = [{}]
    for each in positions:
        if reaches(each, chain[-1]) and each != chain[-1]:
            chain.append(each)
    return chain


def below(chain: Sequence[Positions], positions: Positions) -> int:
    """Return the last place of a chain that positions reach."""
    low, high = 0, len(chain)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if reaches(positions, chain[middle]) else (low, middle)
    return low


def above(chain: Sequence[Positions], positions: Positions) -> int:
    """Return the first place of a chain that reaches positions; its length if none does."""
    low, high = 0, len(chain)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if reaches(chain[middle], positions) else (middle + 1, high)
    return low
