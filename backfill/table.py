"""The table of a source's history in Spark: lists its files, reads their columns, writes events."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as f

from backfill.event_log import GLOBS, SCHEMA, write_dates
from backfill.files import HadoopFiles
from feature_platform.errors import EventLogError
from feature_platform.event_log.commits import LogFile
from feature_platform.event_log.history import (
    EXAMPLES_MAX,
    ROWS_BITS,
    Example,
    FileRead,
    UnreadableFileError,
)
from feature_platform.event_log.table import (
    CORRUPT,
    NANOS,
    TableColumns,
    TableFile,
    event_sql,
    problem_sql,
    quoted,
)
from feature_platform.plan.job_history import JobHistory
from feature_platform.plan.job_source import JobSource, SourceColumn

ROWS_MASK = (1 << ROWS_BITS) - 1
DETAILED = f"{SCHEMA}, detail STRING"
ANY_TIME_MS = 253_402_300_799_999
"""Bounds that every event time is within: a row has no record's timestamp to measure it by."""
LONG_NANOS = "spark.sql.legacy.parquet.nanosAsLong"
HEADER_BYTES_MAX = 1_000_000
CAUSE_CHARACTERS_MAX = 300
PATTERN, LITERAL = re.compile(r"([\\*?\[\]{}])"), r"\\\1"
"""What Hadoop takes for a pattern, and how it takes it literally."""
SLASHES = re.compile("^([a-z0-9]+):/+")
"""After the scheme there are one or three."""
CSV: Mapping[str, str] = {
    "header": "true",
    "enforceSchema": "false",
    "multiLine": "true",  # whole files: rows keep their order, and a quoted field may have lines
    "escape": '"',
    "mode": "PERMISSIVE",
    "columnNameOfCorruptRecord": CORRUPT,
    "columnPruning": "false",  # every row is looked at whole, whatever the mapping takes of it
    "encoding": "UTF-8",
}


