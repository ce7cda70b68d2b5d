"""Statistics of a column equal a plain recomputation: exactly, or within a sketch's bound."""

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_platform.definition.limits import QUANTILES
from feature_platform.statistics.column import SCHEMA, TOP, ColumnStatistics
from feature_platform.statistics.sketches import TEXT_CHARACTERS_MAX, short
from tests.unit.statistics.columns import RANK_ERROR, counted, exact, numbers, of, texts

INT64 = st.integers(-(2**63), 2**63 - 1)
REALS = st.floats(allow_nan=True, allow_infinity=True)
FEW = 60
"""Up to this many sketches of quantiles and distinct values are exact."""


def mean_of(values: list[Any]) -> float | None:
    """Return the exact mean, rounded once."""
    finite = [Fraction(each) for each in values if each is not None and math.isfinite(each)]
    return float(sum(finite) / len(finite)) if finite else None


@given(st.lists(st.none() | INT64, max_size=FEW))
def test_whole_numbers_are_exact(values: list[int | None]) -> None:
    """Counts, and the mean however large the sum is."""
    made = of(values, pa.int64())

    assert counted(made) == exact(values)
    expected = mean_of(values)
    assert made.mean == (None if expected is None else pytest.approx(expected, rel=1e-15, abs=0))


@given(st.lists(st.none() | REALS, max_size=FEW))
def test_reals_leave_out_what_is_not_finite(values: list[float | None]) -> None:
    """NaN and infinities are counted, and are in no mean or quantile; no sum overflows."""
    made = numbers(*values)
    finite = sorted(each for each in values if each is not None and math.isfinite(each))

    assert counted(made) == exact(values)
    if not finite:
        assert made.mean is None
        assert "min" not in made.measures()
        return
    scale = max(map(abs, finite))
    assert made.mean == pytest.approx(mean_of(list(values)), rel=1e-12, abs=scale * 1e-12 + 1e-280)
    measured = made.measures()
    assert (measured["min"], measured["max"]) == (finite[0], finite[-1])
    for name, rank in QUANTILES.items():
        assert measured[name] == finite[max(0, math.ceil(rank * len(finite) - 1e-9) - 1)]


@given(st.lists(st.none() | st.integers(-(10**37), 10**37), max_size=20))
def test_numbers_beyond_64_bits_are_exact(values: list[int | None]) -> None:
    """As the archive has sums that are larger than int64."""
    known = [None if each is None else Decimal(each) for each in values]
    made = of(known, pa.decimal128(38, 0))

    assert counted(made) == exact(values)
    assert made.whole == sum(each for each in values if each is not None)
    assert made.distinct == len({each for each in values if each is not None})


def test_distinct_values_are_the_same_in_any_type() -> None:
    """1 and 1.0 are one value, however a feature's type has changed; NaN is one value."""
    nan = float("nan")
    whole, real = of([1, 2, 3], pa.int64()), of([1.0, 2.5, nan, nan], pa.float64())

    assert real.distinct == 3
    assert whole.merged(real).distinct == 5


@given(st.lists(st.none() | st.text(st.characters(codec="utf-8"), max_size=3), max_size=FEW))
def test_texts_are_counted(values: list[str | None]) -> None:
    """Empty ones are zeros; few different ones are counted exactly; there is no mean."""
    made = texts(*values)
    known = [each for each in values if each is not None]

    assert (made.rows, made.nulls, made.zeros) == (
        len(values),
        values.count(None),
        known.count(""),
    )
    assert made.distinct == len(set(known))
    counts = sorted(((each, known.count(each)) for each in set(known)), key=lambda e: (-e[1], e[0]))
    assert made.top == counts[:TOP]
    assert "mean" not in made.measures()


def test_long_texts_take_bounded_room() -> None:
    """They are told apart by their digests; distinct values are those of whole texts."""
    same = "é" * 10_000
    made = texts(*[same + "a"] * 3, same + "b", "short")

    assert [count for _, count in made.top] == [3, 1, 1]
    assert made.top[0][0] == short(same + "a")
    assert all(len(text) <= TEXT_CHARACTERS_MAX for text, _ in made.top)
    assert made.distinct == 3
    assert len(made.texts.serialize()) < 1_000


