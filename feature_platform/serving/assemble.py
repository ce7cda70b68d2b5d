"""From decoded tiles to served values: merged over covers and finished. Hot path, no I/O."""

from collections.abc import Callable, Mapping, Sequence
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
from feature_platform.rows.wire import Ints, Mask
from feature_platform.serving.matrix import Column
from feature_platform.serving.read_plan import ReadPlan, ResolvedFeature
from feature_platform.serving.tiles import Tiles, decode_tiles
from feature_platform.store.base import StoredRow
from feature_platform.tiles.layout import ADDITIVE, COUNTERS, LayoutColumn

_EXACT_IN_DOUBLE = 2**53
_HALF_BITS = 32


def assemble(plan: ReadPlan, rows: Sequence[Sequence[StoredRow]]) -> tuple[Column, ...]:
    """Return a column for each feature of a plan, an entity each.

    Args:
        plan: What was read.
        rows: For each entity the rows that were read.

    Raises:
        CorruptRowError: A row is malformed.
    """
    layout = plan.group.snapshot.layout
    columns = {column.id: column for wanted in plan.group.wanted for column in wanted.columns}
    counter_ids = [key for key, column in columns.items() if column.kind in COUNTERS]
    extreme_ids = [key for key in counter_ids if columns[key].kind not in ADDITIVE]
    feature_ids = [key for key, column in columns.items() if column.kind not in COUNTERS]
    tiles = decode_tiles(layout, rows, counter_ids, extreme_ids, feature_ids)
    members = {window: tiles.members(answer) for window, answer in plan.covers.items()}
    members[0] = tiles.of_level(layout.grid.lifetime_level)
    made = []
    for wanted in plan.group.wanted:
        if wanted.window_ms == 0 and plan.mode == "past":
            made.append(nothing(wanted.feature, len(rows)))
        else:
            made.append(_column(tiles, wanted, members[wanted.window_ms]))
    return tuple(made)


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


def _column(tiles: Tiles, wanted: ResolvedFeature, members: Ints) -> Column:
    feature, stored = wanted.feature, wanted.columns[0]
    if stored.kind not in COUNTERS:
        return _items(tiles, wanted, members)
    if stored.kind not in ADDITIVE:
        merged, present = _extreme(tiles, stored, members)
        return Column(data=_finish(feature, stored, merged), present=present)
    return _added(tiles, wanted, members)


def _added(tiles: Tiles, wanted: ResolvedFeature, members: Ints) -> Column:
    """Add up a COUNT, SUM or AVG; the latter two have no value where one of theirs was lost."""
    feature, stored = wanted.feature, wanted.columns[0]
    others = {column.name.rpartition("#")[2]: column for column in wanted.columns[1:]}
    merged = _sum(tiles, stored, members)
    present, lost = np.ones(tiles.entity_count, dtype=np.bool_), None
    if "beyond" in others:
        lost = _sum(tiles, others["beyond"], members) != 0
        present = ~lost
    highs = _sum(tiles, others["high"], members) if "high" in others else None
    large = {} if highs is None else _large(merged, highs)
    if feature.aggregate == "avg":
        counts = _sum(tiles, others["count"], members)
        present &= counts != 0
        return Column(
            data=_average(merged, counts, feature.scale, large), present=present, lost=lost
        )
    if stored.kind == "sum" and is_fixed_point(feature.value_type):
        ones = np.ones(len(merged), dtype=np.int64)
        return Column(data=_average(merged, ones, feature.scale, large), present=present)
    return Column(data=_finish(feature, stored, merged), present=present, large=large)


def _large(totals: Ints, highs: Ints) -> dict[int, int]:
    """Return the sums that an int64 does not hold, by place; `totals` has them modulo 2^64."""
    lows = totals - (highs << _HALF_BITS)
    about = highs.astype(np.float64) * 2.0**_HALF_BITS + lows.astype(np.float64)
    sums = {
        place: whole_sum(int(totals[place]), int(highs[place]))
        for place in np.flatnonzero(np.abs(about) > LONG_MAX // 2).tolist()
    }
    return {place: value for place, value in sums.items() if not -LONG_MAX <= value <= LONG_MAX}


def _sum(tiles: Tiles, column: LayoutColumn, members: Ints) -> Ints:
    """Add up per entity, as int64 wraps: differences of running sums are exact for all that."""
    running = np.zeros(len(members) + 1, dtype=np.int64)
    np.cumsum(tiles.counters[column.id][members], out=running[1:])
    bounds = np.searchsorted(tiles.entities[members], np.arange(tiles.entity_count + 1))
    return np.diff(running[bounds])


def _extreme(tiles: Tiles, column: LayoutColumn, members: Ints) -> tuple[Ints, Mask]:
    members = members[tiles.present[column.id][members]]
    owners = tiles.entities[members]
    smallest = column.kind == "min"
    merged = np.full(tiles.entity_count, LONG_MAX if smallest else -LONG_MAX - 1)
    merge: Callable[..., None] = np.minimum.at if smallest else np.maximum.at
    merge(merged, owners, tiles.counters[column.id][members])
    return merged, np.bincount(owners, minlength=tiles.entity_count) > 0


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


def _items(tiles: Tiles, wanted: ResolvedFeature, members: Ints) -> Column:
    feature, column = wanted.feature, wanted.columns[0]
    encoded = tiles.features[column.id]
    found: dict[int, list[tuple[Item, ...]]] = {}
    for tile, entity in zip(members.tolist(), tiles.entities[members].tolist(), strict=True):
        if tile in encoded:
            found.setdefault(entity, []).append(decode_items(encoded[tile], column.carrier))
    made = nothing(feature, tiles.entity_count)
    for entity, partials in found.items():
        merged = partials[0] if len(partials) == 1 else merge_items(column.kind, column.n, partials)
        made.data[entity] = finish_items(column.kind, feature.value_type, feature.scale, merged)
        made.present[entity] = True
    return made
