"""The event log of a source, as every reader takes it: its commits, read once, and their files."""

from collections.abc import Collection, Mapping

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from backfill.damage import damage
from backfill.event_log import Readable, below, read_files, records, source_files
from backfill.files import NO_SPAN, HadoopFiles, joined
from backfill.history import ImportedHistory
from feature_platform.errors import EventLogError
from feature_platform.event_log.archiver import read_log
from feature_platform.event_log.commits import Log, Span
from feature_platform.event_log.damage import Damage
from feature_platform.event_log.dates import of_dates
from feature_platform.plan.job_source import JobSource

FOOTERS_MAX = 200
"""Up to this number footers are read here; of more files, executors read the records sooner."""


class ArchivedLog:
    """What is archived of a source's topic, and what is imported of its history."""

    def __init__(self, session: SparkSession, folder: str, source: JobSource) -> None:
        """Read the commits.

        Args:
            session: As `open_session` opens it, with the kernel's jar.
            folder: Of all event logs (`Settings.event_log_folder`).
            source: As the job spec has it.

        Raises:
            EventLogError: A commit is missing or damaged, or the history is not complete.
        """
        self._session, self._source = session, source
        self._files = source_files(session, folder, source)
        self.log: Log = read_log(self._files)
        self._history = ImportedHistory(session, folder, source) if source.history else None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to read, not even offsets without records."""
        return not self.log.positions and self._history is None

    @property
    def positions(self) -> Mapping[str, int]:
        """First offset of each "topic/partition" that is not archived."""
        return {f"{self._source.topic}/{part}": end for part, end in self.log.positions.items()}

    def damage(self, dates: Collection[str] | None = None, *, whole_log: bool = True) -> list[str]:
        """Return what is wrong with the files, in words.

        Args:
            dates: What is going to be read: files that may hold events of these dates; None: all.
            whole_log: Look at all files, not only at those.

        Raises:
            EventLogError: A file that is going to be read is gone or no Parquet.
        """
        wanted = of_dates(self.log, self._source, dates)
        wrong = damage(self._session, self._files, self.log, None if whole_log else wanted)
        if not {*wrong.missing}.isdisjoint(wanted):
            msg = f"{'; '.join(self._words(wrong))}: restore the missing files from a copy"
            raise EventLogError(msg)
        return [*self._words(wrong), *self._history_damage(dates, whole_log=whole_log)]

    def _history_damage(self, dates: Collection[str] | None, *, whole_log: bool) -> list[str]:
        if self._history is None:
            return []
        wanted = self._history.paths(dates)
        wrong = self._history.damage(None if whole_log else wanted)
        words = self._history.words(wrong)
        if not {*wrong.missing}.isdisjoint(wanted):
            msg = f"{'; '.join(words)}: restore the missing files from a copy"
            raise EventLogError(msg)
        return words

    def refuse_damage(self) -> None:
        """Check that all files hold what their commits say: what is computed may be kept.

        Raises:
            EventLogError: A file does not.
        """
        if words := self.damage():
            msg = f"{'; '.join(words)}: restore the changed files from a copy"
            raise EventLogError(msg)

    def records(
        self,
        until: Mapping[str, int],
        rest: Readable | None = None,
        dates: Collection[str] | None = None,
        read_by: JobSource | None = None,
    ) -> DataFrame:
        """Return all records below some offsets, each once, and those of the history.

        See `event_log.records`. Which of both count, `SourceSchema.java` says.

        Args:
            until: The first offset that is not wanted, by "topic/partition".
            rest: The topic, for what is not archived; None: nothing else is wanted.
            dates: Of what is archived, those of these dates alone; None for all.
            read_by: The source by which rows count them already.

        Raises:
            OffsetsGoneError: Neither has some offset.
            EventLogError: The topic was recreated.
        """
        topic = rest or _Nothing()
        found = records(
            self._session,
            self._files,
            self._source,
            until,
            topic,
            dates,
            read_by,
            log=self.log,
        )
        if self._history is None:
            return found
        return found.unionByName(self._history.records(dates, read_by))

    def span(self, column: str, until: Mapping[str, int]) -> Span:
        """Return the first and the last instant of the records below some offsets.

        Args:
            column: `event_time`, or `timestamp`, when the broker took them.
            until: The first offset that does not count, by "topic/partition".

        Returns:
            Epoch milliseconds; (0, -1) if no record has one.
        """
        limits = {int(name.rpartition("/")[2]): end for name, end in until.items()}
        whole = dict(until) == self.positions
        span = self._span(self._files, self.log, column, None if whole else limits)
        if self._history:
            before = self._span(self._history.files, self._history.log, column, None)
            span = joined([before, span]) or NO_SPAN
        return (0, -1) if span == NO_SPAN else span

    def _span(
        self, folder: HadoopFiles, log: Log, column: str, limits: Mapping[int, int] | None
    ) -> Span:
        """Return the least and the greatest value of a column; None for limits: of all records."""
        files = list(log.files)
        if limits is None and len(files) <= FOOTERS_MAX:
            span = joined(folder.parquet_span(path, column) for path in files)
            if span is not None:
                return span
        rows = read_files(self._session, folder, files)
        if limits is not None:
            rows = below(rows, limits)
        first, last = rows.agg(f.min(column), f.max(column)).head() or (None, None)
        return NO_SPAN if first is None or last is None else (first, last)

    def _words(self, wrong: Damage) -> list[str]:
        return wrong.words(self._files.root, self._source.topic)


class _Nothing:
    """A topic of which nothing is read: all that counts is archived."""

    def topic_id(self) -> str:
        """Return that it is not known."""
        return ""

    def bounds(self) -> Mapping[int, Span]:
        """Return that Kafka holds nothing."""
        return {}

    def read(self, spans: Mapping[int, Span]) -> DataFrame:
        """Refuse: nothing is missing from the log."""
        raise AssertionError(spans)