class SparkTable:
    """Implements `event_log.history.Table`."""

    def __init__(
        self, session: SparkSession, project: str, source: JobSource, log: HadoopFiles
    ) -> None:
        """Use a table.

        Args:
            session: As `open_session` opens it, with the kernel's jar.
            project: Address of the folder that relative paths are in.
            source: Whose history it is.
            log: The folder of the import.
        """
        assert source.history is not None  # noqa: S101 (nobody imports without one)
        self._session, self._source, self._log = session, source, log
        self._history: JobHistory = source.history
        self._project = project.rstrip("/")
        self._jvm: Any = session._jvm  # noqa: SLF001 (Spark's own way to Java)
        self._conf: Any = session._jsc.hadoopConfiguration()  # noqa: SLF001

    def files(self) -> list[TableFile]:
        """Return its files now.

        Raises:
            EventLogError: An entry of `files` matches none, or its address cannot be read.
        """
        found: dict[str, TableFile] = {}
        for pattern in self._history.files:
            address = self._address(pattern)
            try:
                matched = {file.path: file for file in self._matched(address)}
            except (Py4JJavaError, OSError) as error:
                msg = f"source {self._source.name}: {address} of its history: {cause(error)}"
                raise EventLogError(msg) from error
            if not matched:
                msg = (
                    f"source {self._source.name}: {address} of its history matches no file; "
                    "correct `files`"
                )
                raise EventLogError(msg)
            found |= matched
        return [found[path] for path in sorted(found)]

    def columns(self, path: str) -> TableColumns:
        """Return what a file holds.

        Raises:
            UnreadableFileError: It is damaged.
        """
        try:
            if self._history.format == "csv":
                return TableColumns(types=dict.fromkeys(self._header(path), "string"))
            return TableColumns(types=self._parquet_types(path))
        except (Py4JJavaError, PySparkException, UnicodeDecodeError) as error:
            raise UnreadableFileError(path, cause(error)) from error

    def write(
        self, batch: Sequence[tuple[int, TableFile]], columns: TableColumns, staging: str
    ) -> tuple[Sequence[LogFile], Sequence[FileRead]]:
        """Write the events of some files, and count what became of their rows.

        Raises:
            UnreadableFileError: One of them is damaged.
        """
        paths = [file.path for _, file in batch]
        with self._read(batch, columns) as rows, _naming(paths):
            self._session.sparkContext.setJobDescription(
                f"history of {self._source.name}: {len(paths)} files"
            )
            firsts = self._rows(rows)
            events = rows.select(
                f.expr(event_sql(columns, self._history)).alias("value"),
                (f.col("__file") * (ROWS_MASK + 1) + f.col("__row")).alias("offset"),
                f.expr(problem_sql(columns, self._history)).alias("problem"),
            )
            files = write_dates(self._described(events), self._log, 1, staging)
        return files, self._counted(files, batch, firsts)

    def _described(self, events: DataFrame) -> DataFrame:
        kernel = self._jvm.io.featureplatform.kernel.spark.HistoryRecords
        whole = replace(
            self._source,
            max_future_ms=ANY_TIME_MS,
            max_past_ms=ANY_TIME_MS,
            sum_scales={},
            columns=tuple(SourceColumn.of(each.name, each.type) for each in self._history.columns),
        )
        time = whole.column(whole.event_time)
        timing = replace(whole, columns=(time,) if time else ())
        made = kernel.describe(
            events._jdf,  # noqa: SLF001
            json.dumps(timing.to_json()),
            json.dumps(whole.to_json()),
            self._history.until_ms,
        )
        return DataFrame(made, self._session)

    @contextmanager
    def _read(
        self, batch: Sequence[tuple[int, TableFile]], columns: TableColumns
    ) -> Iterator[DataFrame]:
        """Give the rows, with `__file`, its number, and `__row`, which grows along it."""
        rows, place = self._contents([file.path for _, file in batch], columns)
        uris = [(number, self._uri(file.path)) for number, file in batch]
        numbers = self._session.createDataFrame(uris, "__file BIGINT, __path STRING")
        path = f.regexp_replace(f.col("_metadata.file_path"), SLASHES.pattern, "$1:/")
        placed = rows.select("*", path.alias("__path"), place.alias("__row"))
        with self._with_nanos():
            yield placed.join(f.broadcast(numbers), "__path")

    def _contents(self, paths: list[str], columns: TableColumns) -> tuple[DataFrame, Column]:
        """Return rows of at least these files, and the place of each in its file."""
        reader = self._session.read.option(GLOBS, "false")
        if self._history.format == "csv":
            fields = [f"{quoted(name)} STRING" for name in columns.types]
            options = dict(CSV) | {"sep": self._history.delimiter}
            if self._history.null_value:
                options["nullValue"] = self._history.null_value
            schema = ", ".join([*fields, f"{CORRUPT} STRING"])
            rows = reader.options(**options).schema(schema).csv(paths)
            return rows, f.monotonically_increasing_id().bitwiseAND(f.lit(ROWS_MASK))
        fields = [
            f"{quoted(name)} {'BIGINT' if kind == NANOS else kind}"
            for name, kind in columns.types.items()
            if name in {column.column for column in self._history.columns}
        ]
        rows = reader.schema(", ".join(fields)).parquet(*paths)
        return rows, f.col("_metadata.row_index")

    @contextmanager
    def _with_nanos(self) -> Iterator[None]:
        """Let Spark read a time in nanoseconds as the number that it is."""
        self._session.conf.set(LONG_NANOS, "true")
        try:
            yield
        finally:
            self._session.conf.unset(LONG_NANOS)

    def _rows(self, rows: DataFrame) -> dict[int, tuple[int, int]]:
        """Return by number of a file how many rows it has, and the place of its first."""
        counted = rows.groupBy("__file").agg(f.count("*").alias("rows"), f.min("__row").alias("at"))
        return {row["__file"]: (row["rows"], row["at"]) for row in counted.collect()}

    def _counted(
        self,
        files: Sequence[LogFile],
        batch: Sequence[tuple[int, TableFile]],
        firsts: Mapping[int, tuple[int, int]],
    ) -> list[FileRead]:
        """Say what became of the rows, as they are in the log's new files."""
        names = [f"{self._log.root}/{file.path}" for file in files]
        reader = self._session.read.option(GLOBS, "false").schema(DETAILED)
        held = reader.parquet(*names) if names else self._session.createDataFrame([], DETAILED)
        held = held.select(
            f.shiftright("offset", ROWS_BITS).alias("file"),
            f.col("offset").bitwiseAND(f.lit(ROWS_MASK)).alias("row"),
            "reason",
            "detail",
        )
        reasons: dict[int, dict[str | None, int]] = defaultdict(dict)
        for row in held.groupBy("file", "reason").count().collect():
            reasons[row["file"]][row["reason"]] = row["count"]
        first = Window.partitionBy("file").orderBy("row")
        wrong = held.where("reason IS NOT NULL").withColumn("n", f.row_number().over(first))
        examples: dict[int, list[Example]] = defaultdict(list)
        for row in wrong.where(f"n <= {EXAMPLES_MAX}").orderBy("file", "n").collect():
            place = row["row"] - firsts[row["file"]][1] + 1
            example = Example(row=place, reason=row["reason"], detail=row["detail"] or "")
            examples[row["file"]].append(example)
        return [
            _file_read(number, file, firsts.get(number, (0, 0))[0], reasons[number], examples)
            for number, file in batch
        ]

    def _address(self, pattern: str) -> str:
        """Return the whole address of a pattern; the project's folder is none."""
        if "://" in pattern:
            return pattern
        if pattern.startswith("/"):
            return f"file://{pattern}"
        return f"{PATTERN.sub(LITERAL, self._project)}/{pattern}"

    def _matched(self, address: str) -> Iterator[TableFile]:
        """Yield the files of an address: a file, a folder with all below it, or a pattern.

        What exists under a name is meant, whatever letters the name has.
        """
        where = self._jvm.org.apache.hadoop.fs.Path(address)
        system = where.getFileSystem(self._conf)
        found = [system.getFileStatus(where)] if system.exists(where) else system.globStatus(where)
        for status in found or ():
            if not status.isDirectory():
                yield _table_file(status)
                continue
            below = system.listFiles(status.getPath(), True)
            inside = len(str(status.getPath().toString()))
            while below.hasNext():
                each = below.next()
                parts = str(each.getPath().toString())[inside:].split("/")
                if not any(part.startswith(("_", ".")) for part in parts):
                    yield _table_file(each)

    def _uri(self, path: str) -> str:
        return SLASHES.sub(
            r"\1:/", str(self._jvm.org.apache.hadoop.fs.Path(path).toUri().toString())
        )

    def _header(self, path: str) -> list[str]:
        """Return the names in the first line of a CSV file."""
        where = self._jvm.org.apache.hadoop.fs.Path(path)
        reader = self._session.read.option(GLOBS, "false").options(**CSV)
        reader = reader.option("sep", self._history.delimiter).option("inferSchema", "false")
        return list(reader.csv(str(where.toString())).columns)

    def _parquet_types(self, path: str) -> dict[str, str]:
        """Return names and types of a Parquet file's columns, as Spark reads them."""
        with self._with_nanos():
            schema = self._session.read.option(GLOBS, "false").parquet(path).schema
        types = {each.name: each.dataType.simpleString() for each in schema.fields}
        return types | dict.fromkeys(self._nanos(path), NANOS)

    def _nanos(self, path: str) -> list[str]:
        """Return the columns of times in nanoseconds."""
        parquet = self._jvm.org.apache.parquet.hadoop
        where = self._jvm.org.apache.hadoop.fs.Path(path)
        given = parquet.util.HadoopInputFile.fromPath(where, self._conf)
        reader = parquet.ParquetFileReader.open(given)
        try:
            fields = reader.getFooter().getFileMetaData().getSchema().getFields()
            return [
                str(each.getName())
                for each in fields
                if "NANOS" in str(each.getLogicalTypeAnnotation())
            ]
        finally:
            reader.close()


