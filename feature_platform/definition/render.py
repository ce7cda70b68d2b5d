"""Writes a checked query as SQL for Flink and for Spark: one shape, the same for the same meaning.

Every identifier is quoted; comments, layout and names of inner queries are gone. So the text also
returns whether two definitions compute the same.
"""

from collections.abc import Sequence
from typing import Literal

from feature_platform.definition.expression import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    STRING,
    AggregateCall,
    Expression,
    InnerSelect,
    Op,
    Query,
)
from feature_platform.definition.functions import FUNCTIONS
from feature_platform.definition.literals import write_double
from feature_platform.definition.model import ColumnType, StoredColumn
from feature_platform.definition.ranges import (
    LOST,
    columns_of,
    lost_columns,
    lost_of_sum,
    may_leave_range,
)
from feature_platform.tiles.layout import is_beyond, is_high

Dialect = Literal["flink", "spark"]
HIDDEN = ("__ts", "__partition", "__offset")
_ORDER = ", ".join(f"`{name}`" for name in HIDDEN)
_STRENGTHS: dict[Op, int] = {
    "or": 1,
    "and": 2,
    "between": 2,
    "not": 3,
    **dict.fromkeys(("=", "<>", "<", "<=", ">", ">=", "in", "like", "is_null", "is_not_null"), 4),
    "+": 5,
    "-": 5,
    "*": 6,
    "negate": 7,
}
"""How closely operations hold together, for brackets; what is not here needs none."""
_ATOM = 8
_CHECKED: dict[Op, str] = {
    "+": "FP_ADD",
    "-": "FP_SUBTRACT",
    "*": "FP_MULTIPLY",
    "negate": "FP_NEGATE",
}
"""Arithmetic on BIGINT that may leave the range, where it gives NULL."""
_OWN = frozenset({"UPPER", "LOWER"})
"""Functions that are the kernel's, as engines have each their own."""
_AND = 1
"""Stronger than this needs no bracket in a chain of AND."""


def render_query(
    query: Query,
    columns: Sequence[tuple[StoredColumn, AggregateCall]],
    tile_ms: int,
    dialect: Dialect,
) -> str:
    """Write the whole query.

    Args:
        query: The checked query.
        columns: The partials it returns after `_events`, each with the aggregate it comes from.
        tile_ms: Length of the finest tile.
        dialect: For which engine.
    """
    entity = quote(query.entity)
    tile = f"{quote(HIDDEN[0])} - MOD({quote(HIDDEN[0])}, {tile_ms})"
    items = [
        f"CAST({entity} AS STRING) AS `__entity`",
        f"{tile} AS `__tile`",
        "COUNT(*) AS `_events`",
        *(
            f"{partial(column, call, dialect, query)} AS {quote(column.name)}"
            for column, call in columns
        ),
    ]
    lost = frozenset(
        name
        for column, call in columns
        if is_beyond(column.name) and call.argument is not None
        for name in columns_of(call.argument)
    )
    return "\n".join(
        [
            "SELECT",
            ",\n".join(f"  {item}" for item in items),
            row_source(query, dialect, lost),
            f"GROUP BY {entity}, {tile}",
        ]
    )


def row_source(query: Query, dialect: Dialect = "flink", lost: frozenset[str] = frozenset()) -> str:
    """Write FROM and WHERE of the outer SELECT: which rows all its aggregates see.

    Args:
        query: The checked query.
        dialect: For which engine.
        lost: Columns of which it must be known whether their value left the range.
    """
    known = f"{quote(query.entity)} IS NOT NULL"
    where = [known] if query.where is None else [_inner(query.where, dialect, _AND), known]
    return f"FROM {_origin(query.origin, dialect, lost)}\nWHERE {' AND '.join(where)}"


def partial(column: StoredColumn, call: AggregateCall, dialect: Dialect, query: Query) -> str:
    """Write the aggregate that computes one stored column."""
    aggregate = _aggregate(column, call, dialect, query)
    if call.filter is None:
        return aggregate
    return f"{aggregate} FILTER (WHERE {expression(call.filter, dialect)})"


def expression(node: Expression, dialect: Dialect) -> str:
    """Write a row-level expression.

    Engines compare infinity, not-a-number and negative zero each in its own way. Only arithmetic
    makes them of values that are none, so what it gives in the end is made one of those, or NULL.
    """
    text = _plain(node, dialect)
    return f"FP_FINITE({text})" if _may_leave_range(node) else text


def _may_leave_range(node: Expression) -> bool:
    return node.type == DOUBLE and node.op in _CHECKED


