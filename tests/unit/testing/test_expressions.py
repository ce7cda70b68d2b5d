"""The oracle's evaluator of row-level SQL."""

from decimal import Decimal

import pytest
import sqlglot

from feature_platform.definition.sql_text import DefinitionDialect
from feature_platform.testing.expressions import evaluate
from feature_platform.testing.reference_events import ColumnValue

ROW: dict[str, ColumnValue] = {
    "i": 7,
    "neg": -7,
    "big": 2**63 - 1,
    "d": 0.1,
    "p": Decimal("0.10"),
    "s": " Größe ",
    "t": True,
    "f": False,
    "n": None,
    "ts": 1_700_000_000_000,
}


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        # three-valued logic
        ("n = 1", None),
        ("n = 1 AND f", False),
        ("f AND n = 1", False),
        ("n = 1 AND t", None),
        ("n = 1 OR t", True),
        ("n = 1 OR f", None),
        ("NOT n = 1", None),
        ("n IS NULL", True),
        ("i IS NOT NULL", True),
        ("n IN (1, 2)", None),
        ("i IN (1, 7)", True),
        ("i NOT IN (1, 2)", True),
        ("i BETWEEN 1 AND 7", True),
        ("i BETWEEN 8 AND n", False),
        ("i BETWEEN 1 AND n", None),
        # numbers
        ("i + 1", 8),
        ("big + 1", None),
        ("-big - 2", None),
        ("-big - 1", -(2**63)),
        ("big * big", None),
        ("ABS(-big - 1)", None),
        ("i - d", 6.9),
        ("i * 0.5", 3.5),
        ("neg % 3", -1),
        ("MOD(i, 3)", 1),
        ("ABS(neg)", 7),
        ("big = 9223372036854775807", True),
        ("big < 9.3E18", True),
        ("d = 0.1", True),
        ("p = 0.1", True),
        ("p < 0.11", True),
        ("p >= i", False),
        ("d * 1E308 * 1E308", None),
        ("d * 1E308 * 1E308 * 0", None),
        ("COALESCE(-d * 1E308 * 1E308, 2.5)", 2.5),
        # text
        ("TRIM(s)", "Größe"),
        ("UPPER(s)", " GRÖßE "),
        ("LOWER(s)", " größe "),
        ("CHAR_LENGTH(s)", 7),
        ("SUBSTRING(s, 2, 2)", "Gr"),
        ("SUBSTRING(s, 4)", "öße "),
        ("SUBSTRING(s FROM 2 FOR 1)", "G"),
        ("s || 'x' || n", None),
        ("CONCAT(s, '!')", " Größe !"),
        ("s LIKE '%röß%'", True),
        ("s NOT LIKE 'G%'", True),
        ("n LIKE 'G%'", None),
        ("n NOT LIKE 'G%'", None),
        ("s = ' Größe '", True),
        ("s <> 'x'", True),
        # choices and casts
        ("CASE WHEN n = 1 THEN 'a' WHEN t THEN 'b' ELSE 'c' END", "b"),
        ("CASE i WHEN 6 THEN 1 WHEN 7 THEN 2 END", 2),
        ("CASE WHEN f THEN 1 END", None),
        ("COALESCE(n, i, 3)", 7),
        ("COALESCE(n, n)", None),
        ("NULLIF(i, 7)", None),
        ("NULLIF(i, n)", 7),
        ("CAST(i AS STRING)", "7"),
        ("CAST(t AS STRING)", "true"),
        ("CAST(i AS DOUBLE)", 7.0),
        ("CAST(p AS DOUBLE)", 0.1),
        ("CAST(ts AS BIGINT)", 1_700_000_000_000),
        ("CAST(n AS BIGINT)", None),
        ("ts > TIMESTAMP '2023-11-14 22:13:19'", True),
        ("-d", -0.1),
        ("-1.5", -1.5),
        ("(i)", 7),
        ("TRUE", True),
    ],
)
def test_row_level_sql(sql: str, expected: ColumnValue) -> None:
    """An expression has the value that both engines give it, NULL as None."""
    value = evaluate(sqlglot.parse_one(sql, dialect=DefinitionDialect), ROW)

    assert (expected, type(expected)) == (value, bool if value is True else type(value)) or (
        isinstance(value, float) and expected == value
    )


@pytest.mark.parametrize("sql", ["-(d - d)", "d * 0 * -1", "-0.0"])
def test_no_zero_has_a_sign(sql: str) -> None:
    """Engines would compare it each in its own way."""
    node = sqlglot.parse_one(sql, dialect=DefinitionDialect)
    assert str(evaluate(node, ROW)) == "0.0"
