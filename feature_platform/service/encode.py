"""From a matrix to the bytes of an answer: packed columns, or rows. No I/O.

An answer is whole here: what is to be kept as bytes for each entity belongs between `head`, which
is of the answer, and the columns or rows, which are of entities.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from feature_platform.definition.feature_list import Default
from feature_platform.definition.served import LIST_OF
from feature_platform.rows.partials import Value
from feature_platform.service.features_pb2 import (
    STATUS_NO_DATA,
    STATUS_OK,
    STATUS_UNAVAILABLE,
    ColumnHead,
    GetFeaturesResponse,
    ListOfValues,
    Row,
)
from feature_platform.service.features_pb2 import (
    Column as PackedColumn,
)
from feature_platform.service.features_pb2 import (
    Status as PackedStatus,
)
from feature_platform.service.features_pb2 import (
    Value as PackedValue,
)
from feature_platform.serving.matrix import Column, FeatureMatrix, Status

Numbers = Literal["exact", "float64", "float32"]
"""How numbers are packed: by the feature's type, or all as floats."""
Layout = Literal["columns", "rows"]

STATUSES: tuple[Status, ...] = ("ok", "no_data", "unavailable")
"""By their number on the wire."""
STATUS_NUMBERS: dict[Status, PackedStatus] = {
    "ok": STATUS_OK,
    "no_data": STATUS_NO_DATA,
    "unavailable": STATUS_UNAVAILABLE,
}
LONG_MIN, LONG_MAX = -(2**63), 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How an answer is wanted."""

    numbers: Numbers = "exact"
    layout: Layout = "columns"
    states: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What an answer is of: the list, and the kind of entity of each column."""

    name: str
    version: int
    kinds: tuple[str, ...]


def encode(matrix: FeatureMatrix, about: About, form: Form) -> bytes:
    """Return a serialised `GetFeaturesResponse`."""
    answer = head(matrix, about)
    if form.layout == "rows":
        answer.rows.extend(rows(matrix, states=form.states))
    else:
        answer.status = bytes(map(STATUS_NUMBERS.__getitem__, matrix.status))
        codes = matrix.state_codes if form.states else None
        answer.columns.extend(
            pack(column, type_, form.numbers, None if codes is None else codes[:, place])
            for place, (column, type_) in enumerate(zip(matrix.columns, matrix.types, strict=True))
        )
    return answer.SerializeToString()


def head(matrix: FeatureMatrix, about: About) -> GetFeaturesResponse:
    """Return an answer without its values."""
    return GetFeaturesResponse(
        list=about.name,
        version=about.version,
        row_count=len(matrix.status),
        heads=heads(matrix.names, matrix.types, about.kinds),
        errors=matrix.errors,
        counts_since_ms=matrix.counts_since_ms,
    )


def heads(names: Sequence[str], types: Sequence[str], kinds: Sequence[str]) -> list[ColumnHead]:
    """Return what says which column is which."""
    return [
        ColumnHead(name=name, type=type_, kind=kind)
        for name, type_, kind in zip(names, types, kinds, strict=True)
    ]


def pack(
    column: Column, type_: str, numbers: Numbers, codes: NDArray[np.int8] | None
) -> PackedColumn:
    """Return one column as it is sent; where a value is missing, numbers are 0 or NaN."""
    packed = PackedColumn(present=bits(column.present))
    if column.filled is not None:
        packed.filled = bits(column.filled)
    if codes is not None:
        packed.states = codes.tobytes()
    if not column.is_numeric:
        _pack_objects(column, type_, packed)
    elif numbers != "exact":
        with np.errstate(over="ignore"):  # beyond float32 is infinite, as everywhere
            setattr(packed, numbers, column.to_floats().astype(f"<{_LETTER[numbers]}").tobytes())
    elif column.data.dtype == np.bool_:
        packed.booleans = bits(column.data & column.shown)
    elif column.data.dtype == np.int64:
        packed.int64 = np.where(column.shown, column.data, 0).astype("<i8").tobytes()
        packed.large.update({place: str(value) for place, value in column.large.items()})
    else:
        packed.float64 = column.to_floats().astype("<f8").tobytes()
    return packed


_LETTER = {"float64": "f8", "float32": "f4"}


def bits(mask: NDArray[np.bool_]) -> bytes:
    """Return a bit for each row, row 0 in the lowest bit of the first byte."""
    return np.packbits(mask, bitorder="little").tobytes()


def rows(matrix: FeatureMatrix, *, states: bool) -> list[Row]:
    """Return the answer spelled out, for languages without arrays."""
    columns = [column.to_list() for column in matrix.columns]
    defaults = [column.filled for column in matrix.columns]
    codes = matrix.state_codes.tolist() if states else None
    made: list[Row] = []
    for place, status in enumerate(matrix.status):
        row = Row(status=STATUS_NUMBERS[status])
        for number, column in enumerate(columns):
            value = row.values.add()
            set_value(value, column[place])
            filled = defaults[number]
            if filled is not None and filled[place]:
                value.is_default = True
            if codes is not None:
                value.state = codes[place][number]
        made.append(row)
    return made


def set_value(packed: PackedValue, value: Value) -> None:
    """Put one value into a message; none leaves it empty."""
    match value:
        case None:
            pass
        case bool():
            packed.boolean = value
        case int() if LONG_MIN <= value <= LONG_MAX:
            packed.integer = value
        case int():
            packed.digits = str(value)
        case float():
            packed.real = value
        case str():
            packed.text = value
        case _:
            packed.list.CopyFrom(_listed(value))


def packable(default: Default) -> Value:
    """Return a default as a value; the items of a list are all of one type."""
    return default  # type: ignore[return-value]


def _pack_objects(column: Column, type_: str, packed: PackedColumn) -> None:
    values = column.to_list()
    if type_.startswith(LIST_OF):
        packed.lists.extend(_listed(value or []) for value in values)
    else:
        packed.texts.extend("" if value is None else str(value) for value in values)


def _listed(value: object) -> ListOfValues:
    items = value if isinstance(value, list) else []
    match items[0] if items else None:
        case None:
            return ListOfValues()
        case bool():
            return ListOfValues(booleans=items)
        case int():
            return ListOfValues(integers=items)
        case float():
            return ListOfValues(reals=items)
        case _:
            return ListOfValues(texts=items)
