"""Constants of a query: read from SQL, written so that engines take them for the same value."""

import math
from decimal import Decimal

from sqlglot import exp

from feature_platform.clock import from_iso
from feature_platform.definition.expression import BIGINT, DOUBLE, INT, STRING, Expression

_INT_MAX = 2**31 - 1
_LONG_MAX = 2**63 - 1
DIGITS_MAX = 400
"""Characters of a number; more than any DOUBLE or DECIMAL has a use for."""
EXPONENT_DIGITS_MAX = 3
"""Written out, `1e-999999999` would be a text of a gigabyte."""
_SHOWN_MAX = 40


def read_literal(node: exp.Expr) -> Expression:
    """Return a text or number, with its sign if it has one.

    Raises:
        ValueError: It is out of range, or holds characters that engines cannot carry.
    """
    sign, literal = ("-", node.this) if isinstance(node, exp.Neg) else ("", node)
    if literal.is_string:
        if sign:
            msg = "a string has no sign"
            raise ValueError(msg)
        return _text(literal.this)
    return _number(sign, literal.this)


def timestamp_literal(text: str) -> str:
    """Return the epoch milliseconds of an ISO-8601 text; no zone means UTC.

    Raises:
        ValueError: It is not ISO-8601.
    """
    try:
        return str(from_iso(text.strip()))
    except ValueError as error:
        msg = f"'{text}' is not a time; write TIMESTAMP '2026-01-31 15:00:00' (UTC)"
        raise ValueError(msg) from error


def write_double(text: str) -> str:
    """Write a number so that both engines read it as this DOUBLE: `1.5E0`; no zero has a sign."""
    shown = repr(float(text) + 0.0).upper().replace("E+", "E")
    return shown if "E" in shown else f"{shown}E0"


def write_decimal(text: str) -> str:
    """Write a number without exponent and without trailing zeros."""
    shown = format(Decimal(text), "f")
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def _text(text: str) -> Expression:
    if any(ord(character) < ord(" ") for character in text):
        msg = "a string constant cannot contain control characters, tabs or line breaks"
        raise ValueError(msg)
    return Expression(op="literal", type=STRING, value=text)


def _number(sign: str, digits: str) -> Expression:
    exponent = digits.lower().partition("e")[2].lstrip("+-0")
    if len(digits) > DIGITS_MAX or len(exponent) > EXPONENT_DIGITS_MAX:
        shown = digits if len(digits) <= _SHOWN_MAX else f"{digits[:_SHOWN_MAX]}..."
        msg = (
            f"the number {shown} has {len(digits)} characters and an exponent of {len(exponent)} "
            f"digits; the limits are {DIGITS_MAX} and {EXPONENT_DIGITS_MAX}"
        )
        raise ValueError(msg)
    if digits.isdecimal():
        value = int(digits)
        if value > _LONG_MAX:
            msg = f"{digits} does not fit a BIGINT (at most {_LONG_MAX})"
            raise ValueError(msg)
        kind = INT if value <= _INT_MAX else BIGINT
        return Expression(op="literal", type=kind, value=f"{sign}{value}" if value else "0")
    if not math.isfinite(float(digits)):
        msg = f"{digits} does not fit a DOUBLE"
        raise ValueError(msg)
    return Expression(op="literal", type=DOUBLE, value=f"{sign}{digits}")
