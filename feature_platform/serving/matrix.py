"""The answer to a request: a row per entity, a column per feature, a status per row."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import DTypeLike, NDArray

from feature_platform.clock import to_iso
from feature_platform.definition.feature_list import Default
from feature_platform.errors import CallerError
from feature_platform.rows.partials import Value
from feature_platform.serving.receipt import Receipt
from feature_platform.serving.states import CODES, NO_ROWS, STATES, HasCodes

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Status = Literal["ok", "no_data", "unavailable"]
STATUSES: tuple[Status, ...] = get_args(Status)
"""By HAS_ROWS, NO_ROWS and FAILED, and by their number on the wire and in logs: append only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """The values of one feature, exact, an entity each."""

    data: NDArray[Any]
    """int64, bool, float64; object for texts and lists."""
    present: NDArray[np.bool_]
    """Where there is a value at all."""
    large: Mapping[int, int] = field(default_factory=dict)
    """Exact integers, by place, that `data` has no room for."""
    filled: NDArray[np.bool_] | None = None
    """Where a default is served instead of a value; None: nowhere."""
    lost: NDArray[np.bool_] | None = None
    """Where an average lacks a value that is too large to be added up; None: nowhere."""

    @property
    def is_numeric(self) -> bool:
        """Whether it can be in a matrix of floats."""
        return self.data.dtype != object

    @property
    def shown(self) -> NDArray[np.bool_]:
        """Where there is a value, or a default."""
        return self.present if self.filled is None else self.present | self.filled

    @property
    def is_zero(self) -> NDArray[np.bool_]:
        """Where the value is the number 0."""
        zero: NDArray[np.bool_] = self.present & (self.data == 0)
        zero[list(self.large)] = False
        return zero

    def take(self, indexes: NDArray[np.int64]) -> "Column":
        """Return the values at these indexes."""
        large = {
            place: self.large[index]
            for place, index in enumerate(indexes.tolist() if self.large else ())
            if index in self.large
        }
        return Column(
            data=self.data[indexes],
            present=self.present[indexes],
            large=large,
            filled=None if self.filled is None else self.filled[indexes],
            lost=None if self.lost is None else self.lost[indexes],
        )

    def only(self, known: NDArray[np.bool_]) -> "Column":
        """Return the values where something is known; none elsewhere."""
        return replace(self, present=self.present & known)

    def with_default(self, default: Default) -> "Column":
        """Return it with a default where there is no value; see `default_fits`."""
        missing = ~self.present
        data = self.data.copy()
        if self.is_numeric:
            data[missing] = default
        else:
            for place in np.flatnonzero(missing).tolist():
                data[place] = list(default) if isinstance(default, list) else default
        large = {place: value for place, value in self.large.items() if self.present[place]}
        return replace(self, data=data, large=large, filled=missing)

    def to_list(self) -> list[Value]:
        """Return plain Python values, None where there is none."""
        pairs = zip(self.data.tolist(), self.shown.tolist(), strict=True)
        values: list[Value] = [value if shown else None for value, shown in pairs]
        for place, value in self.large.items():
            values[place] = value if self.present[place] else None
        return values

    def to_floats(self) -> NDArray[np.float64]:
        """Return the nearest float of each number; NaN where there is none."""
        floats = self.data.astype(np.float64)
        for place, value in self.large.items():
            floats[place] = float(value)
        shown = self.shown
        if not shown.all():
            floats[~shown] = np.nan
        return floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """The values of several features that every entity has: whole numbers, one beside the other."""

    positions: tuple[int, ...]
    """Of the features in the request."""
    data: NDArray[np.int64]
    """A row per entity, a column per feature."""
    partial: NDArray[np.bool_]
    """Of each feature, whether it began to count inside what was asked."""
    found: NDArray[np.int8]
    """Of each entity: HAS_ROWS or NO_ROWS."""

    def codes(self) -> NDArray[np.int8]:
        """Return the states of all values, as their places in `STATES`; see `Evidence.codes`."""
        codes = np.where(self.data == 0, CODES["zero"], CODES["value"]).astype(np.int8)
        codes[:, self.partial] = CODES["not_yet_valid"]
        codes[self.found == NO_ROWS] = CODES["no_data"]
        return codes

    def column(self, line: int) -> Column:
        """Return the values of one feature."""
        data = np.ascontiguousarray(self.data[:, line])
        return Column(data=data, present=np.ones(len(data), dtype=np.bool_))

    def take(self, indexes: NDArray[np.int64]) -> "Block":
        """Return the values at these indexes."""
        return replace(self, data=self.data[indexes], found=self.found[indexes])


