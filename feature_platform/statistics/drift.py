"""How far a column's values have moved since another day: PSI and Jensen-Shannon. Pure.

Both compare the shares of rows in the same bins. Of numbers the bins end at the reference day's
deciles, and what is below its least or above its greatest number has bins of its own. Of texts
they are the reference day's most frequent ones, and all others together; of booleans both values.
Nulls are a bin, and so is what is not finite. Where events have no value, those that a FILTER lets
through are a bin, and the others.

* PSI, the population stability index: `sum((p - q) * ln(p / q))` over bins (Siddiqi, Credit Risk
  Scorecards, 2006, chapter 6), which is Jeffreys' divergence (Kullback and Leibler, On Information
  and Sufficiency, 1951). By convention up to 0.1 is little, from 0.25 on much. So that an empty bin
  gives a number, half a row is added to each bin (Krichevsky and Trofimov, The Performance of
  Universal Encoding, 1981).
* Jensen-Shannon divergence: `H((p + q) / 2) - (H(p) + H(q)) / 2` with entropies in bits (Lin,
  Divergence Measures Based on the Shannon Entropy, 1991): from 0 to 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from feature_platform.statistics.column import ColumnStatistics
from feature_platform.statistics.sketches import Floats, bin_shares, most_frequent, quantiles

DECILES = tuple(number / 10 for number in range(1, 10))
CATEGORIES = 20
"""Texts with a bin of their own."""
ADDED = 0.5
"""Rows that are added to each bin for PSI."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """How far two days of a column are apart."""

    psi: float
    js: float
    bins: tuple[str, ...]
    reference: tuple[float, ...]
    """Rows of the reference day in each bin; about, where they are from sketches."""
    present: tuple[float, ...]

    @property
    def most(self) -> str:
        """Say which bin moved most."""
        before, after = _shares(self.reference), _shares(self.present)
        place = int(np.argmax(np.abs(after - before)))
        return f"{self.bins[place]}: {before[place]:.1%} -> {after[place]:.1%}"


def psi(reference: Sequence[float], present: Sequence[float]) -> float:
    """Return the population stability index of rows by bin."""
    one, other = _shares(reference, ADDED), _shares(present, ADDED)
    return float(np.sum((other - one) * np.log(other / one)))


def jensen_shannon(reference: Sequence[float], present: Sequence[float]) -> float:
    """Return the Jensen-Shannon divergence of rows by bin, in bits; neither is empty."""
    one, other = _shares(reference), _shares(present)
    found = _entropy((one + other) / 2) - (_entropy(one) + _entropy(other)) / 2
    return float(min(1.0, max(0.0, found)))  # rounding must not leave the range


def drift(reference: ColumnStatistics, present: ColumnStatistics) -> Drift | None:
    """Compare two days of a column; None if one has no rows, or its kind has changed."""
    if reference.kind != present.kind or not (reference.base and present.base):
        return None
    if reference.kind == "event":
        return _found(("matched", "not matched"), _events(reference), _events(present))
    match reference.kind:
        case "text":
            names, before, after = _texts(reference, present)
        case "boolean":
            names = ("false", "true")
            before, after = (_booleans(each) for each in (reference, present))
        case _:
            names, before, after = _numbers(reference, present)
    before, after = (*before, float(reference.nulls)), (*after, float(present.nulls))
    return _found((*names, "null"), before, after)


def _found(names: tuple[str, ...], before: tuple[float, ...], after: tuple[float, ...]) -> Drift:
    return Drift(
        psi=psi(before, after),
        js=jensen_shannon(before, after),
        bins=names,
        reference=before,
        present=after,
    )


_Bins = tuple[tuple[str, ...], tuple[float, ...], tuple[float, ...]]


def _numbers(reference: ColumnStatistics, present: ColumnStatistics) -> _Bins:
    edges = edges_of(reference)
    counts = [
        (*(bin_shares(each.numbers, edges) * each.finite).tolist(), float(each.not_finite))
        for each in (reference, present)
    ]
    return (*_names(reference, edges), "not finite"), counts[0], counts[1]


def _names(reference: ColumnStatistics, edges: Sequence[float]) -> tuple[str, ...]:
    """Name the bins of numbers."""
    if not edges:
        return ("any number",)
    shown = [f"{each:g}" for each in (reference.numbers.get_min_value(), *edges[1:])]
    inner = (low if low == high else f"{low} to {high}" for low, high in pairwise(shown))
    return (f"below {shown[0]}", *inner, f"above {shown[-1]}")


def edges_of(reference: ColumnStatistics) -> list[float]:
    """Return where the bins of numbers end: each takes in its own end.

    The first ends just below the reference's least number, the last but one at its greatest.
    """
    if not reference.finite:
        return []
    low, high = reference.numbers.get_min_value(), reference.numbers.get_max_value()
    inner = quantiles(reference.numbers, DECILES)
    return sorted({float(np.nextafter(low, -np.inf)), *map(float, inner), float(high)})


def _texts(reference: ColumnStatistics, present: ColumnStatistics) -> _Bins:
    chosen = [text for text, _ in most_frequent(reference.texts, CATEGORIES)]
    counts = []
    for each in (reference, present):
        known = [float(each.texts.get_estimate(text)) for text in chosen]
        counts.append((*known, max(0.0, each.known - sum(known))))
    return (*map(repr, chosen), "other texts"), counts[0], counts[1]


def _booleans(column: ColumnStatistics) -> tuple[float, ...]:
    return float(column.zeros), float(column.known - column.zeros)


def _events(column: ColumnStatistics) -> tuple[float, ...]:
    return float(column.rows), float(column.seen - column.rows)


def _shares(rows: Sequence[float], added: float = 0.0) -> Floats:
    counts = np.array(rows, dtype=np.float64) + added
    shares: Floats = counts / counts.sum()
    return shares


def _entropy(shares: Floats) -> float:
    some = shares[shares > 0]
    return float(-np.sum(some * np.log2(some)))
