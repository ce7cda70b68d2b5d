"""Checks row-level expressions: columns exist, functions are allowed, types fit in both engines."""
# `return refuse(...)` reports the mistake and gives None.
# mypy: disable-error-code="func-returns-value"

from collections.abc import Callable
from typing import ClassVar

from sqlglot import exp

from feature_platform.definition import coerce
from feature_platform.definition.calls import apply_function
from feature_platform.definition.expression import (
    BOOLEAN,
    STRING,
    TIMESTAMP,
    Expression,
    Op,
)
from feature_platform.definition.functions import FUNCTIONS
from feature_platform.definition.literals import read_literal, timestamp_literal
from feature_platform.definition.model import ColumnType
from feature_platform.definition.names import unknown
from feature_platform.definition.refusals import refused_call, refused_operation
from feature_platform.definition.source import parse_type
from feature_platform.definition.sql_text import SqlText

_COMPARISONS: dict[type[exp.Expr], Op] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}
_ARITHMETIC: dict[type[exp.Expr], Op] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*"}


class Checker:
    """Checks the expressions of one SELECT; every method reports errors and then returns None."""

    def __init__(
        self, sql: SqlText, columns: dict[str, ColumnType], table: str, where: str
    ) -> None:
        """Take the columns that can be read.

        Args:
            sql: The query; collects mistakes.
            columns: Columns in scope, with types.
            table: The name or alias that may be before a column.
            where: Where the columns come from, for messages: `source flights`.
        """
        self.sql = sql
        self.columns = columns
        self.table = table
        self.where = where

    def check(self, node: exp.Expr) -> Expression | None:
        """Return the checked form of any expression."""
        if isinstance(node, exp.Paren):
            return self.check(node.this)
        if type(node) in _COMPARISONS:
            return self._comparison(node)
        if type(node) in _ARITHMETIC:
            return self._arithmetic(node)
        rule = self.RULES.get(type(node))
        return (
            rule(self, node)
            if rule
            else self._refuse(node, refused_operation(node, self.sql.called(node)))
        )

    def value(self, node: exp.Expr) -> Expression | None:
        """Return an expression whose value is kept: text constants are STRING."""
        checked = self.check(node)
        return None if checked is None else coerce.as_value(checked)

    def condition(self, node: exp.Expr) -> Expression | None:
        """Return an expression that must be true or false."""
        checked = self.check(node)
        if checked is None:
            return None
        if checked.type != BOOLEAN:
            return self._refuse(
                node,
                f"a condition must be BOOLEAN, this is {checked.type}; compare it with a value",
            )
        if not _reads_columns(checked):
            return self._refuse(node, "this condition is the same for every row; remove it")
        return checked

    def _refuse(self, node: exp.Expr, message: str) -> None:
        self.sql.refuse(node, message)

    def _all(self, nodes: list[exp.Expr]) -> list[Expression] | None:
        checked = [self.check(node) for node in nodes]
        found = [expression for expression in checked if expression is not None]
        return found if len(found) == len(nodes) else None

    def _column(self, node: exp.Expr) -> Expression | None:
        if isinstance(node.this, exp.Star):
            return self._refuse(node, "`*` is not supported; name the columns")
        name, table = node.name, node.args.get("table")
        if node.args.get("db") or (table is not None and table.name != self.table):
            return self._refuse(node, self._elsewhere(node))
        if name not in self.columns:
            msg = unknown("column", name, self.columns, where=f" in {self.where}")
            text = f"; a string constant is written '{name}'" if node.this.quoted else ""
            return self._refuse(node, f"{msg}{text}")
        return Expression(op="column", type=self.columns[name], value=name)

    def _elsewhere(self, node: exp.Expr) -> str:
        """Return why a name with a dot is no column."""
        shown, outer = node.sql(), (node.args.get("db") or node.args["table"]).name
        if outer in self.columns:
            return (
                f"`{shown}`: fields inside `{outer}` are not read; send `{node.name}` as a "
                "top-level field of the event, and list it in the source's columns"
            )
        return (
            f"`{shown}`: columns come from `{self.table}` only; if it is a field inside `{outer}`, "
            f"send `{node.name}` as a top-level field of the event"
        )

    def _literal(self, node: exp.Expr) -> Expression | None:
        try:
            return read_literal(node)
        except ValueError as error:
            return self._refuse(node, str(error))

    def _boolean(self, node: exp.Expr) -> Expression | None:
        return Expression(op="literal", type=BOOLEAN, value="TRUE" if node.this else "FALSE")

    def _connective(self, node: exp.Expr) -> Expression | None:
        checked = [self.condition(operand) for operand in node.flatten()]
        operands = tuple(operand for operand in checked if operand is not None)
        if len(operands) < len(checked):
            return None
        op: Op = "and" if isinstance(node, exp.And) else "or"
        return Expression(op=op, type=BOOLEAN, args=operands)

    def _not(self, node: exp.Expr) -> Expression | None:
        if isinstance(node.this, exp.Is):
            return self._is(node.this, op="is_not_null")
        operand = self.condition(node.this)
        return None if operand is None else _negation(operand)

    def _is(self, node: exp.Expr, op: Op = "is_null") -> Expression | None:
        if not isinstance(node.expression, exp.Null):
            return self._refuse(
                node, "only IS NULL and IS NOT NULL are supported; write the condition itself"
            )
        operand = self.check(node.this)
        return None if operand is None else Expression(op=op, type=BOOLEAN, args=(operand,))

    def _comparison(self, node: exp.Expr) -> Expression | None:
        return self._compare(node, [node.this, node.expression], _COMPARISONS[type(node)])

    def _compare(self, node: exp.Expr, nodes: list[exp.Expr], op: Op) -> Expression | None:
        operands = self._all(nodes)
        if operands is None:
            return None
        if operands[0].type == BOOLEAN and op not in {"=", "<>", "in"}:
            return self._refuse(node, "BOOLEAN has no order; compare it with = or <>")
        try:
            args = tuple(coerce.comparable(operands))
        except coerce.MismatchError as error:
            return self._refuse(node, str(error))
        return Expression(op=op, type=BOOLEAN, args=args)

    def _in(self, node: exp.Expr) -> Expression | None:
        if node.args.get("query"):
            return self._refuse(node, refused_operation(node.args["query"]))
        items = node.args.get("expressions") or []
        if not items or not all(_is_constant(item) for item in items):
            return self._refuse(node, "IN requires a list of constants, such as IN ('a', 'b')")
        return self._compare(node, [node.this, *items], "in")

    def _between(self, node: exp.Expr) -> Expression | None:
        if node.args.get("symmetric"):
            return self._refuse(
                node, "BETWEEN SYMMETRIC is not supported; put the smaller bound first"
            )
        return self._compare(node, [node.this, node.args["low"], node.args["high"]], "between")

    def _like(self, node: exp.Expr) -> Expression | None:
        text, pattern = self.check(node.this), node.expression
        if text is None:
            return None
        if text.type != STRING or not (isinstance(pattern, exp.Literal) and pattern.is_string):
            return self._refuse(node, "LIKE requires a STRING and a constant, such as LIKE 'abc%'")
        if set(pattern.this) & set("_\\"):
            msg = "`_` and backslash in LIKE differ between engines; use only %, or SUBSTRING and ="
            return self._refuse(pattern, msg)
        args = (text, Expression(op="literal", type=STRING, value=pattern.this))
        like = Expression(op="like", type=BOOLEAN, args=args)
        return _negation(like) if node.args.get("negate") else like

    def _arithmetic(self, node: exp.Expr) -> Expression | None:
        operands = self._all([node.this, node.expression])
        if operands is None:
            return None
        if all(operand.op == "literal" for operand in operands):
            return self._refuse(node, "an operation on two constants; write its result instead")
        try:
            args = coerce.numbers(operands)
        except coerce.MismatchError as error:
            return self._refuse(node, str(error))
        return Expression(op=_ARITHMETIC[type(node)], type=args[0].type, args=tuple(args))

    def _negate(self, node: exp.Expr) -> Expression | None:
        if isinstance(node.this, exp.Literal):
            return self._literal(node)
        operand = self.check(node.this)
        if operand is None:
            return None
        try:
            args = coerce.numbers([operand])
        except coerce.MismatchError as error:
            return self._refuse(node, str(error))
        return Expression(op="negate", type=args[0].type, args=tuple(args))

    def _case(self, node: exp.Expr) -> Expression | None:
        subject, branches = node.this, node.args["ifs"]
        conditions = [
            self.condition(_equality(subject, branch.this) if subject else branch.this)
            for branch in branches
        ]
        values = [branch.args["true"] for branch in branches]
        default = node.args.get("default")
        results = self._results(node, [*values, *([default] if default else [])])
        if results is None or None in conditions:
            return None
        args: list[Expression] = []
        for condition, result in zip(conditions, results, strict=False):
            if condition is not None:
                args += [condition, result]
        args += results[len(conditions) :]
        return Expression(op="case", type=results[0].type, args=tuple(args))

    def _results(self, node: exp.Expr, nodes: list[exp.Expr]) -> list[Expression] | None:
        """Return the branches of a CASE in one type; NULL takes the type of the others."""
        given = [branch for branch in nodes if not isinstance(branch, exp.Null)]
        if not given:
            return self._refuse(node, "every branch of this CASE is NULL; give one a value")
        checked = self._all(given)
        if checked is None:
            return None
        try:
            same = coerce.common(checked)
        except coerce.MismatchError as error:
            return self._refuse(node, f"branches of CASE must have one type: {error}")
        null = Expression(op="null", type=same[0].type)
        values = iter(same)
        return [null if isinstance(branch, exp.Null) else next(values) for branch in nodes]

    def _cast(self, node: exp.Expr) -> Expression | None:
        if set(node.args) - {"this", "to"} and any(
            node.args[key] for key in set(node.args) - {"this", "to"}
        ):
            return self._refuse(node, "only plain CAST(x AS type) is supported")
        target = node.args["to"].sql()
        if target.upper() in {"TIMESTAMP", "TIMESTAMPTZ"} and isinstance(node.this, exp.Literal):
            return self._timestamp(node)
        operand = self.value(node.this)
        if operand is None:
            return None
        names = {"TEXT": "STRING", "VARCHAR": "STRING"}
        try:
            wanted = parse_type(names.get(target.upper(), target))
            return coerce.cast(operand, wanted)
        except ValueError as error:
            return self._refuse(node, str(error))

    def _timestamp(self, node: exp.Expr) -> Expression | None:
        try:
            value = timestamp_literal(node.this.this)
        except ValueError as error:
            return self._refuse(node, str(error))
        return Expression(op="literal", type=TIMESTAMP, value=value)

    def _mod(self, node: exp.Expr) -> Expression | None:
        return self._call(node, "MOD", [node.this, node.expression])

    def _concat(self, node: exp.Expr) -> Expression | None:
        return self._call(node, "CONCAT", list(node.flatten()))

    def _trim(self, node: exp.Expr) -> Expression | None:
        if node.args.get("expression") or node.args.get("position") or node.args.get("collation"):
            return self._refuse(
                node, "only plain TRIM(x) is supported, which removes spaces at both ends"
            )
        return self._call(node, "TRIM", [node.this])

    def _substring(self, node: exp.Expr) -> Expression | None:
        parts = [node.this, node.args.get("start"), node.args.get("length")]
        return self._call(node, "SUBSTRING", [part for part in parts if part is not None])

    def _anonymous(self, node: exp.Expr) -> Expression | None:
        name = str(node.this).upper()
        if name not in FUNCTIONS:
            return self._refuse(node, refused_call(name))
        return self._call(node, name, node.expressions)

    def _call(self, node: exp.Expr, name: str, nodes: list[exp.Expr]) -> Expression | None:
        args = self._all(nodes)
        if args is None:
            return None
        try:
            return apply_function(name, args)
        except coerce.MismatchError as error:
            return self._refuse(node, str(error))

    RULES: ClassVar[dict[type[exp.Expr], Callable[["Checker", exp.Expr], Expression | None]]] = {
        exp.Column: _column,
        exp.Literal: _literal,
        exp.Boolean: _boolean,
        exp.And: _connective,
        exp.Or: _connective,
        exp.Not: _not,
        exp.Is: lambda checker, node: checker._is(node),  # noqa: SLF001 - of this class
        exp.In: _in,
        exp.Between: _between,
        exp.Like: _like,
        exp.Neg: _negate,
        exp.Case: _case,
        exp.Cast: _cast,
        exp.Mod: _mod,
        exp.DPipe: _concat,
        exp.Trim: _trim,
        exp.Substring: _substring,
        exp.Anonymous: _anonymous,
    }


ALLOWED = frozenset(Checker.RULES) | frozenset(_COMPARISONS) | frozenset(_ARITHMETIC)
"""What may be in an expression, by what sqlglot takes it for."""


def _reads_columns(expression: Expression) -> bool:
    return expression.op == "column" or any(_reads_columns(arg) for arg in expression.args)


def _negation(operand: Expression) -> Expression:
    return Expression(op="not", type=BOOLEAN, args=(operand,))


def _equality(subject: exp.Expr, value: exp.Expr) -> exp.Expr:
    return exp.EQ(this=subject.copy(), expression=value.copy())


def _is_constant(node: exp.Expr) -> bool:
    inner = node.this if isinstance(node, exp.Neg) else node
    return isinstance(inner, exp.Literal | exp.Boolean | exp.Cast)
