"""The oracle's evaluator of row-level SQL on a dict, straight from the parsed text. Slow and plain.

BIGINT, INT and TIMESTAMP are int, DOUBLE is float, DECIMAL is Decimal, NULL is None. Knows what the
definitions allow and nothing more.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from math import isfinite
from pathlib import Path
from typing import Any

from sqlglot import exp

from feature_platform.clock import from_iso
from feature_platform.testing.reference_events import ColumnValue

Row = Mapping[str, ColumnValue]
LOST = "__lost_"
"""Before a column of an inner SELECT: it is there if the column's number is lost."""
Evaluated = Any
"""A `ColumnValue`; arithmetic on it is checked where definitions are."""


@cache
def letters() -> dict[str, dict[int, int]]:
    """Read the upper and lower case of letters, one by one, of the frozen version of Unicode."""
    cases: dict[str, dict[int, int]] = {"upper": {}, "lower": {}}
    for line in Path(__file__).with_name("letters.txt").read_text().splitlines():
        if not line.startswith("#"):
            case, first, last, step, added = line.split()
            letters = range(int(first, 16), int(last, 16) + 1, int(step))
            cases[case] |= {letter: letter + int(added, 16) for letter in letters}
    return cases


class _Fraction(float):
    """A constant with a point: a DOUBLE, unless it is beside a DECIMAL."""

    def __init__(self, text: str) -> None:
        """Keep how it was written."""
        super().__init__()
        self.text = text


def evaluate(node: exp.Expr, row: Row) -> Evaluated:
    """Return the value of an expression for one row."""
    return _RULES[type(node)](node, row)


def is_true(node: exp.Expr | None, row: Row) -> bool:
    """Return whether a condition holds; NULL does not, no condition does."""
    return node is None or evaluate(node, row) is True


def is_lost(node: exp.Expr, row: Row) -> bool:
    """Return whether a number is NULL, or another, because arithmetic left the range."""
    match node:
        case exp.Column():
            return f"{LOST}{node.this.this}" in row
        case exp.Case():
            chosen = _branch(node, row)
            return chosen is not None and is_lost(chosen, row)
        case exp.Add() | exp.Sub() | exp.Mul():
            parts = [node.this, node.expression]
        case exp.Neg() | exp.Paren() | exp.Cast() | exp.Mod():
            parts = [node.this]
        case exp.Anonymous() if str(node.this).upper() == "COALESCE":
            return _is_choice_lost(node.expressions, row)
        case exp.Anonymous() if str(node.this).upper() in {"ABS", "MOD", "NULLIF"}:
            parts = node.expressions[:1]
        case _:
            return False
    is_made = not isinstance(node, exp.Anonymous) or str(node.this).upper() == "ABS"
    known = all(evaluate(part, row) is not None for part in parts)
    vanished = is_made and known and evaluate(node, row) is None
    return vanished or any(is_lost(part, row) for part in parts)


def _is_choice_lost(nodes: Sequence[exp.Expr], row: Row) -> bool:
    for node in nodes:
        if is_lost(node, row):
            return True
        if evaluate(node, row) is not None:
            return False
    return False


def _column(node: exp.Expr, row: Row) -> Evaluated:
    return row[node.this.this]


def _literal(node: exp.Expr, row: Row) -> Evaluated:  # noqa: ARG001 - one shape
    text = node.this
    if node.is_string:
        return text
    return int(text) if text.isdecimal() else _Fraction(text)


def _and(node: exp.Expr, row: Row) -> bool | None:
    left, right = evaluate(node.this, row), evaluate(node.expression, row)
    if left is False or right is False:
        return False
    return None if left is None or right is None else True


def _or(node: exp.Expr, row: Row) -> bool | None:
    left, right = evaluate(node.this, row), evaluate(node.expression, row)
    if left is True or right is True:
        return True
    return None if left is None or right is None else False


def _not(node: exp.Expr, row: Row) -> bool | None:
    value = evaluate(node.this, row)
    return None if value is None else not value


def _is(node: exp.Expr, row: Row) -> bool:
    return evaluate(node.this, row) is None


def _in(node: exp.Expr, row: Row) -> bool | None:
    value = evaluate(node.this, row)
    if value is None:
        return None
    items = [evaluate(item, row) for item in node.args["expressions"]]
    return any(_compare(value, item) == 0 for item in items)


def _between(node: exp.Expr, row: Row) -> bool | None:
    value = evaluate(node.this, row)
    low, high = evaluate(node.args["low"], row), evaluate(node.args["high"], row)
    above = None if None in (value, low) else _compare(value, low) >= 0
    below = None if None in (value, high) else _compare(value, high) <= 0
    if above is False or below is False:
        return False
    return None if above is None or below is None else True


def _like(node: exp.Expr, row: Row) -> bool | None:
    value = evaluate(node.this, row)
    pattern = ".*".join(re.escape(part) for part in node.expression.this.split("%"))
    found = None if value is None else re.fullmatch(pattern, value, re.DOTALL) is not None
    return (not found) if node.args.get("negate") and found is not None else found


def _case(node: exp.Expr, row: Row) -> Evaluated:
    chosen = _branch(node, row)
    return None if chosen is None else evaluate(chosen, row)


def _branch(node: exp.Expr, row: Row) -> exp.Expr | None:
    subject = node.args.get("this")
    for branch in node.args["ifs"]:
        if subject is None:
            chosen = evaluate(branch.this, row) is True
        else:
            pair = evaluate(subject, row), evaluate(branch.this, row)
            chosen = None not in pair and _compare(*pair) == 0
        if chosen:
            taken: exp.Expr = branch.args["true"]
            return taken
    return node.args.get("default")


