"""Sketches of Apache DataSketches, as a column's statistics use them: bounded, and mergeable.

* Quantiles: KLL (Karnin, Lang, Liberty: Optimal Quantile Approximation in Streams, 2016). A rank is
  off by at most 0.35 %, the share of a bin by 0.45 %, each with 99 % confidence.
* Distinct values: HLL (Flajolet and others, 2007): off by 1.6 % of the count, one standard error;
  exact for few.
* The most frequent texts: Misra-Gries. A count is off by at most 0.35 % of all; exact for up to
  768 different texts.
"""

import hashlib
from collections import deque
from collections.abc import Sequence

import datasketches as ds
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

KLL_K = 800
HLL_LG_K = 12
TEXTS_LG = 10
TEXT_CHARACTERS_MAX = 128
"""A longer text is kept as its beginning and a digest."""
_WHOLE_MAX = 2.0**53
_LONG_MIN, _LONG_MAX = -(2**63), 2**63 - 1

Floats = NDArray[np.float64]


def add_distinct(sketch: ds.hll_sketch, values: pa.Array) -> None:
    """Take in values; a whole number is the same one whatever its type is."""
    unique = pc.unique(values).drop_null()
    if pa.types.is_floating(unique.type):
        found = unique.to_numpy(zero_copy_only=False)
        whole = (np.abs(found) <= _WHOLE_MAX) & (found == np.floor(found))
        items: list[object] = [*found[whole].astype(np.int64).tolist(), *found[~whole].tolist()]
    else:
        items = unique.to_pylist()
    deque(map(sketch.update, map(_hashable, items)), maxlen=0)


def _hashable(value: object) -> object:
    """Return what the sketch takes: it knows whole numbers of 64 bits, reals and texts."""
    if isinstance(value, bool):
        return int(value)
    if value == "":
        return 0  # the sketch leaves out empty texts; beside texts there are no numbers
    if isinstance(value, int | float | str):
        return value
    whole = int(str(value))  # of decimal128(38, 0)
    return whole if _LONG_MIN <= whole <= _LONG_MAX else str(whole)


def add_texts(sketch: ds.frequent_strings_sketch, values: pa.Array) -> None:
    """Take in texts."""
    for item in pc.value_counts(values.drop_null()).to_pylist():
        sketch.update(short(item["values"]), item["counts"])


def short(text: str) -> str:
    """Return a text as it is, or, if it is long, its beginning and a digest."""
    if len(text) <= TEXT_CHARACTERS_MAX:
        return text
    digest = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    return f"{text[: TEXT_CHARACTERS_MAX - 20]}... {digest}"


def merged_distinct(one: ds.hll_sketch, other: ds.hll_sketch) -> ds.hll_sketch:
    """Return the sketch of the values of both."""
    union = ds.hll_union(HLL_LG_K)
    union.update(one)
    union.update(other)
    return union.get_result(ds.tgt_hll_type.HLL_8)


def most_frequent(sketch: ds.frequent_strings_sketch, count: int) -> list[tuple[str, int]]:
    """Return the most frequent texts with their counts, the most frequent first."""
    kind = ds.frequent_items_error_type.NO_FALSE_POSITIVES
    found = [(text, number) for text, number, _, _ in sketch.get_frequent_items(kind)]
    return sorted(found, key=lambda each: (-each[1], each[0]))[:count]


def bin_shares(sketch: ds.kll_doubles_sketch, edges: Sequence[float]) -> Floats:
    """Return the share of numbers in each bin; one equal to an edge is in the bin that it ends.

    Args:
        sketch: The numbers; of none all shares are 0.
        edges: Ascending; there is one bin more than edges.
    """
    if sketch.is_empty():
        return np.zeros(len(edges) + 1)
    return np.array(sketch.get_pmf(list(edges), True))


def quantiles(sketch: ds.kll_doubles_sketch, ranks: Sequence[float]) -> list[float]:
    """Return the numbers at some ranks; none of no numbers."""
    found: list[float] = sketch.get_quantiles(list(ranks), True) if not sketch.is_empty() else []
    return found
