"""The statistics of one column over some rows: counts that are exact, and sketches that merge."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import datasketches as ds
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feature_platform.definition.limits import MATCHED, QUANTILES
from feature_platform.statistics.sketches import (
    HLL_LG_K,
    KLL_K,
    TEXTS_LG,
    Floats,
    add_distinct,
    add_texts,
    merged_distinct,
    most_frequent,
    quantiles,
)

Kind = Literal["number", "text", "boolean", "list", "event"]
"""`event`: rows that have no value, as those of COUNT(*)."""
Role = Literal["feature", "key", "log"]
"""`log`: what the feature log says of a row beside its values."""

TOP = 20
"""How many of the most frequent texts are named."""
_SCALE = 2.0**64
"""Sums of reals are kept divided by it, so that none overflows; the division is exact."""
_HALF_BITS = 32


def kind_of(type_: pa.DataType) -> Kind:
    """Return how values of a type are counted."""
    if pa.types.is_list(type_):
        return "list"
    if pa.types.is_boolean(type_):
        return "boolean"
    return "text" if pa.types.is_string(type_) else "number"


def _kll() -> ds.kll_doubles_sketch:
    return ds.kll_doubles_sketch(KLL_K)


def _hll() -> ds.hll_sketch:
    return ds.hll_sketch(HLL_LG_K, ds.tgt_hll_type.HLL_8)


def _frequent() -> ds.frequent_strings_sketch:
    return ds.frequent_strings_sketch(TEXTS_LG)


@dataclass(slots=True, kw_only=True)
class ColumnStatistics:
    """What is known of a column (mutable: takes in values).

    A list is measured by its length; its distinct values are those of its items.
    """

    name: str
    kind: Kind
    role: Role = "feature"
    last_ms: int = 0
    """The newest instant of its rows."""
    rows: int = 0
    """Rows that were served with the column, nulls among them."""
    nulls: int = 0
    zeros: int = 0
    """Zeros, false, empty texts and empty lists."""
    not_finite: int = 0
    """NaN and infinities; mean, quantiles and the rest are of the other numbers."""
    whole: int = 0
    """Exact sum of the whole numbers."""
    scaled: float = 0.0
    """Sum of the reals, divided by `_SCALE`."""
    seen: int = 0
    """Events among which the rows were looked for; 0: nobody looked."""
    numbers: ds.kll_doubles_sketch = field(default_factory=_kll)
    distinct_values: ds.hll_sketch = field(default_factory=_hll)
    texts: ds.frequent_strings_sketch = field(default_factory=_frequent)

    def add(self, values: pa.Array, last_ms: int, seen: int = 0) -> None:
        """Take in the values of some rows.

        Args:
            values: Of a type of this kind.
            last_ms: The newest of the rows' instants.
            seen: Events among which the rows were looked for; 0: nobody looked.
        """
        self.add_rows(len(values), seen, last_ms)
        self.nulls += values.null_count
        known = values.drop_null()
        if len(known):
            _ADD[self.kind](self, known)

    def add_rows(self, rows: int, seen: int, last_ms: int) -> None:
        """Take in rows alone; see `add`."""
        self.last_ms = max(self.last_ms, last_ms)
        self.rows += rows
        self.seen += seen

    def merged(self, other: "ColumnStatistics") -> "ColumnStatistics":
        """Return the statistics of the rows of both, of one name and kind; neither changes."""
        numbers, texts = _kll(), _frequent()
        for each in (self, other):
            numbers.merge(each.numbers)
            texts.merge(each.texts)
        return replace(
            self,
            last_ms=max(self.last_ms, other.last_ms),
            rows=self.rows + other.rows,
            seen=self.seen + other.seen,
            nulls=self.nulls + other.nulls,
            zeros=self.zeros + other.zeros,
            not_finite=self.not_finite + other.not_finite,
            whole=self.whole + other.whole,
            scaled=self.scaled + other.scaled,
            numbers=numbers,
            distinct_values=merged_distinct(self.distinct_values, other.distinct_values),
            texts=texts,
        )

    @property
    def base(self) -> int:
        """How many rows what is said of them rests on: those seen, if the rows are all there is."""
        return self.seen if self.kind == "event" else self.rows

    @property
    def known(self) -> int:
        """How many rows have a value."""
        return self.rows - self.nulls

    @property
    def finite(self) -> int:
        """How many rows have a number that mean and quantiles are of."""
        return int(self.numbers.n)

    @property
    def mean(self) -> float | None:
        """The mean; None without numbers."""
        if not self.finite:
            return None
        return self.whole / self.finite + self.scaled / self.finite * _SCALE

    @property
    def distinct(self) -> int:
        """About how many different values there are."""
        estimate: float = self.distinct_values.get_estimate()
        return round(estimate)

    @property
    def top(self) -> list[tuple[str, int]]:
        """The most frequent texts, with their counts."""
        return most_frequent(self.texts, TOP)

    def measures(self) -> dict[str, float]:
        """Return what can be measured; see `definition.limits.MEASURES`. Shares are of all rows."""
        found: dict[str, float] = {"rows": self.rows}
        if self.seen:
            found[MATCHED] = self.rows / self.seen
        if self.kind == "event":
            return found
        found["distinct"] = self.distinct
        if self.rows:
            found |= {"nulls": self.nulls / self.rows, "zeros": self.zeros / self.rows}
        if self.kind not in {"number", "list"}:
            return found
        if self.rows:
            found["not_finite"] = self.not_finite / self.rows
        mean = self.mean
        if mean is None:
            return found
        values = quantiles(self.numbers, [*QUANTILES.values()])
        ends = {"min": self.numbers.get_min_value(), "max": self.numbers.get_max_value()}
        return found | {"mean": mean} | ends | dict(zip(QUANTILES, values, strict=True))

    def to_row(self) -> dict[str, Any]:
        """Return the form in which it is kept: for readers of the table, and for `from_row`."""
        measured = self.measures()
        return {
            **{name: getattr(self, name) for name in _KEPT},
            "seen": self.seen,
            "distinct": self.distinct,
            **{name: measured.get(name) for name in ("mean", "min", "max", *QUANTILES)},
            "top": [{"value": text, "rows": count} for text, count in self.top],
            "whole_sum": str(self.whole),
            "scaled_sum": self.scaled,
            "kll": self.numbers.serialize(),
            "hll": self.distinct_values.serialize_compact(),
            "frequent": self.texts.serialize(),
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "ColumnStatistics":
        """Read what `to_row` returned.

        Raises:
            ValueError, KeyError, IndexError, RuntimeError: It is something else.
        """
        return cls(
            **{name: row[name] for name in _KEPT},
            seen=row.get("seen") or 0,  # days that were kept before have none
            whole=int(row["whole_sum"]),
            scaled=row["scaled_sum"],
            numbers=ds.kll_doubles_sketch.deserialize(row["kll"]),
            distinct_values=ds.hll_sketch.deserialize(row["hll"]),
            texts=ds.frequent_strings_sketch.deserialize(row["frequent"]),
        )

    def _add_numbers(self, known: pa.Array) -> None:
        add_distinct(self.distinct_values, known)
        if pa.types.is_decimal(known.type):
            wholes = [int(each) for each in known.to_pylist()]
            self.whole += sum(wholes)
            self._measure(np.array(wholes, dtype=np.float64))
            return
        values = known.to_numpy(zero_copy_only=False)
        if values.dtype == np.float64:
            finite = values[np.isfinite(values)]
            self.not_finite += len(values) - len(finite)
            self.scaled += float(np.sum(finite / _SCALE))
            self._measure(finite)
        else:
            self._measure_whole(values.astype(np.int64))

    def _add_lists(self, known: pa.Array) -> None:
        add_distinct(self.distinct_values, pc.list_flatten(known))
        lengths = pc.list_value_length(known).to_numpy(zero_copy_only=False)
        self._measure_whole(lengths.astype(np.int64))

    def _add_texts(self, known: pa.Array) -> None:
        self.zeros += pc.sum(pc.equal(known, "")).as_py()
        add_distinct(self.distinct_values, known)
        add_texts(self.texts, known)

    def _add_booleans(self, known: pa.Array) -> None:
        self.zeros += len(known) - pc.sum(known).as_py()
        add_distinct(self.distinct_values, known)

    def _measure_whole(self, values: np.ndarray[Any, np.dtype[np.int64]]) -> None:
        """Add up in two halves: no batch is long enough for either to overflow."""
        high, low = values >> _HALF_BITS, values & ((1 << _HALF_BITS) - 1)
        self.whole += (int(high.sum()) << _HALF_BITS) + int(low.sum())
        self._measure(values.astype(np.float64))

    def _measure(self, values: Floats) -> None:
        self.zeros += int(np.count_nonzero(values == 0))
        self.numbers.update(values)


_KEPT = ("name", "kind", "role", "last_ms", "rows", "nulls", "zeros", "not_finite")

_ADD: Mapping[Kind, Callable[[ColumnStatistics, pa.Array], None]] = {
    "number": ColumnStatistics._add_numbers,  # noqa: SLF001 (its own)
    "text": ColumnStatistics._add_texts,  # noqa: SLF001
    "boolean": ColumnStatistics._add_booleans,  # noqa: SLF001
    "list": ColumnStatistics._add_lists,  # noqa: SLF001
}

SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("name", "kind", "role")),
        *((name, pa.int64()) for name in (*_KEPT[3:], "seen")),
        ("distinct", pa.int64()),
        *((name, pa.float64()) for name in ("mean", "min", "max", *QUANTILES)),
        ("top", pa.list_(pa.struct([("value", pa.string()), ("rows", pa.int64())]))),
        ("whole_sum", pa.string()),
        ("scaled_sum", pa.float64()),
        *((name, pa.binary()) for name in ("kll", "hll", "frequent")),
    ]
)
"""Of the table that a day is kept as: a row for each column."""
