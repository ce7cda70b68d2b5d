"""From counters and features merged over windows to served values. Hot path, no I/O."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_platform.plan.snapshot import DeployedFeature
from feature_platform.rows.codec import decode_items
from feature_platform.rows.partials import (
    LONG_MAX,
    Item,
    finish_average,
    finish_items,
    is_fixed_point,
    merge_items,
    whole_sum,
)
from feature_platform.rows.wire import Ints
from feature_platform.serving.matrix import Column
from feature_platform.serving.merged import Merged
from feature_platform.serving.read_plan import ResolvedFeature
from feature_platform.tiles.layout import ADDITIVE, COUNTERS, LayoutColumn

_EXACT_IN_DOUBLE = 2**53
_HALF_BITS = 32


def nothing(feature: DeployedFeature, count: int) -> Column:
    """Return a column without values, of the type that the feature has."""
    return Column(
        data=np.zeros(count, dtype=_data_type(feature)), present=np.zeros(count, dtype=np.bool_)
    )


def _data_type(feature: DeployedFeature) -> type[Any]:
    if feature.aggregate == "last_n" or feature.carrier == "text":
        return object
    if feature.aggregate == "count":
        return np.int64
    if feature.aggregate == "avg" or is_fixed_point(feature.value_type):
        return np.float64
    return np.bool_ if feature.value_type == "BOOLEAN" else np.int64


def finish(merged: Merged, wanted: ResolvedFeature) -> Column:
    """Return the values of a feature, an entity each."""
    feature, stored = wanted.feature, wanted.columns[0]
    if stored.kind not in COUNTERS:
        return _items(merged, wanted)
    if stored.kind not in ADDITIVE:
        extremes, present = merged.extreme(stored, wanted.window_ms)
        return Column(data=_finish(feature, stored, extremes), present=present)
    return _added(merged, wanted)


def _added(merged: Merged, wanted: ResolvedFeature) -> Column:
    """Add up a COUNT, SUM or AVG; the latter two have no value where one of theirs was lost."""
    feature, stored, window_ms = wanted.feature, wanted.columns[0], wanted.window_ms
    others = {column.name.rpartition("#")[2]: column for column in wanted.columns[1:]}
    totals = merged.total(stored, window_ms)
    present, lost = np.ones(merged.entity_count, dtype=np.bool_), None
    if "beyond" in others:
        lost = merged.total(others["beyond"], window_ms) != 0
        present = ~lost
    highs = merged.total(others["high"], window_ms) if "high" in others else None
    large = {} if highs is None else _large(totals, highs)
    if feature.aggregate == "avg":
        counts = merged.total(others["count"], window_ms)
        present &= counts != 0
        return Column(
            data=_average(totals, counts, feature.scale, large), present=present, lost=lost
        )
    if stored.kind == "sum" and is_fixed_point(feature.value_type):
        ones = np.ones(len(totals), dtype=np.int64)
        return Column(data=_average(totals, ones, feature.scale, large), present=present)
    return Column(data=_finish(feature, stored, totals), present=present, large=large)


def _large(totals: Ints, highs: Ints) -> dict[int, int]:
    """Return the sums that an int64 does not hold, by place; `totals` has them modulo 2^64."""
    lows = totals - (highs << _HALF_BITS)
    about = highs.astype(np.float64) * 2.0**_HALF_BITS + lows.astype(np.float64)
    sums = {
        place: whole_sum(int(totals[place]), int(highs[place]))
        for place in np.flatnonzero(np.abs(about) > LONG_MAX // 2).tolist()
    }
    return {place: value for place, value in sums.items() if not -LONG_MAX <= value <= LONG_MAX}


def _finish(feature: DeployedFeature, column: LayoutColumn, merged: Ints) -> NDArray[Any]:
    """Do to many counters what `rows.partials.finish_counter` does to one."""
    if column.kind == "count":
        return merged
    if feature.value_type == "DOUBLE" and column.kind != "sum":
        return np.where(merged >= 0, merged, merged ^ LONG_MAX).view(np.float64)
    if is_fixed_point(feature.value_type):
        return _divide(merged, np.ones(len(merged), dtype=np.int64), feature.scale)
    return merged.astype(np.bool_) if feature.value_type == "BOOLEAN" else merged


def _average(
    totals: Ints, counts: Ints, scale: int, large: Mapping[int, int]
) -> NDArray[np.float64]:
    quotients = _divide(totals, np.where(counts == 0, 1, counts), scale)
    for place, total in large.items():
        value = finish_average(total, int(counts[place]), scale)
        quotients[place] = np.nan if value is None else value
    return quotients


def _divide(totals: Ints, counts: Ints, scale: int) -> NDArray[np.float64]:
    """Divide by count and 10^scale, rounded once: as floats where exact, else as integers."""
    divisor = 10**scale
    quotients: NDArray[np.float64] = totals.astype(np.float64) / (
        counts.astype(np.float64) * divisor
    )
    exact = _EXACT_IN_DOUBLE
    large = (totals > exact) | (totals < -exact) | (counts > exact // divisor) | (counts < 0)
    for place in np.flatnonzero(large).tolist():
        value = finish_average(int(totals[place]), int(counts[place]), scale)
        quotients[place] = np.nan if value is None else value
    return quotients


def _items(merged: Merged, wanted: ResolvedFeature) -> Column:
    feature, column = wanted.feature, wanted.columns[0]
    found: dict[int, list[tuple[Item, ...]]] = {}
    for entity, encoded in merged.encoded(column, wanted.window_ms):
        found.setdefault(entity, []).append(decode_items(encoded, column.carrier))
    made = nothing(feature, merged.entity_count)
    for entity, partials in found.items():
        items = partials[0] if len(partials) == 1 else merge_items(column.kind, column.n, partials)
        made.data[entity] = finish_items(column.kind, feature.value_type, feature.scale, items)
        made.present[entity] = True
    return made
