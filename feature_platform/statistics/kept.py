"""The statistics of each day, kept as a table beside the feature log that they are of.

A day's table says which files of the log its rows are from. So a day is computed once; if more of
it was archived, the new files alone are read, and the sketches merged. A kept day outlives its
files.
"""

import json
from collections.abc import Callable, Sequence

import pyarrow as pa

from feature_platform.errors import CallerError, EventLogError
from feature_platform.feature_log.read import DATE, ServedLog
from feature_platform.statistics.column import SCHEMA, ColumnStatistics
from feature_platform.statistics.day import DayStatistics, measure

FOLDER = "statistics"
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
    """The statistics of a list's days."""

    def __init__(self, log: ServedLog, report: Callable[[str], None]) -> None:
        """Use a log.

        Args:
            log: What was served, as far as it is archived.
            report: Called with what is computed.
        """
        self._log, self._report = log, report
        self._files = log.dates()

    def dates(self) -> list[str]:
        """Return the days that there is something of, the oldest first."""
        kept = {
            path.rpartition(DATE)[2].removesuffix(".parquet")
            for path in self._log.folder.paths(FOLDER)
            if path.endswith(".parquet")
        }
        return sorted(kept | self._files.keys())

    def day(self, date: str) -> DayStatistics:
        """Return the statistics of a day, and keep them.

        Raises:
            CallerError: Nothing was served on that day, as far as it is archived.
            EventLogError: A file of the log is missing.
            OSError: The log's folder cannot be written.
        """
        kept = self._kept(date)
        files = frozenset(self._files.get(date, ()))
        if kept and (kept.files == files or not files):
            return kept
        if not files:
            raise CallerError(self._nothing(date))
        grown = kept is not None and kept.files < files
        new = files - kept.files if kept and grown else files
        self._report(
            f"{date}: measuring {sum(self._log.log.files[path].records for path in new):,} rows"
        )
        made = measure(self._log, date, new)
        if kept and grown:
            made = kept.merged(made)
        self._log.folder.write(path_of(date), to_table(made))
        return made

    def _nothing(self, date: str) -> str:
        dates = self.dates()
        there = f"there is {dates[0]} to {dates[-1]}" if dates else "no day is"
        return (
            f"nothing that was served from list {self._log.name} on {date} is archived ({there}); "
            f"to archive what was logged since: fp archive feature_log/{self._log.name}"
        )

    def _kept(self, date: str) -> DayStatistics | None:
        """Return what is kept of a day; None if nothing that can be read is."""
        path = path_of(date)
        if path not in self._log.folder.paths(FOLDER):
            return None
        try:
            with self._log.folder.parquet(path) as opened:
                return from_table(opened.read(), date)
        except _BROKEN as error:
            self._report(f"{date}: {path} cannot be read, and is computed again: {error!r}")
            return None


def path_of(date: str) -> str:
    """Return where a day's statistics are in the log's folder."""
    return f"{FOLDER}/{DATE}{date}.parquet"


def to_table(day: DayStatistics) -> pa.Table:
    """Return a day as a table, a row for each column."""
    rows = [each.to_row() for each in day.columns.values()]
    about = json.dumps({"format": FORMAT, "files": sorted(day.files)})
    return pa.Table.from_pylist(rows, SCHEMA).replace_schema_metadata({_ABOUT: about.encode()})


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
    )
