"""Reads what Spark has written of rows: Parquet files that follow each other by number of row."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from feature_platform.training.spine import BATCH_ROWS

ROW = "row"
"""The column with a row's number; it ascends."""


class RowFiles:
    """Hands out what was written, by number of row. Mutable."""

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        """Begin with the first row.

        Args:
            folder: What Spark wrote: files in order, each row by number at most once.
            schema: The columns that are read, `row` among them.
        """
        self._batches = _batches(folder, schema)
        self._held = schema.empty_table()

    def until(self, stop: int) -> pa.Table:
        """Return all rows that are left before a number; call it with ascending ones."""
        tables = [self._held]
        while not len(tables[-1]) or tables[-1][ROW][-1].as_py() < stop:
            batch = next(self._batches, None)
            if batch is None:
                break
            tables.append(batch)
        table = pa.concat_tables(tables)
        split = int(np.searchsorted(np.asarray(table[ROW]), stop))
        self._held = table.slice(split)
        return table.slice(0, split)


def _batches(folder: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield what is in the files, some rows at a time."""
    for path in sorted(folder.glob("part-*.parquet")):
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(BATCH_ROWS, columns=schema.names):
                arrays = [batch.column(name) for name in schema.names]
                yield pa.Table.from_arrays(arrays, schema=schema)
