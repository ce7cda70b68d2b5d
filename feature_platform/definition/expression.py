"""A checked row-level expression and query: typed trees that both dialects are rendered from."""

from dataclasses import dataclass
from typing import Literal

from feature_platform.definition.model import Aggregate, ColumnType
from feature_platform.definition.yaml_tree import Spot

BIGINT = ColumnType(name="BIGINT")
INT = ColumnType(name="INT")
DOUBLE = ColumnType(name="DOUBLE")
STRING = ColumnType(name="STRING")
BOOLEAN = ColumnType(name="BOOLEAN")
TIMESTAMP = ColumnType(name="TIMESTAMP")
INTEGERS = frozenset({"BIGINT", "INT"})

Op = Literal[
    "column", "literal", "null", "cast", "case", "and", "or", "not", "is_null", "is_not_null",
    "in", "between", "like", "=", "<>", "<", "<=", ">", ">=", "+", "-", "*", "negate", "function",
    "fixed",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """One node; engines agree on its value for every row."""

    op: Op
    type: ColumnType
    args: tuple["Expression", ...] = ()
    value: str = ""
    """Name of a column or function, text of a literal, scale of `fixed`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InnerSelect:
    """An inner SELECT: transforms and filters rows, one by one."""

    origin: "InnerSelect | str"
    """What it reads: another inner SELECT or the source."""
    columns: tuple[tuple[str, Expression], ...]
    where: Expression | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregateCall:
    """One aggregate of the outer SELECT."""

    name: str
    aggregate: Aggregate
    argument: Expression | None
    """None for COUNT(*)."""
    n: int
    filter: Expression | None
    spot: Spot
    filter_text: str = ""
    """The FILTER's condition as written, on one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """The whole checked query of a feature set."""

    entity: str
    origin: InnerSelect | str
    where: Expression | None
    calls: tuple[AggregateCall, ...]
