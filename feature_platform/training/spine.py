"""The table that a training set is made for: a file, a folder of files or a table in memory.

It is read in batches, twice, so that its length does not matter.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Union

import pyarrow as pa
from pyarrow import csv, parquet

from feature_platform.errors import CallerError

if TYPE_CHECKING:
    import pandas as pd

BATCH_ROWS = 65_536
SpineLike = Union[str, Path, pa.Table, "pd.DataFrame"]
"""A path of a Parquet file, of a folder of them, or of a CSV file; or a table."""


class Spine(Protocol):
    """Rows in their order, as often as they are asked for."""

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns."""
        ...

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows, some at a time."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ParquetSpine:
    """Parquet files, one after the other."""

    paths: tuple[Path, ...]

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns: the first file's."""
        return parquet.read_schema(self.paths[0]).remove_metadata()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows, some at a time.

        Raises:
            CallerError: A file has other columns than the first.
        """
        schema = self.schema
        for path in self.paths:
            with parquet.ParquetFile(path) as file:
                if file.schema_arrow.remove_metadata() != schema:
                    msg = f"{path} has other columns than {self.paths[0]}; write them alike"
                    raise CallerError(msg)
                for batch in file.iter_batches(BATCH_ROWS):
                    yield batch.replace_schema_metadata(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvSpine:
    """A CSV file with a header; types are those of its first megabyte."""

    path: Path

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns."""
        with csv.open_csv(self.path) as reader:
            return reader.schema

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows, some at a time."""
        with csv.open_csv(self.path) as reader:
            yield from reader


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSpine:
    """A table in memory."""

    table: pa.Table

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns."""
        return self.table.schema.remove_metadata()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows, some at a time."""
        yield from self.table.replace_schema_metadata(None).to_batches(BATCH_ROWS)


def open_spine(spine: SpineLike) -> Spine:
    """Return a spine that can be read.

    Raises:
        CallerError: There is no such file, or it is none of these; or two columns share a name.
    """
    opened = _opened(spine)
    try:
        names = opened.schema.names
    except (pa.ArrowInvalid, OSError) as error:
        msg = f"the spine {spine} cannot be read: {error}"
        raise CallerError(msg) from error
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        msg = f"the spine has two columns {twice[0]!r}; rename one"
        raise CallerError(msg)
    return opened


def _opened(spine: Any) -> Spine:  # noqa: ANN401 - whatever a caller passes
    if isinstance(spine, pa.Table):
        return TableSpine(table=spine)
    if hasattr(spine, "iloc"):
        return TableSpine(table=pa.Table.from_pandas(spine, preserve_index=False))
    if not isinstance(spine, str | Path):
        msg = f"a spine is a path, an Arrow table or a DataFrame, not {type(spine).__name__}"
        raise CallerError(msg)
    path = Path(spine)
    if path.is_dir():
        paths = tuple(sorted(path.glob("*.parquet")))
        if not paths:
            msg = f"the spine {path} is a folder without *.parquet files"
            raise CallerError(msg)
        return ParquetSpine(paths=paths)
    if not path.is_file():
        msg = f"the spine {path} does not exist"
        raise CallerError(msg)
    return CsvSpine(path=path) if path.suffix == ".csv" else ParquetSpine(paths=(path,))
