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
from feature_platform.rows.wire import Ints
from feature_platform.serving.matrix import STATUSES, Column

FORMAT = 1
_NUMBERS = {status: number for number, status in enumerate(STATUSES)}
BLOCKS: tuple[tuple[Storage, str, str], ...] = (
    (STORAGE_INT64, "int64", "<i8"),
    (STORAGE_FLOAT64, "float64", "<f8"),
    (STORAGE_BOOLEAN, "booleans", "?"),
)
"""Storage, field and type of the numbers of each block."""


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
    together = max(1, bytes_max // row_bytes(sample.matrix.types))
    count = len(sample.rows)
    return [np.arange(start, min(start + together, count)) for start in range(0, count, together)][
        ::-1
    ]


def record(sample: Sample, places: Ints) -> bytes:
    """Return a serialised `ServedRows`.

    Args:
        sample: What is logged.
        places: Which of the sample's rows.
    """
    matrix, rows = sample.matrix, sample.rows[places]
    columns, listed = matrix.columns, rows.tolist()
    shape = _shape(matrix.names, matrix.types, "".join(each.data.dtype.char for each in columns))
    shown = _taken([column.shown for column in columns], rows, "?")
    all_shown = bool(shown.all())
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
            Origin(featureset=name, written=written[places].astype("<i8").tobytes())
            for name, written in sample.written.items()
        ],
        row_count=len(rows),
        status=bytes([_NUMBERS[matrix.status[row]] for row in listed]),
        shown=np.packbits(shown, bitorder="little").tobytes(),
        large=_large(columns, listed),
    )
    if matrix.ages_ms is not None:
        made.ages_ms = matrix.ages_ms[rows].astype("<i8").tobytes()
    for storage, name, letter in BLOCKS:
        mine = shape.places[storage]
        block = _taken([columns[place].data for place in mine], rows, letter)
        if not all_shown:
            block[~shown[mine]] = 0
        setattr(made, name, block.tobytes())
    for place in shape.places[STORAGE_TEXT]:
        made.texts.append(Texts(values=_values(columns[place], rows, shown[place])))
    for place in shape.places[STORAGE_LIST]:
        items = items_field(matrix.types[place])
        values = _values(columns[place], rows, shown[place])
        made.lists.append(Lists(values=[ListOfValues(**{items: each}) for each in values]))
    return shape.heads + made.SerializeToString()  # messages that follow each other are merged


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """What all records of the same columns share."""

    heads: bytes
    """The heads, as a serialised `ServedRows` of them alone."""
    places: Mapping[int, Sequence[int]]
    """Which columns are in each block."""


@lru_cache(maxsize=100)
def _shape(names: tuple[str, ...], types: tuple[str, ...], letters: str) -> _Shape:
    """Return how columns are packed; letters are the types of their arrays."""
    storages = [*map(_storage, types, letters)]
    described = zip(names, types, storages, strict=True)
    heads = [Head(name=name, type=type_, storage=storage) for name, type_, storage in described]
    places: dict[int, list[int]] = {storage: [] for storage in Storage.values()}
    for place, storage in enumerate(storages):
        places[storage].append(place)
    return _Shape(heads=ServedRows(heads=heads).SerializeToString(), places=places)


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


def _taken(columns: Sequence[NDArray[Any]], rows: Ints, letter: str) -> NDArray[Any]:
    """Return some rows of each column, a line for each column."""
    block = np.empty((len(columns), len(rows)), dtype=letter)
    first, last = int(rows[0]), int(rows[-1])
    if last - first + 1 == len(rows):  # rows ascend
        for line, column in zip(block, columns, strict=True):
            line[:] = column[first : last + 1]
    else:
        for line, column in zip(block, columns, strict=True):
            column.take(rows, out=line, mode="clip")
    return block


def _values(column: Column, rows: Ints, shown: NDArray[np.bool_]) -> list[Any]:
    """Return the texts or lists that are there."""
    return [column.data[row] for row in rows[shown].tolist()]


def _large(columns: Sequence[Column], rows: Sequence[int]) -> list[Large]:
    return [
        Large(column=number, row=place, digits=str(column.large[row]))
        for number, column in enumerate(columns)
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
