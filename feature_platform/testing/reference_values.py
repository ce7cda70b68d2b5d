"""What the reference's aggregates take of a row, and what they make of all that they take."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlglot import exp

from feature_platform.definition.model import StoredColumn
from feature_platform.rows.partials import Item, Partial, Scalar, to_sortable, wrap
from feature_platform.testing.expressions import evaluate, is_lost, is_true
from feature_platform.testing.reference_events import Accepted, ColumnValue, fixed_point
from feature_platform.tiles.size import TEXT_BYTES_MAX

Order = tuple[int, int, int]
"""Time, partition and offset of an event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """An aggregate as it is written."""

    argument: exp.Expr
    star: bool
    condition: exp.Expr | None


def call_of(node: exp.Expr) -> Call:
    """Read an aggregate of the outer SELECT."""
    condition = None
    if isinstance(node, exp.Filter):
        node, condition = node.this, node.expression.this
    argument = node.expressions[0]
    return Call(argument=argument, star=isinstance(argument, exp.Star), condition=condition)


def aggregated(column: StoredColumn, entries: Sequence[tuple[Order, Scalar]]) -> Partial:
    """Return the partial of what a stored column takes."""
    values = [value for _, value in entries]
    match column.kind:
        case "count":
            return len(values)
        case "sum":
            return wrap(sum(map(int, values)))
        case "min":
            return min(map(int, values), default=None)
        case "max":
            return max(map(int, values), default=None)
        case "first" | "last" | "last_n":
            newest_first = sorted(entries, reverse=True, key=lambda entry: entry[0])
            items = tuple(Item(*order, value) for order, value in newest_first)
            kept = {"first": items[-1:], "last": items[:1], "last_n": items[: column.n]}
            return kept[column.kind]


def taken(column: StoredColumn, call: Call, row: Accepted) -> Scalar | None:
    """Return what a stored column takes of a row; None if nothing."""
    if not is_true(call.condition, row.columns):
        return None
    value = 1 if call.star else evaluate(call.argument, row.columns)
    if column.name.endswith("#beyond"):
        unheld = value is not None and _addend(column, value) is None
        return 1 if unheld or is_lost(call.argument, row.columns) else None
    return None if value is None else _taken(column, value)


def _taken(column: StoredColumn, value: ColumnValue) -> Scalar | None:
    """Return what a stored column takes of a value; None if nothing."""
    match column.kind:
        case "count":
            return None if _addend(column, value) is None else 1
        case "sum":
            addend = _addend(column, value)
            if addend is not None and column.name.endswith("#high"):
                return (addend + 2**31) // 2**32
            return addend
        case "min" | "max":
            return _comparable(column, value)
        case "first" | "last" | "last_n":
            return _carried(column, value)


def _addend(column: StoredColumn, value: ColumnValue) -> int | None:
    """Return what a value adds; None for a fixed-point one that BIGINT does not hold."""
    if column.value_type.name not in ("DOUBLE", "DECIMAL"):
        return int(value or 0) if column.kind == "sum" else 1
    return fixed_point(_double_or_decimal(column, value), column.scale)


def _double_or_decimal(column: StoredColumn, value: ColumnValue) -> float | Decimal:
    if column.value_type.name == "DECIMAL":
        return Decimal(str(value))
    return float(value or 0)


def _comparable(column: StoredColumn, value: ColumnValue) -> int:
    if column.value_type.name == "DOUBLE":
        return to_sortable(float(value or 0))
    return int(_carried(column, value))


def _carried(column: StoredColumn, value: ColumnValue) -> Scalar:
    match column.carrier:
        case "text":
            return _first_characters(str(value))
        case "real":
            return float(value or 0)
        case "int" if column.value_type.name == "DECIMAL":
            return int(Decimal(str(value)).scaleb(column.scale))
        case "int":
            return int(value or 0)


def _first_characters(text: str) -> str:
    """Return the longest beginning of a text that is within the limit."""
    kept = 0
    for length, character in enumerate(text):
        kept += len(character.encode())
        if kept > TEXT_BYTES_MAX:
            return text[:length]
    return text
