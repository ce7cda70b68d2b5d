"""From a sample to the bytes of records, each no larger than allowed. No I/O."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_platform.definition.served import LIST_OF
from feature_platform.feature_log.sample import Sample, row_bytes
from feature_platform.feature_log.served_pb2 import (
    STORAGE_BOOLEAN,
    STORAGE_FLOAT64,
    STORAGE_INT64,
    STORAGE_LIST,
    STORAGE_TEXT,
    Head,
    Kind,
    Large,
    ListOfValues,
    Lists,
    Origin,
    ServedRows,
    Storage,
    Texts,
)
from feature_platform.rows.wire import Ints, Mask
from feature_platform.serving.matrix import STATUSES, Column, FeatureMatrix

FORMAT = 1
_STATUS = {status: number for number, status in enumerate(STATUSES)}
BLOCKS: tuple[tuple[Storage, str, str], ...] = (
    (STORAGE_INT64, "int64", "<i8"),
    (STORAGE_FLOAT64, "float64", "<f8"),
    (STORAGE_BOOLEAN, "booleans", "?"),
)
"""Storage, field and type of the numbers of each block."""
_WHOLE = np.dtype(np.int64).char


def records(sample: Sample, bytes_max: int) -> Iterator[tuple[int, bytes | None]]:
    """Yield how many rows a record has, and the record; None instead of one that is too large."""
    left = _shares(sample, bytes_max)
    while left:
        rows = left.pop()
        data = record(sample, rows)
        if len(data) <= bytes_max:
            yield len(rows), data
        elif len(rows) == 1:
            yield 1, None
        else:
            left += [rows[len(rows) // 2 :], rows[: len(rows) // 2]]


def _shares(sample: Sample, bytes_max: int) -> list[Ints]:
    """Return the places of rows that probably fit into a record together, the last ones first."""
    together = max(1, bytes_max // row_bytes(sample.logged.matrix.types))
    count = sample.count
    return [np.arange(start, min(start + together, count)) for start in range(0, count, together)][
        ::-1
    ]


def record(sample: Sample, rows: Ints) -> bytes:
    """Return a serialised `ServedRows`.

    Args:
        sample: What is logged.
        rows: Which of the sample's rows, one after the other.
    """
    matrix, written, listed = sample.logged.matrix, sample.logged.written, rows.tolist()
    part = slice(listed[0], listed[-1] + 1)
    others = _others(matrix)
    shape = _shape(matrix.names, matrix.types, _letters(len(matrix.names), others))
    shown = np.ones((len(matrix.names), len(listed)), dtype=np.bool_)
    for place, column in others.items():
        shown[place] = column.shown[part]
    made = ServedRows(
        format=FORMAT,
        request_id=sample.request_id,
        instant_ms=sample.instant_ms,
        list=sample.list,
        version=sample.version,
        kinds=[
            Kind(name=kind, keys=[keys[row] for row in listed])
            for kind, keys in matrix.keys.items()
        ],
        origins=[
            Origin(featureset=name, written=each[part].astype("<i8").tobytes())
            for name, each in written.items()
        ],
        row_count=len(listed),
        status=bytes([_STATUS[matrix.status[row]] for row in listed]),
        shown=np.packbits(shown, bitorder="little").tobytes(),
        large=_large(others, listed),
    )
    if matrix.ages_ms is not None:
        made.ages_ms = matrix.ages_ms[part].astype("<i8").tobytes()
    for name, numbers in _numbers(matrix, others, shape, shown, part):
        setattr(made, name, numbers.tobytes())
    for place in shape.places[STORAGE_TEXT]:
        made.texts.append(Texts(values=_values(others[place], rows, shown[place])))
    for place in shape.places[STORAGE_LIST]:
        items = items_field(matrix.types[place])
        values = _values(others[place], rows, shown[place])
        made.lists.append(Lists(values=[ListOfValues(**{items: each}) for each in values]))
    return shape.heads + made.SerializeToString()  # messages that follow each other are merged


def _numbers(
    matrix: FeatureMatrix,
    others: Mapping[int, Column],
    shape: "_Shape",
    shown: Mask,
    part: slice,
) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield field and numbers of each block: a line for each column, 0 where nothing is shown."""
    all_shown = bool(shown.all())
    for storage, name, letter in BLOCKS:
        mine = shape.places[storage]
        numbers = np.empty((len(mine), shown.shape[1]), dtype=letter)
        for line, place in enumerate(mine if others else ()):
            if place in others:
                numbers[line] = others[place].data[part]
        if storage == STORAGE_INT64:
            for block in matrix.blocks:
                numbers[shape.lines[list(block.positions)]] = block.data[part].T
        if not all_shown:
            numbers[~shown[mine]] = 0
        yield name, numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """What all records of the same columns share."""

    heads: bytes
    """The heads, as a serialised `ServedRows` of them alone."""
    places: Mapping[int, Sequence[int]]
    """Which columns are in each block."""
    lines: Ints
    """Of each column, where it is in its block."""


@lru_cache(maxsize=100)
def _shape(names: tuple[str, ...], types: tuple[str, ...], letters: str) -> _Shape:
    """Return how columns are packed; letters are the types of their arrays."""
    storages = [*map(_storage, types, letters)]
    described = zip(names, types, storages, strict=True)
    heads = [Head(name=name, type=type_, storage=storage) for name, type_, storage in described]
    places: dict[int, list[int]] = {storage: [] for storage in Storage.values()}
    lines = np.zeros(len(storages), dtype=np.int64)
    for place, storage in enumerate(storages):
        lines[place] = len(places[storage])
        places[storage].append(place)
    return _Shape(heads=ServedRows(heads=heads).SerializeToString(), places=places, lines=lines)


def _storage(type_: str, letter: str) -> Storage:
    match letter:
        case "O":
            return STORAGE_LIST if type_.startswith(LIST_OF) else STORAGE_TEXT
        case "?":
            return STORAGE_BOOLEAN
        case "d":
            return STORAGE_FLOAT64
        case _:
            return STORAGE_INT64


def _others(matrix: FeatureMatrix) -> dict[int, Column]:
    """Return the columns that are in no block, by place: those of blocks need not be made."""
    return {place: matrix.columns[place] for place in matrix.alone}


def _letters(count: int, others: Mapping[int, Column]) -> str:
    """Return the types of the columns' arrays; blocks have whole numbers."""
    if not others:
        return _WHOLE * count
    return "".join(
        others[place].data.dtype.char if place in others else _WHOLE for place in range(count)
    )


def _values(column: Column, rows: Ints, shown: NDArray[np.bool_]) -> list[Any]:
    """Return the texts or lists that are there."""
    return [column.data[row] for row in rows[shown].tolist()]


def _large(columns: Mapping[int, Column], rows: Sequence[int]) -> list[Large]:
    return [
        Large(column=number, row=place, digits=str(column.large[row]))
        for number, column in columns.items()
        if column.large
        for place, row in enumerate(rows)
        if row in column.large and column.present[row]
    ]


def items_field(type_: str) -> str:
    """Return in which field of `ListOfValues` the items of a list are, by the type of the list."""
    match type_.removeprefix(LIST_OF):
        case "BIGINT" | "INT" | "TIMESTAMP":
            return "integers"
        case "BOOLEAN":
            return "booleans"
        case "STRING":
            return "texts"
        case _:
            return "reals"
