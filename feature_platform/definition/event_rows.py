"""A definition's query over single events: whether each aggregate takes an event, and what of it.

A feature's aggregate says nothing of an event by itself. So each SELECT keeps all rows, and says in
`COUNTED` whether the WHEREs so far let them through; FILTERs and operands become columns. Equal
ones are there once.
"""

import re
from collections.abc import Iterator

from feature_platform.definition.expression import (
    BOOLEAN,
    DOUBLE,
    STRING,
    AggregateCall,
    Expression,
    InnerSelect,
    Query,
)
from feature_platform.definition.model import ColumnType
from feature_platform.definition.operands import COUNTED, Compared, EventRows, Taken
from feature_platform.definition.render import expression, render_rows

_QUOTES = re.compile(r"'(?:[^']|'')*'|(`|\bFP_)")
_TRUE = Expression(op="literal", type=BOOLEAN, value="TRUE")
_FALSE = Expression(op="literal", type=BOOLEAN, value="FALSE")


def event_rows(query: Query) -> EventRows:
    """Return the query over single events.

    Args:
        query: The checked query.
    """
    levels = _Levels()
    origin = levels.flagged(query.origin)
    columns = _Columns(levels.let_through(query.origin, query.where))
    taken = tuple(columns.taken(call) for call in query.calls)
    level = levels.columns(query.origin, query.where)
    rows = InnerSelect(origin=origin, columns=(*level, *columns.found), where=None)
    return EventRows(sql=render_rows(rows, "spark"), taken=taken, compared=tuple(levels.compared))


class _Levels:
    """Turns WHEREs into columns, from the innermost SELECT outwards (mutable: counts texts)."""

    def __init__(self) -> None:
        self.compared: list[Compared] = []

    def flagged(self, origin: InnerSelect | str) -> InnerSelect | str:
        """Return an inner SELECT that leaves out no row."""
        if isinstance(origin, str):
            return origin
        inner = self.flagged(origin.origin)
        more = self.columns(origin.origin, origin.where)
        return InnerSelect(origin=inner, columns=(*origin.columns, *more), where=None)

    def columns(
        self, origin: InnerSelect | str, where: Expression | None
    ) -> tuple[tuple[str, Expression], ...]:
        """Return the flag after a WHERE, and the texts that it and those before it compare."""
        carried = [(each.column, _column(each.column, STRING)) for each in self.compared]
        for text, literals in comparisons(where):
            name = f"__w{len(self.compared)}"
            compared = Compared(name=shown(text), column=name, literals=literals)
            self.compared.append(compared)
            carried.append((name, text))
        return ((COUNTED, _flag(self.let_through(origin, where))), *carried)

    def let_through(
        self, origin: InnerSelect | str, where: Expression | None
    ) -> tuple[Expression, ...]:
        """Return the conditions under which a WHERE and those before it let a row through."""
        before = (_column(COUNTED, BOOLEAN),) if isinstance(origin, InnerSelect) else ()
        return before if where is None else (*before, where)


class _Columns:
    """The columns of the outermost SELECT (mutable); each expression has one."""

    def __init__(self, let_through: tuple[Expression, ...]) -> None:
        self._let_through = let_through
        self._names: dict[Expression, str] = {}

    @property
    def found(self) -> list[tuple[str, Expression]]:
        """Names and expressions."""
        return [(name, value) for value, name in self._names.items()]

    def taken(self, call: AggregateCall) -> Taken:
        """Return what a feature takes."""
        compared = [
            Compared(name=shown(text), column=self._named(text), literals=literals)
            for text, literals in comparisons(call.filter)
        ]
        filtered = call.filter and self._named(_flag((*self._let_through, call.filter)))
        return Taken(
            feature=call.name,
            matched=filtered or COUNTED,
            operand=self._named(_measured(call.argument)) if call.argument else "",
            filter=call.filter_text,
            compared=tuple(compared),
        )

    def _named(self, value: Expression) -> str:
        return self._names.setdefault(value, f"__v{len(self._names)}")


def _column(name: str, type_: ColumnType) -> Expression:
    return Expression(op="column", type=type_, value=name)


def _flag(conditions: tuple[Expression, ...]) -> Expression:
    """Return whether conditions are all true: NULL is not."""
    if not conditions:
        return _TRUE
    whole = conditions[0]
    if len(conditions) > 1:
        whole = Expression(op="and", type=BOOLEAN, args=conditions)
    return Expression(op="case", type=BOOLEAN, args=(whole, _TRUE, _FALSE))


def _measured(operand: Expression) -> Expression:
    """Return an operand as it is measured: a DECIMAL as a real, which sketches take."""
    if operand.type.name != "DECIMAL":
        return operand
    return Expression(op="cast", type=DOUBLE, args=(operand,))


def comparisons(condition: Expression | None) -> Iterator[tuple[Expression, tuple[str, ...]]]:
    """Yield the texts in a condition that are compared with constants, each with these."""
    if condition is None:
        return
    for node in condition.args:
        yield from comparisons(node)
    if condition.op not in {"=", "in"}:
        return
    args = condition.args
    text, others = args[0], args[1:]
    if condition.op == "=" and text.op == "literal":
        text, others = args[1], args[:1]
    known = all(each.op == "literal" for each in others)
    if text.type == STRING and text.op != "literal" and known:
        yield text, tuple(each.value for each in others)


def shown(node: Expression) -> str:
    """Write an expression for people: names without quotes, functions as in a definition."""
    return _QUOTES.sub(lambda found: "" if found[1] else found[0], expression(node, "flink"))
