"""From the answers of replicas to one matrix, in the order of the request. No I/O.

Each replica answers for some keys of one kind of entity, each key once. Here their columns are put
together, and each row of the request gets the values of its key of each kind.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from feature_platform.errors import ServiceUnavailableError
from feature_platform.rows.partials import Value
from feature_platform.service.described import Codes, Described, KindColumns
from feature_platform.service.features_pb2 import (
    Block,
    ColumnHead,
    GetFeaturesResponse,
    ListOfValues,
)
from feature_platform.service.features_pb2 import Value as PackedValue
from feature_platform.service.shape import BOOLEAN, Numbers, Rows, Shape
from feature_platform.serving.later import Later
from feature_platform.serving.matrix import STATUSES, Column, FeatureMatrix, Status
from feature_platform.serving.request import AskedKeys
from feature_platform.serving.states import CODES, FAILED, HAS_ROWS, NO_ROWS


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What came of the request for some keys of a kind."""

    places: NDArray[np.int64]
    """Where the keys are among the kind's keys, each of which is there once."""
    answer: GetFeaturesResponse | None = None
    """None: no replica answered."""
    reasons: Mapping[int, str] = field(default_factory=dict)
    """Why an answer is missing, by place."""


@dataclass(frozen=True, kw_only=True)
class ReceivedMatrix(FeatureMatrix):
    """A matrix whose numbers are still in the packed rows that were received."""

    received: tuple["_Received", ...]
    """About each kind of entity."""

    @cached_property
    def values(self) -> NDArray[np.float64]:
        """A column per name; NaN for no value, and for all texts and lists."""
        return self._numbers(np.float64)

    @cached_property
    def present(self) -> NDArray[np.bool_]:
        """Where there is a value, of any type; false where there is a default, or nothing."""
        return self._together(lambda kind: kind.present, np.bool_)

    @cached_property
    def state_codes(self) -> NDArray[np.int8]:
        """The states of all values as numbers: the place of each in `STATES`."""
        return self._together(lambda kind: kind.state_codes, np.int8)

    def _together(
        self, each: Callable[["_Received"], NDArray[Any]], dtype: DTypeLike
    ) -> NDArray[Any]:
        made = np.zeros((len(self.status), len(self.names)), dtype=dtype)
        for kind in self.received:
            made[:, kind.columns.places] = each(kind)
        return made

    def _floats(self, dtype: DTypeLike) -> NDArray[Any]:
        if any(kind.shape.numbers != "float32" for kind in self.received):
            return super()._floats(dtype)
        return self._numbers(dtype)  # never by way of float64

    def _numbers(self, dtype: DTypeLike) -> NDArray[Any]:
        matrix = np.full((len(self.status), len(self.names)), np.nan, dtype=dtype)
        with np.errstate(over="ignore"):  # beyond float16 is infinite, as everywhere
            for kind in self.received:
                kind.put_numbers(matrix)
        return matrix


def matrix_of(
    described: Described,
    asked: Sequence[AskedKeys],
    shares: Mapping[str, Sequence[Share]],
    numbers: Numbers,
) -> FeatureMatrix:
    """Put an answer together.

    Args:
        described: The list.
        asked: The keys of each kind, in the order of the request.
        shares: By kind what came; together they have each unique key once.
        numbers: As they were asked for.

    Raises:
        ServiceUnavailableError: A replica answers other columns than were described.
    """
    nothing = Share(places=np.zeros(0, dtype=np.int64))  # came of no keys
    parts = {kind.entity: shares.get(kind.entity) or (nothing,) for kind in asked}
    columns = [described.columns(kind.entity, numbers) for kind in asked]
    kinds = [
        _received(kind, about, parts[kind.entity])
        for kind, about in zip(asked, columns, strict=True)
        if about.heads
    ]

    def owner(number: int) -> _Received:
        return next(kind for kind in kinds if number in kind.columns.heads)

    count = len(described.names)
    found = [kind.shape.status(kind.rows).astype(np.int8) for kind in kinds]
    several = len(asked) > 1
    return ReceivedMatrix(
        names=described.names,
        types=described.types,
        keys={kind.entity: kind.keys for kind in asked},
        status=_statuses(found or [np.full(len(each.keys), NO_ROWS, np.int8) for each in asked]),
        errors={
            label: why
            for kind in asked
            for label, why in _errors(
                parts[kind.entity], kind, f"{kind.entity}=" if several else ""
            ).items()
        },
        columns=Later(count, lambda number: owner(number).column(number)),
        evidence=Later(count, lambda number: owner(number).codes(number)),
        counts_since_ms={
            name: since_ms
            for kind in asked
            for part in parts[kind.entity]
            if part.answer is not None
            for name, since_ms in part.answer.counts_since_ms.items()
        },
        ages_ms=_ages_ms(kinds),
        received=tuple(kinds),
    )


