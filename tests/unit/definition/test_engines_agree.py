"""The allow-list is true: Flink and Spark give the same value for every row, awkward ones included.

Both engines run here in this process's own Java machines, on a few hundred rows drawn once.
"""

import gc
import os
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlglot

from feature_platform.definition.expression import TIMESTAMP, Expression
from feature_platform.definition.model import ColumnType
from feature_platform.definition.ranges import columns_of
from feature_platform.definition.render import Dialect, expression
from feature_platform.definition.sql_text import DefinitionDialect
from feature_platform.local.jars import build_kernel
from feature_platform.local.java import find_java_home
from feature_platform.settings import load_settings
from feature_platform.testing.expressions import evaluate
from tests.unit.definition import ring
from tests.unit.definition.allow_list import COLUMNS, check, checked

if TYPE_CHECKING:  # the engines are imported by what uses them
    from pyflink.table import TableEnvironment
    from pyspark.sql import SparkSession

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore"),
]  # the engines' own warnings

Rows = list[tuple[Any, ...]]
ROWS = 100
RING_ROWS = int(os.environ.get("RING_ROWS", "200"))
RING_EXPRESSIONS = int(os.environ.get("RING_EXPRESSIONS", "80"))
RING_DEPTH = 3
SEED = int(os.environ.get("RING_SEED", "1"))
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
    # No event has a negative zero, see the kernel's parser; `-d` makes one.
    "DOUBLE": (None, 0.0, 0.1, 1.5, -2.25, 1e100, 1e308, -1e308, 5e-324),
    "DECIMAL": (None, Decimal("0.00"), Decimal("1.50"), Decimal("-99999999.99"), Decimal("2.25")),
    "BOOLEAN": (None, True, False),
    "TIMESTAMP": (None, 0, 1_769_871_600_000, -1),
}


def _rows() -> Rows:
    draw = random.Random(1)  # noqa: S311 (data, not secrets)
    return [
        (number, *(draw.choice(AWKWARD[kind.name]) for kind in COLUMNS.values()))
        for number in range(ROWS)
    ]


def _ring_rows() -> Rows:
    return ring.rows([kind.name for kind in COLUMNS.values()], RING_ROWS, seed=SEED)


def _query(values: Sequence[Expression], dialect: Dialect) -> str:
    items = [f"`{name}`" for name in ("k", *COLUMNS)]
    items += [f"{expression(value, dialect)} AS `x{n}`" for n, value in enumerate(values)]
    return f"SELECT {', '.join(items)} FROM `t0`"


def _flink_tables(kernel: Path) -> "TableEnvironment":
    from pyflink.java_gateway import get_gateway
    from pyflink.table import EnvironmentSettings, TableEnvironment
    from pyflink.util.java_utils import add_jars_to_context_class_loader

    tables = TableEnvironment.create(EnvironmentSettings.in_batch_mode())
    tables.get_config().set("pipeline.jars", kernel.as_uri())
    add_jars_to_context_class_loader([kernel.as_uri()])
    flink = get_gateway().jvm.io.featureplatform.kernel.flink
    flink.sql.SqlFunctions.register(tables._j_tenv)
    return tables


def _in_flink(kernel: Path, values: Sequence[Expression], given: Rows) -> list[list[Any]]:
    from pyflink.table import DataTypes

    types: dict[str, Callable[[], Any]] = {
        "STRING": DataTypes.STRING,
        "INT": DataTypes.INT,
        "BIGINT": DataTypes.BIGINT,
        "DOUBLE": DataTypes.DOUBLE,
        "DECIMAL": lambda: DataTypes.DECIMAL(10, 2),
        "BOOLEAN": DataTypes.BOOLEAN,
        "TIMESTAMP": DataTypes.BIGINT,  # as everywhere in the engines: epoch milliseconds
    }
    fields = [DataTypes.FIELD(name, types[kind.name]()) for name, kind in COLUMNS.items()]
    schema = DataTypes.ROW([DataTypes.FIELD("k", DataTypes.INT()), *fields])
    with _one_java_thread():
        tables = _flink_tables(kernel)
        tables.create_temporary_view("t0", tables.from_elements(given, schema))
        with tables.sql_query(_query(values, "flink")).execute().collect() as rows:
            return sorted(list(row) for row in rows)


