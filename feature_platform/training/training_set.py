"""A finished training set: as a table, as arrays for a model, and split by time."""

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from feature_platform.errors import CallerError
from feature_platform.serving.frames import nullable_frame
from feature_platform.training.manifest import MANIFEST, SUCCESS, Manifest
from feature_platform.training.rows import ANSWERED, STATUSES, read_instants
from feature_platform.training.spine import BATCH_ROWS

if TYPE_CHECKING:
    import pandas as pd

STATUS = "_status"
"""The column that says whether a row has features."""
LABEL_STATUS = "_label_status"
"""The column that says whether a row's joined labels are known."""
LABELLED = "ok"
"""Of a row whose labels are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrays:
    """Numbers for a model: `torch.from_numpy(arrays.features)`."""

    features: NDArray[np.float32]
    """A row per label, a column per name; NaN for no value."""
    names: tuple[str, ...]
    labels: dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """The rows of a training set whose instants are in `[from_ms, until_ms)`."""

    of: "TrainingSet"
    from_ms: int
    until_ms: int
    rows: int
    """That have features, and labels that are known."""
    overlapping: int
    """How many of them have a window that reaches into an earlier split."""

    def to_table(self) -> pa.Table:
        """Return the rows that have features, in their order."""
        return pa.concat_tables(
            [self.of.schema.empty_table(), *self._tables()], promote_options="none"
        )

    def arrays(self, labels: Sequence[str] = ()) -> Arrays:
        """Return the numbers of the rows; see `TrainingSet.arrays`."""
        return _arrays(self.of.numeric, labels, self._tables())

    def _tables(self) -> Iterator[pa.Table]:
        for batch, instants in self.of.answered():
            inside = (instants >= self.from_ms) & (instants < self.until_ms)
            yield pa.Table.from_batches([batch]).filter(pa.array(inside))


@dataclass(frozen=True)
class TrainingSet:
    """A folder that `build_training_set` or `fp training-set` has written."""

    folder: Path
    manifest: Manifest = field(kw_only=True)

    @classmethod
    def open(cls, folder: str | Path) -> "TrainingSet":
        """Open a folder.

        Raises:
            CallerError: It is no training set.
        """
        return cls(Path(folder), manifest=Manifest.read(Path(folder)))

    @cached_property
    def schema(self) -> pa.Schema:
        """The spine's columns, the features, `_status`."""
        return parquet.read_schema(self.folder / self.manifest.files[0])

    @property
    def numeric(self) -> tuple[str, ...]:
        """The features that are numbers or booleans, in the list's order."""
        features = self.manifest.features
        kinds = {each.column: self.schema.field(each.column).type for each in features}
        return tuple(name for name, kind in kinds.items() if _is_number(kind))

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield all rows in the spine's order, some at a time."""
        for name in self.manifest.files:
            with parquet.ParquetFile(self.folder / name) as file:
                yield from file.iter_batches(BATCH_ROWS, columns=columns)

    def to_table(self) -> pa.Table:
        """Return all rows in the spine's order."""
        return pa.Table.from_batches(self.batches(), schema=self.schema)

    def to_pandas(self) -> "pd.DataFrame":
        """Return all rows as a DataFrame; integers with missing values are Int64.

        Raises:
            ImportError: pandas is not installed.
        """
        return nullable_frame(self.to_table())

    def arrays(self, labels: Sequence[str] = ()) -> Arrays:
        """Return the rows that have features as float32, and other columns beside them.

        Rows whose joined labels are not known are left out.

        Texts and lists are left out: encode them from `to_table`.

        Args:
            labels: Columns of the spine, or joined labels.
        """
        tables = (pa.Table.from_batches([batch]) for batch, _ in self.answered())
        return _arrays(self.numeric, labels, tables)

    def answered(self) -> Iterator[tuple[pa.RecordBatch, NDArray[np.int64]]]:
        """Yield the rows that a model can learn from, with their instants in epoch milliseconds.

        They have features, and labels that are known, if labels were joined.
        """
        wanted = pa.array([STATUSES[code] for code in ANSWERED])
        time_zone = self.manifest.time_zone or "UTC"
        for batch in self.batches():
            good = pa.compute.is_in(batch.column(STATUS), value_set=wanted)
            if self.manifest.labels is not None:
                known = pa.compute.equal(batch.column(LABEL_STATUS), LABELLED)
                good = pa.compute.and_(good, known)
            rows = batch.filter(good)
            yield rows, read_instants(rows.column(self.manifest.instant), time_zone)[0]

    def split(self, *boundaries_ms: int, embargo_ms: int | None = None) -> tuple[Split, ...]:
        """Split by time: before the first boundary, between two, from the last one on.

        A window of a row just after a boundary reaches back over it: it holds events that earlier
        rows hold, too. That is how features are served and no leak of labels; `overlapping` counts
        such rows. A label that is decided after its instant is a leak: the rows before each
        boundary whose labels were not decided by then are left out, by `embargo_ms`.

        Args:
            boundaries_ms: Ascending instants.
            embargo_ms: How long before each boundary rows are left out; None: as long as joined
                labels look ahead, and not at all if the spine had its own.

        Raises:
            CallerError: There is no boundary, or they do not ascend.
        """
        if embargo_ms is None:
            joined = self.manifest.labels
            embargo_ms = 0 if joined is None else joined.within_ms + joined.late_ms - 1
        ascend = all(before < after for before, after in pairwise(boundaries_ms))
        if not boundaries_ms or not ascend or embargo_ms < 0:
            msg = f"boundaries {boundaries_ms}, embargo {embargo_ms}: write ascending instants"
            raise CallerError(msg)
        starts = (-(2**62), *boundaries_ms)
        ends = (*(each - embargo_ms for each in boundaries_ms), 2**62)
        rows, overlapping = [0] * len(starts), [0] * len(starts)
        has_lifetime = any(not each.window_ms for each in self.manifest.features)
        longest_ms = 2**61 if has_lifetime else self.manifest.longest_ms
        for _, instants in self.answered():
            for place, (start, end) in enumerate(zip(starts, ends, strict=True)):
                inside = instants[(instants >= start) & (instants < end)]
                rows[place] += len(inside)
                overlapping[place] += int((inside - longest_ms < start).sum()) if place else 0
        bounds = zip(starts, ends, rows, overlapping, strict=True)
        return tuple(
            Split(of=self, from_ms=start, until_ms=end, rows=count, overlapping=over)
            for start, end, count, over in bounds
        )


