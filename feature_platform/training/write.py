"""Writes the rows of a training set: the spine's columns, the features, a status; in its order."""

import shutil
from collections.abc import Callable, Collection, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from feature_platform.definition.served import LIST_OF
from feature_platform.engines.spark_facts import LogSpan
from feature_platform.rows.wire import Ints
from feature_platform.serving.frames import arrow_type, arrow_values
from feature_platform.serving.matrix import Column
from feature_platform.serving.states import HAS_ROWS
from feature_platform.training.answers import AnsweredRows, AnswerReader, finished
from feature_platform.training.rows import ANSWERED, CODES, STATUSES, Codes, questions
from feature_platform.training.spine import Spine
from feature_platform.training.training_set import STATUS

if TYPE_CHECKING:
    from feature_platform.training.build import BuildRequest

FILE_ROWS = 1_000_000
"""A file ends with the batch that makes it so long."""
LARGE = pa.decimal128(38, 0)
"""The type of a column of sums of which one is beyond 64 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What was written."""

    files: tuple[str, ...]
    status: NDArray[np.int64]
    """How many rows have which status, by code."""
    naive: bool
    """Whether a time zone was assumed."""


class _TooLarge(Exception):  # noqa: N818 - never leaves this module
    """A column of integers met a sum that only a wider type holds."""

    def __init__(self, position: int) -> None:
        super().__init__(position)
        self.position = position


def write_rows(
    request: "BuildRequest",
    spine: Spine,
    spans: Mapping[str, LogSpan],
    answers: Callable[[str], Path],
    folder: Path,
) -> Written:
    """Write all rows.

    A column of sums has 64-bit integers; if one is beyond them all is written again with decimals
    in that column.

    Args:
        request: What is built.
        spine: Its rows.
        spans: Which instants the log of each feature set can answer.
        answers: Where the answers of a feature set are.
        folder: Where the files go; what is there is deleted.
    """
    wide: set[int] = set()
    while True:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            return _write(request, spine, spans, answers, folder, wide)
        except _TooLarge as error:
            wide.add(error.position)


def _write(
    request: "BuildRequest",
    spine: Spine,
    spans: Mapping[str, LogSpan],
    answers: Callable[[str], Path],
    folder: Path,
    wide: Collection[int],
) -> Written:
    readers = [AnswerReader(part, answers(part.featureset)) for part in request.asked.parts]
    schema = _schema(request, spine.schema, wide)
    counts = np.zeros(len(STATUSES), dtype=np.int64)
    first = 0
    with closing(RowWriter(folder, schema)) as files:
        for batch in spine.batches():
            asked = questions(batch, request.columns, request.asked.kinds)
            found = [reader.take(first, len(batch)) for reader in readers]
            codes = _codes(request, asked.codes, asked.instants_ms, found, spans)
            good = np.isin(codes, ANSWERED)
            columns = finished(request.asked, found, asked.instants_ms, good)
            features = [
                _array(column, schema.field(len(batch.schema) + position).type, position, request)
                for position, column in enumerate(columns)
            ]
            status = pa.array(np.array(STATUSES, dtype=object)[codes], pa.string())
            arrays = [*batch.columns, *features, status]
            files.write(pa.record_batch(arrays, schema=schema))
            counts += np.bincount(codes, minlength=len(STATUSES))
            first += len(batch)
    return Written(
        files=tuple(files.names),
        status=counts,
        naive=request.columns.is_naive(spine.schema),
    )


def _codes(
    request: "BuildRequest",
    codes: Codes,
    instants_ms: Ints,
    found: list[AnsweredRows],
    spans: Mapping[str, LogSpan],
) -> Codes:
    """Return the status of each row: what is wrong with it, else whether an entity has rows."""
    known = np.zeros(len(codes), dtype=np.bool_)
    asked_ms = instants_ms - request.serving_lag_ms
    for each in found:
        span = spans[each.plan.group.snapshot.featureset]
        codes = np.where((codes == 0) & (asked_ms < span.begins_ms), CODES["before_log"], codes)
        codes = np.where((codes == 0) & (asked_ms > span.ends_ms), CODES["after_log"], codes)
        known |= each.states == HAS_ROWS
    return np.where((codes == 0) & ~known, CODES["no_data"], codes).astype(np.int8)


def _schema(request: "BuildRequest", spine: pa.Schema, wide: Collection[int]) -> pa.Schema:
    features = [
        pa.field(feature.column, LARGE if position in wide else _type(served))
        for position, (feature, served) in enumerate(
            zip(request.asked.of.features, request.asked.types, strict=True)
        )
    ]
    return pa.schema([*spine, *features, pa.field(STATUS, pa.string())])


def _type(served: str) -> pa.DataType:
    inner = arrow_type(served.removeprefix(LIST_OF))
    return pa.list_(inner) if served.startswith(LIST_OF) else inner


def _array(column: Column, wanted: pa.DataType, position: int, request: "BuildRequest") -> pa.Array:
    values = arrow_values(column, request.asked.types[position])
    if values.type == LARGE and wanted != LARGE:
        raise _TooLarge(position)
    return values if values.type == wanted else values.cast(wanted)


class RowWriter:
    """Writes batches to files of about `FILE_ROWS` rows. Mutable."""

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        """Write to a folder; a file is begun when there is something to be written."""
        self._folder, self._schema = folder, schema
        self._writer: parquet.ParquetWriter | None = None
        self._rows = 0
        self.names: list[str] = []

    def write(self, batch: pa.RecordBatch) -> None:
        """Write some rows."""
        writer = self._open()
        writer.write_batch(batch, row_group_size=max(len(batch), 1))
        self._rows += len(batch)
        if self._rows >= FILE_ROWS:
            self._end()

    def close(self) -> None:
        """End the last file; a spine without rows has an empty one."""
        if not self.names:
            self._open()
        self._end()

    def _open(self) -> parquet.ParquetWriter:
        if self._writer is None:
            self.names.append(f"part-{len(self.names):05d}.parquet")
            path = self._folder / self.names[-1]
            self._writer = parquet.ParquetWriter(path, self._schema, compression="zstd")
        return self._writer

    def _end(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer, self._rows = None, 0
