"""How late the events of a source reach the broker, by day of their times, and what that costs.

An event's lateness is the broker's time less its own. A tile that has ended by then changes after
people may have read it; one that is not kept any more by then is not changed: the event counts for
the coarser tiles alone that are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from feature_platform.definition.model import FeatureSet
from feature_platform.errors import CallerError
from feature_platform.event_log.archiver import read_log
from feature_platform.event_log.commits import DATA
from feature_platform.feature_log.read import BATCH_ROWS, DATE, ArrowFolder
from feature_platform.plan.layout import build_layout
from feature_platform.statistics.column import ColumnStatistics
from feature_platform.tiles.layout import Layout

COLUMNS = ["event_time", "timestamp"]
EARLY_MS = -1_000
"""An event this much before the broker's time is early; less is clocks that differ."""
LATE_MS = (1_000, 10_000, 60_000, 600_000, 3_600_000, 86_400_000)
"""Where the bars of the picture end."""
EVENTS_MAX = 100_000_000
"""Archived records that the days of one look have together at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelLate:
    """What late events met at one level of a feature set's tiles."""

    featureset: str
    level: str
    ended: int
    """Events whose tile had ended when they came."""
    gone: int
    """Events whose tile was not kept any more when they came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayLate:
    """How late the events of a day came."""

    date: str
    """UTC, of their event times."""
    events: int
    early: int
    bars: Sequence[int]
    """Events up to each of `LATE_MS` late, and later ones."""
    measures: Mapping[str, float]
    """Quantiles, mean, least and greatest, in milliseconds."""
    levels: Sequence[LevelLate]

    def to_json(self) -> dict[str, Any]:
        """Return the form that `fp late-events --json` prints."""
        return asdict(self)


class Lateness:
    """The archived events of a source."""

    def __init__(self, root: str, source: str, topic: str) -> None:
        """Read what is archived.

        Args:
            root: The folder of all event logs (`Settings.event_log_folder`).
            source: Its name.
            topic: Its topic.

        Raises:
            CallerError: Nothing is.
            EventLogError: The log is damaged.
        """
        self._source = source
        self._folder = ArrowFolder(f"{root.rstrip('/')}/{source}/{topic}")
        self._dates: dict[str, list[str]] = {}
        prefix = f"{DATA}/{DATE}"
        files = read_log(self._folder).files
        self._records = {path: file.records for path, file in files.items()}
        for path in sorted(files):
            date = path.removeprefix(prefix).partition("/")[0]
            if path.startswith(prefix) and date[:1].isdigit():
                self._dates.setdefault(date, []).append(path)
        if not self._dates:
            msg = f"nothing of source {source} is archived: run fp archive {source} first"
            raise CallerError(msg)

    @property
    def dates(self) -> list[str]:
        """The days that there are events of, the oldest first."""
        return sorted(self._dates)

    def newest(self, days_max: int, today: str, events_max: int = EVENTS_MAX) -> list[str]:
        """Return the newest days that are over, the oldest first; the newest of all if none is.

        Args:
            days_max: How many days at most.
            today: The UTC day that is not over.
            events_max: How many archived records they may have together; one day may have more.
        """
        over = [each for each in self.dates if each < today] or self.dates[-1:]
        chosen: list[str] = []
        left = events_max
        for date in reversed(over[-days_max:]):
            left -= sum(self._records[path] for path in self._dates[date])
            if chosen and left < 0:
                break
            chosen.insert(0, date)
        return chosen

    def day(self, date: str, featuresets: Sequence[FeatureSet]) -> DayLate:
        """Measure a day.

        Args:
            date: UTC, such as `2026-12-01`.
            featuresets: Of this source: whose tiles late events meet.

        Raises:
            CallerError: There is nothing of it.
        """
        if date not in self._dates:
            msg = (
                f"source {self._source}: no event of {date} is archived; there is "
                f"{self.dates[0]} to {self.dates[-1]}"
            )
            raise CallerError(msg)
        layouts = {each.name: _layout(each) for each in featuresets}
        levels = {
            (name, level): [0, 0]
            for name, layout in layouts.items()
            for level in layout.used_levels
        }
        bars = np.zeros(len(LATE_MS) + 1, dtype=np.int64)
        column = ColumnStatistics(name="lateness", kind="number")
        early = 0
        for path in self._dates[date]:
            with self._folder.parquet(path) as opened:
                for batch in opened.iter_batches(BATCH_ROWS, columns=COLUMNS):
                    times, late = _late(batch)
                    column.add(pa.array(late), 0)
                    early += int(np.count_nonzero(late < EARLY_MS))
                    bars += np.bincount(
                        np.searchsorted(LATE_MS, late, side="left"), minlength=len(bars)
                    )
                    for (name, level), counts in levels.items():
                        _count(layouts[name], level, times, late, counts)
        return DayLate(
            date=date,
            events=column.rows,
            early=early,
            bars=bars.tolist(),
            measures=column.measures(),
            levels=[
                LevelLate(
                    featureset=name,
                    level=layouts[name].grid.level_name(level),
                    ended=ended,
                    gone=gone,
                )
                for (name, level), (ended, gone) in levels.items()
            ],
        )


def _layout(featureset: FeatureSet) -> Layout:
    ids = {column.name: number for number, column in enumerate(featureset.columns)}
    return build_layout(featureset, ids)


Ints = np.ndarray[Any, np.dtype[np.int64]]


def _late(batch: pa.RecordBatch) -> tuple[Ints, Ints]:
    """Return the event times and lateness of the records that are events, in milliseconds."""
    known = batch.filter(batch.column("event_time").is_valid())
    times = known.column("event_time").to_numpy()
    return times, known.column("timestamp").to_numpy() - times


def _count(layout: Layout, level: int, times: Ints, late: Ints, counts: list[int]) -> None:
    length_ms = layout.grid.levels_ms[level]
    left_ms = length_ms - times % length_ms
    counts[0] += int(np.count_nonzero(late >= left_ms))
    counts[1] += int(np.count_nonzero(late >= left_ms + layout.retention_ms[level]))