@contextmanager
def _one_java_thread() -> Iterator[None]:
    """Keep Python's collector from calling Java meanwhile; `streaming/main.py` says why."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _in_spark(spark: "SparkSession", values: Sequence[Expression], given: Rows) -> list[list[Any]]:
    from backfill.tiles import register_functions

    fields = [f"{name} {'BIGINT' if kind == TIMESTAMP else kind}" for name, kind in COLUMNS.items()]
    register_functions(spark)
    spark.createDataFrame(given, ", ".join(["k INT", *fields])).createOrReplaceTempView("t0")
    return sorted(list(row) for row in spark.sql(_query(values, "spark")).collect())


def exactly(value: object) -> tuple[type, str]:
    """Return what tells values apart that are equal: the sign of zero, a type, a scale."""
    return type(value), repr(value)


@pytest.mark.parametrize(
    ("one", "other"), [(0.0, -0.0), (1, True), (1, 1.0), (Decimal("1.5"), Decimal("1.50"))]
)
def test_equal_values_are_not_the_same(one: object, other: object) -> None:
    """They would make other bytes, or another text."""
    assert one == other
    assert exactly(one) != exactly(other)


def test_both_engines_give_the_same_values(spark: "SparkSession", tmp_path: Path) -> None:
    """Every operation and function of the allow-list has one value for a row."""
    kernel = build_kernel(load_settings(tmp_path, {}), find_java_home())
    _agree(spark, kernel, list(checked()), _rows())


@pytest.mark.parametrize("drawn", ["listed", "awkward", "random"])
def test_both_engines_and_the_oracle_give_the_same_values_on_the_second_ring(
    spark: "SparkSession", tmp_path: Path, drawn: str
) -> None:
    """Letters after Unicode 13, halves of pairs, private use, edges of numbers, nested calls."""
    kernel = build_kernel(load_settings(tmp_path, {}), find_java_home())
    tried = {"listed": checked, "awkward": _awkward, "random": _drawn}[drawn]
    _agree(spark, kernel, list(tried()), _ring_rows())


def _awkward() -> Iterator[tuple[str, Expression]]:
    for text in ring.awkward():
        value, problems = check(text)
        assert value is not None, (text, problems)
        yield text, value


def _drawn() -> Iterator[tuple[str, Expression]]:
    """Draw expressions that the checker takes: it refuses conditions without a column."""
    draw, taken = ring.Expressions(SEED), 0
    while taken < RING_EXPRESSIONS:
        text = draw.any(RING_DEPTH)
        value, _ = check(text)
        if value is not None:
            taken += 1
            yield text, value


def _agree(
    spark: "SparkSession", kernel: Path, tried: Sequence[tuple[str, Expression]], given: Rows
) -> None:
    values = [value for _, value in tried]
    flink_rows, spark_rows = _in_flink(kernel, values, given), _in_spark(spark, values, given)
    assert len(flink_rows) == len(given)
    different: dict[str, dict[str, Any]] = {}
    for n, (text, value) in enumerate(tried):
        node = sqlglot.parse_one(f"SELECT {text}", dialect=DefinitionDialect).expressions[0]
        for row, flink_row, spark_row in zip(given, flink_rows, spark_rows, strict=True):
            named = dict(zip(COLUMNS, row[1:], strict=True))
            found = {
                "flink": flink_row[1 + len(COLUMNS) + n],
                "spark": spark_row[1 + len(COLUMNS) + n],
                "oracle": typed(evaluate(node, named), value.type),
            }
            if len({exactly(each) for each in found.values()}) > 1 and text not in different:
                read = {name: named[name] for name in columns_of(value)}
                different[text] = found | {"of": read}
    assert different == {}


def typed(value: Any, kind: ColumnType) -> Any:  # noqa: ANN401 - as the oracle evaluates
    """Return what the oracle has evaluated as the type that engines give."""
    match kind.name:
        case _ if value is None:
            return None
        case "DOUBLE":
            return float(value) + 0.0
        case "DECIMAL":
            return Decimal(str(value)).quantize(Decimal(1).scaleb(-kind.scale))
        case _:
            return value
