"""Judges the values of served rows: equal, explained, different, or undecided. No I/O.

All values of a row that come from one feature set must be of one state that the row can have been
in. A value that is the same in that state and with all that was known is equal; one that is of an
older state is explained by the events that the state lacks.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

from feature_platform.match.bounds import Bounds
from feature_platform.match.candidates import Possible, states
from feature_platform.match.compare import same
from feature_platform.match.states import Event, Open, Told
from feature_platform.rows.wire import Mask
from feature_platform.serving.shown import Wishes
from feature_platform.training.answers import feature_columns

Verdict = Literal["equal", "stale", "late", "replay", "ahead", "different", "undecided"]
EXPLAINED: tuple[Verdict, ...] = ("stale", "late", "replay", "ahead")
BATCH_STATES = 4_096
"""States that are computed together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A row of the sample, as one feature set was read for it."""

    row: int
    """Its number in the sample."""
    entity: str
    instant_ms: int
    read_ms: int
    """When the oldest data behind it was read."""
    bounds: Bounds


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What was found of the values of one feature set in one row."""

    read: Read
    verdicts: Mapping[int, Verdict]
    """By position in the list."""
    expected: Mapping[int, object]
    """Of values that differ: what would be right."""
    events: tuple[Event, ...] = ()
    """That explain what is explained: those that the row lacked, or had too soon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Try:
    read: Read
    opened: Open
    possible: Possible
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Judges the rows of one feature set."""

    told: Told
    topic: str
    wishes: Wishes
    logged: Mapping[int, pa.ChunkedArray]
    """By position in the list: the values of all rows of the sample."""
    comparable: Mapping[int, Mask]
    """By position: in which rows of the sample a value can be recomputed."""

    @property
    def finest_ms(self) -> int:
        """How long the finest tiles are."""
        return self.told.shape.part.group.snapshot.layout.grid.levels_ms[0]

    def judge(self, reads: Sequence[Read]) -> Iterator[Judged]:
        """Judge rows; those that hold all that was known first, which most do."""
        tries = [self._first(read) for read in reads]
        left = [each for each in tries if not _is_fresh(each)]
        right: Counter[int] = Counter()
        for batch in _batches([each for each in tries if _is_fresh(each)]):
            for each, fits, expected in self._compared(batch):
                right.update(at for at, is_right in fits.items() if is_right)
                if all(fits.values()):
                    yield self._settled(each, fits, fits, expected)
                else:
                    left.append(each)
        for each in left:
            yield self._searched(each, right)

    def _first(self, read: Read) -> _Try:
        opened = self.told.rows[read.row]
        possible = Possible.of(opened, read.bounds, self.topic)
        return _Try(
            read=read,
            opened=opened,
            possible=possible,
            events=(
                *possible.sure,
                *(event for event in possible.maybe if event.appended_ms <= read.read_ms),
            ),
        )

    def _compared(
        self, tries: Sequence[_Try]
    ) -> Iterator[tuple[_Try, dict[int, bool], dict[int, object]]]:
        """Yield, of each state, which values are as they were served, and what they would be."""
        found = self.told.states([(each.opened, each.events) for each in tries])
        instants = np.array([each.read.instant_ms for each in tries], dtype=np.int64)
        columns = feature_columns(found, instants, self.wishes)
        rows = np.array([each.read.row for each in tries], dtype=np.int64)
        masks = {
            position: same(self.logged[position].take(pa.array(rows)), column)
            for position, column in columns.items()
            if position in self.logged
        }
        lists = {position: columns[position].to_list() for position in masks}
        for place, each in enumerate(tries):
            asked = [at for at in masks if self.comparable[at][each.read.row]]
            yield (
                each,
                {at: bool(masks[at][place]) for at in asked},
                {at: lists[at][place] for at in asked if not masks[at][place]},
            )

    def _searched(self, first: _Try, right: Mapping[int, int]) -> Judged:
        """Judge a row that does not hold what was known: find the state that it was in.

        Where none gives all values, the one counts that gives those of features that are right in
        most rows: else a feature that is always wrong could put the blame on others, by chance.

        Args:
            first: The row.
            right: By position, in how many rows that held all that was known a value is right.
        """
        if first.opened.more:
            (found,) = self._compared([first])
            return Judged(
                read=first.read, verdicts=dict.fromkeys(found[1], "undecided"), expected={}
            )
        tried = states(first.possible, first.read.read_ms, self.finest_ms)
        known = first.possible.known(first.read.read_ms)
        wanted = [known, *tried.each]
        tries = [
            _Try(read=first.read, opened=first.opened, possible=first.possible, events=events)
            for events in wanted
        ]
        compared = [each for batch in _batches(tries) for each in self._compared(batch)]
        _, fresh, expected = compared[0]
        best = max(compared[1:], key=lambda each: _weight(each[1], right))
        settled = self._settled(best[0], best[1], fresh, expected)
        if all(best[1].values()):
            return settled
        wrong: Verdict = "different" if tried.whole else "undecided"
        verdicts = {
            at: wrong if not (fits or fresh[at]) else settled.verdicts[at]
            for at, fits in best[1].items()
        }
        return Judged(read=first.read, verdicts=verdicts, expected=expected, events=settled.events)

    def _settled(
        self,
        state: _Try,
        fits: Mapping[int, bool],
        fresh: Mapping[int, bool],
        expected: Mapping[int, object],
    ) -> Judged:
        """Judge by the state that a row was in."""
        read, held = state.read, set(state.events)
        lacking = [each for each in state.possible.known(read.read_ms) if each not in held]
        early = [each for each in state.events if each.appended_ms > read.instant_ms]
        why = self._why(read, lacking, early)
        verdicts: dict[int, Verdict] = {
            at: "equal" if fresh[at] or (fits[at] and not (lacking or early)) else why
            for at in fits
        }
        is_explained = any(each != "equal" for each in verdicts.values())
        return Judged(
            read=read,
            verdicts=verdicts,
            expected=expected,
            events=tuple(lacking or early) if is_explained else (),
        )

    def _why(self, read: Read, lacking: Sequence[Event], early: Sequence[Event]) -> Verdict:
        if not lacking:
            return "ahead" if early else "equal"
        if read.bounds.replays:
            return "replay"
        late = all(each.appended_ms >= self._closed_ms(each) for each in lacking)
        return "late" if late else "stale"

    def _closed_ms(self, event: Event) -> int:
        """Return when the finest tile of an event ended."""
        return (event.time_ms // self.finest_ms + 1) * self.finest_ms


def _is_fresh(each: _Try) -> bool:
    """Return whether a state is all that was known."""
    known = each.possible.known(each.read.read_ms)
    return not each.opened.more and len(known) == len(each.events)


def _weight(fits: Mapping[int, bool], right: Mapping[int, int]) -> tuple[int, int]:
    return sum(right.get(at, 0) for at, is_right in fits.items() if is_right), sum(fits.values())


def _batches(tries: Sequence[_Try]) -> Iterator[Sequence[_Try]]:
    for start in range(0, len(tries), BATCH_STATES):
        yield tries[start : start + BATCH_STATES]
