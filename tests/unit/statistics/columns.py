"""Columns of values, and their statistics as plain Python counts them."""

import math
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from feature_platform.statistics.column import ColumnStatistics, kind_of

RANK_ERROR = 0.0036
"""KLL's bound for k = 800, of a single rank; the library says 0.00345 at 99 % confidence."""


def of(values: Sequence[Any], type_: pa.DataType, last_ms: int = 1) -> ColumnStatistics:
    """Return the statistics of values."""
    made = ColumnStatistics(name="x", kind=kind_of(type_))
    made.add(pa.array(values, type_), last_ms)
    return made


def numbers(*values: float | None) -> ColumnStatistics:
    """Return the statistics of reals."""
    return of(values, pa.float64())


def texts(*values: str | None) -> ColumnStatistics:
    """Return the statistics of texts."""
    return of(values, pa.string())


def exact(values: Sequence[Any]) -> dict[str, Any]:
    """Count the values of a column of numbers."""
    known = [each for each in values if each is not None]
    finite = [each for each in known if math.isfinite(each)]
    return {
        "rows": len(values),
        "nulls": len(values) - len(known),
        "zeros": sum(each == 0 for each in known),
        "not_finite": len(known) - len(finite),
        "finite": len(finite),
    }


def counted(column: ColumnStatistics) -> dict[str, Any]:
    """Return the same of statistics."""
    return {name: getattr(column, name) for name in exact([])}