def test_booleans_and_lists_have_zeros_too() -> None:
    """False and the empty list; a list is measured by its length, and counted by its items."""
    flags = of([True, None, False, False], pa.bool_())
    lists = of([["a", "b", None], None, [], ["a"]], pa.list_(pa.string()))

    assert (flags.rows, flags.nulls, flags.zeros, flags.distinct) == (4, 1, 2, 2)
    assert (lists.rows, lists.nulls, lists.zeros, lists.distinct) == (4, 1, 1, 2)
    assert lists.mean == pytest.approx(4 / 3)
    assert lists.measures()["max"] == 3


@pytest.mark.parametrize(
    "type_", [pa.int64(), pa.float64(), pa.string(), pa.bool_(), pa.list_(pa.float64())]
)
def test_nulls_only_and_no_rows_are_clear(type_: pa.DataType) -> None:
    """Shares of nothing are none; of nulls only the share of nulls is 1."""
    assert set(of([], type_).measures()) == {"rows", "distinct"}
    measured = of([None] * 3, type_).measures()
    assert (measured["nulls"], measured["zeros"], measured["distinct"]) == (1.0, 0.0, 0)
    assert "mean" not in measured


VALUES = {
    "int64": (pa.int64(), INT64),
    "double": (pa.float64(), st.floats(-1e6, 1e6) | st.sampled_from([math.nan, math.inf])),
    "text": (pa.string(), st.text(st.characters(codec="utf-8"), max_size=2)),
    "boolean": (pa.bool_(), st.booleans()),
    "list": (pa.list_(pa.int64()), st.lists(st.integers(0, 5), max_size=3)),
}


@given(st.data(), st.sampled_from(sorted(VALUES)))
def test_merged_parts_are_the_whole(data: st.DataObject, name: str) -> None:
    """Two halves of some rows, kept and read again, have the statistics of all; both ways round."""
    type_, drawn = VALUES[name]
    values = data.draw(st.lists(st.none() | drawn, max_size=FEW))
    cut = data.draw(st.integers(0, len(values)))
    parts = [kept(of(each, type_, ms)) for ms, each in enumerate((values[:cut], values[cut:]), 1)]
    whole = of(values, type_, 2)

    for one, other in (parts, parts[::-1]):
        merged = one.merged(other)
        assert (merged.last_ms, merged.top) == (2, whole.top)
        assert merged.whole == whole.whole
        found, expected = merged.measures(), whole.measures()
        assert found.keys() == expected.keys()
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)


def kept(column: ColumnStatistics) -> ColumnStatistics:
    """Return a column as it is read again."""
    (row,) = pa.Table.from_pylist([column.to_row()], SCHEMA).to_pylist()
    return ColumnStatistics.from_row(row)


@pytest.mark.parametrize("parts", [1, 7])
def test_sketches_of_many_rows_are_within_their_bounds(parts: int) -> None:
    """Ranks of quantiles by KLL's bound, distinct values by five of HLL's standard errors."""
    drawn = np.random.default_rng(7).lognormal(3, 2, 200_000)
    made = numbers()
    for part in np.array_split(drawn, parts):
        made = made.merged(of(part.tolist(), pa.float64()))
    ordered, measured = np.sort(drawn), made.measures()

    for name, rank in QUANTILES.items():
        found = np.searchsorted(ordered, measured[name], side="right") / len(ordered)
        assert abs(found - rank) < 2 * RANK_ERROR
    assert made.distinct == pytest.approx(len(drawn), rel=5 * 0.0163)
    assert made.mean == pytest.approx(drawn.mean(), rel=1e-12)
    assert len(made.numbers.serialize()) < 30_000
    assert len(made.distinct_values.serialize_compact()) < 5_000
