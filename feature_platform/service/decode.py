"""From the answers of replicas to one matrix, in the order of the request. No I/O.

Each replica answers for some keys of one kind of entity, each key once. Here their columns are put
together, and each row of the request gets the values of its key of each kind.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_platform.definition.served import LIST_OF
from feature_platform.rows.partials import Value
from feature_platform.service.encode import STATUSES
from feature_platform.service.features_pb2 import Column as PackedColumn
from feature_platform.service.features_pb2 import (
    ColumnHead,
    GetFeaturesResponse,
    ListDescription,
    ListOfValues,
)
from feature_platform.service.features_pb2 import Value as PackedValue
from feature_platform.serving.matrix import Column, FeatureMatrix, Status
from feature_platform.serving.request import AskedKeys
from feature_platform.serving.states import CODES, FAILED, NO_ROWS

WHOLE = ("BIGINT", "INT", "TIMESTAMP")
TEXT, BOOLEAN = "STRING", "BOOLEAN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What came of the request for some keys of a kind."""

    places: NDArray[np.int64]
    """Where the keys are among the kind's keys, each of which is there once."""
    answer: GetFeaturesResponse | None = None
    """None: no replica answered."""
    reasons: Mapping[int, str] = field(default_factory=dict)
    """Why an answer is missing, by place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Codes:
    """States of one column, as they were received."""

    received: NDArray[np.int8]

    def codes(
        self,
        present: NDArray[np.bool_],  # noqa: ARG002 (part of the answer already)
        zero: NDArray[np.bool_],  # noqa: ARG002
        lost: NDArray[np.bool_] | None = None,  # noqa: ARG002
    ) -> NDArray[np.int8]:
        """Return them."""
        return self.received


def matrix_of(
    described: ListDescription,
    asked: Sequence[AskedKeys],
    shares: Mapping[str, Sequence[Share]],
) -> FeatureMatrix:
    """Put an answer together.

    Args:
        described: The list.
        asked: The keys of each kind, in the order of the request.
        shares: By kind what came; together they have each unique key once.
    """
    columns: dict[int, Column] = {}
    codes: dict[int, Codes] = {}
    found: list[NDArray[np.int8]] = []
    errors: dict[str, str] = {}
    counts_since_ms: dict[str, int] = {}
    for kind in asked:
        parts = shares.get(kind.entity) or (Share(places=np.zeros(0, dtype=np.int64)),)
        order = _order(parts, len(kind.unique))[kind.indexes]
        places = [n for n, head in enumerate(described.heads) if head.kind == kind.entity]
        for number, place in enumerate(places):
            head = described.heads[place]
            columns[place] = _joined([_column(part, number, head) for part in parts]).take(order)
            received = np.concatenate([_codes(part, number) for part in parts])
            codes[place] = Codes(received=received[order])
        found.append(_found(parts, order) if places else np.full(len(order), NO_ROWS, np.int8))
        prefix = f"{kind.entity}=" if len(asked) > 1 else ""
        errors |= _errors(parts, kind, prefix)
        for part in parts:
            counts_since_ms |= part.answer.counts_since_ms if part.answer is not None else {}
    return FeatureMatrix(
        names=tuple(head.name for head in described.heads),
        types=tuple(head.type for head in described.heads),
        keys={kind.entity: kind.keys for kind in asked},
        status=_statuses(found),
        errors=errors,
        columns=tuple(columns[place] for place in range(len(described.heads))),
        evidence=tuple(codes[place] for place in range(len(described.heads))),
        counts_since_ms=counts_since_ms,
    )


def _order(parts: Sequence[Share], count: int) -> NDArray[np.int64]:
    """Return where each key of a kind is among those of its shares, one share after the other."""
    order = np.zeros(count, dtype=np.int64)
    together = np.concatenate([part.places for part in parts])
    order[together] = np.arange(len(together))
    return order


def _found(parts: Sequence[Share], order: NDArray[np.int64]) -> NDArray[np.int8]:
    each = [
        np.full(len(part.places), FAILED, dtype=np.int8)
        if part.answer is None
        else np.frombuffer(part.answer.status, dtype=np.int8)
        for part in parts
    ]
    together: NDArray[np.int8] = np.concatenate(each)[order]
    return together


def _statuses(found: Sequence[NDArray[np.int8]]) -> tuple[Status, ...]:
    """Return each row's: unavailable if one of its entities is, ok if one has rows."""
    if not found:
        return ()
    each = np.array(found)
    best = each.min(axis=0)
    best[(each == FAILED).any(axis=0)] = FAILED
    return tuple(STATUSES[code] for code in best.tolist())