def _statuses(found: Sequence[NDArray[np.int8]]) -> tuple[Status, ...]:
    """Return each row's: unavailable if one of its entities is, ok if one has rows."""
    if not found:
        return ()
    each = np.array(found)
    best = each.min(axis=0)
    best[(each == FAILED).any(axis=0)] = FAILED
    if not best.any():
        return (STATUSES[HAS_ROWS],) * len(best)
    return tuple(STATUSES[code] for code in best.tolist())


def _errors(parts: Sequence[Share], kind: AskedKeys, prefix: str) -> dict[str, str]:
    """Return why entities are unavailable, in the order of the request."""
    reasons: dict[str, str] = {}
    for part in parts:
        reasons |= part.answer.errors if part.answer is not None else {}
        reasons |= {kind.unique[place]: reason for place, reason in part.reasons.items()}
    return {f"{prefix}{key}": reasons[key] for key in kind.unique if key in reasons}


def _ages_ms(kinds: Sequence["_Received"]) -> NDArray[np.int64] | None:
    """Return how long ago what each row rests on was read; None if no replica keeps anything."""
    each = [kind.ages_ms for kind in kinds if kind.ages_ms is not None]
    return np.max(each, axis=0) if each else None


@dataclass(frozen=True, kw_only=True)
class _Received:
    """What came about one kind of entity, a packed row for each row of the request."""

    columns: KindColumns
    rows: Rows
    others: Mapping[int, Column]
    """Columns of texts and lists, by place among the kind's."""
    large: Mapping[int, Mapping[int, int]]
    """Integers beyond 64 bits, by place among the kind's, then by row."""
    ages_ms: NDArray[np.int64] | None

    @property
    def shape(self) -> Shape:
        """Of its rows."""
        return self.columns.shape

    @cached_property
    def present(self) -> NDArray[np.bool_]:
        """Where values are, a column for each of the kind's."""
        return self.shape.mask(self.shape.present(self.rows))

    @cached_property
    def _filled(self) -> NDArray[np.bool_]:
        """Where defaults are."""
        return self.shape.mask(self.shape.filled(self.rows))

    @property
    def state_codes(self) -> NDArray[np.int8]:
        """The states, a column for each of the kind's."""
        return self.shape.state_codes(self.rows).view(np.int8)

    def put_numbers(self, matrix: NDArray[Any]) -> None:
        """Write all numbers into a matrix of NaN with all columns of the list."""
        shape = self.shape
        shown = self.present | self._filled if self._filled.any() else self.present
        all_places = self.columns.places
        for dtype, (places, slots) in self.columns.packed.items():
            numbers = shape.numbers_of(self.rows, dtype)[:, slots].astype(matrix.dtype)
            numbers[~shown[:, places]] = np.nan
            matrix[:, all_places[places]] = numbers
        for place, rows in self.large.items():
            for row, value in rows.items():
                matrix[row, all_places[place]] = float(value) if shown[row, place] else np.nan

    def column(self, number: int) -> Column:
        """Return the column at a place of the list: a view of the packed rows."""
        place, shape = self.columns.order[number], self.shape
        here, default = self.present[:, place], self._filled[:, place]
        filled = default if default.any() else None
        if place not in shape.slots:
            return replace(self.others[place], present=here, filled=filled)
        dtype = shape.dtype(place)
        data: NDArray[Any] = shape.numbers_of(self.rows, dtype)[:, shape.slots[place]]
        if dtype == "<i8" and self.columns.heads[number].type == BOOLEAN:
            data = data != 0
        return Column(data=data, present=here, filled=filled, large=self.large.get(place, {}))

    def codes(self, number: int) -> Codes:
        """Return the states of the column at a place of the list."""
        return Codes(received=self.state_codes[:, self.columns.order[number]])


