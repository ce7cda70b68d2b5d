"""Brings operands to one type by casts that lose nothing and that both engines do alike."""

from dataclasses import replace
from decimal import Decimal

from feature_platform.definition.expression import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    INTEGERS,
    STRING,
    Expression,
)
from feature_platform.definition.literals import write_decimal
from feature_platform.definition.model import ColumnType

DECIMAL_AS_DOUBLE_PRECISION_MAX = 15
"""Up to here the unscaled value is exact in a double, and one division rounds correctly."""
_DECIMAL_DIGITS_MAX = 38
_WIDENINGS = {
    ("INT", "BIGINT"), ("INT", "DOUBLE"), ("BIGINT", "DOUBLE"), ("TIMESTAMP", "BIGINT"),
    ("DECIMAL", "DOUBLE"), ("INT", "STRING"), ("BIGINT", "STRING"), ("BOOLEAN", "STRING"),
}  # fmt: skip


class MismatchError(ValueError):
    """Types that do not go together; the text says what to write."""


def retype(expression: Expression, kind: ColumnType) -> Expression:
    """Give a constant another type; it is written in that type's form."""
    return replace(expression, type=kind)


def as_value(expression: Expression) -> Expression:
    """Make a text constant a STRING: engines take it for CHAR(n), which pads."""
    if expression.op == "literal" and expression.type == STRING:
        return Expression(op="cast", type=STRING, args=(expression,))
    return expression


def widen(expression: Expression, kind: ColumnType) -> Expression:
    """Bring an expression to a type that holds all its values; constants are just rewritten."""
    if expression.type == kind:
        return as_value(expression)
    if expression.op == "literal" and kind.name != "DECIMAL":
        return retype(expression, kind)
    return Expression(op="cast", type=kind, args=(expression,))


def cast(operand: Expression, wanted: ColumnType) -> Expression:
    """Return an explicit CAST.

    Raises:
        MismatchError: It could lose something, or engines write the result differently.
    """
    pair = (operand.type.name, wanted.name)
    if operand.type == wanted:
        return operand
    if pair not in _WIDENINGS:
        msg = (
            f"CAST from {operand.type} to {wanted} can lose or change values; supported are INT to "
            "BIGINT to DOUBLE, DECIMAL to DOUBLE, TIMESTAMP to BIGINT, integer or BOOLEAN to "
            "STRING"
        )
        raise MismatchError(msg)
    if operand.type.name == "DECIMAL" and operand.type.precision > DECIMAL_AS_DOUBLE_PRECISION_MAX:
        msg = (
            f"CAST from {operand.type} to DOUBLE is exact up to {DECIMAL_AS_DOUBLE_PRECISION_MAX} "
            "digits; declare the column with fewer digits"
        )
        raise MismatchError(msg)
    if operand.type == BOOLEAN:
        return _boolean_as_text(operand)
    if operand.op == "literal" and wanted != STRING:
        return retype(operand, wanted)
    return Expression(op="cast", type=wanted, args=(operand,))


def numbers(operands: list[Expression]) -> list[Expression]:
    """Bring operands of arithmetic to BIGINT or DOUBLE.

    Raises:
        MismatchError: One is not a number, or is a DECIMAL.
    """
    for operand in operands:
        if operand.type.name not in {*INTEGERS, "DOUBLE"}:
            hints = {
                "DECIMAL": "write CAST(x AS DOUBLE)",
                "TIMESTAMP": "write CAST(x AS BIGINT) for epoch milliseconds",
            }
            hint = hints.get(operand.type.name, "use numeric columns")
            msg = f"arithmetic requires BIGINT, INT or DOUBLE, not {operand.type}; {hint}"
            raise MismatchError(msg)
    kind = DOUBLE if any(operand.type == DOUBLE for operand in operands) else BIGINT
    return [widen(operand, kind) for operand in operands]


def integer(operand: Expression) -> Expression:
    """Bring an operand to BIGINT.

    Raises:
        MismatchError: It is not an integer.
    """
    if operand.type.name not in INTEGERS:
        msg = f"it requires BIGINT or INT, not {operand.type}"
        raise MismatchError(msg)
    return widen(operand, BIGINT)