def _is_checked(node: Expression) -> bool:
    """Return whether an operation is a call of the kernel's, which gives NULL out of range."""
    return node.type == BIGINT and node.op in _CHECKED and may_leave_range(node)


def _plain(node: Expression, dialect: Dialect) -> str:  # noqa: PLR0911 - one case per operation
    """Write an expression as it was given."""
    args = node.args
    match node.op:
        case "column":
            return quote(node.value)
        case "literal":
            return _literal(node, dialect)
        case "null":
            return f"CAST(NULL AS {_type(node.type)})"
        case "cast":
            return f"CAST({expression(args[0], dialect)} AS {_type(node.type)})"
        case "case":
            return _case(args, dialect)
        case "function" | "fixed":
            return _function(node, dialect)
        case "not":
            return f"NOT {_inner(args[0], dialect)}"
        case "is_null" | "is_not_null":
            suffix = "IS NULL" if node.op == "is_null" else "IS NOT NULL"
            return f"{_inner(args[0], dialect)} {suffix}"
        case _:
            return _operation(node, dialect)


def quote(name: str) -> str:
    """Quote an identifier, which was checked to hold no backtick."""
    return f"`{name}`"


def _operation(node: Expression, dialect: Dialect) -> str:
    """Write what is between its operands; all but the first bind closer than it."""
    if _is_checked(node):
        return _call(_CHECKED[node.op], node.args, dialect)
    if _is_order_of_texts(node):
        return _order_of_texts(node, dialect)
    if node.op == "negate":
        return f"-{_inner(node.args[0], dialect, is_part=True)}"
    strength = _STRENGTHS[node.op]
    chain = node.op in {"+", "-", "*"}
    above = strength - 1 if chain else strength
    first = _inner(node.args[0], dialect, above, is_part=chain)
    others = [_inner(arg, dialect, strength, is_part=chain) for arg in node.args[1:]]
    match node.op:
        case "in":
            return f"{first} IN ({', '.join(others)})"
        case "between":
            return f"{first} BETWEEN {' AND '.join(others)}"
        case _:
            return f" {node.op.upper()} ".join([first, *others])


def _is_order_of_texts(node: Expression) -> bool:
    """Return whether texts are ordered; Flink orders computed ones differently from events'."""
    return node.op in {"<", "<=", ">", ">=", "between"} and node.args[0].type == STRING


def _order_of_texts(node: Expression, dialect: Dialect) -> str:
    if node.op != "between":
        return f"{_call('FP_COMPARE', node.args, dialect)} {node.op} 0"
    text, low, high = node.args
    above = _call("FP_COMPARE", (text, low), dialect)
    below = _call("FP_COMPARE", (text, high), dialect)
    return f"{above} >= 0 AND {below} <= 0"


def _inner(
    node: Expression, dialect: Dialect, above: int = _ATOM - 1, *, is_part: bool = False
) -> str:
    """Write an operand, in brackets unless it binds closer than what is around it.

    What leaves the range in a part of arithmetic leaves it in the whole.
    """
    if _may_leave_range(node) and not is_part:
        return expression(node, dialect)
    text = _plain(node, dialect)
    return text if _strength(node) > above else f"({text})"


def _strength(node: Expression) -> int:
    """Return how closely an expression's parts hold together."""
    if node.op == "literal" and node.value.startswith("-"):
        return _STRENGTHS["negate"]
    if _is_checked(node):
        return _ATOM
    if node.op == "between" and _is_order_of_texts(node):
        return _STRENGTHS["and"]
    if node.op == "function" and FUNCTIONS[node.value].infix:
        return _STRENGTHS["+"]
    return _STRENGTHS.get(node.op, _ATOM)


def _case(args: tuple[Expression, ...], dialect: Dialect) -> str:
    words = ["CASE"]
    for condition, value in zip(args[::2], args[1::2], strict=False):
        words.append(f"WHEN {expression(condition, dialect)} THEN {expression(value, dialect)}")
    if len(args) % 2:
        words.append(f"ELSE {expression(args[-1], dialect)}")
    return " ".join([*words, "END"])


def _function(node: Expression, dialect: Dialect) -> str:
    if node.op == "fixed":
        return f"FP_FIXED({expression(node.args[0], dialect)}, {node.value})"
    infix = FUNCTIONS[node.value].infix
    if infix:
        return infix.join(_inner(arg, dialect) for arg in node.args)
    is_own = node.value in _OWN or (node.type == BIGINT and may_leave_range(node))
    return _call(f"FP_{node.value}" if is_own else node.value, node.args, dialect)


