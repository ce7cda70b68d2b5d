"""Reads the archived log of a list: what was served, a row for each served row, in Arrow.

Files are read one after the other, so that the log's length does not matter. Only what commits name
is read.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import fs, parquet

from feature_platform.clock import SystemClock
from feature_platform.definition.problems import did_you_mean
from feature_platform.errors import CallerError, EventLogError
from feature_platform.event_log.archiver import read_log
from feature_platform.event_log.commits import Log
from feature_platform.feature_log.archive import dead_letters
from feature_platform.feature_log.schemas import LogSchema, conformed
from feature_platform.feature_log.tables import DEAD_LETTERS, DEAD_SCHEMA, INSTANT
from feature_platform.feature_log_settings import FEATURE_LOG
from feature_platform.serving.frames import nullable_frame
from feature_platform.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

BATCH_ROWS = 65_536
BATCH_ROWS_MIN = 1_024
BATCH_VALUES = 8_000_000
"""About how many values of a batch are in memory."""
DATE = "date="
UNFINISHED = ".new"
"""At the end of the names of files that are being written."""
UNFINISHED_KEPT_MS = 3_600_000
"""After this time such a file has no writer any more: a table of a day is written in seconds."""
INSTANT_MAX_MS = 2**63 - 1


def log_folder(root: str, name: str, topic: str) -> str:
    """Return the address of a list's log.

    Args:
        root: The event log's, see `Settings.event_log_folder`.
        name: The list.
        topic: Its topic: offsets are a topic's.
    """
    return f"{root.rstrip('/')}/{FEATURE_LOG}/{name}/{topic}"


class ArrowFolder:
    """The files of a log, read by Arrow, and what is kept beside them."""

    def __init__(self, address: str) -> None:
        """Use a folder, which may be missing.

        Raises:
            CallerError: Arrow does not know such addresses.
        """
        known = address.replace("s3a://", "s3://", 1)
        try:
            self._system, self._root = fs.FileSystem.from_uri(known)
        except pa.ArrowException as error:
            msg = f"{address} cannot be read by Arrow: {error}; read its Parquet files by Spark"
            raise CallerError(msg) from error

    def paths(self, folder: str) -> list[str]:
        """Return all files below a folder; none if it is missing."""
        where = fs.FileSelector(f"{self._root}/{folder}", allow_not_found=True, recursive=True)
        found = self._system.get_file_info(where)
        return [each.path[len(self._root) + 1 :] for each in found if each.is_file]

    def read(self, path: str) -> bytes:
        """Return a file's content."""
        with self._system.open_input_stream(f"{self._root}/{path}") as stream:
            return bytes(stream.read())

    def write(self, path: str, table: pa.Table) -> None:
        """Write a table as a Parquet file, which is there whole or not at all.

        What writers that were killed left in the same folder is deleted.

        Raises:
            OSError: The folder cannot be written.
        """
        fresh = f"{self._root}/{path}.{uuid4().hex[:8]}{UNFINISHED}"
        folder = fresh.rpartition("/")[0]
        self._system.create_dir(folder, recursive=True)
        self._sweep(folder)
        try:
            parquet.write_table(table, fresh, filesystem=self._system, compression="zstd")
            self._system.move(fresh, f"{self._root}/{path}")
        finally:
            if self._system.get_file_info(fresh).is_file:
                self._system.delete_file(fresh)

    def _sweep(self, folder: str) -> None:
        """Delete unfinished files of a folder, but for those that may still be written."""
        before_ns = (SystemClock().now_ms() - UNFINISHED_KEPT_MS) * 1_000_000
        for each in self._system.get_file_info(fs.FileSelector(folder)):
            if each.is_file and each.path.endswith(UNFINISHED) and each.mtime_ns < before_ns:
                with suppress(FileNotFoundError):  # another writer was faster
                    self._system.delete_file(each.path)

    def parquet(self, path: str) -> parquet.ParquetFile:
        """Open a Parquet file.

        Raises:
            EventLogError: It is missing, or none.
        """
        try:
            return parquet.ParquetFile(self._system.open_input_file(f"{self._root}/{path}"))
        except (OSError, pa.ArrowInvalid) as error:
            msg = f"{self._root}/{path} of the log cannot be read: {error}"
            raise EventLogError(msg) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    path: str
    schema: pa.Schema
    first_ms: int
    last_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Instants `[start_ms, end_ms)`, epoch milliseconds."""

    start_ms: int = 0
    end_ms: int = INSTANT_MAX_MS


ALWAYS = Period()


class ServedLog:
    """What was served from a list, as far as it is archived."""

    def __init__(self, name: str, folder: ArrowFolder, log: Log) -> None:
        """Read what commits name.

        Args:
            name: The list.
            folder: The log's files.
            log: Its commits.
        """
        self.name, self.log, self.folder = name, log, folder

    @classmethod
    def open(cls, settings: Settings, name: str) -> "ServedLog":
        """Open the log of a list as it is archived now.

        Raises:
            EventLogError: Nothing is archived, or the log is damaged.
        """
        found = cls.try_open(settings, name)
        if found is None:
            msg = (
                f"nothing that was served from list {name} is archived: fp archive "
                f"{FEATURE_LOG}/{name}"
            )
            raise EventLogError(msg)
        return found

    @classmethod
    def try_open(cls, settings: Settings, name: str) -> "ServedLog | None":
        """Open the log of a list; None if nothing is archived.

        Raises:
            EventLogError: The log is damaged.
        """
        topic = settings.feature_log.topic(name)
        folder = ArrowFolder(log_folder(settings.event_log_folder, name, topic))
        log = read_log(folder)
        return cls(name, folder, log) if log.next_number else None

    @property
    def rows(self) -> int:
        """How many rows are archived."""
        return self.log.records - dead_letters(self.log)

    def dates(self) -> dict[str, tuple[str, ...]]:
        """Return the files of each date, UTC, such as `2026-12-01`."""
        found: dict[str, list[str]] = {}
        for path in sorted(self.log.files):
            folder = path.split("/")[1]
            if folder != DEAD_LETTERS:
                found.setdefault(folder.removeprefix(DATE), []).append(path)
        return {date: tuple(found[date]) for date in sorted(found)}

    def rows_of(self, path: str, columns_wanted: Callable[[str], bool]) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a file as they are in it, some at a time, with its own columns.

        Args:
            path: See `dates`.
            columns_wanted: Called with each column's name.

        Raises:
            EventLogError: The file is missing.
        """
        with self.folder.parquet(path) as opened:
            names = [name for name in opened.schema_arrow.names if columns_wanted(name)]
            rows = max(BATCH_ROWS_MIN, min(BATCH_ROWS, BATCH_VALUES // max(1, len(names))))
            yield from opened.iter_batches(rows, columns=names)

    def schema(self, period: Period = ALWAYS) -> pa.Schema:
        """Return names and types of the columns.

        A column whose type has changed has its name alone for the newest type, and for each other
        one the name with the type, such as `spend_1d (int64)`.

        Args:
            period: Of the rows that were served then.
        """
        return LogSchema.of([each.schema for each in self._files(period)]).schema

    def batches(
        self, period: Period = ALWAYS, columns: Sequence[str] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows that were served, some at a time, in no order.

        Args:
            period: When they were served.
            columns: Which; None: all.

        Raises:
            CallerError: A column is not known.
            EventLogError: A file is missing.
        """
        files = self._files(period)
        whole = LogSchema.of([each.schema for each in files])
        wanted = _chosen(whole.schema, columns)
        for file in files:
            names = whole.names_in(file.schema)
            asked = sorted({INSTANT, *(names[each] for each in wanted.names if each in names)})
            with self.folder.parquet(file.path) as opened:
                for batch in opened.iter_batches(BATCH_ROWS, columns=asked):
                    table = _within(pa.Table.from_batches([batch]), period)
                    yield from conformed(table, wanted, names).to_batches()

    def to_arrow(self, period: Period = ALWAYS, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the rows that were served as a table; see `batches`."""
        schema = _chosen(self.schema(period), columns)
        return pa.Table.from_batches(self.batches(period, columns), schema)

    def to_pandas(
        self, period: Period = ALWAYS, columns: Sequence[str] | None = None
    ) -> "pd.DataFrame":
        """Return the rows that were served as a DataFrame; whole numbers stay exact."""
        return nullable_frame(self.to_arrow(period, columns))

    def dead_letters(self) -> pa.Table:
        """Return the records that could not be decoded, with their positions and why."""
        paths = [path for path in self.log.files if path.split("/")[1] == DEAD_LETTERS]
        tables = []
        for path in sorted(paths):
            with self.folder.parquet(path) as opened:
                tables.append(opened.read())
        return pa.concat_tables(tables) if tables else DEAD_SCHEMA.empty_table()

    def _files(self, period: Period) -> list[_File]:
        """Return the files that hold rows of a period, those with the newest row last."""
        found = [self._file(path) for path in self.log.files if path.split("/")[1] != DEAD_LETTERS]
        held = [
            each
            for each in found
            if each.first_ms < period.end_ms and each.last_ms >= period.start_ms
        ]
        return sorted(held, key=lambda each: (each.last_ms, each.path))

    def _file(self, path: str) -> _File:
        with self.folder.parquet(path) as opened:
            schema = opened.schema_arrow.remove_metadata()
            facts = opened.metadata
            place = facts.schema.names.index(INSTANT)
            groups = [facts.row_group(number) for number in range(facts.num_row_groups)]
            times = [group.column(place).statistics for group in groups]
            return _File(
                path=path,
                schema=schema,
                first_ms=min(each.min for each in times),
                last_ms=max(each.max for each in times),
            )


def _chosen(schema: pa.Schema, columns: Sequence[str] | None) -> pa.Schema:
    """Return the fields that are wanted.

    Raises:
        CallerError: One is not known.
    """
    for name in columns or ():
        if name not in schema.names:
            msg = f"the feature log has no column {name!r}{did_you_mean(name, schema.names)}"
            raise CallerError(msg)
    return schema if columns is None else pa.schema([schema.field(name) for name in columns])


def _within(table: pa.Table, period: Period) -> pa.Table:
    instants = table.column(INSTANT)
    kept = pc.and_(pc.greater_equal(instants, period.start_ms), pc.less(instants, period.end_ms))
    return table.filter(kept)
