"""The algebra of partials: merging them over tiles and finishing them to the value that is served.

Every kind is a commutative monoid; additive ones (count, sum) are groups, the others idempotent.
Partials are never changed in place.
"""

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple

from feature_platform.tiles.layout import ADDITIVE, Kind

LONG_MAX = 2**63 - 1
_TWO_TO_32 = 2**32
_TWO_TO_64 = 2**64

Scalar = int | float | str
Value = int | float | str | bool | list[int] | list[float] | list[str] | list[bool] | None
"""What is served: None where a kind that needs a value has none."""


class Item(NamedTuple):
    """One kept value of FIRST, LAST or LAST_N; items are ordered by their first three fields."""

    time_ms: int
    partition: int
    offset: int
    value: Scalar

    @property
    def order(self) -> tuple[int, int, int]:
        """What items are compared by; no two events share it."""
        return self[:3]


Partial = int | tuple[Item, ...] | None
"""count, sum: an int. min, max: an int, None if nothing was seen. Others: items, newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A decoded tile row: counters by id, features by id as encoded `FeatureValue`s."""

    counters: dict[int, int]
    features: dict[int, bytes]


def wrap(value: int) -> int:
    """Reduce to int64 as two's complement addition does."""
    return (value + LONG_MAX + 1) % _TWO_TO_64 - LONG_MAX - 1


def whole_sum(total: int, high: int) -> int:
    """Return the exact sum that two int64 counters represent, which itself may be larger.

    Each value is high * 2^32 + low, with low from -2^31 to 2^31 - 1. `total` adds up the values,
    modulo 2^64, and `high` the high halves; the low ones of four billion values fit an int64.

    Args:
        total: The counter of the sum.
        high: The counter of the high halves; 0 where there is none, as before they were kept.
    """
    return high * _TWO_TO_32 + wrap(total - high * _TWO_TO_32)


def high_half(value: int) -> int:
    """Return how often 2^32 is in an int64, to the nearest."""
    return (value + _TWO_TO_32 // 2) // _TWO_TO_32


def zero(kind: Kind) -> Partial:
    """Return the partial of no event, which leaves every other one alone when merged."""
    if kind in ADDITIVE:
        return 0
    return None if kind in ("min", "max") else ()


def merge(kind: Kind, n: int, left: Partial, right: Partial) -> Partial:
    """Merge two partials of one kind; `n` is how many items LAST_N keeps."""
    if isinstance(left, int) and isinstance(right, int):
        return _COUNTERS[kind](left, right)
    if isinstance(left, tuple) and isinstance(right, tuple):
        return merge_items(kind, n, (left, right))
    return right if left is None else left


_COUNTERS: dict[Kind, Callable[[int, int], int]] = {
    "count": lambda left, right: wrap(left + right),
    "sum": lambda left, right: wrap(left + right),
    "min": min,
    "max": max,
}


def merge_all(kind: Kind, n: int, partials: Iterable[Partial]) -> Partial:
    """Merge any number of partials."""
    return reduce(lambda left, right: merge(kind, n, left, right), partials, zero(kind))


def merge_items(kind: Kind, n: int, partials: Iterable[tuple[Item, ...]]) -> tuple[Item, ...]:
    """Merge the items of FIRST, LAST or LAST_N; newest first, each event once."""
    distinct = {item.order: item for partial in partials for item in partial}
    newest_first = sorted(distinct.values(), key=lambda item: item.order, reverse=True)
    match kind:
        case "first":
            return tuple(newest_first[-1:])
        case "last":
            return tuple(newest_first[:1])
        case _:
            return tuple(newest_first[:n])


def to_sortable(value: float) -> int:
    """Map a double to an int64 of the same order; both zeros become one."""
    bits = int.from_bytes(struct.pack("<d", value + 0.0), "little", signed=True)
    return bits if bits >= 0 else bits ^ LONG_MAX


def from_sortable(bits: int) -> float:
    """Undo `to_sortable`."""
    (value,) = struct.unpack("<d", struct.pack("<q", bits if bits >= 0 else bits ^ LONG_MAX))
    return float(value)


def finish_counter(kind: Kind, value_type: str, scale: int, partial: int) -> int | float | bool:
    """Turn a merged counter into what is served.

    Args:
        kind: count, sum, min or max.
        value_type: Type of the aggregated expression, as in YAML.
        scale: Digits after the point of a fixed-point sum or a DECIMAL.
        partial: The merged counter.

    Returns:
        int; float for SUM, MIN and MAX of DOUBLE and DECIMAL; bool for MIN and MAX of BOOLEAN.
    """
    if kind == "count":
        return partial
    if kind == "sum":
        return partial / 10**scale if is_fixed_point(value_type) else partial
    if value_type == "DOUBLE":
        return from_sortable(partial)
    return finish_integer(value_type, scale, partial)


def finish_integer(value_type: str, scale: int, value: int) -> int | float | bool:
    """Turn a single value of carrier int into what is served."""
    if value_type == "BOOLEAN":
        return bool(value)
    return value / 10**scale if is_fixed_point(value_type) else value


def finish_average(total: int, count: int, scale: int) -> float | None:
    """Divide a merged sum by the merged count of its values; None without any."""
    return total / (count * 10**scale) if count else None


def finish_items(kind: Kind, value_type: str, scale: int, items: tuple[Item, ...]) -> Value:
    """Turn merged items into what is served: a value, of LAST_N a list, newest first; or None."""
    values = [_finish_scalar(value_type, scale, item.value) for item in items]
    if kind == "last_n":
        return values or None  # type: ignore[return-value]  # one carrier, so one type throughout
    return values[0] if values else None


def _finish_scalar(value_type: str, scale: int, value: Scalar) -> int | float | str | bool:
    return finish_integer(value_type, scale, value) if isinstance(value, int) else value


def is_fixed_point(value_type: str) -> bool:
    """Return whether sums of this type are kept as integers of a scale and served as floats."""
    return value_type == "DOUBLE" or value_type.startswith("DECIMAL")
