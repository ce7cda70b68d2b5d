"""Whether values that were served are those that were recomputed. Pure.

A service may have been asked for float32: what was rounded so is the same value.
"""

import math
from typing import Any

import numpy as np
import pyarrow as pa

from feature_platform.rows.wire import Mask
from feature_platform.serving.matrix import Column


def same(logged: pa.ChunkedArray | pa.Array, column: Column) -> Mask:
    """Return of each value whether it is the same; none is the same as none."""
    if not column.large and column.is_numeric and _is_plain(logged.type):
        return _same_numbers(logged, column)
    pairs = zip(logged.to_pylist(), column.to_list(), strict=True)
    return np.array([_is_same(left, right) for left, right in pairs], dtype=np.bool_)


def _is_plain(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_int64(kind) or types.is_floating(kind) or types.is_boolean(kind))


def _same_numbers(logged: pa.ChunkedArray | pa.Array, column: Column) -> Mask:
    array = logged.combine_chunks() if isinstance(logged, pa.ChunkedArray) else logged
    there: Mask = array.is_valid().to_numpy(zero_copy_only=False)
    zero = False if pa.types.is_boolean(logged.type) else 0
    values = array.fill_null(zero).to_numpy(zero_copy_only=False)
    shown = column.shown
    if np.issubdtype(values.dtype, np.floating):
        expected = column.data.astype(np.float64)
        rounded = expected.astype(np.float32).astype(np.float64)
        both_nan = np.isnan(values) & np.isnan(expected)
        alike = (values == expected) | (values == rounded) | both_nan
    else:
        alike = values == column.data
    found: Mask = np.where(shown & there, alike, shown == there)
    return found


def _is_same(logged: Any, expected: Any) -> bool:  # noqa: ANN401 - of any served type
    if isinstance(logged, list) and isinstance(expected, list):
        return len(logged) == len(expected) and all(map(_is_same, logged, expected))
    if isinstance(logged, float) and isinstance(expected, int | float):
        if math.isnan(logged):
            return math.isnan(expected)
        return logged == expected or logged == float(np.float32(expected))
    return bool(logged == expected)
