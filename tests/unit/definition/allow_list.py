"""What a query may do to a row, as expressions that both engines are tried with.

`docs/definitions.md` shows this list: `make golden` writes it there.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from feature_platform.definition.expression import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    INT,
    STRING,
    TIMESTAMP,
    Expression,
)
from feature_platform.definition.expressions import Checker
from feature_platform.definition.model import ColumnType
from feature_platform.definition.problems import Problems
from feature_platform.definition.sql_text import SqlText
from feature_platform.definition.yaml_tree import Scalar

EXAMPLES_SHOWN = 3
COLUMNS = {
    "s": STRING,
    "t": STRING,
    "i": INT,
    "j": BIGINT,
    "d": DOUBLE,
    "e": DOUBLE,
    "p": ColumnType(name="DECIMAL", precision=10, scale=2),
    "b": BOOLEAN,
    "c": BOOLEAN,
    "m": TIMESTAMP,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """One line of the list."""

    what: str
    notes: str
    tried: str
    """Expressions over `COLUMNS`, between `|`; the first ones are shown."""

    @property
    def expressions(self) -> list[str]:
        """The expressions, one by one."""
        return [
            text.strip() for line in self.tried.split("\n") for text in line.split(" | ") if text
        ]


ALLOW_LIST = (
    Allowed(
        what="`=`, `<>`, `<`, `<=`, `>`, `>=`",
        notes="between values of one type, or numbers; texts in the order of their code points; "
        "a TIMESTAMP is compared with "
        "`TIMESTAMP '2026-01-31 15:00:00'` (UTC)",
        tried="""s <> 'view' | i = j | p > 1.5 | s = t | s < t | s >= 'a' | s = '\\' | 'Straße' = s
i < d | j >= d | d = e | d < e | d <> 0.1 | d > 1e99 | i <= j | p = 1.50 | p < i | b = c | b <> c
(i > 1) = b | m >= TIMESTAMP '2026-01-31 15:00:00' | m <> m""",
    ),
    Allowed(
        what="`AND`, `OR`, `NOT`, `IS NULL`, `IS NOT NULL`",
        notes="",
        tried="""b AND c | NOT b | s IS NOT NULL | b OR c | b IS NULL | b AND NOT c OR i > 0
s = t AND i > 1 OR d IS NULL | NOT (s = t AND b) | d = 0 OR d = 1.5 | NOT (i IN (1, 2))""",
    ),
    Allowed(
        what="`IN`, `BETWEEN`",
        notes="`IN` takes constants",
        tried="""s IN ('view', '', 'it''s') | i BETWEEN -1 AND 7 | d IN (1.5, 0) | i IN (1, -1)
j NOT BETWEEN i AND 5 | d BETWEEN 0 AND 1.5 | p IN (1.5, 0.1, 2) | p BETWEEN 0 AND 2.25
b IN (TRUE)""",
    ),
    Allowed(
        what="`LIKE`",
        notes="a constant pattern with `%` alone",
        tried="""s LIKE 'x%' | s LIKE '%b%' | s NOT LIKE '%' | s LIKE '%y' | s LIKE ''
s LIKE 'x%y' | s LIKE '%本%'""",
    ),
    Allowed(
        what="`+`, `-`, `*`",
        notes="on BIGINT, INT (computed as BIGINT) and DOUBLE; NULL where it leaves the range",
        tried="""i + j | j * 3 | -d | i * i | j - i | j + j | -j | -i | 2147483647 + i
j + 9223372036854775807 | i - (j - 1) * 2 | i - j - 1 | d + e | d * e | d - e | d + 0.1 | d * i
d * d - e * e | d * e = e * d | -d = 0 OR -d = 1.5 | -d IN (0, 1.5) | d * 0 IN (0, 1.5)
d * d - d * d = 0 | d * e > 1 | ABS(-d * 1e300) | COALESCE(d * e * e, -1) | NULLIF(-d, 0)
CASE -d WHEN 0 THEN 'none' END | -(d * e) * d + j | d IN (-0.0, 1.5) | -(-d)""",
    ),
    Allowed(
        what="`MOD(x, n)`, `x % n`",
        notes="n a constant of at least 1",
        tried="MOD(j, 10) | i % 7 | j % 3",
    ),
    Allowed(
        what="`ABS(x)`", notes="NULL where it leaves the range", tried="ABS(j) | ABS(i) | ABS(d)"
    ),
    Allowed(
        what="`CASE`, `COALESCE`, `NULLIF`",
        notes="branches of one type",
        tried="""CASE WHEN b THEN i ELSE j END | COALESCE(i, 0) | NULLIF(s, '')
