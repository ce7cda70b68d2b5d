"""The imported history of a source: brought up to date, and read like what is archived."""

from collections.abc import Callable, Collection

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from backfill.damage import damage
from backfill.delta import DeltaTable
from backfill.event_log import RAW, described, read_files, source_files
from backfill.files import HadoopFiles
from backfill.table import SparkTable
from feature_platform.clock import SystemClock
from feature_platform.event_log.damage import Damage
from feature_platform.event_log.dates import reading
from feature_platform.event_log.history import (
    FOLDER,
    Import,
    ImportRequest,
    check_complete,
    import_table,
    of_dates,
    read_import,
)
from feature_platform.event_log.progress import Imported
from feature_platform.plan.job_source import JobSource


def history_files(session: SparkSession, log: str, source: JobSource) -> HadoopFiles:
    """Return the folder of a source's import, below that of its topic."""
    assert source.history is not None  # noqa: S101 (callers look)
    topic = source_files(session, log, source)
    return HadoopFiles(session, f"{topic.root}/{FOLDER}/{source.history.id}")


def import_history(
    session: SparkSession,
    log: str,
    project: str,
    source: JobSource,
    tell: Callable[[Imported], None],
    *,
    accept_unreadable: bool = False,
) -> Import | None:
    """Import what is not imported yet of a source's history; None if it has none.

    Raises:
        EventLogError: See `event_log.history.import_table`.
    """
    if source.history is None:
        return None
    files = history_files(session, log, source)
    job = ImportRequest(
        source=source.name,
        history=source.history,
        accept_unreadable=accept_unreadable,
        reading=reading(source),
    )
    kind = SparkTable
    if source.history.format == "delta":
        if (done := read_import(files)).is_complete:
            return done  # a version never changes, and VACUUM may have removed its files by now
        kind = DeltaTable
    table = kind(session, project, source, files)
    return import_table(job, files, table, SystemClock(), tell)


class ImportedHistory:
    """What is imported of a source's history."""

    def __init__(self, session: SparkSession, log: str, source: JobSource) -> None:
        """Read the commits.

        Raises:
            EventLogError: The import is not complete, or damaged.
        """
        self._session, self._source = session, source
        self.files = history_files(session, log, source)
        done = read_import(self.files)
        check_complete(source.name, done)
        self.log = done.log

    def paths(self, dates: Collection[str] | None) -> list[str]:
        """Return the files of some dates; all for None."""
        return of_dates(self.log, dates)

    def damage(self, paths: Collection[str] | None) -> Damage:
        """Return how files, of these paths or all, are not as their commits say."""
        return damage(self._session, self.files, self.log, None if paths is None else [*paths])

    def words(self, wrong: Damage) -> list[str]:
        """Say what is wrong."""
        return wrong.words(self.files.root, FOLDER)

    def records(self, dates: Collection[str] | None, read_by: JobSource | None) -> DataFrame:
        """Return the records of some dates, as `event_log.records` returns those of the topic.

        Args:
            dates: All for None.
            read_by: The source by which rows count them already; one with another history did not.
        """
        raw = read_files(self._session, self.files, self.paths(dates)).select(*RAW)
        if read_by is None or read_by.history != self._source.history:
            return raw.withColumn("readable", f.lit(False))
        read = described(self._session, raw, read_by)
        return read.select(*RAW, f.isnull("reason").alias("readable"))
