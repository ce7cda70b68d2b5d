"""PSI and Jensen-Shannon equal their formulas; drift is seen in every kind of column."""

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_platform.statistics.column import ColumnStatistics
from feature_platform.statistics.drift import drift, edges_of, jensen_shannon, psi
from tests.unit.statistics.columns import numbers, of, texts

ROWS = st.lists(st.integers(0, 10_000), min_size=1, max_size=8).filter(any)


def by_formula(one: list[float], other: list[float]) -> tuple[float, float]:
    """Return both, a term for each bin."""
    index = bits = 0.0
    bins = len(one)
    for a, b in zip(one, other, strict=True):
        p, q = (a + 0.5) / (sum(one) + bins / 2), (b + 0.5) / (sum(other) + bins / 2)
        index += (q - p) * math.log(q / p)
        p, q = a / sum(one), b / sum(other)
        bits += sum(x / 2 * math.log2(x * 2 / (p + q)) for x in (p, q) if x)
    return index, bits


@given(st.data(), ROWS)
def test_both_equal_their_formulas(data: st.DataObject, one: list[int]) -> None:
    """Also with empty bins; both are symmetric, 0 for equal shares, JS is at most one bit."""
    size = len(one)
    other = data.draw(st.lists(st.integers(0, 99), min_size=size, max_size=size).filter(any))
    before, after = [*map(float, one)], [*map(float, other)]
    index, bits = by_formula(before, after)

    assert psi(before, after) == pytest.approx(index, abs=1e-12)
    assert psi(after, before) == pytest.approx(index, abs=1e-12)
    assert jensen_shannon(before, after) == pytest.approx(bits, abs=1e-12)
    assert 0 <= jensen_shannon(before, after) <= 1
    assert psi(before, before) == 0
    assert jensen_shannon(before, before) == pytest.approx(0, abs=1e-12)


def test_a_known_example() -> None:
    """Worked by hand: two bins, 50/50 against 90/10."""
    assert jensen_shannon([1, 0], [0, 1]) == 1
    many = 10**9
    expected = 0.4 * math.log(0.9 / 0.5) + -0.4 * math.log(0.1 / 0.5)
    assert psi([many * 0.5, many * 0.5], [many * 0.9, many * 0.1]) == pytest.approx(expected)


@given(st.lists(st.none() | st.floats(-50, 50), min_size=1, max_size=60))
def test_bins_of_numbers_hold_each_row_once(values: list[float | None]) -> None:
    """Bins of a small day are exact: compared with itself nothing has moved."""
    made = numbers(*values)
    found = drift(made, made)

    assert found is not None
    assert len(found.bins) == len(found.reference) == len(found.present)
    assert sum(found.reference) == pytest.approx(len(values))
    assert found.psi == pytest.approx(0, abs=1e-9)
    edges = edges_of(made)
    known = [each for each in values if each is not None]
    for place, (low, high) in enumerate(zip([-math.inf, *edges], [*edges, math.inf], strict=True)):
        expected = sum(low < each <= high for each in known)
        if edges:
            assert found.reference[place] == pytest.approx(expected, abs=1e-6)


def many(*values: float) -> ColumnStatistics:
    """Return a hundred times some numbers: so few that sketches are exact."""
    return numbers(*[*values] * 100)


@pytest.mark.parametrize(
    ("before", "after", "most"),
    [
        (many(5), many(4), "below 5: 0.0% -> 100.0%"),  # a constant that is another one
        (many(5), many(6), "5: 100.0% -> 0.0%"),
        (many(0, 0, 0, 1, 2), many(0, 1, 1, 2, 2), "0: 60.0% -> 20.0%"),  # zeros are a bin
        (many(1, 2), numbers(*[None, 1.0, 2.0, None] * 50), "null: 0.0% -> 50.0%"),
        (many(1), many(1, math.nan), "1: 100.0% -> 50.0%"),
        (many(math.nan), many(1), "any number: 0.0% -> 100.0%"),
        (texts(*"aab" * 500), texts(*"abb" * 500), "'a': 66.7% -> 33.3%"),
        (texts(*"aa" * 500), texts(*"ab" * 500), "'a': 100.0% -> 50.0%"),
        (of([True] * 1_000, pa.bool_()), of([False] * 1_000, pa.bool_()), "false: 0.0% -> 100.0%"),
        (of([[1]] * 1_000, pa.list_(pa.int64())), of([[1, 1]] * 1_000, pa.list_(pa.int64())), ""),
    ],
)
def test_what_has_moved_is_seen(
    before: ColumnStatistics, after: ColumnStatistics, most: str
) -> None:
    """In each kind of column, with the bin that changed most."""
    found = drift(before, after)

    assert found is not None
    assert found.psi > 0.25
    assert 0.05 < found.js <= 1
    if most:
        assert found.most == most


def test_equal_days_of_many_rows_have_almost_no_drift() -> None:
    """Two samples of one distribution: by sketches of both, below any usual limit."""
    draw = np.random.default_rng(3)
    days = [of(draw.exponential(10, 100_000).tolist(), pa.float64()) for _ in range(2)]
    found = drift(*days)

    assert found is not None
    assert found.psi < 0.005
    assert found.js < 0.001


def test_what_cannot_be_compared_has_no_drift() -> None:
    """Another kind, or no rows."""
    assert drift(numbers(1), texts("1")) is None
    assert drift(numbers(), numbers(1)) is None
    assert drift(numbers(1), numbers()) is None