@dataclass(frozen=True, kw_only=True)
class FeatureMatrix:
    """Served values: a row per entity, or per candidate where several kinds were asked together."""

    names: tuple[str, ...]
    """The features, in the order they were asked for."""
    types: tuple[str, ...]
    """Of each feature, such as BIGINT, DOUBLE or `list of STRING`."""
    keys: Mapping[str, tuple[str, ...]]
    """By kind of entity, such as `post_id`: its key in each row."""
    status: tuple[Status, ...]
    """no_data: no row at all, so counts and sums are 0. unavailable: the store failed for it, or
    for one of the entities of the row."""
    errors: dict[str, str]
    """Why an unavailable entity is; see `entities`."""
    columns: Sequence[Column]
    evidence: Sequence[HasCodes]
    """What the states of each column follow from."""
    counts_since_ms: dict[str, int]
    """Features that count since an instant inside what was asked, by name: their windows are not
    full yet, their lifetimes lack what was before."""
    receipts: tuple[Receipt, ...] | None = None
    """With `explain`: what the values of each row rest on."""
    ages_ms: NDArray[np.int64] | None = None
    """Of a client with a cache: how long ago what each row rests on was read from the store; every
    event that was there then is counted. 0 for what was read for this answer."""
    blocks: tuple[Block, ...] = ()
    """The values of some of the columns once more, of each feature in one block at most."""

    @cached_property
    def entities(self) -> tuple[str, ...]:
        """The key of each row; of several kinds such as `user_id=17, post_id=4711`."""
        if len(self.keys) == 1:
            return next(iter(self.keys.values()))
        rows = zip(*self.keys.values(), strict=True)
        kinds = tuple(self.keys)
        return tuple(
            ", ".join(f"{kind}={key}" for kind, key in zip(kinds, row, strict=True)) for row in rows
        )

    @cached_property
    def values(self) -> NDArray[np.float64]:
        """A column per name; NaN for no value, and for all texts and lists."""
        if len(self.blocks) == 1 and self.blocks[0].positions == tuple(range(len(self.names))):
            return self.blocks[0].data.astype(np.float64)
        matrix = np.full((len(self.status), len(self.names)), np.nan)
        for block in self.blocks:
            matrix[:, list(block.positions)] = block.data
        for place in self.alone:
            column = self.columns[place]
            if column.is_numeric:
                matrix[:, place] = column.to_floats()
        return matrix

    @cached_property
    def present(self) -> NDArray[np.bool_]:
        """Where there is a value, of any type; false where there is a default, or nothing."""
        mask = np.zeros((len(self.status), len(self.names)), dtype=np.bool_)
        for block in self.blocks:
            mask[:, list(block.positions)] = True
        for place in self.alone:
            mask[:, place] = self.columns[place].present
        return mask

    @cached_property
    def states(self) -> NDArray[np.str_]:
        """What each value says: `value`, `zero`, `no_data`, `expired` and more, see `State`."""
        return np.array(STATES)[self.state_codes]

    @cached_property
    def state_codes(self) -> NDArray[np.int8]:
        """The same as numbers: the place of each state in `STATES`."""
        codes = np.zeros((len(self.status), len(self.names)), dtype=np.int8)
        for block in self.blocks:
            codes[:, list(block.positions)] = block.codes()
        for place in self.alone:
            column = self.columns[place]
            seen = self.evidence[place]
            codes[:, place] = seen.codes(column.present, column.is_zero, column.lost)
        return codes

    @cached_property
    def alone(self) -> list[int]:
        """The places of the features that are in no block."""
        together = {position for block in self.blocks for position in block.positions}
        return [place for place in range(len(self.names)) if place not in together]

    def to_numpy(self, dtype: DTypeLike = np.float32) -> NDArray[Any]:
        """Return the matrix as floats of a type; NaN for no value, and for all texts and lists.

        float32 is made once; the same array is what `__dlpack__` hands out.

        Raises:
            CallerError: The type is not of floats, which alone have NaN.
        """
        if np.dtype(dtype).kind != "f":
            msg = f"dtype is {np.dtype(dtype)}; write float32, float64 or float16: they have NaN"
            raise CallerError(msg)
        if np.dtype(dtype) == np.float64:
            return self.values
        return self._float32 if np.dtype(dtype) == np.float32 else self._floats(dtype)

    def to_pandas(self) -> "pd.DataFrame":
        """Return a DataFrame whose index is the keys; Int64, boolean, float64 and object columns.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        from feature_platform.serving.frames import to_pandas

        return to_pandas(self)

    def to_arrow(self) -> "pa.Table":
        """Return a table with a column of keys per kind of entity, then the features.

        Numbers are not copied, except booleans; the table keeps this matrix's memory.

        Raises:
            MissingExtraError: pyarrow is not installed.
        """
        from feature_platform.serving.frames import to_arrow

        return to_arrow(self)

    def __dlpack__(self, **options: Any) -> Any:  # noqa: ANN401 (a capsule of the protocol)
        """Hand out the float32 matrix without a copy: `torch.from_dlpack(matrix)`."""
        return self._float32.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        """Say that it is in the CPU's memory."""
        kind, number = self._float32.__dlpack_device__()
        return int(kind), int(number)

    @cached_property
    def _float32(self) -> NDArray[np.float32]:
        return self._floats(np.float32)

    def _floats(self, dtype: DTypeLike) -> NDArray[Any]:
        with np.errstate(over="ignore"):  # beyond float32 is infinite, as everywhere
            return self.values.astype(dtype)

    @cached_property
    def objects(self) -> dict[str, list[Value]]:
        """Texts and lists, by name; None for no value."""
        named = zip(self.names, self.columns, strict=True)
        return {name: column.to_list() for name, column in named if not column.is_numeric}

    def to_dicts(self, names: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Return the form that is written as JSON: exact integers, None for no value.

        Args:
            names: Other names for the features, in their order.
        """
        shown = self.names if names is None else names
        columns = [column.to_list() for column in self.columns]
        rows = zip(*columns, strict=True) if columns else iter([()] * len(self.entities))
        dicts: list[dict[str, Any]] = []
        for index, (entity, status, row) in enumerate(
            zip(self.entities, self.status, rows, strict=True)
        ):
            values = {name: _finite(value) for name, value in zip(shown, row, strict=True)}
            dicts.append({"entity": entity, "status": status, "values": values})
            if len(self.keys) > 1:
                dicts[-1]["entities"] = {kind: keys[index] for kind, keys in self.keys.items()}
            if self.counts_since_ms:
                dicts[-1]["counts_since"] = {
                    name: to_iso(self.counts_since_ms[full])
                    for name, full in zip(shown, self.names, strict=True)
                    if full in self.counts_since_ms
                }
            error = "; ".join(self.errors[each] for each in self._labels(index, entity))
            if error:
                dicts[-1]["error"] = error
            if self.ages_ms is not None:
                dicts[-1]["age_ms"] = int(self.ages_ms[index])
            if self.receipts is not None:
                dicts[-1]["receipt"] = self.receipts[index].to_dict()
        return dicts

    def _labels(self, index: int, entity: str) -> list[str]:
        """Return under which names `errors` has a row's entities."""
        labels = [entity]
        if len(self.keys) > 1:
            labels = [f"{kind}={keys[index]}" for kind, keys in self.keys.items()]
        return [each for each in labels if each in self.errors]


def _finite(value: Value) -> Value:
    """Return None for the infinities, which JSON cannot write."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