COALESCE(s, t, 'none') | NULLIF(s, t) | CASE s WHEN 'view' THEN 'v' WHEN '' THEN NULL ELSE t END
COALESCE(i, j) | NULLIF(i, 0) | NULLIF(j, i) | CASE WHEN b THEN 1 ELSE 2.5 END
CASE WHEN b THEN i ELSE d END | CASE WHEN b THEN c END | COALESCE(p, 0) | COALESCE(p, 1.5)
NULLIF(p, 0) | CASE WHEN b THEN p ELSE 3 END | COALESCE(b, FALSE)""",
    ),
    Allowed(
        what="`UPPER`, `LOWER`, `TRIM`, `CHAR_LENGTH`",
        notes="letters change their case one by one, by Unicode 17 in every language: `ß` stays; "
        "`TRIM(x)` removes spaces at both ends; `CHAR_LENGTH` counts code points",
        tried="""UPPER(s) | TRIM(s) | CHAR_LENGTH(s) | LOWER(s) | CHAR_LENGTH(COALESCE(s, 'abc'))
CHAR_LENGTH(CASE WHEN b THEN 'a' ELSE 'long' END)""",
    ),
    Allowed(
        what="`SUBSTRING(x, start, length)`",
        notes="start a constant of at least 1, length a constant",
        tried="SUBSTRING(s, 1, 2) | SUBSTRING(s, 2) | SUBSTRING(s, 5, 3) | SUBSTRING(s, 1, 0)",
    ),
    Allowed(
        what="`CONCAT`, `x \\|\\| y`",
        notes="NULL if one is",
        tried="CONCAT(s, '-', t) | s || t",
    ),
    Allowed(
        what="`CAST`",
        notes="INT to BIGINT to DOUBLE, DECIMAL of at most 15 digits to DOUBLE, TIMESTAMP to "
        "BIGINT (epoch milliseconds), integers and BOOLEAN to STRING",
        tried="""CAST(i AS STRING) | CAST(j AS DOUBLE) | CAST(p AS DOUBLE) * d | CAST(j AS STRING)
CAST(i AS DOUBLE) * d | CAST(b AS STRING) | CAST(i AS BIGINT) | CAST(m AS BIGINT)""",
    ),
)


def checked() -> Iterator[tuple[str, Expression]]:
    """Yield each expression's text and what the checker makes of it."""
    for text in (text for item in ALLOW_LIST for text in item.expressions):
        value, problems = check(text)
        assert value is not None, problems
        yield text, value


def check(text: str) -> tuple[Expression | None, list[str]]:
    """Return what the checker makes of an expression over `COLUMNS`, and what it refuses."""
    problems = Problems("test")
    scalar = Scalar(text=f"SELECT {text} FROM t0", kind="str", line=1, column=1)
    sql = SqlText(scalar, problems)
    node = sql.parse()
    if node is None:
        return None, [str(problem) for problem in problems.found]
    value = Checker(sql, COLUMNS, "t0", "the rows").value(node.expressions[0])
    return (None, [str(each) for each in problems.found]) if problems.found else (value, [])


def table() -> str:
    """Return the list as it stands in the docs."""
    lines = ["| what | notes | for example |", "| --- | --- | --- |"]
    for item in ALLOW_LIST:
        shown = ", ".join(
            f"`{text.replace('|', chr(92) + '|')}`" for text in item.expressions[:EXAMPLES_SHOWN]
        )
        lines.append(f"| {item.what} | {item.notes} | {shown} |")
    return "\n".join(lines)
