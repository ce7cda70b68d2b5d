"""What a client counts and measures of its requests; `openmetrics.py` writes it down."""

import os
import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Literal

from feature_platform.store.base import Outcome

BOUNDS_S = (
    *(0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064),
    *(0.128, 0.256, 0.512, 1.0, 2.5, 5.0, 10.0),
)
"""Upper bounds of the buckets of all histograms, in seconds."""
LISTS_MAX = 100
OTHER = "other"
"""What lists are called once there are `LISTS_MAX` of them."""
Stage = Literal["plan", "find", "compute"]
"""plan: names, keys and tiles; find: what is kept or read, waiting included; compute: the rest."""


@dataclass(slots=True)
class Histogram:
    """How often something took how long (mutable)."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    """By bucket; the last one has no bound."""
    sum_s: float = 0.0

    def observe(self, seconds: float) -> None:
        """Count something."""
        self.counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.sum_s += seconds


@dataclass(slots=True)
class Counts:
    """All that is counted (mutable)."""

    requests: dict[str, Histogram] = field(default_factory=dict)
    """Answered ones, by the name of the list; empty: features that were named one by one."""
    refused: Counter[str] = field(default_factory=Counter)
    """Requests that raised an error, by list."""
    rows: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Of answers, by list and status."""
    stages: dict[Stage, Histogram] = field(default_factory=dict)
    reads: Histogram = field(default_factory=Histogram)
    """Of the store, each of many entities."""
    stored_rows: int = 0
    """That the store has sent."""
    failed_entities: int = 0
    """Of reads."""


class Meters:
    """Counts of one process. Mutable; safe for use by threads, and zero after a fork."""

    def __init__(self) -> None:
        """Begin at zero."""
        self._begin_process()

    def _begin_process(self) -> None:
        self._pid, self._lock, self._counts = os.getpid(), threading.Lock(), Counts()

    @contextmanager
    def _counting(self) -> Iterator[Counts]:
        if self._pid != os.getpid():
            self._begin_process()
        with self._lock:
            yield self._counts

    def counts(self) -> Counts:
        """Return a copy of all counts."""
        with self._counting() as counts:
            return deepcopy(counts)

    def answered(self, name: str, took: "Watch", status: Sequence[str]) -> None:
        """Count an answer.

        Args:
            name: Of the list.
            took: How long it took.
            status: Of each row.
        """
        found = Counter(status)
        with self._counting() as counts:
            name = _known(name, counts)
            counts.requests.setdefault(name, Histogram()).observe(took.total_s)
            for stage, seconds in took.stages_s.items():
                counts.stages.setdefault(stage, Histogram()).observe(seconds)
            for each, rows in found.items():
                counts.rows[name, each] += rows

    def refused(self, name: str) -> None:
        """Count a request that raised an error."""
        with self._counting() as counts:
            counts.refused[_known(name, counts)] += 1

    def read(self, seconds: float, outcomes: Sequence[Outcome]) -> None:
        """Count a read of the store."""
        found = [outcome for outcome in outcomes if isinstance(outcome, list)]
        with self._counting() as counts:
            counts.reads.observe(seconds)
            counts.stored_rows += sum(map(len, found))
            counts.failed_entities += len(outcomes) - len(found)


def _known(name: str, counts: Counts) -> str:
    is_new = name not in counts.requests and name not in counts.refused
    return OTHER if is_new and len(counts.requests) + len(counts.refused) >= LISTS_MAX else name


class Watch:
    """Measures the stages of a request, one after the other. Mutable."""

    def __init__(self) -> None:
        """Begin with the first stage."""
        self._began_s = self._last_s = time.perf_counter()
        self.stages_s: dict[Stage, float] = {}

    def ended(self, stage: Stage) -> None:
        """Add the time since the end of the stage before."""
        now_s = time.perf_counter()
        self.stages_s[stage] = self.stages_s.get(stage, 0.0) + now_s - self._last_s
        self._last_s = now_s

    @property
    def total_s(self) -> float:
        """From the beginning to the end of the last stage."""
        return self._last_s - self._began_s
