"""The allow-list is true: Flink and Spark give the same value for every row, awkward ones included.

Both engines run here in this process's own Java machines, on a few hundred rows drawn once.
"""

import random
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from feature_platform.definition.expression import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    INT,
    STRING,
    Expression,
)
from feature_platform.definition.expressions import Checker
from feature_platform.definition.model import ColumnType
from feature_platform.definition.problems import Problems
from feature_platform.definition.render import Dialect, expression
from feature_platform.definition.sql_text import SqlText
from feature_platform.definition.yaml_tree import Scalar

if TYPE_CHECKING:  # the engines are imported by what uses them
    from pyspark.sql import SparkSession

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore"),
]  # the engines' own warnings

ROWS = 100
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
}
AWKWARD: dict[str, tuple[Any, ...]] = {
    "STRING": (
        None,
        "",
        " ",
        "view",
        " a b ",
        "Straße",
        "ÀÉ",
        "x\ny",
        "日本語🎉",
        "A_b%",
        "it's",
        "\\",
    ),
    "INT": (None, 0, 1, -1, 7, 2**31 - 1, -(2**31)),
    "BIGINT": (None, 0, 3, -5, 2**63 - 1, -(2**63)),
    "DOUBLE": (None, 0.0, 0.1, 1.5, -2.25, 1e100),
    "DECIMAL": (None, Decimal("0.00"), Decimal("1.50"), Decimal("-99999999.99"), Decimal("2.25")),
    "BOOLEAN": (None, True, False),
}
EXPRESSIONS = """
s = t | s <> 'view' | s < t | s >= 'a' | s IN ('view', '', 'it''s') | s = '\\' | 'Straße' = s
s LIKE '%b%' | s LIKE 'x%' | s LIKE '%y' | s LIKE '' | s LIKE 'x%y' | s LIKE '%本%' | s NOT LIKE '%'
UPPER(s) | LOWER(s) | TRIM(s) | CHAR_LENGTH(s) | SUBSTRING(s, 1, 2) | SUBSTRING(s, 2)
SUBSTRING(s, 5, 3) | SUBSTRING(s, 1, 0) | CONCAT(s, '-', t) | COALESCE(s, t, 'none')
NULLIF(s, '') | NULLIF(s, t) | CASE s WHEN 'view' THEN 'v' WHEN '' THEN NULL ELSE t END
CHAR_LENGTH(CASE WHEN b THEN 'a' ELSE 'long' END) | CHAR_LENGTH(COALESCE(s, 'abc'))
i + j | i * i | j * 3 | j - i | j + j | -j | -i | ABS(j) | ABS(i) | MOD(j, 10) | i % 7 | j % 3
2147483647 + i | j + 9223372036854775807 | i - (j - 1) * 2 | i - j - 1
i = j | i < d | j >= d | i BETWEEN -1 AND 7 | j NOT BETWEEN i AND 5 | i IN (1, -1)
CAST(i AS STRING) | CAST(j AS STRING) | CAST(j AS DOUBLE) | CAST(i AS DOUBLE) * d
NOT (i IN (1, 2)) | CAST(b AS STRING) | COALESCE(i, j) | COALESCE(i, 0) | NULLIF(i, 0)
NULLIF(j, i) | CASE WHEN b THEN i ELSE j END | CASE WHEN b THEN 1 ELSE 2.5 END
CASE WHEN b THEN i ELSE d END | CASE WHEN b THEN c END
d + e | d * e | d - e | -d | ABS(d) | d = e | d < e | d <> 0.1 | d IN (1.5, 0)
d BETWEEN 0 AND 1.5 | d + 0.1 | d * i | d = 0 OR d = 1.5 | d > 1e99
p > 1.5 | p = 1.50 | p IN (1.5, 0.1, 2) | p < i | p BETWEEN 0 AND 2.25 | CAST(p AS DOUBLE) * d
COALESCE(p, 0) | COALESCE(p, 1.5) | NULLIF(p, 0) | CASE WHEN b THEN p ELSE 3 END
b AND c | b OR c | NOT b | b = c | b <> c | b IS NULL | b IS NOT NULL | (i > 1) = b | b IN (TRUE)
b AND NOT c OR i > 0 | COALESCE(b, FALSE) | s = t AND i > 1 OR d IS NULL | NOT (s = t AND b)
"""


def _checked() -> list[tuple[str, Expression]]:
    texts = [text.strip() for line in EXPRESSIONS.split("\n") for text in line.split(" | ")]
    found = []
    for text in filter(None, texts):
        problems = Problems("test")
        scalar = Scalar(text=f"SELECT {text} FROM t0", kind="str", line=1, column=1)
        sql = SqlText(scalar, problems)
        node = sql.parse()
        assert node is not None
        value = Checker(sql, COLUMNS, "t0", "the rows").value(node.expressions[0])
        assert value is not None, problems.found
        found.append((text, value))
    return found


def _rows() -> list[tuple[Any, ...]]:
    draw = random.Random(1)  # noqa: S311 (data, not secrets)
    return [
        (number, *(draw.choice(AWKWARD[kind.name]) for kind in COLUMNS.values()))
        for number in range(ROWS)
    ]


def _query(values: Sequence[Expression], dialect: Dialect) -> str:
    items = [f"`{name}`" for name in ("k", *COLUMNS)]
    items += [f"{expression(value, dialect)} AS `x{n}`" for n, value in enumerate(values)]
    return f"SELECT {', '.join(items)} FROM `t0`"


def _in_flink(values: Sequence[Expression]) -> list[list[Any]]:
    from pyflink.table import DataTypes, EnvironmentSettings, TableEnvironment

    types: dict[str, Callable[[], Any]] = {
        "STRING": DataTypes.STRING,
        "INT": DataTypes.INT,
        "BIGINT": DataTypes.BIGINT,
        "DOUBLE": DataTypes.DOUBLE,
        "DECIMAL": lambda: DataTypes.DECIMAL(10, 2),
        "BOOLEAN": DataTypes.BOOLEAN,
    }
    fields = [DataTypes.FIELD(name, types[kind.name]()) for name, kind in COLUMNS.items()]
    schema = DataTypes.ROW([DataTypes.FIELD("k", DataTypes.INT()), *fields])
    tables = TableEnvironment.create(EnvironmentSettings.in_batch_mode())
    tables.create_temporary_view("t0", tables.from_elements(_rows(), schema))
    with tables.sql_query(_query(values, "flink")).execute().collect() as rows:
        return sorted(list(row) for row in rows)


def _in_spark(spark: "SparkSession", values: Sequence[Expression]) -> list[list[Any]]:
    fields = [f"{name} {kind}" for name, kind in COLUMNS.items()]
    spark.createDataFrame(_rows(), ", ".join(["k INT", *fields])).createOrReplaceTempView("t0")
    return sorted(list(row) for row in spark.sql(_query(values, "spark")).collect())


def test_both_engines_give_the_same_values(spark: "SparkSession") -> None:
    """Every operation and function of the allow-list has one value for a row."""
    checked = _checked()
    values = [value for _, value in checked]

    flink_rows, spark_rows = _in_flink(values), _in_spark(spark, values)

    assert len(flink_rows) == ROWS
    pairs = list(zip(flink_rows, spark_rows, strict=True))
    different = {
        text: [(row[1:10], row[n], other[n]) for row, other in pairs if row[n] != other[n]]
        for n, (text, _) in enumerate(checked, start=1 + len(COLUMNS))
    }
    assert {text: found[0] for text, found in different.items() if found} == {}
