"""The allow-list: every function a query may call.

A function is here only if Flink and Spark give the same value for every row. Its arguments are
restricted to where that holds (a SUBSTRING starts at 1 or later, a MOD has a constant divisor).
"""

from dataclasses import dataclass
from typing import Literal

ALLOW_LIST_PAGE = "docs/definitions.md#functions"

Parameter = Literal["string", "number", "integer", "any", "position", "length", "divisor"]
Result = Literal["string", "int", "same"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function of rows, the same in both engines."""

    parameters: tuple[Parameter, ...]
    result: Result
    """`same`: the common type of the arguments."""
    optional: int = 0
    """How many of the last parameters may be left out."""
    repeats: bool = False
    """The last parameter may be given more than once."""
    infix: str = ""
    """Written between its arguments instead of as a call."""
    example: str


FUNCTIONS: dict[str, Function] = {
    "ABS": Function(parameters=("number",), result="same", example="ABS(delay)"),
    "MOD": Function(parameters=("integer", "divisor"), result="same", example="MOD(id, 10)"),
    "UPPER": Function(parameters=("string",), result="string", example="UPPER(language)"),
    "LOWER": Function(parameters=("string",), result="string", example="LOWER(language)"),
    "TRIM": Function(parameters=("string",), result="string", example="TRIM(language)"),
    "CHAR_LENGTH": Function(parameters=("string",), result="int", example="CHAR_LENGTH(title)"),
    "SUBSTRING": Function(
        parameters=("string", "position", "length"),
        result="string",
        optional=1,
        example="SUBSTRING(language, 1, 2)",
    ),
    "CONCAT": Function(
        parameters=("string", "string"),
        result="string",
        repeats=True,
        infix=" || ",
        example="CONCAT(origin, '-', dest)",
    ),
    "COALESCE": Function(
        parameters=("any", "any"), result="same", repeats=True, example="COALESCE(likes, 0)"
    ),
    "NULLIF": Function(parameters=("any", "any"), result="same", example="NULLIF(language, '')"),
}

AGGREGATES: dict[str, str] = {
    "COUNT": "COUNT(*)",
    "SUM": "SUM(watch_ms)",
    "AVG": "AVG(watch_ms)",
    "MIN": "MIN(watch_ms)",
    "MAX": "MAX(watch_ms)",
    "FIRST_VALUE": "FIRST_VALUE(language)",
    "LAST_VALUE": "LAST_VALUE(language)",
    "LAST_N": "LAST_N(user_id, 100)",
}
"""Aggregates with an example of each."""
