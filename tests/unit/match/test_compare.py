"""Whether a value that was served is the one that was recomputed."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from feature_platform.match.compare import same
from feature_platform.serving.matrix import Column


def column(values: list[Any], dtype: type | str) -> Column:
    """Return values, None where there is none."""
    present = np.array([value is not None for value in values])
    data = np.zeros(len(values), dtype=dtype)
    for place, value in enumerate(values):
        data[place] = value if value is not None else (None if dtype is object else 0)
    return Column(data=data, present=present)


@pytest.mark.parametrize(
    ("logged", "expected", "dtype", "equal"),
    [
        (pa.array([1, 2, None, None, 3]), [1, 3, None, 0, None], "i8", [1, 0, 1, 0, 0]),
        (pa.array([2**53 + 1]), [2**53], "i8", [0]),
        (pa.array([0.1, float(np.float32(0.1)), 0.2]), [0.1, 0.1, 0.1], "f8", [1, 1, 0]),
        (pa.array([float("nan"), 1.0, None]), [float("nan"), float("nan"), None], "f8", [1, 0, 1]),
        (pa.array([True, False, None]), [True, True, False], "?", [1, 0, 0]),
        (pa.array(["a", None, "b"]), ["a", None, "c"], object, [1, 1, 0]),
        (pa.array([[1, 2], [1], None]), [[1, 2], [1, 2], None], object, [1, 0, 1]),
        (pa.array([[0.5, float(np.float32(0.1))]]), [[0.5, 0.1]], object, [1]),
        (pa.array([16_777_216.0]), [16_777_217], "i8", [1]),
    ],
)
def test_same(logged: pa.Array, expected: list[Any], dtype: type | str, equal: list[int]) -> None:
    """Integers exactly, floats also as they are rounded to float32, none as none."""
    found = same(logged, column(expected, dtype))

    assert found.tolist() == [bool(each) for each in equal]


def test_sums_beyond_64_bits() -> None:
    """They are decimals in the log."""
    large = Column(data=np.zeros(2, "i8"), present=np.ones(2, "?"), large={0: 2**70})

    assert same(pa.array([2**70, 1], pa.decimal128(38, 0)), large).tolist() == [True, False]
