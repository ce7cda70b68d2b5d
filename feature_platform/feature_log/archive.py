"""Writes the records of a list's topic as Parquet files; `event_log.archiver` commits them.

A file holds rows of one date and one schema, and is in the log's folder as soon as it is whole, so
that neither memory nor the local disk holds more than a few. Records that cannot be decoded are
rows of files of their own.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pyarrow as pa
from pyarrow import parquet

from feature_platform.broker.record_reader import Record
from feature_platform.errors import CorruptRecordError
from feature_platform.event_log.commits import Log, LogFile, Span
from feature_platform.feature_log.decode import decode
from feature_platform.feature_log.schemas import conformed, joined_schemas
from feature_platform.feature_log.tables import (
    DEAD_LETTERS,
    date_folder,
    dead_table,
    served_table,
)

COMPRESSION = "zstd"
GROUP_BYTES = 32_000_000
"""Of rows in memory that become a row group."""
HELD_BYTES_MAX = 128_000_000
"""Of rows in memory over all files that are being written."""
FILE_BYTES = 256_000_000
"""A file that is larger is closed, and the next one begun."""
OPEN_MAX = 64
"""Files that are written at the same time."""


class Folder(Protocol):
    """The folder of a log; paths are relative to it."""

    def upload(self, local: Path, path: str) -> None:
        """Copy a local file there."""
        ...

    def download(self, path: str, local: Path) -> None:
        """Copy a file from there."""
        ...


class Records(Protocol):
    """The records of a topic."""

    def read(self, spans: Mapping[int, Span]) -> Iterator[Record]:
        """Yield the records of offsets `[start, end)`."""
        ...


class ServedEngine:
    """Implements `event_log.archiver.Engine` for the topic of a list."""

    def __init__(self, name: str, folder: Folder, topic: Records, scratch: Path) -> None:
        """Write one list's records.

        Args:
            name: The list.
            folder: Where its log is.
            topic: Where its records are.
            scratch: A local folder for files that are being written.
        """
        self._name, self._folder, self._topic, self._scratch = name, folder, topic, scratch

    def write(self, spans: Mapping[int, Span], staging: str) -> Sequence[LogFile]:
        """Write the rows of the records of some offsets."""
        files = _Files(self._folder, self._scratch, staging)
        try:
            for record in self._topic.read(spans):
                files.add(*self._rows(record))
            return files.finish()
        finally:
            files.drop()

    def rewrite(self, paths: Sequence[str], staging: str) -> Sequence[LogFile]:
        """Write the rows of some files, of each date into as few as their columns allow."""
        files = _Files(self._folder, self._scratch, staging)
        folders: dict[str, list[str]] = {}
        for path in paths:
            folders.setdefault(path.rpartition("/")[0].rpartition("/")[2], []).append(path)
        try:
            for folder, members in folders.items():
                self._merge(folder, members, files)
            return files.finish()
        finally:
            files.drop()

    def _rows(self, record: Record) -> tuple[str, pa.Table]:
        """Return a record's rows and their folder; of one that is none, why."""
        place = record.partition, record.offset, record.timestamp_ms
        try:
            served = decode(record.value or b"")
            if served.list == self._name:
                return date_folder(served), served_table(served, *place)
            reason = f"a record of list {served.list!r}"
        except CorruptRecordError as error:
            reason = str(error) if record.value else "the record is empty"
        return DEAD_LETTERS, dead_table(*place, reason, record.value)

    def _merge(self, folder: str, paths: Sequence[str], files: "_Files") -> None:
        local = [self._scratch / f"old-{number}.parquet" for number in range(len(paths))]
        try:
            for path, copy in zip(paths, local, strict=True):
                self._folder.download(path, copy)
            schemas = joined_schemas([parquet.read_schema(copy) for copy in local])
            for copy, schema in zip(local, schemas, strict=True):
                names = {name: name for name in schema.names}
                with parquet.ParquetFile(copy) as file:
                    for batch in file.iter_batches():
                        files.add(folder, conformed(pa.Table.from_batches([batch]), schema, names))
        finally:
            for copy in local:
                copy.unlink(missing_ok=True)


def dead_letters(log: Log) -> int:
    """Return how many records of a log could not be decoded."""
    files = log.files.values()
    return sum(file.records for file in files if file.folder.endswith(f"/{DEAD_LETTERS}"))


@dataclass(slots=True, kw_only=True)
class _Open:
    """A file that is being written (mutable)."""

    local: Path
    writer: parquet.ParquetWriter
    held: list[pa.Table] = field(default_factory=list)
    held_bytes: int = 0
    rows: int = 0

    def flush(self) -> None:
        """Write what is held as a row group."""
        if self.held:
            self.writer.write_table(pa.concat_tables(self.held).combine_chunks())
            self.held, self.held_bytes = [], 0


class _Files:
    """Files of one commit: a schema and a folder each. Mutable."""

    def __init__(self, folder: Folder, scratch: Path, staging: str) -> None:
        self._folder, self._scratch, self._staging = folder, scratch, staging
        self._open: dict[tuple[str, pa.Schema], _Open] = {}
        self._made: list[LogFile] = []
        self._held_bytes = self._count = 0

    def add(self, folder: str, table: pa.Table) -> None:
        """Add rows to the file of their folder and schema."""
        if not len(table):
            return
        key = folder, table.schema
        file = self._open.get(key)
        if file is None:
            if len(self._open) == OPEN_MAX:
                self._close_all()
            file = self._open[key] = self._begin(table.schema)
        file.held.append(table)
        file.held_bytes += table.nbytes
        file.rows += len(table)
        self._held_bytes += table.nbytes
        if file.held_bytes > GROUP_BYTES:
            self._flush(file)
            if file.local.stat().st_size > FILE_BYTES:
                self._close(key)
        if self._held_bytes > HELD_BYTES_MAX:
            for each in self._open.values():
                self._flush(each)

    def finish(self) -> list[LogFile]:
        """Close all files, and return what was written."""
        self._close_all()
        return self._made

    def drop(self) -> None:
        """Give up what is open."""
        for file in self._open.values():
            file.writer.close()
            file.local.unlink()
        self._open.clear()

    def _begin(self, schema: pa.Schema) -> _Open:
        local = self._scratch / f"new-{self._count}.parquet"
        self._count += 1
        writer = parquet.ParquetWriter(local, schema, compression=COMPRESSION)
        return _Open(local=local, writer=writer)

    def _flush(self, file: _Open) -> None:
        self._held_bytes -= file.held_bytes
        file.flush()

    def _close_all(self) -> None:
        for key in tuple(self._open):
            self._close(key)

    def _close(self, key: tuple[str, pa.Schema]) -> None:
        """Finish a file, and bring it to the folder."""
        file = self._open[key]
        self._flush(file)
        file.writer.close()
        path = f"{self._staging}/{key[0]}/{file.local.name}"
        self._folder.upload(file.local, path)
        size = file.local.stat().st_size
        self._made.append(LogFile(path=path, records=file.rows, bytes=size))
        del self._open[key]
        file.local.unlink()