def publish(work: Path, manifest: Manifest, out: Path) -> TrainingSet:
    """Write the manifest, give the folder its name, and delete what was needed meanwhile.

    Args:
        work: Has the rows in the folder `set`.
        manifest: What the training set says of itself.
        out: The name of the folder.
    """
    made = work / "set"
    (made / MANIFEST).write_text(json.dumps(manifest.to_json(), indent=1))
    (made / SUCCESS).touch()
    made.rename(out)
    shutil.rmtree(work)
    return TrainingSet(out, manifest=manifest)


def _arrays(names: Sequence[str], labels: Sequence[str], tables: Iterator[pa.Table]) -> Arrays:
    parts: list[NDArray[np.float32]] = []
    found: dict[str, list[NDArray[Any]]] = {name: [] for name in labels}
    for table in tables:
        part = np.empty((len(table), len(names)), dtype=np.float32)
        for place, name in enumerate(names):
            # Integers beyond 2^53 are rounded, as all are that a float32 does not hold.
            part[:, place] = table[name].cast(pa.float64(), safe=False).to_numpy()
        parts.append(part)
        for name in labels:
            found[name].append(table[name].to_numpy())
    features = np.concatenate(parts) if parts else np.empty((0, len(names)), dtype=np.float32)
    joined = {name: np.concatenate(each) if each else np.empty(0) for name, each in found.items()}
    return Arrays(features=features, names=tuple(names), labels=joined)


def _is_number(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(
        types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_boolean(kind)
        or types.is_decimal(kind)
    )
