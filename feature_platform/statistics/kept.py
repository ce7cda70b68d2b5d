"""The statistics of each day, kept as a table beside the log that they are of.

A day's table says which files of the log its rows are from. So a day is computed once; if more of
it was archived, the new files alone are read, and the sketches merged. A kept day outlives its
files.
"""

import json
from collections.abc import Callable, Sequence

import pyarrow as pa

from feature_platform.errors import CallerError, EventLogError
from feature_platform.feature_log.read import DATE
from feature_platform.statistics.column import SCHEMA, ColumnStatistics
from feature_platform.statistics.day import DayStatistics, measure
from feature_platform.statistics.rows import FOLDER, DayRows

FORMAT = 1
"""Of the table and of the sketches' parameters; a day of another one is computed again."""
_ABOUT = b"fp_statistics"
_BROKEN = (
    EventLogError,
    pa.ArrowException,
    ValueError,
    KeyError,
    TypeError,
    LookupError,
    RuntimeError,
)
"""What reading a table raises that is cut off, or none of ours."""


class KeptStatistics:
    """The statistics of days."""

    def __init__(self, rows: DayRows, report: Callable[[str], None]) -> None:
        """Use rows.

        Args:
            rows: Those of all days, as far as they are archived.
            report: Called with what is computed.
        """
        self._rows, self._report = rows, report
        self._files = rows.dates()

    def dates(self) -> list[str]:
        """Return the days that there is something of, the oldest first."""
        kept = {
            path.rpartition(DATE)[2].removesuffix(".parquet")
            for path in self._rows.folder.paths(self._rows.kept)
            if path.endswith(".parquet") and path.rpartition("/")[0] == self._rows.kept
        }
        return sorted(kept | self._files.keys())

    def has(self, date: str) -> bool:
        """Return whether there is something of a day."""
        return bool(self._files.get(date)) or self._kept(date) is not None

    def day(self, date: str) -> DayStatistics:
        """Return the statistics of a day, and keep them.

        Raises:
            CallerError: There is nothing of that day, as far as it is archived.
            EventLogError: A file of the log is missing.
            OSError: The log's folder cannot be written.
        """
        kept = self._kept(date)
        files = frozenset(self._files.get(date, ()))
        if kept and (kept.files == files or not files):
            return kept
        if not files:
            raise CallerError(self._nothing(date))
        sample = self._rows.sample(files)
        grown = kept is not None and kept.files < files and kept.sample == sample
        new = files - kept.files if kept and grown else files
        self._report(f"{date}: measuring {self._rows.records(new):,} rows")
        made = measure(self._rows, date, new, sample)
        if kept and grown:
            made = kept.merged(made)
        self._rows.folder.write(path_of(date, self._rows.kept), to_table(made))
        return made

    def _nothing(self, date: str) -> str:
        dates = self.dates()
        there = f"there is {dates[0]} to {dates[-1]}" if dates else "no day is"
        return self._rows.nothing(date, there)

    def _kept(self, date: str) -> DayStatistics | None:
        """Return what is kept of a day; None if nothing that can be read is."""
        rows = self._rows
        path = path_of(date, rows.kept)
        if path not in rows.folder.paths(rows.kept):
            return None
        try:
            with rows.folder.parquet(path) as opened:
                found = from_table(opened.read(), date)
        except _BROKEN as error:
            self._report(f"{date}: {path} cannot be read, and is computed again: {error!r}")
            return None
        return found if found.meaning == rows.meaning else None


def path_of(date: str, folder: str = FOLDER) -> str:
    """Return where a day's statistics are in the log's folder."""
    return f"{folder}/{DATE}{date}.parquet"


def to_table(day: DayStatistics) -> pa.Table:
    """Return a day as a table, a row for each column."""
    rows = [each.to_row() for each in day.columns.values()]
    about = {
        "format": FORMAT,
        "files": sorted(day.files),
        "meaning": day.meaning,
        "sample": day.sample,
    }
    metadata = {_ABOUT: json.dumps(about).encode()}
    return pa.Table.from_pylist(rows, SCHEMA).replace_schema_metadata(metadata)


def from_table(table: pa.Table, date: str) -> DayStatistics:
    """Return the day that a table is of.

    Raises:
        ValueError, KeyError, IndexError, RuntimeError: It is of none, or of another format.
    """
    about = json.loads((table.schema.metadata or {})[_ABOUT])
    if about["format"] != FORMAT:
        msg = f"format {about['format']}; this code reads format {FORMAT}"
        raise ValueError(msg)
    columns: Sequence[ColumnStatistics] = [
        ColumnStatistics.from_row(row) for row in table.to_pylist()
    ]
    return DayStatistics(
        date=date,
        files=frozenset(about["files"]),
        columns={(each.name, each.kind): each for each in columns},
        meaning=about.get("meaning", ""),
        sample=about.get("sample", 1),
    )
