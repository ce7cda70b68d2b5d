"""From entities' bytes back to values, of the rows that are logged alone. No I/O.

What is logged is what was sent: of an answer in floats, the floats, as numbers of their type.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_platform.rows.wire import Ints, Mask
from feature_platform.service.decode import value_of
from feature_platform.service.entity_bytes import EntityBytes
from feature_platform.service.features_pb2 import Column as PackedColumn
from feature_platform.service.features_pb2 import Row, Value
from feature_platform.service.kinds import Kind
from feature_platform.service.layouts import Answer, KindAnswered
from feature_platform.service.shape import BOOLEAN, WHOLE, Shape, is_number
from feature_platform.serving.answer_log import LoggedRows
from feature_platform.serving.later import Later
from feature_platform.serving.matrix import STATUSES, Block, Column, FeatureMatrix

LONG_END = 2.0**63


def logged_rows(names: tuple[str, ...], answer: Answer, rows: Ints) -> LoggedRows:
    """Return some rows of an answer.

    Args:
        names: Of the columns.
        answer: It was of now.
        rows: Which; they ascend.
    """
    kinds = tuple(_only(kind, rows) for kind in answer.kinds)
    made = replace(answer, kinds=kinds, rows=len(rows))
    parts = [_part(kind, answer.form.layout == "rows") for kind in kinds]
    columns = {place: (part, at) for part in parts for at, place in enumerate(part.kind.places)}
    types = {
        place: type_
        for kind in kinds
        for place, type_ in zip(kind.kind.places, kind.kind.types, strict=True)
    }
    listed = rows.tolist()
    read_ms = made.read_ms()
    matrix = FeatureMatrix(
        names=names,
        types=tuple(types[place] for place in range(len(names))),
        keys={kind: tuple([keys[row] for row in listed]) for kind, keys in answer.keys.items()},
        status=tuple([STATUSES[each] for each in made.statuses().tolist()]),
        errors={},
        columns=Later(len(names), partial(_column, columns)),
        evidence=(),
        counts_since_ms={},
        ages_ms=np.where(read_ms == 0, 0, answer.now_ms - read_ms) if read_ms.any() else None,
        blocks=tuple(block for part in parts if (block := part.block) is not None),
    )
    written = {name: each for kind in kinds for name, each in _written(kind).items()}
    return LoggedRows(matrix=matrix, written=written)


def _only(kind: KindAnswered, rows: Ints) -> KindAnswered:
    """Return what is answered for some rows, a row for each."""
    places = rows if kind.indexes is None else kind.indexes[rows]
    entities = [kind.entities[place] for place in places.tolist()]
    return replace(kind, entities=entities, indexes=None)


def _column(columns: Mapping[int, tuple["_Packed | _Spelled", int]], place: int) -> Column:
    part, at = columns[place]
    return part.column(at)


def _written(kind: KindAnswered) -> dict[str, Ints]:
    """Return the write timestamps of heads, by feature set."""
    lines = np.array([each.written for each in kind.entities], dtype=np.int64)
    return {about.featureset: lines[:, at] for at, about in enumerate(kind.kind.about)}


def _part(kind: KindAnswered, spelled: bool) -> "_Packed | _Spelled":
    if spelled:
        return _Spelled(kind=kind.kind, entities=kind.entities)
    return _Packed(kind=kind.kind, shape=kind.shape, entities=kind.entities)


@dataclass(frozen=True, kw_only=True)
class _Packed:
    """Packed rows, texts and lists."""

    kind: Kind
    shape: Shape
    entities: Sequence[EntityBytes]

    @property
    def block(self) -> Block | None:
        """The whole numbers of which each row has one, if there are any."""
        if self.shape.numbers != "exact" or any(each.large for each in self.entities):
            return None
        everywhere = self._present.all(axis=0).tolist()
        chosen = [
            (slot, place)
            for slot, place in enumerate(self.shape.numeric)
            if everywhere[place] and self.shape.types[place] in WHOLE
        ]
        numbers = self.shape.numbers_of(self._rows, "<i8")[:, [slot for slot, _ in chosen]]
        positions = tuple(self.kind.places[place] for _, place in chosen)
        return Block(
            positions=positions,
            data=numbers.astype(np.int64),
            partial=np.zeros(len(positions), dtype=np.bool_),  # states are not logged
            found=self.shape.status(self._rows).astype(np.int8),
        )

    def column(self, at: int) -> Column:
        """Return a column of the kind."""
        type_, present, filled = self.shape.types[at], self._present[:, at], self._filled[:, at]
        if not is_number(type_):
            data: NDArray[Any] = np.full(len(self.entities), None, dtype=object)
            number = self.shape.others.index(at)
            for row in np.flatnonzero(present | filled).tolist():
                packed = PackedColumn.FromString(self.entities[row].parts[number])
                data[row] = (
                    value_of(Value(list=packed.lists[0])) if packed.lists else packed.texts[0]
                )
            return Column(data=data, present=present, filled=filled)
        dtype = self.shape.dtype(at)
        numbers = self.shape.numbers_of(self._rows, dtype)[:, self.shape.slots[at]]
        large = {
            row: int(digits)
            for row, each in enumerate(self.entities)
            for place, digits in each.large
            if place == at
        }
        if type_ in WHOLE and dtype != "<i8":
            return _whole(numbers, present, filled)
        kind = np.bool_ if type_ == BOOLEAN else np.int64 if type_ in WHOLE else np.float64
        blank = np.where(present | filled, numbers, 0)
        return Column(data=blank.astype(kind), present=present, filled=filled, large=large)

    @cached_property
    def _rows(self) -> NDArray[np.uint8]:
        joined = b"".join([each.row for each in self.entities])
        return np.frombuffer(joined, np.uint8).reshape(len(self.entities), self.shape.row_bytes)

    @cached_property
    def _present(self) -> Mask:
        return self.shape.mask(self.shape.present(self._rows))

    @cached_property
    def _filled(self) -> Mask:
        return self.shape.mask(self.shape.filled(self._rows))


def _whole(numbers: NDArray[Any], present: Mask, filled: Mask) -> Column:
    """Return floats that are whole as the integers that they are."""
    floats = np.where(present | filled, numbers, 0).astype(np.float64)
    beyond = np.abs(floats) >= LONG_END
    large = {row: int(floats[row]) for row in np.flatnonzero(beyond & np.isfinite(floats)).tolist()}
    data = np.where(beyond, 0, floats).astype(np.int64)
    return Column(data=data, present=present, filled=filled, large=large)


@dataclass(frozen=True, kw_only=True)
class _Spelled:
    """Rows of single values."""

    kind: Kind
    entities: Sequence[EntityBytes]
    block: Block | None = None

    def column(self, at: int) -> Column:
        """Return a column of the kind."""
        packed = [row[at] for row in self._values]
        values = [value_of(each) for each in packed]
        filled = np.array([each.is_default for each in packed], dtype=np.bool_)
        there = np.array([value is not None for value in values], dtype=np.bool_)
        type_, large = self.kind.types[at], dict[int, int]()
        if not is_number(type_):
            data: NDArray[Any] = np.full(len(values), None, dtype=object)
            for row, value in enumerate(values):
                data[row] = value
            return Column(data=data, present=there & ~filled, filled=filled)
        if type_ in WHOLE:
            for row, value in enumerate(values):
                if isinstance(value, int) and not -LONG_END <= value < LONG_END:
                    large[row] = value
        numbers = [0 if row in large else value or 0 for row, value in enumerate(values)]
        kind = np.bool_ if type_ == BOOLEAN else np.int64 if type_ in WHOLE else np.float64
        return Column(
            data=np.array(numbers, dtype=kind), present=there & ~filled, filled=filled, large=large
        )

    @cached_property
    def _values(self) -> list[list[Any]]:
        """The values of each row, in the order of the kind's columns."""
        return [
            [value for part in each.parts for value in Row.FromString(part).values]
            for each in self.entities
        ]