def text(operand: Expression) -> Expression:
    """Check that an operand is a STRING.

    Raises:
        MismatchError: It is not.
    """
    if operand.type != STRING:
        hint = "; write CAST(x AS STRING)" if (operand.type.name, "STRING") in _WIDENINGS else ""
        msg = f"it requires STRING, not {operand.type}{hint}"
        raise MismatchError(msg)
    return as_value(operand)


def comparable(operands: list[Expression]) -> list[Expression]:
    """Bring operands of a comparison to types that engines compare alike.

    Raises:
        MismatchError: They cannot be compared.
    """
    names = {operand.type.name for operand in operands}
    if len(names) == 1:
        return operands
    if names <= INTEGERS:
        return operands
    if "DECIMAL" in names and names <= {*INTEGERS, "DECIMAL", "DOUBLE"}:
        return [_beside_decimal(operand) for operand in operands]
    if names <= {*INTEGERS, "DOUBLE"}:
        return [widen(operand, DOUBLE) for operand in operands]
    raise MismatchError(_mismatch(operands, "compare"))


def common(operands: list[Expression]) -> list[Expression]:
    """Bring values of which one is chosen (CASE, COALESCE) to one type.

    Raises:
        MismatchError: They have none in common.
    """
    kinds = {operand.type for operand in operands}
    names = {kind.name for kind in kinds}
    if len(kinds) == 1:
        return [as_value(operand) for operand in operands]
    if names <= INTEGERS:
        return [widen(operand, BIGINT) for operand in operands]
    decimals = {kind for kind in kinds if kind.name == "DECIMAL"}
    if len(decimals) == 1 and names <= {*INTEGERS, "DECIMAL", "DOUBLE"}:
        return [_as_decimal(operand, next(iter(decimals))) for operand in operands]
    if names <= {*INTEGERS, "DOUBLE"}:
        return [widen(operand, DOUBLE) for operand in operands]
    raise MismatchError(_mismatch(operands, "mix"))


def _beside_decimal(operand: Expression) -> Expression:
    if operand.type != DOUBLE:
        return operand
    if operand.op != "literal":
        msg = "DECIMAL and DOUBLE cannot be compared; write CAST(x AS DOUBLE) for the DECIMAL"
        raise MismatchError(msg)
    return _decimal_literal(operand)


def _as_decimal(operand: Expression, kind: ColumnType) -> Expression:
    if operand.type == kind:
        return operand
    if operand.op == "literal":
        exact = _decimal_literal(operand)
        whole = kind.precision - kind.scale
        if exact.type.scale <= kind.scale and exact.type.precision - exact.type.scale <= whole:
            return Expression(op="cast", type=kind, args=(exact,))
        msg = f"{operand.value} does not fit {kind}; use a constant with fewer digits"
        raise MismatchError(msg)
    msg = (
        f"{operand.type} and {kind} cannot be combined without loss; write CAST(x AS DOUBLE) for "
        "both"
    )
    raise MismatchError(msg)


def _decimal_literal(operand: Expression) -> Expression:
    shown = write_decimal(operand.value)
    _, digits, exponent = Decimal(shown).as_tuple()
    scale = -int(exponent)
    precision = max(len(digits), scale)
    if precision > _DECIMAL_DIGITS_MAX:
        msg = f"{operand.value} has more than {_DECIMAL_DIGITS_MAX} digits"
        raise MismatchError(msg)
    kind = ColumnType(name="DECIMAL", precision=precision, scale=scale)
    return replace(operand, type=kind, value=shown)


def _boolean_as_text(operand: Expression) -> Expression:
    """Write `true` or `false`: Flink's own cast writes TRUE, Spark's true."""
    words = [
        as_value(Expression(op="literal", type=STRING, value=word)) for word in ("true", "false")
    ]
    negation = Expression(op="not", type=BOOLEAN, args=(operand,))
    return Expression(op="case", type=STRING, args=(operand, words[0], negation, words[1]))


def _mismatch(operands: list[Expression], verb: str) -> str:
    kinds = sorted({str(operand.type) for operand in operands})
    hint = "cast one side, or compare with a constant of the column's type"
    if "TIMESTAMP" in kinds:
        hint = "write the constant as TIMESTAMP '2026-01-31 15:00:00', or CAST(ts AS BIGINT)"
    return f"cannot {verb} {' and '.join(kinds)}; {hint}"
