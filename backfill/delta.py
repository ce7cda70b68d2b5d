"""A Delta table at one version, as a history's table: read by Delta's own reader, never around it.

It alone knows which files are live, which of their rows are deleted, and how columns are named.
"""

from collections.abc import Sequence

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as f

from backfill.table import SparkTable, cause
from feature_platform.errors import EventLogError
from feature_platform.event_log.commits import LogFile
from feature_platform.event_log.history import FILES_MAX, FileRead, UnreadableFileError
from feature_platform.event_log.table import TableColumns, TableFile, quoted


class DeltaTable(SparkTable):
    """Implements `event_log.history.Table`; the session has Delta's jars and settings."""

    def files(self) -> list[TableFile]:
        """Return the live files of the version that have rows.

        Raises:
            EventLogError: It is no Delta table, or the version is not there any more.
        """
        about = ("file_path", "file_size", "file_modification_time")
        try:
            rows = self._snapshot().select(*(f.col(f"_metadata.{name}") for name in about))
            millis = f.unix_millis("file_modification_time").alias("ms")
            found = rows.distinct().limit(FILES_MAX + 1)
            held = found.select("file_path", "file_size", millis).collect()
        except (Py4JJavaError, PySparkException) as error:
            raise self._unreadable(cause(error)) from error
        if not held:
            why = "it has no rows"
            raise self._unreadable(why)
        files = [
            TableFile(path=self._path(row[0]), bytes=row["file_size"], modified_ms=row["ms"])
            for row in held
        ]
        return sorted(files, key=lambda file: file.path)

    def columns(self, path: str) -> TableColumns:  # noqa: ARG002 (all files have the table's)
        """Return the columns of the version: older files lack some, which are NULL there."""
        fields = self._snapshot().schema.fields
        return TableColumns(types={each.name: each.dataType.simpleString() for each in fields})

    def write(
        self, batch: Sequence[tuple[int, TableFile]], columns: TableColumns, staging: str
    ) -> tuple[Sequence[LogFile], Sequence[FileRead]]:
        """Write the events of all files, and count what became of their rows.

        Raises:
            EventLogError: A file is damaged: none is left out of a version.
        """
        try:
            return super().write(batch, columns, staging)
        except UnreadableFileError as error:
            why = f"{error.path}: {error.why}"
            raise self._unreadable(why) from error

    def _contents(self, paths: list[str], columns: TableColumns) -> tuple[DataFrame, Column]:  # noqa: ARG002
        # Delta shows the index of a row only for some tables. A file may be read in several parts,
        # in any tasks: the order of parts, and in each that of its task, is that of the rows.
        names = sorted({column.column for column in self._history.columns})
        rows = self._snapshot().select(
            *(f.col(quoted(name)) for name in names),
            f.col("_metadata.file_path").alias("__of"),
            f.col("_metadata.file_block_start").alias("__part"),
            f.monotonically_increasing_id().alias("__read"),
        )
        along = Window.partitionBy("__of").orderBy("__part", "__read")
        return rows, (f.row_number().over(along) - 1).cast("bigint")

    def _snapshot(self) -> DataFrame:
        reader = self._session.read.format("delta")
        return reader.option("versionAsOf", self._history.version).load(self._folder)

    @property
    def _folder(self) -> str:
        given = self._history.files[0]
        inside = "://" not in given and not given.startswith("/")
        return f"{self._project}/{given}" if inside else self._address(given)

    def _path(self, uri: str) -> str:
        """Return a file's address with the letters that it has, as those of other tables are."""
        where = self._jvm.org.apache.hadoop.fs.Path(self._jvm.java.net.URI(uri))
        return str(where.toString())

    def _unreadable(self, why: str) -> EventLogError:
        return EventLogError(
            f"source {self._source.name}: version {self._history.version} of the Delta table "
            f"{self._folder} of its history cannot be read: {why}. Correct `files`, or name in "
            "`version` one whose files VACUUM has not removed"
        )