def _cast(node: exp.Expr, row: Row) -> Evaluated:
    value = evaluate(node.this, row)
    target = node.args["to"].sql().upper()
    if value is None:
        return None
    if target in ("TEXT", "VARCHAR", "STRING"):
        return str(value).lower() if isinstance(value, bool) else str(value)
    if target.startswith("TIMESTAMP"):
        return from_iso(value.strip()) if isinstance(value, str) else value
    return float(value) if target in ("DOUBLE", "FLOAT") else value


def _trim(node: exp.Expr, row: Row) -> Evaluated:
    return _call("TRIM", [evaluate(node.this, row)])


def _substring(node: exp.Expr, row: Row) -> Evaluated:
    parts = (node.this, node.args.get("start"), node.args.get("length"))
    return _call("SUBSTRING", [evaluate(part, row) for part in parts if part is not None])


def _anonymous(node: exp.Expr, row: Row) -> Evaluated:
    return _call(str(node.this).upper(), [evaluate(arg, row) for arg in node.expressions])


def _call(name: str, args: Sequence[Evaluated]) -> Evaluated:
    if name == "COALESCE":
        return next((arg for arg in args if arg is not None), None)
    if name == "NULLIF":
        same = None not in args and _compare(*args) == 0
        return None if same else args[0]
    return None if None in args else _FUNCTIONS[name](*args)


def _cut(text: str, start: int, length: int | None = None) -> str:
    return text[start - 1 :] if length is None else text[start - 1 : start - 1 + length]


def _remainder(left: int, right: int) -> int:
    """Return the remainder with the sign of the dividend, as engines do and Python does not."""
    return abs(left) % right * (-1 if left < 0 else 1)


_FUNCTIONS: dict[str, Callable[..., Evaluated]] = {
    "ABS": lambda value: _number(abs(value)),
    "MOD": _remainder,
    "UPPER": lambda text: text.translate(letters()["upper"]),
    "LOWER": lambda text: text.translate(letters()["lower"]),
    "TRIM": lambda text: text.strip(" "),
    "CHAR_LENGTH": len,
    "SUBSTRING": _cut,
    "CONCAT": lambda *texts: "".join(texts),
}


def _arithmetic(
    operation: Callable[[Evaluated, Evaluated], Evaluated],
) -> Callable[[exp.Expr, Row], Evaluated]:
    def apply(node: exp.Expr, row: Row) -> Evaluated:
        left, right = evaluate(node.this, row), evaluate(node.expression, row)
        return None if left is None or right is None else _number(operation(left, right))

    return apply


def _number(value: float) -> float | None:
    """Return NULL for what BIGINT or DOUBLE does not hold; no zero has a sign."""
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else None
    return value + 0.0 if isfinite(value) else None


def _comparison(holds: Callable[[int], bool]) -> Callable[[exp.Expr, Row], bool | None]:
    def apply(node: exp.Expr, row: Row) -> bool | None:
        left, right = evaluate(node.this, row), evaluate(node.expression, row)
        return None if left is None or right is None else holds(_compare(left, right))

    return apply


def _compare(left: Evaluated, right: Evaluated) -> int:
    """Return below, at or above 0 as the left one is smaller, equal or larger."""
    if isinstance(left, Decimal) or isinstance(right, Decimal):
        left, right = _exact(left), _exact(right)
    elif isinstance(left, float) or isinstance(right, float):
        left, right = float(left), float(right)
    elif isinstance(left, str):
        left, right = left.encode(), right.encode()
    return int(left > right) - int(left < right)


def _exact(value: Evaluated) -> Decimal:
    return Decimal(value.text if isinstance(value, _Fraction) else value)


_RULES: dict[type[exp.Expr], Callable[[Any, Row], Evaluated]] = {
    exp.Paren: lambda node, row: evaluate(node.this, row),
    exp.Column: _column,
    exp.Literal: _literal,
    exp.Boolean: lambda node, _: bool(node.this),
    exp.Null: lambda _, __: None,
    exp.And: _and,
    exp.Or: _or,
    exp.Not: _not,
    exp.Is: _is,
    exp.In: _in,
    exp.Between: _between,
    exp.Like: _like,
    exp.Case: _case,
    exp.Cast: _cast,
    exp.Trim: _trim,
    exp.Substring: _substring,
    exp.Anonymous: _anonymous,
    exp.EQ: _comparison(lambda order: order == 0),
    exp.NEQ: _comparison(lambda order: order != 0),
    exp.LT: _comparison(lambda order: order < 0),
    exp.LTE: _comparison(lambda order: order <= 0),
    exp.GT: _comparison(lambda order: order > 0),
    exp.GTE: _comparison(lambda order: order >= 0),
    exp.Add: _arithmetic(lambda left, right: left + right),
    exp.Sub: _arithmetic(lambda left, right: left - right),
    exp.Mul: _arithmetic(lambda left, right: left * right),
    exp.Mod: _arithmetic(_remainder),
    exp.DPipe: lambda node, row: _call("CONCAT", [evaluate(part, row) for part in node.flatten()]),
    exp.Neg: lambda node, row: _negative(evaluate(node.this, row)),
}


def _negative(value: Evaluated) -> Evaluated:
    if isinstance(value, _Fraction):
        return _Fraction(f"-{value.text}" if value else value.text)
    return None if value is None else _number(-value)
