"""The allow-list: every function a query may call, and why others are refused.

A function stands here only if Flink and Spark give the same value for every row. Its arguments are
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
    """The last parameter may stand more than once."""
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

_REPLAY = "a replay after a crash must compute the same values again; use a column of the event"
_NOW = f"the clock is not part of an event: {_REPLAY}"
_DATES = "functions of dates are not available yet; send the part you need as a column of the event"
_ROUNDING = "engines round differently; SUM and AVG take a `scale` instead"
_SKETCH = "is not available yet; count rows with COUNT(*) FILTER (WHERE ...), or keep LAST_N(x, n)"
_DIVISION = (
    "engines divide differently (integers, by zero, rounding); give each side its own column and "
    "divide where the features are read, or use AVG"
)
_BY_TIME = "is not available; LAST_VALUE(x) and FIRST_VALUE(x) order by event time"

REFUSED: dict[str, str] = {
    "/": f"`/` is refused: {_DIVISION}",
    "DIV": f"`DIV` is refused: {_DIVISION}",
    **dict.fromkeys(
        ("NOW", "CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME", "LOCALTIMESTAMP", "LOCALTIME",
         "CURRENT_ROW_TIMESTAMP", "PROCTIME", "UNIX_TIMESTAMP", "SYSDATE", "GETDATE"), _NOW
    ),
    **dict.fromkeys(
        ("RAND", "RANDOM", "RAND_INTEGER", "RANDN", "UUID", "CURRENT_USER", "SESSION_USER"), _REPLAY
    ),
    **dict.fromkeys(
        ("EXTRACT", "DATE_FORMAT", "TO_TIMESTAMP", "TO_DATE", "DATE_TRUNC", "TIMESTAMPDIFF",
         "TIMESTAMPADD", "YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "DAYOFWEEK", "DATEDIFF"), _DATES
    ),
    **dict.fromkeys(("ROUND", "FLOOR", "CEIL", "CEILING", "TRUNCATE", "BROUND"), _ROUNDING),
    "IFNULL": "write COALESCE(x, y)",
    "NVL": "write COALESCE(x, y)",
    "ISNULL": "write x IS NULL",
    "IF": "write CASE WHEN condition THEN x ELSE y END",
    "IIF": "write CASE WHEN condition THEN x ELSE y END",
    "DECODE": "write CASE x WHEN 1 THEN 'a' ELSE 'b' END",
    "LENGTH": "write CHAR_LENGTH(x), which counts characters in both engines",
    "LEN": "write CHAR_LENGTH(x), which counts characters in both engines",
    "CHARACTER_LENGTH": "write CHAR_LENGTH(x)",
    "SUBSTR": "write SUBSTRING(x, start, length)",
    "LEFT": "write SUBSTRING(x, 1, n)",
    "UCASE": "write UPPER(x)",
    "LCASE": "write LOWER(x)",
    "TRY_CAST": "write CAST(x AS type); only casts that cannot fail are allowed",
    "SAFE_CAST": "write CAST(x AS type); only casts that cannot fail are allowed",
    "APPROX_COUNT_DISTINCT": f"APPROX_COUNT_DISTINCT {_SKETCH}",
    "COUNT_IF": "write COUNT(*) FILTER (WHERE condition)",
    "COUNTIF": "write COUNT(*) FILTER (WHERE condition)",
    "SUM_IF": "write SUM(x) FILTER (WHERE condition)",
    "FIRST": "write FIRST_VALUE(x), ordered by event time",
    "LAST": "write LAST_VALUE(x), ordered by event time",
    "ANY_VALUE": "it differs from run to run; write LAST_VALUE(x)",
    "COLLECT": "write LAST_N(x, n), which is bounded",
    "COLLECT_LIST": "write LAST_N(x, n), which is bounded",
    "ARRAY_AGG": "write LAST_N(x, n), which is bounded",
    "LISTAGG": "write LAST_N(x, n), which is bounded",
    "STRING_AGG": "write LAST_N(x, n), which is bounded",
    "GROUP_CONCAT": "write LAST_N(x, n), which is bounded",
    "MAX_BY": f"MAX_BY {_BY_TIME}",
    "MIN_BY": f"MIN_BY {_BY_TIME}",
    **dict.fromkeys(
        ("STDDEV", "STDDEV_POP", "STDDEV_SAMP", "VARIANCE", "VAR_POP", "VAR_SAMP"),
        "is not available; keep COUNT(*), SUM(x) and SUM(x * x) and compute it from these",
    ),
    **dict.fromkeys(
        ("PERCENTILE", "MEDIAN", "PERCENTILE_CONT", "APPROX_PERCENTILE", "APPROX_QUANTILE"),
        "quantiles do not merge exactly; count by bands, COUNT(*) FILTER (WHERE x < 100)",
    ),
    **dict.fromkeys(
        ("TUMBLE", "HOP", "SESSION", "CUMULATE"),
        "windows are asked for under `features:`, such as views: {windows: [30m]}",
    ),
}  # fmt: skip
"""Functions people reach for that are not allowed, each with the reason or what to write instead."""
