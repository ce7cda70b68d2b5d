"""From the bytes of a record to its rows and typed columns. No I/O; whatever the bytes are."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from feature_platform.errors import CorruptRecordError
from feature_platform.feature_log.encode import BLOCKS, FORMAT, items_field
from feature_platform.feature_log.served_pb2 import (
    STORAGE_LIST,
    STORAGE_TEXT,
    ServedRows,
    Storage,
)
from feature_platform.rows.wire import Ints, Mask
from feature_platform.serving.matrix import STATUSES, Column, Status

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Some rows that were served; sequences and arrays have an entry for each row."""

    request_id: str
    instant_ms: int
    list: str
    version: int
    names: tuple[str, ...]
    types: tuple[str, ...]
    columns: tuple[Column, ...]
    """As they were served: a default is a value."""
    keys: Mapping[str, tuple[str, ...]]
    """By kind of entity."""
    status: tuple[Status, ...]
    ages_ms: Ints | None
    written: Mapping[str, Ints]
    """By feature set: write timestamps of heads, 0 without one."""

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(self.status)


def decode(data: bytes) -> Served:
    """Read a record.

    Raises:
        CorruptRecordError: It is none, or of a newer format; says why.
    """
    try:
        read = ServedRows.FromString(data)
    except DecodeError as error:
        msg = f"not a record of the feature log: {error}"
        raise CorruptRecordError(msg) from error
    if read.format != FORMAT:
        msg = f"format {read.format}; this code reads format {FORMAT}: upgrade feature-platform"
        raise CorruptRecordError(msg)
    try:
        return _served(read)
    except (ValueError, IndexError, KeyError) as error:
        msg = f"parts of the record do not fit each other: {error!r}"
        raise CorruptRecordError(msg) from error


def _served(read: ServedRows) -> Served:
    count = read.row_count
    status = tuple(STATUSES[number] for number in read.status)
    keys = {kind.name: tuple(kind.keys) for kind in read.kinds}
    lengths = {len(status), *map(len, keys.values())}
    if lengths != {count}:
        msg = f"{count} rows, but {sorted(lengths)} keys or statuses"
        raise ValueError(msg)
    shown = _bits(read.shown, len(read.heads), count)
    ages_ms = _block(read.ages_ms, "<i8", 1, count)[0] if read.ages_ms else None
    return Served(
        request_id=read.request_id,
        instant_ms=read.instant_ms,
        list=read.list,
        version=read.version,
        names=tuple(head.name for head in read.heads),
        types=tuple(head.type for head in read.heads),
        columns=tuple(_columns(read, shown)),
        keys=keys,
        status=status,
        ages_ms=ages_ms,
        written={
            each.featureset: _block(each.written, "<i8", 1, count)[0] for each in read.origins
        },
    )


def _columns(read: ServedRows, shown: Mask) -> Iterator[Column]:
    """Yield the columns in their order: each takes the next of its block."""
    count = read.row_count
    storages = [head.storage for head in read.heads]
    blocks: dict[Storage, Iterator[NDArray[Any]]] = {
        storage: iter(_block(getattr(read, name), letter, storages.count(storage), count))
        for storage, name, letter in BLOCKS
    }
    texts, lists = iter(read.texts), iter(read.lists)
    large: dict[int, dict[int, int]] = {}
    for each in read.large:
        large.setdefault(each.column, {})[each.row] = int(each.digits)
    for number, (head, seen) in enumerate(zip(read.heads, shown, strict=True)):
        if head.storage == STORAGE_TEXT:
            data = _objects(_next(texts).values, seen)
        elif head.storage == STORAGE_LIST:
            items = items_field(head.type)
            data = _objects([[*getattr(each, items)] for each in _next(lists).values], seen)
        else:
            data = _next(blocks[head.storage])
        yield Column(data=data, present=seen, large=large.get(number, {}))


def _next(columns: Iterator[T]) -> T:
    for column in columns:
        return column
    msg = "fewer columns than heads"
    raise ValueError(msg)


def _objects(values: Sequence[Any], shown: Mask) -> NDArray[Any]:
    data = np.full(len(shown), None, dtype=object)
    places = np.flatnonzero(shown).tolist()
    for place, value in zip(places, values, strict=True):
        data[place] = value
    return data


def _block(packed: bytes, letter: str, columns: int, count: int) -> NDArray[Any]:
    """Return numbers, a line for each column.

    Raises:
        ValueError: They are not as many.
    """
    return np.frombuffer(packed, dtype=letter).reshape(columns, count)


def _bits(packed: bytes, columns: int, count: int) -> Mask:
    size = columns * count
    if len(packed) != -(-size // 8):
        msg = f"{len(packed)} bytes say which of {size} values there are"
        raise ValueError(msg)
    bits = np.unpackbits(np.frombuffer(packed, dtype=np.uint8), count=size, bitorder="little")
    return bits.astype(np.bool_).reshape(columns, count)
