"""The table that a training set is made for: a file, a folder of files or a table in memory.

It is read in batches, twice, so that its length does not matter.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Union

import pyarrow as pa
import pyarrow.compute as pc
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
            with _named(path), parquet.ParquetFile(path) as file:
                if file.schema_arrow.remove_metadata() != schema:
                    msg = f"{path} has other columns than {self.paths[0]}; write them alike"
                    raise CallerError(msg)
                for batch in file.iter_batches(BATCH_ROWS):
                    yield batch.replace_schema_metadata(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvSpine:
    """A CSV file with a header; types are those of its first megabyte, but for texts."""

    path: Path
    texts: frozenset[str] = frozenset()
    """Columns that are texts whatever they look like: `007` is not 7. Empty ones are null."""

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns."""
        with csv.open_csv(self.path, convert_options=self._options()) as reader:
            return reader.schema

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows, some at a time.

        Raises:
            CallerError: A value has not the type of its column.
        """
        with _named(self.path), csv.open_csv(self.path, convert_options=self._options()) as reader:
            for batch in reader:
                arrays = [
                    _empty_is_null(column) if name in self.texts else column
                    for name, column in zip(batch.schema.names, batch.columns, strict=True)
                ]
                yield pa.record_batch(arrays, schema=batch.schema)

    def _options(self) -> csv.ConvertOptions:
        return csv.ConvertOptions(column_types=dict.fromkeys(self.texts, pa.string()))


def _empty_is_null(column: pa.Array) -> pa.Array:
    return pc.if_else(pc.equal(column, ""), None, column)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Name the file that cannot be read.

    Raises:
        CallerError: It cannot.
    """
    try:
        yield
    except (pa.ArrowInvalid, OSError) as error:
        msg = f"the spine {path} cannot be read: {error}; write it as Parquet, or correct it"
        raise CallerError(msg) from error


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


def open_spine(spine: SpineLike, texts: Collection[str] = ()) -> Spine:
    """Return a spine that can be read.

    Args:
        spine: What was passed.
        texts: Columns that are texts, whatever a file without types suggests.

    Raises:
        CallerError: There is no such file, or it is none of these; or two columns share a name.
    """
    opened = _opened(spine, frozenset(texts))
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


def _opened(spine: Any, texts: frozenset[str]) -> Spine:  # noqa: ANN401 - whatever is passed
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
    if path.suffix == ".csv":
        return CsvSpine(path=path, texts=texts)
    return ParquetSpine(paths=(path,))
