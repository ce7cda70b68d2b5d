"""From entities' bytes to a serialised `GetFeaturesResponse`, in each layout. No I/O.

By entity (`packed`) and by row nothing but bytes is joined; by column, numpy turns the packed rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from feature_platform.service.encode import Form
from feature_platform.service.entity_bytes import EntityBytes
from feature_platform.service.features_pb2 import (
    STATUS_NO_DATA,
    STATUS_OK,
    STATUS_UNAVAILABLE,
    Block,
    GetFeaturesResponse,
)
from feature_platform.service.features_pb2 import Column as PackedColumn
from feature_platform.service.kinds import Kind
from feature_platform.service.shape import BOOLEAN, Rows, Shape
from feature_platform.service.wire import field, prefix, varint

_ANSWER = {each.name: each.number for each in GetFeaturesResponse.DESCRIPTOR.fields}
_BLOCK = {each.name: each.number for each in Block.DESCRIPTOR.fields}
_COLUMN = {each.name: each.number for each in PackedColumn.DESCRIPTOR.fields}
_MAP_KEY, _MAP_VALUE = 1, 2
_ROW_STATUS_TAG = b"\x08"


@dataclass(frozen=True, slots=True, kw_only=True)
class KindAnswered:
    """What is answered about one kind of entity."""

    kind: Kind
    shape: Shape
    entities: Sequence[EntityBytes]
    """Each entity once."""
    indexes: NDArray[np.int64] | None
    """Which of them each row of the answer is about; None: row n is about entity n."""

    def of_rows(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return a number of each entity for each row."""
        return values if self.indexes is None else values[self.indexes]

    def rows(self) -> Sequence[EntityBytes]:
        """Return the entity of each row."""
        if self.indexes is None:
            return self.entities
        return [self.entities[place] for place in self.indexes.tolist()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer that is still to be written."""

    head: bytes
    form: Form
    keys: Mapping[str, Sequence[str]]
    """By kind of entity, its key in each row."""
    kinds: tuple[KindAnswered, ...]
    rows: int
    errors: Mapping[str, str]
    """Why entities are unavailable."""
    counts_since_ms: Mapping[str, int]
    now_ms: int

    def statuses(self) -> NDArray[np.int64]:
        """Return the status of each row: of several entities, see `Status`."""
        each = [
            kind.of_rows(np.fromiter((one.status for one in kind.entities), dtype=np.int64))
            for kind in self.kinds
        ]
        if not each:
            return np.full(self.rows, STATUS_NO_DATA, dtype=np.int64)
        all_ = np.array(each)
        best: NDArray[np.int64] = np.where(
            (all_ == STATUS_OK).any(axis=0), STATUS_OK, STATUS_NO_DATA
        )
        best[(all_ == STATUS_UNAVAILABLE).any(axis=0)] = STATUS_UNAVAILABLE
        return best

    def unavailable(self) -> int:
        """Return how many rows the store did not answer."""
        return int((self.statuses() == STATUS_UNAVAILABLE).sum()) if self.errors else 0

    def write(self) -> bytes:
        """Return the message."""
        rest = GetFeaturesResponse(
            row_count=self.rows,
            errors=self.errors,
            counts_since_ms=self.counts_since_ms,
            now_ms=self.now_ms,
        )
        parts = [self.head, rest.SerializeToString(deterministic=True)]
        if self.form.layout == "packed":
            for kind in self.kinds:
                parts += _nested(_ANSWER["blocks"], _block(kind))
            return b"".join(parts)
        read_ms = self.read_ms()
        parts.append(field(_ANSWER["read_ms"], read_ms.tobytes() if read_ms.any() else b""))
        if self.form.layout == "rows":
            return b"".join(chain(parts, self._spelled()))
        parts.append(field(_ANSWER["status"], self.statuses().astype(np.uint8).tobytes()))
        return b"".join(chain(parts, self._columns()))

    def read_ms(self) -> NDArray[np.int64]:
        """Return when the oldest of what each row rests on was read; 0 of what is not kept."""
        each = [
            kind.of_rows(np.fromiter((one.read_ms for one in kind.entities), dtype=np.int64))
            for kind in self.kinds
        ]
        oldest: NDArray[np.int64] = np.min(each, axis=0) if each else np.zeros(0, dtype=np.int64)
        return oldest.astype("<i8")

    def _spelled(self) -> list[bytes]:
        """Return the rows: of each entity its runs, in the order of the list."""
        order = sorted(
            (kind.kind.places[begin], number, run)
            for number, kind in enumerate(self.kinds)
            for run, (begin, _) in enumerate(kind.kind.runs)
        )
        rows_of = [kind.rows() for kind in self.kinds]
        sources = [([one.parts for one in rows_of[number]], run) for _, number, run in order]
        written = []
        for place, status in enumerate(self.statuses().tolist()):
            runs = [parts[place][run] for parts, run in sources]
            first = _ROW_STATUS_TAG + varint(status) if status else b""
            written += _nested(_ANSWER["rows"], [first, *runs])
        return written

    def _columns(self) -> list[bytes]:
        """Return the columns, in the order of the list."""
        made: dict[int, list[bytes]] = {}
        for kind in self.kinds:
            made |= zip(kind.kind.places, _columns(kind), strict=True)
        number = _ANSWER["columns"]
        return [each for place in sorted(made) for each in _nested(number, made[place])]


def _nested(number: int, parts: Sequence[bytes]) -> list[bytes]:
    """Return a message as a field, of the parts that it is joined from."""
    return [prefix(number, sum(map(len, parts))), *parts]


def _block(kind: KindAnswered) -> list[bytes]:
    """Return a block: packed rows one after the other, texts and lists by column."""
    about, shape, entities = kind.kind, kind.shape, kind.entities
    head = Block(
        kind=about.name,
        heads=about.places,
        numbers=[about.places[place] for place in shape.numeric],
        row_bytes=shape.row_bytes,
    )
    parts = [head.SerializeToString()]
    if entities:
        parts.append(prefix(_BLOCK["rows"], shape.row_bytes * len(entities)))
        parts += [each.row for each in entities]
    others = _others(shape, entities)
    for place in sorted(others):
        key = varint(_MAP_KEY << 3) + varint(about.places[place])
        column = _nested(_MAP_VALUE, others[place])
        parts += _nested(_BLOCK["others"], [key, *column])
    if kind.indexes is not None:
        parts.append(field(_BLOCK["entities"], kind.indexes.astype("<u4").tobytes()))
    return parts


def _others(shape: Shape, entities: Sequence[EntityBytes]) -> dict[int, list[bytes]]:
    """Return, by column of the kind, the fields that are not in packed rows."""
    made = {
        place: [each.parts[number] for each in entities]
        for number, place in enumerate(shape.others)
    }
    large: dict[int, dict[int, str]] = {}
    for row, each in enumerate(entities) if shape.has_large else ():
        for place, digits in each.large:
            large.setdefault(place, {})[row] = digits
    for place, digits_by_row in large.items():
        column = PackedColumn(large=digits_by_row)
        made[place] = [column.SerializeToString(deterministic=True)]
    return made


def _columns(kind: KindAnswered) -> list[list[bytes]]:
    """Return the parts of each column's message."""
    shape, entities = kind.shape, kind.rows()
    joined = b"".join(each.row for each in entities)
    rows = np.frombuffer(joined, dtype=np.uint8).reshape(len(entities), shape.row_bytes)
    present, filled = _turned_bits(shape, shape.present(rows)), None
    if shape.filled(rows).any():
        filled = _turned_bits(shape, shape.filled(rows))
    states = np.ascontiguousarray(shape.state_codes(rows).T) if shape.states else None
    others = _others(shape, entities)
    made = []
    for place in range(len(shape.types)):
        parts = [field(_COLUMN["present"], present[place].tobytes())]
        if filled is not None and filled[place].any():
            parts.append(field(_COLUMN["filled"], filled[place].tobytes()))
        if states is not None:
            parts.append(field(_COLUMN["states"], states[place].tobytes()))
        made.append(parts)
    for place, name, numbers in _turned_numbers(shape, rows):
        made[place].append(field(_COLUMN[name], numbers))
    for place, parts in others.items():
        made[place] += parts
    return made


def _turned_bits(shape: Shape, bits: Rows) -> Rows:
    """Return, of bits of each row, bits of each column."""
    return np.packbits(shape.mask(bits).T, axis=1, bitorder="little")


def _turned_numbers(shape: Shape, rows: Rows) -> list[tuple[int, str, bytes]]:
    """Return the numbers of each column: its place, the field they are in, their bytes."""
    turned = {
        dtype: np.ascontiguousarray(shape.numbers_of(rows, dtype).T)
        for dtype in {shape.dtype(place) for place in shape.numeric}
    }
    names = {"<i8": "int64", "<f8": "float64", "<f4": "float32"}
    made = []
    for slot, place in enumerate(shape.numeric):
        dtype = shape.dtype(place)
        numbers = turned[dtype][slot]
        if dtype == "<i8" and shape.types[place] == BOOLEAN:
            packed = np.packbits(numbers != 0, bitorder="little")
            made.append((place, "booleans", packed.tobytes()))
        else:
            made.append((place, names[dtype], numbers.tobytes()))
    return made
