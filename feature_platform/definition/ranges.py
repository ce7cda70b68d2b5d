"""How large the numbers of an expression may be, and where exact arithmetic may not hold them.

BIGINT and DOUBLE arithmetic that leaves the range gives NULL. A sum must not pass over such a value
in silence: `lost` says, as an expression of its own, in which rows there is one.
"""

from collections.abc import Iterator
from math import inf

from feature_platform.definition.expression import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    AggregateCall,
    Expression,
    InnerSelect,
    Op,
    Query,
)

LONG_MAX = 2**63 - 1
LONG_DIGITS = 18
"""How many digits any BIGINT has room for."""
_INT_MAX = 2**31
_HALF_MAX = 2**31
"""Four billion values up to here add up to a BIGINT, without a high half."""
_ARITHMETIC: frozenset[Op] = frozenset({"+", "-", "*", "negate"})
LOST = "__lost_"
"""Before the name of an inner column: whether its value left the range in this row."""


def magnitude(node: Expression) -> float:
    """Return what no value of a number is larger than, sign aside; inf where nobody knows."""
    args = [magnitude(arg) for arg in _values(node)]
    match node.op:
        case "function" if node.value == "MOD":
            return magnitude(node.args[1])
        case "literal":
            return abs(float(node.value))
        case "+" | "-":
            return min(sum(args), _held(node))
        case "*":
            return min(args[0] * args[1] if 0 not in args else 0.0, _held(node))
        case "case" | "cast" | "negate" | "function" if args:
            return min(max(args), _held(node))
        case _:
            return _held(node)


def _held(node: Expression) -> float:
    kind = node.type
    if kind.name == "DECIMAL":
        return float(10 ** (kind.precision - kind.scale))
    return {"BIGINT": 2.0**63, "TIMESTAMP": 2.0**63, "INT": float(_INT_MAX)}.get(kind.name, inf)


def _values(node: Expression) -> tuple[Expression, ...]:
    """Return the numbers that an expression's own is made of, or one of."""
    if node.op == "case":
        return (*node.args[1::2], *(node.args[-1:] if len(node.args) % 2 else ()))
    if node.op == "function" and node.value in {"MOD", "NULLIF"}:
        return node.args[:1]
    numbers = {"BIGINT", "INT", "DOUBLE", "DECIMAL", "TIMESTAMP"}
    if node.op == "function" and node.type.name not in {"BIGINT", "DOUBLE", "DECIMAL"}:
        return ()
    known = node.op in _ARITHMETIC or node.op in {"cast", "function"}
    return tuple(arg for arg in node.args if known and arg.type.name in numbers)


def may_leave_range(node: Expression) -> bool:
    """Return whether arithmetic on values in range may give one that is not."""
    is_abs = node.op == "function" and node.value == "ABS"
    if node.op not in _ARITHMETIC and not is_abs:
        return False
    if node.type == DOUBLE:
        return not is_abs
    args = [magnitude(arg) for arg in node.args]
    return (args[0] * args[1] if node.op == "*" else sum(args)) > LONG_MAX


def needs_high(argument: Expression, scale: int) -> bool:
    """Return whether a summed integer may have a high half."""
    return magnitude(argument) * 10.0**scale > _HALF_MAX


def fits_sum(argument: Expression, scale: int) -> bool:
    """Return whether every value of the type has an int64 at a scale."""
    return magnitude(argument) * 10.0**scale < LONG_MAX


def source_column(call: AggregateCall, query: Query) -> str | None:
    """Return the column of the source whose every value an aggregate takes; None if there is none.

    It is passed on unchanged, and no condition picks some of the rows.
    """
    argument, origin = call.argument, query.origin
    conditions = [call.filter, query.where]
    while argument is not None and argument.op == "column" and isinstance(origin, InnerSelect):
        conditions.append(origin.where)
        argument, origin = dict(origin.columns)[argument.value], origin.origin
    if argument is None or argument.op != "column" or any(conditions):
        return None
    return argument.value


