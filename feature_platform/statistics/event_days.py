"""The archived events of a day as rows of a feature set: which each feature takes, and what of it.

A child that runs Spark reads the events and runs the definition's query over each; here its rows
are read some at a time.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from feature_platform.definition.fingerprint import digest
from feature_platform.definition.model import FeatureSet
from feature_platform.definition.operands import COUNTED, Compared
from feature_platform.engines.event_rows_request import EventRowsTask
from feature_platform.errors import EventLogError
from feature_platform.event_log.archiver import read_log
from feature_platform.event_log.commits import DATA, Log
from feature_platform.event_log.dates import of_dates, reading
from feature_platform.event_log.history import FOLDER as HISTORY
from feature_platform.event_log.history import check_complete, read_import
from feature_platform.event_log.history import of_dates as of_history
from feature_platform.feature_log.read import BATCH_ROWS, BATCH_ROWS_MIN, BATCH_VALUES, ArrowFolder
from feature_platform.paths import file_uri, make_private
from feature_platform.plan.job_source import JobSource
from feature_platform.settings import Settings
from feature_platform.statistics.judge import Subject
from feature_platform.statistics.rows import FOLDER, Batch, Measured
from feature_platform.statistics.unmatched import COLUMN, DEAD_LETTERS, EVENTS, IN_WHERE

EVENTS_MAX = 20_000_000
"""Of a day with more records a sample of about as many is read."""
_TIME = "__ts"


class EventReader(Protocol):
    """Writes rows for events; `engines.spark.SparkEventReader` is one."""

    def write(self, task: EventRowsTask, name: str) -> None:
        """Write a row for each event of a day.

        Args:
            task: Which, and where to.
            name: The feature set.

        Raises:
            EventLogError: A file of the log is gone, or not as its commit says.
            SparkFailedError: Spark failed.
        """
        ...


class EventDays:
    """Implements `rows.DayRows` by the archived events of a feature set's source."""

    def __init__(
        self,
        featureset: FeatureSet,
        folder: ArrowFolder,
        log: Log,
        history: Log,
        reader: EventReader,
        scratch: Path,
    ) -> None:
        """Use what is archived.

        Args:
            featureset: As it is defined.
            folder: The log of its source's topic.
            log: Its commits.
            history: Those of the imported history; of none, none.
            reader: Writes the rows of a day.
            scratch: Folder that they are written to, and deleted from.
        """
        self._featureset, self._folder = featureset, folder
        self._log, self._history = log, history
        self._reader, self._scratch = reader, scratch
        source = JobSource.of(featureset.source, featureset.reads)
        self._source = replace(source, sum_scales=dict(featureset.sum_scales))

    @classmethod
    def try_open(
        cls, settings: Settings, featureset: FeatureSet, reader: EventReader
    ) -> "EventDays | None":
        """Open what is archived of a feature set's source; None if nothing is.

        Raises:
            EventLogError: The log is damaged, or the history is not complete.
        """
        source = featureset.source
        root = f"{settings.event_log_folder.rstrip('/')}/{source.name}/{source.topic}"
        folder, scratch = ArrowFolder(root), settings.data / "statistics"
        log, history = read_log(folder), Log()
        job = JobSource.of(source, featureset.reads)
        if job.history:
            done = read_import(ArrowFolder(f"{root}/{HISTORY}/{job.history.id}"))
            check_complete(source.name, done)
            history = done.log
        if not log.next_number and not history.next_number:
            return None
        return cls(featureset, folder, log, history, reader, scratch)

    @classmethod
    def open(cls, settings: Settings, featureset: FeatureSet, reader: EventReader) -> "EventDays":
        """Open what is archived of a feature set's source.

        Raises:
            EventLogError: Nothing is, or the log is damaged.
        """
        found = cls.try_open(settings, featureset, reader)
        if found is None:
            name = featureset.source.name
            msg = f"nothing of source {name} is archived: fp archive {name}"
            raise EventLogError(msg)
        return found

    @property
    def folder(self) -> ArrowFolder:
        """The log's."""
        return self._folder

    @property
    def kept(self) -> str:
        """The folder of the feature set's days."""
        return f"{FOLDER}/{self._featureset.name}"

    @property
    def meaning(self) -> str:
        """The query and the source."""
        return digest([self._featureset.event_rows.sql, self._source.to_json()])

    def dates(self) -> Mapping[str, tuple[str, ...]]:
        """Return the files that may have events of each date; those of the history come last."""
        folders = [file.folder for log in (self._log, self._history) for file in log.files.values()]
        dates = sorted({folder.removeprefix(f"{DATA}/date=") for folder in folders})
        return {
            date: (
                *of_dates(self._log, self._source, [date]),
                *(f"{self._in_history}{path}" for path in of_history(self._history, [date])),
            )
            for date in dates
        }

    def records(self, files: Collection[str]) -> int:
        """Return how many records files have; some may be of other days."""
        return sum(self._records(path) for path in files)

    def sample(self, files: Collection[str]) -> int:
        """Return of how many records of a day one is read."""
        return max(1, -(-self.records(files) // EVENTS_MAX))

    def batches(self, date: str, files: Collection[str], sample: int) -> Iterator[Batch]:
        """Yield what the feature set takes of the events of a day; see the port."""
        make_private(self._scratch)
        with TemporaryDirectory(prefix="events-", dir=self._scratch) as folder:
            rows = Path(folder) / "rows"
            self._reader.write(self._task(date, files, sample, rows), self._featureset.name)
            events = 0
            for batch in _batches(rows):
                events += len(batch)
                yield self._batch(batch)
        letters = self._letters(date, files, events) if sample == 1 else None
        if letters:
            yield Batch(last_ms=0, columns=[letters])

    def nothing(self, date: str, there: str) -> str:
        """Say that no event is archived; see the port."""
        name = self._featureset.source.name
        return (
            f"no event of source {name} of {date} is archived ({there}); to archive what has "
            f"arrived since: fp archive {name}"
        )

    @property
    def _in_history(self) -> str:
        """What is in front of the history's paths below the log's folder."""
        history = self._source.history
        return f"{HISTORY}/{history.id}/" if history else ""

    def _records(self, path: str) -> int:
        if path in self._log.files:
            return self._log.files[path].records
        return self._history.files[path.removeprefix(self._in_history)].records

    def _task(self, date: str, files: Collection[str], sample: int, rows: Path) -> EventRowsTask:
        before = self._in_history
        return EventRowsTask(
            source=self._source,
            entity=self._featureset.entity,
            sql=self._featureset.event_rows.sql,
            columns=self._columns(),
            date=date,
            files=sorted(path for path in files if path in self._log.files),
            history=sorted(
                path.removeprefix(before) for path in files if path not in self._log.files
            ),
            sample=sample,
            rows=file_uri(rows.resolve()),
        )

    def _columns(self) -> list[str]:
        """Return the columns of the query's answer that are measured, each once."""
        events = self._featureset.event_rows
        compared = [*events.compared, *(each for taken in events.taken for each in taken.compared)]
        names = [COUNTED, *(taken.matched for taken in events.taken)]
        names += [taken.operand for taken in events.taken if taken.operand]
        return list(dict.fromkeys([*names, *(each.column for each in compared)]))

    def _letters(self, date: str, files: Collection[str], events: int) -> Measured | None:
        """Return the dead letters; None where files may hold events of other days."""
        ours = reading(self._source)
        of_day = all(
            path in self._log.files
            and self._log.readings[path] == ours
            and self._log.files[path].folder == f"{DATA}/date={date}"
            for path in files
        )
        if not of_day or self._source.history:
            return None
        records = self.records(files)
        letters = records - events
        return Measured(name=DEAD_LETTERS, role="log", values=None, rows=letters, seen=records)

    def _batch(self, rows: pa.RecordBatch) -> Batch:
        """Return the columns of some events."""
        counted = rows.column(COUNTED)
        passed = _count(counted)
        events = self._featureset.event_rows
        whole = Measured(name=EVENTS, role="log", values=None, rows=passed, seen=len(rows))
        columns = [whole]
        for taken in events.taken:
            matched = rows.column(taken.matched)
            values = rows.column(taken.operand).filter(matched) if taken.operand else None
            columns.append(
                Measured(
                    name=taken.feature,
                    role="feature",
                    values=values,
                    rows=_count(matched),
                    seen=passed,
                )
            )
        inside = {each.name: each for taken in events.taken for each in taken.compared}
        columns += [_text(COLUMN, each, rows, counted) for each in inside.values()]
        everything = {each.name: each for each in events.compared}
        columns += [_text(IN_WHERE, each, rows, None) for each in everything.values()]
        last_ms = pc.max(rows.column(_TIME)).as_py() if len(rows) else 0
        return Batch(last_ms=last_ms, columns=columns)


def of_featureset(featureset: FeatureSet) -> Subject:
    """Return a feature set as what statistics are of."""
    return Subject(
        kind="featureset",
        name=featureset.name,
        rules=featureset.statistics,
        features=tuple(taken.feature for taken in featureset.event_rows.taken),
        events=featureset.event_rows,
    )


def _batches(folder: Path) -> Iterator[pa.RecordBatch]:
    """Yield the rows of all files; of each first none, which has the columns even so."""
    for path in sorted(folder.glob("*.parquet")):
        with parquet.ParquetFile(path) as opened:
            schema = opened.schema_arrow
            yield pa.RecordBatch.from_pylist([], schema)
            rows = max(BATCH_ROWS_MIN, min(BATCH_ROWS, BATCH_VALUES // len(schema)))
            yield from opened.iter_batches(rows)


def _count(flags: pa.BooleanArray) -> int:
    found: int = pc.sum(flags, min_count=0).as_py()
    return found


def _text(
    line: str, compared: Compared, rows: pa.RecordBatch, counted: pa.BooleanArray | None
) -> Measured:
    """Return a text that a condition compares, of all events or of those that are counted."""
    values = rows.column(compared.column)
    if counted is not None:
        values = values.filter(counted)
    return Measured(name=line.format(compared.name), role="log", values=values, rows=len(values))