def _errors(parts: Sequence[Share], kind: AskedKeys, prefix: str) -> dict[str, str]:
    """Return why entities are unavailable, in the order of the request."""
    reasons: dict[str, str] = {}
    for part in parts:
        reasons |= part.answer.errors if part.answer is not None else {}
        reasons |= {kind.unique[place]: reason for place, reason in part.reasons.items()}
    return {f"{prefix}{key}": reasons[key] for key in kind.unique if key in reasons}


def _codes(part: Share, number: int) -> NDArray[np.int8]:
    if part.answer is None:
        return np.full(len(part.places), CODES["unavailable"], dtype=np.int8)
    return np.frombuffer(part.answer.columns[number].states, dtype=np.int8)


def _column(part: Share, number: int, head: ColumnHead) -> Column:
    count = len(part.places)
    if part.answer is not None:
        return unpack(part.answer.columns[number], head.type, count)
    blank = Column(data=_blank(head.type, count), present=np.zeros(count, dtype=np.bool_))
    default = value_of(head.default)
    if default is None:
        return blank
    return blank.with_default([*default] if isinstance(default, list) else default)


def _joined(columns: Sequence[Column]) -> Column:
    """Return columns of the same feature, one after the other."""
    if len(columns) == 1:
        return columns[0]
    starts = np.cumsum([0, *(len(column.present) for column in columns)]).tolist()
    filled = [
        np.zeros(len(each.present), np.bool_) if each.filled is None else each.filled
        for each in columns
    ]
    return Column(
        data=np.concatenate([column.data for column in columns]),
        present=np.concatenate([column.present for column in columns]),
        large={
            start + place: value
            for start, column in zip(starts, columns, strict=False)
            for place, value in column.large.items()
        },
        filled=np.concatenate(filled) if any(each.filled is not None for each in columns) else None,
    )


def unpack(packed: PackedColumn, type_: str, count: int) -> Column:
    """Return one column as the library has it.

    Args:
        packed: As it was sent.
        type_: Of the feature, such as BIGINT.
        count: How many rows.
    """
    column = Column(
        data=_data(packed, type_, count),
        present=_bits(packed.present, count),
        large={place: int(digits) for place, digits in packed.large.items()},
    )
    if packed.filled:
        column = replace(column, filled=_bits(packed.filled, count))
    return column


def _data(packed: PackedColumn, type_: str, count: int) -> NDArray[Any]:
    if packed.int64:
        return np.frombuffer(packed.int64, dtype="<i8")
    if packed.float64:
        return np.frombuffer(packed.float64, dtype="<f8")
    if packed.float32:
        return np.frombuffer(packed.float32, dtype="<f4")
    if packed.booleans:
        return _bits(packed.booleans, count)
    data = _blank(type_, count)
    values = map(_items, packed.lists) if packed.lists else packed.texts
    for place, value in enumerate(values):
        data[place] = value
    if data.dtype == object:
        shown = _bits(packed.present, count) | _bits(packed.filled, count)
        data[~shown] = None
    return data


def _blank(type_: str, count: int) -> NDArray[Any]:
    """Return room for the values of a type."""
    if type_ == TEXT or type_.startswith(LIST_OF):
        return np.full(count, None, dtype=object)
    if type_ in WHOLE:
        return np.zeros(count, dtype=np.int64)
    return np.zeros(count, dtype=np.bool_ if type_ == BOOLEAN else np.float64)


def _bits(packed: bytes, count: int) -> NDArray[np.bool_]:
    if not packed:
        return np.zeros(count, dtype=np.bool_)
    bytes_ = np.frombuffer(packed, dtype=np.uint8)
    return np.unpackbits(bytes_, count=count, bitorder="little").astype(np.bool_)


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