def _table_file(status: Any) -> TableFile:  # noqa: ANN401 (a Java object)
    return TableFile(
        path=str(status.getPath().toString()),
        bytes=int(status.getLen()),
        modified_ms=int(status.getModificationTime()),
    )


def _file_read(
    number: int,
    file: TableFile,
    rows: int,
    reasons: Mapping[str | None, int],
    examples: Mapping[int, list[Example]],
) -> FileRead:
    rejected = {reason: count for reason, count in sorted(reasons.items(), key=str) if reason}
    held = sum(reasons.values())
    return FileRead(
        file=file,
        number=number,
        rows=rows,
        imported=reasons.get(None, 0),
        after_until=rows - held,
        rejected=rejected,
        examples=tuple(examples.get(number, ())),
    )


@contextmanager
def _naming(paths: Sequence[str]) -> Iterator[None]:
    """Turn what Spark says of a damaged file into an error that names it."""
    try:
        yield
    except (Py4JJavaError, PySparkException) as error:
        text = str(error)
        for path in paths:
            bare = path.split(":", 1)[-1].lstrip("/")  # Spark writes file:///, and in URLs' letters
            if bare in text or quote(bare) in text:
                raise UnreadableFileError(path, cause(error)) from error
        raise


def cause(error: Exception) -> str:
    """Return the innermost cause that Java gives, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("at ")]
    causes = [line for line in lines if line.startswith("Caused by: ")] or lines or [repr(error)]
    return causes[-1].removeprefix("Caused by: ").lstrip(": ")[:CAUSE_CHARACTERS_MAX]
