"""Checks the aggregates of the outer SELECT, and which partials each keeps."""
# mypy: disable-error-code="func-returns-value"  (`return refuse(...)`: tell the mistake, give None)

from sqlglot import exp

from feature_platform.definition.expression import (
    BIGINT,
    STRING,
    AggregateCall,
    Expression,
)
from feature_platform.definition.expressions import Checker
from feature_platform.definition.functions import AGGREGATES, FUNCTIONS, REFUSED
from feature_platform.definition.model import Aggregate, ColumnType
from feature_platform.definition.sql_text import SqlText
from feature_platform.tiles.layout import Carrier

LAST_N_MAX = 1_000
PROPERTIES: frozenset[Aggregate] = frozenset({"first", "last", "last_n"})
SUMMED: frozenset[Aggregate] = frozenset({"sum", "avg"})
FIXED_POINT = frozenset({"DOUBLE", "DECIMAL"})
_KINDS: dict[str, Aggregate] = {
    "COUNT": "count",
    "SUM": "sum",
    "AVG": "avg",
    "MIN": "min",
    "MAX": "max",
    "FIRST_VALUE": "first",
    "LAST_VALUE": "last",
    "LAST_N": "last_n",
}
_DISTINCT = (
    "counting or summing DISTINCT values is not available yet; count rows with "
    "COUNT(*) FILTER (WHERE ...), or keep LAST_N(x, n)"
)
_OVER_AGGREGATES = (
    "an expression over aggregates is refused: give each aggregate its own column, and compute "
    "where the features are read (AVG(x) is SUM(x) / COUNT(x))"
)


def holds_aggregate(node: exp.Expr) -> bool:
    """Tell whether an aggregate is called anywhere in an expression."""
    return any(_name(call) in AGGREGATES for call in node.find_all(exp.Anonymous))


def suggest_name(node: exp.Expr) -> str:
    """Return a name to give an aggregate that has none."""
    call = node.find(exp.Anonymous)
    column = node.find(exp.Column)
    words = [_name(call).lower() if call else "", column.name.lower() if column else ""]
    return "_".join(word for word in words if word) or "events"


def aggregate_call(
    sql: SqlText, checker: Checker, node: exp.Expr, name: str
) -> AggregateCall | None:
    """Check one item of the outer SELECT.

    Args:
        sql: Told about mistakes.
        checker: Checks what stands inside the aggregate.
        node: The item without its name.
        name: Its name.
    """
    call, condition = node, None
    if isinstance(node, exp.Filter):
        call, condition = node.this, node.expression.this
    if not isinstance(call, exp.Anonymous) or _name(call) not in AGGREGATES:
        return _refuse(sql, checker, node, name)
    kind = _KINDS[_name(call)]
    filter_ = None
    if condition is not None:
        if holds_aggregate(condition):
            return sql.refuse(
                condition, "FILTER looks at single rows, no aggregate may stand in it"
            )
        filter_ = checker.condition(condition)
    parts = _arguments(sql, checker, call, kind)
    if parts is None or (condition is not None and filter_ is None):
        return None
    argument, n = parts
    return AggregateCall(
        name=name, aggregate=kind, argument=argument, n=n, filter=filter_, spot=sql.spot(node)
    )


def carrier_of(kind: Aggregate, value_type: ColumnType) -> Carrier:
    """Return how a partial's value is carried; sums are integers, fixed-point ones too."""
    if kind in SUMMED or kind == "count":
        return "int"
    carriers: dict[str, Carrier] = {"DOUBLE": "real", "STRING": "text"}
    return carriers.get(value_type.name, "int")


def value_type_of(call: AggregateCall) -> ColumnType:
    """Return the type of what is aggregated; counts are BIGINT."""
    if call.argument is None or call.aggregate == "count":
        return BIGINT
    return call.argument.type


def _refuse(sql: SqlText, checker: Checker, node: exp.Expr, name: str) -> None:
    if isinstance(node, exp.Window):
        return sql.refuse(node, "OVER is refused: windows are asked for under `features:`")
    if isinstance(node, exp.IgnoreNulls | exp.RespectNulls):
        return sql.refuse(node, "leave IGNORE NULLS out: every aggregate ignores NULL")
    if isinstance(node, exp.WithinGroup | exp.Anonymous | exp.Func | exp.Column) or isinstance(
        node, exp.Filter
    ):
        inner = node.this if isinstance(node, exp.Filter | exp.WithinGroup) else node
        if isinstance(inner, exp.Column):
            msg = f"`{inner.name}` is not aggregated; write LAST_VALUE({inner.name}) AS {name}"
            return sql.refuse(node, msg)
        if not holds_aggregate(inner) and _name(inner) not in FUNCTIONS:
            checker.check(inner)
            return None
    if holds_aggregate(node):
        return sql.refuse(node, _OVER_AGGREGATES)
    if isinstance(node, exp.Literal | exp.Boolean | exp.Null):
        return sql.refuse(node, "a constant is no feature; remove it")
    reason = REFUSED["/"] if isinstance(node, exp.Div) else ""
    return sql.refuse(node, reason or f"this is not an aggregate; write LAST_VALUE(...) AS {name}")


def _arguments(
    sql: SqlText, checker: Checker, call: exp.Anonymous, kind: Aggregate
) -> tuple[Expression | None, int] | None:
    nodes = call.expressions
    example = AGGREGATES[_name(call)]
    if any(isinstance(node, exp.Distinct) for node in nodes):
        return sql.refuse(call, f"{_name(call)}(DISTINCT ...): {_DISTINCT}")
    if kind == "count" and len(nodes) == 1 and isinstance(nodes[0], exp.Star):
        return None, 0
    if len(nodes) != (2 if kind == "last_n" else 1):
        return sql.refuse(
            call, f"{_name(call)} has {len(nodes)} arguments; write it like {example}"
        )
    if any(holds_aggregate(node) for node in nodes):
        return sql.refuse(call, "an aggregate may not stand in another; aggregate once")
    argument = checker.value(nodes[0])
    n = _count_kept(sql, nodes[1]) if kind == "last_n" else 0
    if argument is None or n is None:
        return None
    problem = _unfit(kind, argument)
    if problem:
        return sql.refuse(call, f"{_name(call)}: {problem}")
    return argument, n


def _count_kept(sql: SqlText, node: exp.Expr) -> int | None:
    if isinstance(node, exp.Literal) and node.this.isdecimal() and not node.is_string:
        n = int(node.this)
        if 1 <= n <= LAST_N_MAX:
            return n
    msg = f"LAST_N keeps a constant number of values from 1 to {LAST_N_MAX}, such as LAST_N(x, 100)"
    return sql.refuse(node, msg)


def _unfit(kind: Aggregate, argument: Expression) -> str:
    """Return why an aggregate does not take this argument, or nothing."""
    name = argument.type.name
    literal = argument.args[0] if argument.op == "cast" else argument
    if literal.op == "literal":
        return "a constant is the same in every row; write COUNT(*)"
    if kind in SUMMED and name not in {"BIGINT", "INT", "DOUBLE", "DECIMAL"}:
        return f"it takes numbers, not {name}; to count rows write COUNT(*) FILTER (WHERE ...)"
    if kind in {"min", "max"} and argument.type == STRING:
        return "of STRING is refused, engines order texts differently; write LAST_VALUE(x)"
    if kind in {"min", "max"} and name == "BOOLEAN":
        return "of BOOLEAN is refused; write COUNT(*) FILTER (WHERE x)"
    return ""


def _name(call: exp.Expr) -> str:
    return str(call.this).upper() if isinstance(call, exp.Anonymous) else ""
