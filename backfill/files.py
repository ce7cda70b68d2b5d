"""The folder of a log through Hadoop's FileSystem, so that any address that Hadoop knows works."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path as LocalPath
from typing import Any
from uuid import uuid4

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

OBJECT_STORES = frozenset({"s3a", "s3", "gs"})
"""They have no rename, but create an object at once and only where there is none, if asked to."""
CONDITIONAL = {"fs.s3a.create.conditional.enabled": "true"}
NO_PARQUET = "is not a Parquet file"
EXISTS = "FileAlreadyExistsException"
NO_SPAN = (2**63, -1)
"""The least and the greatest of no values."""


class HadoopFiles:
    """Implements `event_log.archiver.Files`."""

    def __init__(self, session: SparkSession, root: str) -> None:
        """Use a folder, which may be missing."""
        self._jvm: Any = session._jvm  # noqa: SLF001 (Spark's own way to Java)
        self._conf: Any = session._jsc.hadoopConfiguration()  # noqa: SLF001
        for name, value in CONDITIONAL.items():
            self._conf.set(name, value)
        self.root = root.rstrip("/")
        home = self.path("")
        self._fs: Any = home.getFileSystem(self._conf)
        self._scheme = str(self._fs.getUri().getScheme())
        self._prefix = len(self._fs.makeQualified(home).toString().rstrip("/")) + 1

    def path(self, path: str) -> Any:  # noqa: ANN401 (a Java object)
        """Return Hadoop's form of a path."""
        return self._jvm.org.apache.hadoop.fs.Path(f"{self.root}/{path}".rstrip("/"))

    def paths(self, folder: str) -> list[str]:
        """Return all files below a folder; none if it is missing."""
        return [path for path, _ in self.sizes(folder)]

    def sizes(self, folder: str) -> list[tuple[str, int]]:
        """Return all files below a folder with their sizes."""
        where = self.path(folder)
        if not self._fs.exists(where):
            return []
        listed, found = self._fs.listFiles(where, True), []
        while listed.hasNext():
            status = listed.next()
            found.append((str(status.getPath().toString())[self._prefix :], int(status.getLen())))
        return found

    def exists(self, path: str) -> bool:
        """Return whether there is such a file or folder."""
        return bool(self._fs.exists(self.path(path)))

    def read(self, path: str) -> bytes:
        """Return a file's content."""
        stream = self._fs.open(self.path(path))
        try:
            return bytes(stream.readAllBytes())
        finally:
            stream.close()

    def parquet_records(self, path: str) -> int:
        """Return how many records a Parquet file holds, as its footer says."""
        with self._parquet(path) as reader:
            return int(reader.getRecordCount())

    def parquet_span(self, path: str, column: str) -> tuple[int, int] | None:
        """Return the least and the greatest value of an int64 column, as its footer says.

        Returns:
            `NO_SPAN` if the column has no value; None if the footer does not say which.
        """
        with self._parquet(path) as reader:
            footer = reader.getFooter()
            place = footer.getFileMetaData().getSchema().getFieldIndex(column)
            spans = [_span(block.getColumns()[place]) for block in footer.getBlocks()]
        return joined(spans)

    @contextmanager
    def _parquet(self, path: str) -> Iterator[Any]:
        parquet = self._jvm.org.apache.parquet.hadoop
        given = parquet.util.HadoopInputFile.fromPath(self.path(path), self._conf)
        reader = parquet.ParquetFileReader.open(given)
        try:
            yield reader
        finally:
            reader.close()

    def try_parquet_records(self, path: str) -> int | None:
        """Return what `parquet_records` does; None if the file is cut off or no Parquet."""
        try:
            return self.parquet_records(path)
        except Py4JJavaError as error:
            if NO_PARQUET in str(error.java_exception.toString()):
                return None
            raise

    def publish(self, path: str, data: bytes) -> bool:
        """Create a file with its whole content at once; False if it is there already."""
        target = self.path(path)
        if self._scheme in OBJECT_STORES:
            return self._unless_there(lambda: self._write(target, data))
        part = self.path(f"{path}.{uuid4().hex[:8]}.part")
        self._write(part, data)
        try:
            return self._unless_there(lambda: self._rename(part, target))
        finally:
            self._fs.delete(part, False)

    def move(self, path: str, to: str) -> None:
        """Rename a file."""
        target = self.path(to)
        self._fs.mkdirs(target.getParent())
        if not self._fs.rename(self.path(path), target):
            msg = f"{self.root}/{path} cannot be moved to {to}"
            raise OSError(msg)

    def upload(self, local: LocalPath, path: str) -> None:
        """Copy a local file there."""
        self._fs.copyFromLocalFile(self._jvm.org.apache.hadoop.fs.Path(str(local)), self.path(path))

    def download(self, path: str, local: LocalPath) -> None:
        """Copy a file from there."""
        there = self._jvm.org.apache.hadoop.fs.Path(str(local))
        self._fs.copyToLocalFile(False, self.path(path), there, True)

    def delete(self, path: str) -> None:
        """Delete a file or a folder; no error if it is gone."""
        self._fs.delete(self.path(path), True)

    def _rename(self, part: Any, target: Any) -> None:  # noqa: ANN401
        if self._scheme == "file":  # Hadoop would overwrite there; a link is made or refused
            files, uri = self._jvm.java.nio.file.Files, self._jvm.java.nio.file.Paths
            files.createLink(uri.get(target.toUri().getPath(), self._none()), self._local(part))
            return
        context = self._jvm.org.apache.hadoop.fs.FileContext.getFileContext(
            target.toUri(), self._conf
        )
        none = self._jvm.org.apache.hadoop.fs.Options.Rename.NONE
        options = self._array(self._jvm.org.apache.hadoop.fs.Options.Rename, none)
        context.rename(part, target, options)

    def _local(self, path: Any) -> Any:  # noqa: ANN401
        return self._jvm.java.nio.file.Paths.get(path.toUri().getPath(), self._none())

    def _none(self) -> Any:  # noqa: ANN401
        return self._array(self._jvm.java.lang.String)

    def _array(self, kind: Any, *values: Any) -> Any:  # noqa: ANN401
        from pyspark import SparkContext

        gateway: Any = SparkContext._gateway  # noqa: SLF001
        made = gateway.new_array(kind, len(values))
        for index, value in enumerate(values):
            made[index] = value
        return made

    def _write(self, target: Any, data: bytes) -> None:  # noqa: ANN401
        stream = self._fs.create(target, False)
        try:
            stream.write(bytearray(data))
        finally:
            stream.close()

    def _unless_there(self, act: Any) -> bool:  # noqa: ANN401
        try:
            act()
        except Py4JJavaError as error:
            if EXISTS in str(error.java_exception.toString()):
                return False
            raise
        return True


def joined(spans: Iterable[tuple[int, int] | None]) -> tuple[int, int] | None:
    """Return the least and the greatest of several spans; None if one of them is not known."""
    first, last = NO_SPAN
    for span in spans:
        if span is None:
            return None
        first, last = min(first, span[0]), max(last, span[1])
    return first, last


def _span(chunk: Any) -> tuple[int, int] | None:  # noqa: ANN401 (a Java object)
    """Return the least and the greatest value of a part of a column; None if nobody knows."""
    found = chunk.getStatistics()
    if found is None or not found.hasNonNullValue():
        empty = found is not None and found.getNumNulls() == chunk.getValueCount()
        return NO_SPAN if empty else None
    return int(found.genericGetMin()), int(found.genericGetMax())
