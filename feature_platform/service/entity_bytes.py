"""What an answer says of one entity, as bytes: written once, then joined into many answers. No I/O.

Of the layouts by entity and by column that is a packed row (`shape.py`) and its texts and lists; of
the layout by row it is the serialised values.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_platform.definition.served import LIST_OF
from feature_platform.service.encode import STATUS_NUMBERS, listed, set_value
from feature_platform.service.features_pb2 import Column as PackedColumn
from feature_platform.service.features_pb2 import Row
from feature_platform.service.shape import Rows, Shape, is_number
from feature_platform.serving.matrix import Column, FeatureMatrix

OBJECT_BYTES = 450
"""About what one takes beside its bytes: objects, numbers, a place in a dictionary."""
PART_BYTES = 41
"""About what each of its byte strings takes beside its content."""

Run = tuple[int, int]
"""Columns of a kind that are neighbours in the list: from, to."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EntityBytes:
    """What is answered of one entity, and how long that holds."""

    row: bytes
    """Packed; empty in the layout by row."""
    parts: tuple[bytes, ...]
    """Packed: of each column of texts or lists its field. By row: of each run its values."""
    large: tuple[tuple[int, str], ...]
    """Packed: integers that have no room in the row, as column of the kind and digits."""
    status: int
    read_ms: int
    """When it was read from the store; 0: for this answer, nothing is kept."""
    made_ms: int
    """The first instant that it is right for."""
    until_ms: int
    """Before when it is right and new enough; not later than `made_ms`: it is not to be kept."""
    written: tuple[int, ...] = ()
    """Of each feature set that it rests on: the write timestamp of the head, 0 without one; empty
    where nothing is logged."""

    def bytes_with(self, entity: str) -> int:
        """Return about how much memory it takes, under this key."""
        parts = sum(map(len, self.parts)) + PART_BYTES * len(self.parts)
        return OBJECT_BYTES + len(entity) + len(self.row) + parts


def held(known: Sequence[EntityBytes | None], now_ms: int) -> list[EntityBytes | None]:
    """Return what answers at an instant, and None for the rest. Hot path: one loop, no calls."""
    return [
        each if each is not None and each.made_ms <= now_ms < each.until_ms else None
        for each in known
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """When entities were read, and how long what was made of them holds."""

    now_ms: int
    read_ms: NDArray[np.int64]
    until_ms: NDArray[np.int64]


def packed(matrix: FeatureMatrix, shape: Shape, times: Times) -> list[EntityBytes]:
    """Write the packed row, texts and lists of each entity.

    Args:
        matrix: A row for each entity; the columns about their kind alone.
        shape: Of the rows.
        times: Of the entities.
    """
    rows = shape.blank(len(matrix.status))
    _fill(rows, matrix, shape, times)
    joined, size = rows.tobytes(), shape.row_bytes
    fields = [_fields(matrix.columns[place], shape.types[place]) for place in shape.others]
    parts: Iterable[tuple[bytes, ...]] = zip(*fields, strict=True) if fields else [()] * len(rows)
    large = _large(matrix, shape)
    return [
        EntityBytes(
            row=joined[place * size : (place + 1) * size],
            parts=part,
            large=large.get(place, ()),
            status=status,
            read_ms=read_ms,
            made_ms=times.now_ms,
            until_ms=until_ms,
        )
        for place, (part, status, read_ms, until_ms) in enumerate(
            zip(
                parts,
                shape.status(rows).tolist(),
                times.read_ms.tolist(),
                times.until_ms.tolist(),
                strict=True,
            )
        )
    ]


def _fill(rows: Rows, matrix: FeatureMatrix, shape: Shape, times: Times) -> None:
    shape.read_ms(rows)[:] = times.read_ms
    shape.status(rows)[:] = [STATUS_NUMBERS[each] for each in matrix.status]
    filled = np.zeros((len(rows), len(shape.types)), dtype=np.bool_)
    for block in filter(lambda each: each.positions, matrix.blocks):
        numbers: NDArray[Any] = shape.numbers_of(rows, shape.dtype(block.positions[0]))
        numbers[:, [shape.slots[place] for place in block.positions]] = block.data
    for place in matrix.alone:
        column = matrix.columns[place]
        if column.filled is not None:
            filled[:, place] = column.filled
        if is_number(shape.types[place]):
            dtype = shape.dtype(place)
            shape.numbers_of(rows, dtype)[:, shape.slots[place]] = _numbers(column, dtype)
    shape.present(rows)[:] = np.packbits(matrix.present, axis=1, bitorder="little")
    shape.filled(rows)[:] = np.packbits(filled, axis=1, bitorder="little")
    if shape.states:
        shape.state_codes(rows)[:] = matrix.state_codes


def _numbers(column: Column, dtype: str) -> NDArray[np.generic]:
    """Return one column as it is sent; where there is no value, numbers are 0 or NaN."""
    if dtype == "<i8":
        return np.where(column.shown, column.data, 0).astype(dtype)
    with np.errstate(over="ignore"):  # beyond float32 is infinite, as everywhere
        return column.to_floats().astype(dtype)


def _fields(column: Column, type_: str) -> list[bytes]:
    """Return a field of `Column` for each entity; empty where there is no value."""
    values = column.to_list()
    if type_.startswith(LIST_OF):
        return [PackedColumn(lists=[listed(each)]).SerializeToString() for each in values]
    texts = ("" if each is None else str(each) for each in values)
    return [PackedColumn(texts=[each]).SerializeToString() for each in texts]


def _large(matrix: FeatureMatrix, shape: Shape) -> dict[int, tuple[tuple[int, str], ...]]:
    """Return exact integers beyond 64 bits, by place of their entity."""
    found: dict[int, tuple[tuple[int, str], ...]] = {}
    for column in shape.numeric if shape.has_large else ():
        for place, value in matrix.columns[column].large.items():
            found[place] = (*found.get(place, ()), (column, str(value)))
    return found


def spelled(
    matrix: FeatureMatrix, runs: Sequence[Run], times: Times, *, states: bool
) -> list[EntityBytes]:
    """Write the values of each entity one by one, for the layout by row.

    Args:
        matrix: A row for each entity; the columns about their kind alone.
        runs: Of these columns.
        times: Of the entities.
        states: Also what each value says.
    """
    columns = [column.to_list() for column in matrix.columns]
    defaults = [column.filled for column in matrix.columns]
    codes = matrix.state_codes.tolist() if states else None
    made = []
    for place, status in enumerate(matrix.status):
        parts = []
        for begin, end in runs:
            row = Row()
            for number in range(begin, end):
                value, filled = row.values.add(), defaults[number]
                set_value(value, columns[number][place])
                value.is_default = filled is not None and bool(filled[place])
                if codes is not None:
                    value.state = codes[place][number]
            parts.append(row.SerializeToString())
        made.append(
            EntityBytes(
                row=b"",
                parts=tuple(parts),
                large=(),
                status=STATUS_NUMBERS[status],
                read_ms=int(times.read_ms[place]),
                made_ms=times.now_ms,
                until_ms=int(times.until_ms[place]),
            )
        )
    return made
