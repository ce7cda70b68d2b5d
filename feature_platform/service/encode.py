"""How answers are wanted, and single values, columns' names and statuses as messages. No I/O."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from feature_platform.definition.feature_list import Default
from feature_platform.rows.partials import Value
from feature_platform.service.features_pb2 import (
    STATUS_NO_DATA,
    STATUS_OK,
    STATUS_UNAVAILABLE,
    ColumnHead,
    ListOfValues,
)
from feature_platform.service.features_pb2 import (
    Status as PackedStatus,
)
from feature_platform.service.features_pb2 import (
    Value as PackedValue,
)
from feature_platform.service.shape import Numbers
from feature_platform.serving.matrix import Status

Layout = Literal["columns", "rows", "packed"]

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


def heads(names: Sequence[str], types: Sequence[str], kinds: Sequence[str]) -> list[ColumnHead]:
    """Return what says which column is which."""
    return [
        ColumnHead(name=name, type=type_, kind=kind)
        for name, type_, kind in zip(names, types, kinds, strict=True)
    ]


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
            packed.list.CopyFrom(listed(value))


def packable(default: Default) -> Value:
    """Return a default as a value; the items of a list are all of one type."""
    return default  # type: ignore[return-value]


def listed(value: object) -> ListOfValues:
    """Return the items of a list; anything else has none."""
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
