"""Checks the aggregates of the outer SELECT, and which partials each keeps."""
# `return refuse(...)` reports the mistake and gives None.
# mypy: disable-error-code="func-returns-value"

from sqlglot import exp

from feature_platform.definition.expression import (
    BIGINT,
    STRING,
    AggregateCall,
    Expression,
)
from feature_platform.definition.expressions import ALLOWED, Checker
from feature_platform.definition.functions import AGGREGATES, FUNCTIONS
from feature_platform.definition.model import Aggregate, ColumnType
from feature_platform.definition.refusals import refused_call, refused_operation
from feature_platform.definition.sql_text import SqlText
from feature_platform.tiles.layout import Carrier
from feature_platform.words import counted

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
    "DISTINCT is not supported; count rows with COUNT(*) FILTER (WHERE ...), or use LAST_N(x, n)"
)
_OVER_AGGREGATES = (
    "expressions over aggregates are not supported: name each aggregate, and compute where the "
    "features are read"
)
_RATIO = (
    "ratios of aggregates are not supported: name each aggregate, such as likes and views, and "
    "divide where the features are read"
)


def holds_aggregate(node: exp.Expr) -> bool:
    """Return whether an aggregate is called anywhere in an expression."""
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
        sql: Collects mistakes.
        checker: Checks what is inside the aggregate.
        node: The item without its name.
        name: Its name.
    """
    call, condition = node, None
    if isinstance(node, exp.Filter):
        call, condition = node.this, node.expression.this
    if not isinstance(call, exp.Anonymous) or _name(call) not in AGGREGATES:
        return sql.refuse(node, _refusal(sql, node, name))
    kind = _KINDS[_name(call)]
    filter_ = None
    if condition is not None:
        if holds_aggregate(condition):
            return sql.refuse(
                condition, "FILTER applies to single rows and cannot contain an aggregate"
            )
        filter_ = checker.condition(condition)
    parts = _arguments(sql, checker, call, kind)
    if parts is None or (condition is not None and filter_ is None):
        return None
    argument, n = parts
    return AggregateCall(
        name=name,
        aggregate=kind,
        argument=argument,
        n=n,
        filter=filter_,
        spot=sql.spot(node),
        filter_text=condition.sql(comments=False) if condition else "",
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


def _refusal(sql: SqlText, node: exp.Expr, name: str) -> str:
    """Return why an item of the outer SELECT is not an aggregate."""
    if isinstance(node, exp.Filter | exp.WithinGroup):
        return _refusal(sql, node.this, name)
    if holds_aggregate(node):
        known = isinstance(node, exp.Window | exp.IgnoreNulls | exp.RespectNulls)
        return refused_operation(node) if known else _over_aggregates(node)
    if isinstance(node, exp.Anonymous) and _name(node) not in FUNCTIONS:
        return refused_call(_name(node))
    if isinstance(node, exp.Literal | exp.Boolean | exp.Null):
        return "a constant is the same for every entity; remove it"
    if type(node) in ALLOWED:
        value = node.name if isinstance(node, exp.Column) else "..."
        return f"this is not an aggregate; write LAST_VALUE({value}) AS {name}"
    return refused_operation(node, sql.called(node))


def _over_aggregates(node: exp.Expr) -> str:
    """Return what to write instead of an expression over aggregates."""
    ratio = node.find(exp.Div, exp.IntDiv)
    if ratio is None:
        return _OVER_AGGREGATES
    over, under = ratio.this.unnest(), ratio.expression.unnest()
    if (_name(over), _name(under)) != ("SUM", "COUNT") or len(over.expressions) != 1:
        return _RATIO
    summed = over.expressions[0].sql()
    return f"{_RATIO}; AVG({summed}) is SUM({summed}) / COUNT({summed})"


def _arguments(
    sql: SqlText, checker: Checker, call: exp.Anonymous, kind: Aggregate
) -> tuple[Expression | None, int] | None:
    """Return what is aggregated (None for the rows themselves) and how many values are kept."""
    nodes = call.expressions
    if kind == "count" and len(nodes) == 1 and isinstance(nodes[0], exp.Star):
        return None, 0
    problem = _misused(call, 2 if kind == "last_n" else 1)
    if problem:
        return sql.refuse(call, problem)
    argument = checker.value(nodes[0])
    n = _count_kept(sql, nodes[1]) if kind == "last_n" else 0
    if argument is None or n is None:
        return None
    problem = _unfit(kind, argument)
    if problem:
        return sql.refuse(call, f"{_name(call)}: {problem}")
    return argument, n


def _misused(call: exp.Anonymous, arguments: int) -> str:
    """Return what is wrong with the form of a call, or nothing."""
    name, nodes = _name(call), call.expressions
    if any(isinstance(node, exp.Distinct) for node in nodes):
        return f"{name}(DISTINCT ...): {_DISTINCT}"
    if len(nodes) != arguments:
        return (
            f"{name} takes {counted(arguments, 'argument')}, got {len(nodes)}; for example "
            f"{AGGREGATES[name]}"
        )
    if any(holds_aggregate(node) for node in nodes):
        return "aggregates cannot be nested; aggregate once"
    return ""


def _count_kept(sql: SqlText, node: exp.Expr) -> int | None:
    is_number = isinstance(node, exp.Literal) and node.this.isdecimal() and not node.is_string
    if is_number and len(node.this) <= len(str(LAST_N_MAX)) and 1 <= int(node.this) <= LAST_N_MAX:
        return int(node.this)
    msg = (
        f"the second argument of LAST_N must be a constant from 1 to {LAST_N_MAX}, such as "
        "LAST_N(x, 100)"
    )
    return sql.refuse(node, msg)


def _unfit(kind: Aggregate, argument: Expression) -> str:
    """Return why an aggregate does not take this argument, or nothing."""
    name = argument.type.name
    literal = argument.args[0] if argument.op == "cast" else argument
    if literal.op == "literal":
        return "a constant is the same in every row; write COUNT(*)"
    if kind in SUMMED and name not in {"BIGINT", "INT", "DOUBLE", "DECIMAL"}:
        return f"it accepts numbers, not {name}; to count rows write COUNT(*) FILTER (WHERE ...)"
    if kind in {"min", "max"} and argument.type == STRING:
        return "STRING is not supported, as engines order strings differently; write LAST_VALUE(x)"
    if kind in {"min", "max"} and name == "BOOLEAN":
        return "BOOLEAN is not supported; write COUNT(*) FILTER (WHERE x)"
    return ""


def _name(call: exp.Expr) -> str:
    return str(call.this).upper() if isinstance(call, exp.Anonymous) else ""