def _call(name: str, args: tuple[Expression, ...], dialect: Dialect) -> str:
    return f"{name}({', '.join(expression(arg, dialect) for arg in args)})"


def _literal(node: Expression, dialect: Dialect) -> str:
    if node.type == DOUBLE:
        return write_double(node.value)
    if node.type != STRING:
        return node.value
    if dialect == "spark":
        escaped = node.value.replace("\\", "\\\\").replace("'", "\\'")
        return f"'{escaped}'"
    escaped = node.value.replace("'", "''")
    return f"'{escaped}'"


def _type(kind: ColumnType) -> str:
    """Return the type in the engines, where times are epoch milliseconds."""
    return "BIGINT" if kind.name == "TIMESTAMP" else str(kind)


def _origin(origin: InnerSelect | str, dialect: Dialect, lost: frozenset[str]) -> str:
    if isinstance(origin, str):
        return quote(origin)
    lines = render_rows(origin, dialect, lost).split("\n")
    return "\n".join(["(", *(f"  {line}" for line in lines), ")"])


def render_rows(rows: InnerSelect, dialect: Dialect, lost: frozenset[str] = frozenset()) -> str:
    """Write a SELECT that makes rows of rows; the hidden columns of events go through it.

    Args:
        rows: The SELECT.
        dialect: For which engine.
        lost: As for `row_source`.
    """
    items = [_item(name, value, dialect) for name, value in rows.columns]
    marked = lost_columns(rows, lost)
    items += [_item(f"{LOST}{name}", value, dialect) for name, value in marked.items()]
    inner = frozenset(
        column for name, value in rows.columns if name in lost for column in columns_of(value)
    )
    items += [quote(name) for name in HIDDEN]
    lines = ["SELECT", ",\n".join(f"  {item}" for item in items)]
    lines.append(f"FROM {_origin(rows.origin, dialect, inner)}")
    if rows.where is not None:
        lines.append(f"WHERE {expression(rows.where, dialect)}")
    return "\n".join(lines)


def _item(name: str, value: Expression, dialect: Dialect) -> str:
    text = expression(value, dialect)
    return text if text == quote(name) else f"{text} AS {quote(name)}"


def _aggregate(column: StoredColumn, call: AggregateCall, dialect: Dialect, query: Query) -> str:
    argument = call.argument
    if argument is None:
        return "COUNT(*)"
    if is_beyond(column.name):
        lost = lost_of_sum(call, column.scale, query)
        return f"COUNT(CASE WHEN {_shown(lost, dialect)} THEN 1 END)"
    if is_high(column.name):
        return f"SUM(FP_HIGH({_integer(argument, column, dialect)}))"
    match column.kind:
        case "count":
            return f"COUNT({_counted(argument, call, column, dialect)})"
        case "sum" | "min" | "max":
            return f"{column.kind.upper()}({_integer(argument, column, dialect)})"
        case _:
            return _positioned(argument, column, dialect)


def _shown(condition: Expression | None, dialect: Dialect) -> str:
    return "FALSE" if condition is None else expression(condition, dialect)


def _counted(
    argument: Expression, call: AggregateCall, column: StoredColumn, dialect: Dialect
) -> str:
    """Write what is counted: for a fixed-point AVG just the values that its sum takes in."""
    if call.aggregate == "avg" and argument.type.name in {"DOUBLE", "DECIMAL"}:
        return _integer(argument, column, dialect)
    return expression(argument, dialect)


def _positioned(argument: Expression, column: StoredColumn, dialect: Dialect) -> str:
    """Write FIRST, LAST or LAST_N, which order by the hidden columns."""
    as_is = column.carrier != "int"
    value = expression(argument, dialect) if as_is else _integer(argument, column, dialect)
    n = f"{column.n}, " if column.kind == "last_n" else ""
    return f"FP_{column.kind.upper()}_{column.carrier.upper()}({value}, {n}{_ORDER})"


def _integer(argument: Expression, column: StoredColumn, dialect: Dialect) -> str:
    """Write a value as the BIGINT that is kept of it."""
    text = expression(argument, dialect)
    if argument.type == BOOLEAN:
        inner = _inner(argument, dialect)
        return f"CAST(CASE WHEN {text} THEN 1 WHEN NOT {inner} THEN 0 END AS BIGINT)"
    if argument.type == DOUBLE and column.kind in {"min", "max"}:
        return f"FP_SORTABLE({text})"
    if argument.type.name in {"DOUBLE", "DECIMAL"}:
        return f"FP_FIXED({text}, {column.scale})"
    return text if _type(argument.type) == BIGINT.name else f"CAST({text} AS BIGINT)"