def lost_of_sum(call: AggregateCall, scale: int, query: Query) -> Expression | None:
    """Return the condition that a row has a value which its SUM or AVG cannot hold.

    None where that cannot be: the type is small enough, or the intake refuses such events.
    """
    argument, origin = call.argument, query.origin
    if argument is None:
        return None
    if argument.type.name not in {"DOUBLE", "DECIMAL"}:
        return lost(argument, origin)
    safe = fits_sum(argument, scale) or source_column(call, query) is not None
    if safe:
        return lost(argument, origin)
    kept = Expression(op="fixed", type=BIGINT, args=(argument,), value=str(scale))
    parts = list(_leaves(argument))
    return _any([_vanished(kept, parts), *(lost(part, origin) for part in parts)])


def lost(node: Expression, origin: InnerSelect | str) -> Expression | None:
    """Return the condition that arithmetic in an expression left the range; None if it cannot."""
    if node.op == "column":
        return _of_inner(node, origin)
    if node.op == "case":
        return _lost_branch(node, origin)
    if node.op == "function" and node.value == "COALESCE":
        return _lost_choice(node.args, origin)
    parts = list(_leaves(node)) if may_leave_range(node) else list(_values(node))
    found = [lost(part, origin) for part in parts]
    return _any([_vanished(node, parts) if may_leave_range(node) else None, *found])


def lost_columns(rows: InnerSelect, names: frozenset[str]) -> dict[str, Expression]:
    """Return which of some columns of an inner SELECT may be lost, each with its condition."""
    found = {name: lost(value, rows.origin) for name, value in rows.columns if name in names}
    return {name: condition for name, condition in found.items() if condition is not None}


def columns_of(node: Expression) -> Iterator[str]:
    """Yield the columns that an expression reads."""
    if node.op == "column":
        yield node.value
    for arg in node.args:
        yield from columns_of(arg)


def _leaves(node: Expression) -> Iterator[Expression]:
    """Yield what a chain of arithmetic begins with."""
    is_chain = node.op in _ARITHMETIC or (node.op, node.value) == ("function", "ABS")
    if not is_chain and not (node.op == "cast" and node.type.name in {"BIGINT", "DOUBLE"}):
        yield node
        return
    for arg in node.args:
        yield from _leaves(arg)


def _vanished(result: Expression, parts: list[Expression]) -> Expression:
    """Return the condition that there is no result although there is all it is made of."""
    known = [
        Expression(op="is_not_null", type=BOOLEAN, args=(part,))
        for part in parts
        if part.op != "literal"
    ]
    none = Expression(op="is_null", type=BOOLEAN, args=(result,))
    return Expression(op="and", type=BOOLEAN, args=(none, *dict.fromkeys(known)))


def _of_inner(node: Expression, origin: InnerSelect | str) -> Expression | None:
    if isinstance(origin, str) or not lost_columns(origin, frozenset({node.value})):
        return None
    return Expression(op="column", type=BOOLEAN, value=f"{LOST}{node.value}")


def _lost_branch(node: Expression, origin: InnerSelect | str) -> Expression | None:
    conditions, values = node.args[: len(node.args) // 2 * 2 : 2], _values(node)
    found = [lost(value, origin) for value in values]
    if not any(found):
        return None
    no = Expression(op="literal", type=BOOLEAN, value="FALSE")
    args: list[Expression] = []
    for condition, value in zip(conditions, found, strict=False):
        args += [condition, value or no]
    args.append(found[-1] or no if len(values) > len(conditions) else no)
    return Expression(op="case", type=BOOLEAN, args=tuple(args))


def _lost_choice(args: tuple[Expression, ...], origin: InnerSelect | str) -> Expression | None:
    """Of COALESCE: one that was lost would have been taken, had it been there."""
    found: list[Expression | None] = []
    for place, arg in enumerate(args):
        condition = lost(arg, origin)
        before = [Expression(op="is_null", type=BOOLEAN, args=(each,)) for each in args[:place]]
        if condition is not None and before:
            condition = Expression(op="and", type=BOOLEAN, args=(*before, condition))
        found.append(condition)
    return _any(found)


def _any(conditions: list[Expression | None]) -> Expression | None:
    found = list(dict.fromkeys(condition for condition in conditions if condition is not None))
    if len(found) < 2:  # noqa: PLR2004 - nothing to join
        return found[0] if found else None
    return Expression(op="or", type=BOOLEAN, args=tuple(found))