def _received(kind: AskedKeys, columns: KindColumns, parts: Sequence[Share]) -> _Received:
    """Put the shares of one kind together, in the order of the request."""
    shape = columns.shape
    order = _order(parts, len(kind.unique))[kind.indexes]
    blocks = [_Part.of(part, columns) for part in parts]
    rows = np.concatenate([block.rows for block in blocks])
    others = {
        place: _joined([block.column(place) for block in blocks]).take(order)
        for place in shape.others
    }
    ages_ms = np.concatenate([block.ages_ms() for block in blocks])[order]
    return _Received(
        columns=columns,
        rows=rows[order],
        others=others,
        large=_large(blocks, order),
        ages_ms=ages_ms if any(block.keeps for block in blocks) else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """What one replica answered for some keys of a kind."""

    share: Share
    columns: KindColumns
    rows: Rows
    block: Block | None
    """None: nothing was answered."""

    @classmethod
    def of(cls, share: Share, columns: KindColumns) -> Self:
        """Take a share; where nothing was answered, its packed rows say so.

        Raises:
            ServiceUnavailableError: The answer has other columns.
        """
        count, answer, shape = len(share.places), share.answer, columns.shape
        if answer is None:
            rows = _unavailable(tuple(columns.heads.values()), shape, count)
            return cls(share=share, columns=columns, rows=rows, block=None)
        block = answer.blocks[0] if answer.blocks else Block(row_bytes=shape.row_bytes)
        if answer.heads != columns.expected or len(block.rows) != count * shape.row_bytes:
            msg = (
                f"a replica answers {len(answer.heads)} columns that are not the "
                f"{len(columns.expected)} that were described: the list or what is deployed has "
                "changed; prepare it again"
            )
            raise ServiceUnavailableError(msg)
        rows = np.frombuffer(block.rows, dtype=np.uint8).reshape(count, shape.row_bytes)
        return cls(share=share, columns=columns, rows=rows, block=block)

    @property
    def keeps(self) -> bool:
        """Whether the replica keeps what it has read."""
        return self.block is not None and bool(self.columns.shape.read_ms(self.rows).any())

    def ages_ms(self) -> NDArray[np.int64]:
        """Return how long ago each entity was read."""
        answer, read_ms = self.share.answer, self.columns.shape.read_ms(self.rows)
        if answer is None:
            return np.zeros(len(read_ms), dtype=np.int64)
        ages: NDArray[np.int64] = np.where(read_ms == 0, 0, answer.now_ms - read_ms)
        return ages

    def column(self, place: int) -> Column:
        """Return a column of texts or lists, without what is in packed rows."""
        head, count = tuple(self.columns.heads.values())[place], len(self.share.places)
        data = np.full(count, None, dtype=object)
        shape, block = self.columns.shape, self.block
        bits = shape.mask(shape.present(self.rows) | shape.filled(self.rows))
        if block is None:
            default = value_of(head.default)
            for row in np.flatnonzero(bits[:, place]).tolist():
                data[row] = [*default] if isinstance(default, list) else default
        else:
            packed = block.others[block.heads[place]]
            values = map(_items, packed.lists) if packed.lists else packed.texts
            for row, value in enumerate(values):
                data[row] = value
            data[~bits[:, place]] = None
        return Column(data=data, present=np.zeros(count, dtype=np.bool_))


def _unavailable(heads: Sequence[ColumnHead], shape: Shape, count: int) -> Rows:
    """Return packed rows of entities that nobody answered for: defaults, where there are any."""
    rows = shape.blank(count)
    shape.status(rows)[:] = FAILED
    shape.state_codes(rows)[:] = CODES["unavailable"]
    filled = np.zeros((count, len(heads)), dtype=np.bool_)
    slots = {place: slot for slot, place in enumerate(shape.numeric)}
    for place, head in enumerate(heads):
        default = value_of(head.default)
        filled[:, place] = default is not None
        if place in slots:
            dtype = shape.dtype(place)
            blank: Any = 0 if dtype == "<i8" else np.nan
            numbers: NDArray[Any] = shape.numbers_of(rows, dtype)
            numbers[:, slots[place]] = blank if default is None else default
    shape.filled(rows)[:] = np.packbits(filled, axis=1, bitorder="little")
    return rows


def _large(blocks: Sequence[_Part], order: NDArray[np.int64]) -> dict[int, dict[int, int]]:
    """Return integers beyond 64 bits: by place among the kind's columns, then by row."""
    by_entity: dict[int, dict[int, int]] = {}
    start = 0
    for part in blocks:
        if part.block is not None:
            places = {number: place for place, number in enumerate(part.block.heads)}
            for number, column in part.block.others.items():
                large = by_entity.setdefault(places[number], {})
                large |= {start + row: int(digits) for row, digits in column.large.items()}
        start += len(part.share.places)
    return {
        place: {row: large[entity] for row, entity in enumerate(order.tolist()) if entity in large}
        for place, large in by_entity.items()
        if large
    }


def _order(parts: Sequence[Share], count: int) -> NDArray[np.int64]:
    """Return where each key of a kind is among those of its shares, one share after the other."""
    order = np.zeros(count, dtype=np.int64)
    together = np.concatenate([part.places for part in parts])
    order[together] = np.arange(len(together))
    return order


def _joined(columns: Sequence[Column]) -> Column:
    """Return columns of the same texts or lists, one after the other."""
    return Column(
        data=np.concatenate([column.data for column in columns]),
        present=np.concatenate([column.present for column in columns]),
    )


def _items(values: ListOfValues) -> list[Any]:
    return [*values.texts, *values.integers, *values.reals, *values.booleans]


def value_of(packed: PackedValue) -> Value:
    """Return a single value; None where there is none."""
    match packed.WhichOneof("kind"):
        case None:
            return None
        case "list":
            return _items(packed.list)
        case "digits":
            return int(packed.digits)
        case name:
            value: Value = getattr(packed, name)
            return value
