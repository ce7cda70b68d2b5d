"""Writes the aggregates of labels as SQL for Spark, the one engine that computes them. Pure.

Whatever order rows come in, the result is the same: integers are added up exactly, doubles in
ascending order, and the first and the last are those of time, partition and offset.
"""

from feature_platform.definition.expression import DOUBLE, AggregateCall, Expression
from feature_platform.definition.model import ColumnType
from feature_platform.definition.render import HIDDEN, expression, quote

HIT = f"{quote(HIDDEN[0])} IS NOT NULL"
"""A row that met no event is joined with nulls."""
_ORDER = f"STRUCT({', '.join(quote(name) for name in HIDDEN)})"
DECIMAL_DIGITS = 38
"""Of decimals in labels: as many as Spark has."""


def aggregate(call: AggregateCall) -> str:
    """Write one aggregate over the events of a row."""
    argument = call.argument
    conditions = [HIT]
    if call.filter is not None:
        conditions.append(f"({expression(call.filter, 'spark')})")
    if argument is None:
        return f"COUNT(*) {_filter(conditions)}"
    text = expression(argument, "spark")
    match call.aggregate:
        case "count":
            return f"COUNT({text}) {_filter(conditions)}"
        case "sum":
            return _sum(text, argument.type, _filter(conditions))
        case "avg":
            chosen = _filter(conditions)
            total = _sum(text, argument.type, chosen, whole=False)
            return f"CAST({total} AS DOUBLE) / NULLIF(COUNT({text}) {chosen}, 0)"
        case "first" | "last":
            name = "MIN_BY" if call.aggregate == "first" else "MAX_BY"
            chosen = _filter([*conditions, f"({text}) IS NOT NULL"])
            return f"{name}({text}, {_ORDER}) {chosen}"
        case _:
            return f"{call.aggregate.upper()}({text}) {_filter(conditions)}"


def value(checked: Expression) -> str:
    """Write a label over aggregates, in the type that its column has."""
    text = expression(checked, "spark")
    return f"CAST({text} AS {_column_type(checked.type)})"


def _filter(conditions: list[str]) -> str:
    return f"FILTER (WHERE {' AND '.join(conditions)})"


def _sum(text: str, kind: ColumnType, chosen: str, *, whole: bool = True) -> str:
    """Write a sum, of nothing 0; one of integers that is beyond 64 bits is NULL."""
    if kind == DOUBLE:
        ascending = f"ARRAY_SORT(COLLECT_LIST({text}) {chosen})"
        return f"FP_FINITE(AGGREGATE({ascending}, 0D, (sum, each) -> sum + each))"
    if kind.name == "DECIMAL":
        decimal = f"DECIMAL({DECIMAL_DIGITS}, {kind.scale})"
        return f"COALESCE(CAST(SUM({text}) {chosen} AS {decimal}), CAST(0 AS {decimal}))"
    exact = f"SUM(CAST({text} AS DECIMAL({DECIMAL_DIGITS}, 0))) {chosen}"
    return f"TRY_CAST(COALESCE({exact}, 0) AS BIGINT)" if whole else f"COALESCE({exact}, 0)"


def _column_type(kind: ColumnType) -> str:
    match kind.name:
        case "BIGINT" | "INT" | "TIMESTAMP":
            return "BIGINT"
        case "DECIMAL":
            return f"DECIMAL({DECIMAL_DIGITS}, {kind.scale})"
        case _:
            return kind.name
