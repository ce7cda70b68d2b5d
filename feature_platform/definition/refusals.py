"""What people reach for that a query may not hold, with the reason or what to write instead."""

from sqlglot import exp

from feature_platform.definition.functions import AGGREGATES, ALLOW_LIST_PAGE, FUNCTIONS
from feature_platform.definition.problems import did_you_mean

_REPLAY = "a replay after a crash must compute the same values; use a column of the event"
_NOW = f"the clock is not part of an event: {_REPLAY}"
_DATES = "send the part you need as a column of the event"
_ROUNDING = "engines round differently; set a `scale` for SUM and AVG instead"
_SKETCH = "count rows with COUNT(*) FILTER (WHERE ...), or use LAST_N(x, n)"
_DIVISION = (
    "engines divide differently (integers, by zero, rounding); give each side its own column and "
    "divide where the features are read, or use AVG"
)
_BY_TIME = "LAST_VALUE(x) and FIRST_VALUE(x) order by event time"

_REGEXP = "regular expressions differ between engines; write LIKE, or send the part as a column"

REFUSED: dict[str, str] = {
    "/": f"`/` is not supported: {_DIVISION}",
    "DIV": f"`DIV` is not supported: {_DIVISION}",
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
    "APPROX_COUNT_DISTINCT": _SKETCH,
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
    **dict.fromkeys(
        ("REGEXP", "REGEXP_LIKE", "RLIKE", "REGEXP_MATCHES", "REGEXP_CONTAINS", "SIMILAR_TO",
         "REGEXP_EXTRACT", "REGEXP_EXTRACT_ALL", "REGEXP_REPLACE", "REGEXP_SUBSTR",
         "REGEXP_COUNT", "REGEXP_INSTR", "REGEXP_SPLIT"), _REGEXP
    ),
    **dict.fromkeys(
        ("JSON_VALUE", "JSON_QUERY", "JSON_EXISTS", "JSON_EXTRACT", "JSON_EXTRACT_SCALAR",
         "GET_JSON_OBJECT", "FROM_JSON", "PARSE_JSON", "JSON_TUPLE"),
        "nested fields are not read; send each as a top-level field of the event",
    ),
    "MAX_BY": _BY_TIME,
    "MIN_BY": _BY_TIME,
    **dict.fromkeys(
        ("STDDEV", "STDDEV_POP", "STDDEV_SAMP", "VARIANCE", "VAR_POP", "VAR_SAMP"),
        "use COUNT(*), SUM(x) and SUM(x * x), and compute it where the features are read",
    ),
    **dict.fromkeys(
        ("PERCENTILE", "MEDIAN", "PERCENTILE_CONT", "APPROX_PERCENTILE", "APPROX_QUANTILE"),
        "quantiles do not merge exactly; count by ranges, such as COUNT(*) FILTER (WHERE x < 100)",
    ),
    **dict.fromkeys(
        ("TUMBLE", "HOP", "SESSION", "CUMULATE"),
        "define windows under `features:`, such as views: {windows: [30m]}",
    ),
}  # fmt: skip
"""Functions, by name."""

OPERATIONS: dict[type[exp.Expr], str] = {
    exp.Div: REFUSED["/"],
    exp.IntDiv: REFUSED["DIV"],
    exp.Window: "OVER is not supported: define windows under `features:`",
    exp.Subquery: "sub-queries are not supported in expressions; put the sub-query in FROM",
    exp.Select: "sub-queries are not supported in expressions; put the sub-query in FROM",
    exp.Exists: "EXISTS needs a second table; filter the rows in WHERE",
    exp.Star: "`*` is not supported here; name the columns",
    exp.Null: "NULL is supported only in CASE and after IS; a comparison with NULL is never true",
    exp.ILike: "ILIKE is not supported; write LOWER(x) LIKE 'abc%'",
    exp.RegexpLike: _REGEXP,
    exp.NullSafeEQ: "IS DISTINCT FROM is not supported; write x = y OR (x IS NULL AND y IS NULL)",
    exp.NullSafeNEQ: "IS DISTINCT FROM is not supported; write x <> y with IS NULL where needed",
    exp.Interval: (
        "intervals are not supported; times are epoch milliseconds: CAST(ts AS BIGINT) + 60000"
    ),
    exp.Bracket: "array and map elements are not supported; send them as columns of their own",
    exp.Escape: "ESCAPE is not supported; compare with = or SUBSTRING(x, 1, n) instead",
    exp.Distinct: "DISTINCT is not supported inside an aggregate",
    exp.Order: (
        "ORDER BY is not supported inside a call; FIRST_VALUE and LAST_VALUE order by event time"
    ),
    exp.IgnoreNulls: "remove IGNORE NULLS: every aggregate ignores NULL",
    exp.RespectNulls: "RESPECT NULLS is not supported: every aggregate ignores NULL",
    exp.Alias: "AS is not allowed inside an expression",
    exp.Dot: "a dot is only allowed between a table and its column",
}
"""Operations, by what sqlglot takes them for."""

CLAUSES: dict[str, str] = {
    "joins": "a feature set reads one source: send the other's columns with the event, or make a "
    "second feature set",
    "laterals": "LATERAL is not supported: one event is one row; send one event per item instead",
    "having": "HAVING is not supported: every entity is kept; filter rows in WHERE",
    "kind": "AS STRUCT is not supported: write the columns",
    "distinct": "DISTINCT is not supported: count rows with COUNT(*) FILTER (WHERE ...)",
    "order": "ORDER BY is not supported: rows have no order; LAST_N(x, n) keeps the newest",
    "limit": "LIMIT is not supported: every entity is kept; LAST_N(x, n) keeps the newest n values",
    "offset": "OFFSET is not supported: every entity is kept",
    "qualify": "QUALIFY is not supported: filter rows in WHERE",
    "windows": "WINDOW is not supported: define windows under `features:`",
    "into": "INTO is not supported: the platform decides where features are stored",
    "hint": "hints are not supported: the platform sets what the engines need",
    "pivots": "PIVOT is not supported: write one COUNT(*) FILTER (WHERE ...) per column",
    "sample": (
        "TABLESAMPLE is not supported: filter by a column, such as WHERE MOD(user_id, 10) = 0"
    ),
}
"""Parts of a SELECT, by sqlglot's name for them."""


def refused_call(name: str) -> str:
    """Return why a function, its name in capitals, may not be in a row's expression."""
    if name in AGGREGATES:
        return (
            f"{name} is an aggregate; write it as an item of the outer SELECT, {AGGREGATES[name]} "
            "AS x"
        )
    if name in REFUSED:
        return f"{name} is not supported: {REFUSED[name]}"
    hint = did_you_mean(name, [*FUNCTIONS, *AGGREGATES, "CAST", "CASE"])
    return f"function {name} is not on the list of supported functions ({ALLOW_LIST_PAGE}){hint}"


def refused_operation(node: exp.Expr, called: str = "") -> str:
    """Return why an operation, or a call by this name, may not be in a row's expression."""
    if type(node) in OPERATIONS:
        return OPERATIONS[type(node)]
    if called:
        return refused_call(called)
    if not isinstance(node, exp.Func) or isinstance(node, exp.Binary):
        return f"this is not on the list of supported syntax ({ALLOW_LIST_PAGE})"
    return refused_call(node.sql_name())
