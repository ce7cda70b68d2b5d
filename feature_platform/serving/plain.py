"""The plain counters of a feature set: most of what is asked for, and finished all at once.

A plain counter is a COUNT or a whole-number SUM whose value is its sum as it is. A SUM that is kept
in two parts is one as long as no entity's sum needs the second part. No I/O. Hot path.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from feature_platform.rows.partials import is_fixed_point
from feature_platform.rows.wire import Ints
from feature_platform.serving.matrix import Block
from feature_platform.serving.merged import Merged
from feature_platform.serving.read_plan import ReadPlan, ResolvedFeature
from feature_platform.tiles.layout import ADDITIVE

Line = tuple[int, int]
"""A window, and the id of a counter."""
_HIGH_END, _TOTAL_END = 1 << 29, 1 << 61
"""Below both, a sum is in its first part alone; see `finish` for those that are not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Which features of a plan are in a block, and which are not."""

    lines: Mapping[int, int]
    """Where they are in the block, by their place in the plan."""
    others: tuple[int, ...]
    """The places of all others."""

    @classmethod
    def of(cls, places: Sequence[int], count: int) -> "Split":
        """Split a number of features: those at some places are in the block, in this order."""
        lines = {place: line for line, place in enumerate(places)}
        return cls(lines=lines, others=tuple(each for each in range(count) if each not in lines))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """Which features of a plan are plain counters, and which lines they are made of."""

    places: tuple[int, ...]
    """Among the plan's features; those of one part come first."""
    positions: tuple[int, ...]
    """The same in the request."""
    single: int
    """How many are of one part."""
    totals: tuple[Line, ...]
    """A line for each place."""
    highs: tuple[Line, ...]
    """High halves of the others."""
    beyond: tuple[Line, ...]
    """How many values they have lost."""
    partial: NDArray[np.bool_]
    """Of each place, whether it began to count inside what is asked."""
    whole: Split
    """What of the plan is in a block of all of them."""
    narrow: Split
    """The same of a block of those of one part."""

    @property
    def lines(self) -> tuple[Line, ...]:
        """All lines."""
        return self.totals + self.highs + self.beyond


def plain_of(plan: ReadPlan) -> Plain:
    """Return which features of a plan are plain counters."""
    wanted, positions = plan.group.wanted, plan.group.positions
    plain = [place for place, each in enumerate(wanted) if plan.has_value(each) and _is_sum(each)]
    places = sorted(plain, key=lambda place: len(wanted[place].columns) > 1)
    single = sum(len(wanted[place].columns) == 1 for place in places)
    parts = {
        part: tuple(
            (wanted[place].window_ms, column.id)
            for place in places
            for column in wanted[place].columns[1:]
            if column.name.endswith(f"#{part}")
        )
        for part in ("high", "beyond")
    }
    return Plain(
        places=tuple(places),
        positions=tuple(positions[place] for place in places),
        single=single,
        totals=tuple((wanted[place].window_ms, wanted[place].columns[0].id) for place in places),
        highs=parts["high"],
        beyond=parts["beyond"],
        partial=np.array([not plan.is_full(wanted[place]) for place in places], dtype=np.bool_),
        whole=Split.of(places, len(wanted)),
        narrow=Split.of(places[:single], len(wanted)),
    )


def _is_sum(wanted: ResolvedFeature) -> bool:
    """Return whether a feature is a sum that is served as it is."""
    feature, kind = wanted.feature, wanted.columns[0].kind
    if kind not in ADDITIVE or feature.aggregate == "avg":
        return False
    return kind == "count" or not (
        is_fixed_point(feature.value_type) or feature.value_type == "BOOLEAN"
    )


def plain_block(plan: ReadPlan, merged: Merged, found: NDArray[np.int8]) -> tuple[Block, Split]:
    """Return the plain counters of all entities, and which features of the plan they are.

    Args:
        plan: What was read.
        merged: What of it was added up.
        found: Of each entity: HAS_ROWS, NO_ROWS or FAILED.
    """
    plain = plan.derived(plain_of)
    sums = merged.totals(plain.lines)
    count = len(plain.places)
    block = Block(
        positions=plain.positions, data=sums[:, :count], partial=plain.partial, found=found
    )
    if plain.single == count or _is_whole(sums[:, plain.single :], plain):
        return block, plain.whole
    single = slice(plain.single)
    fewer = replace(
        block,
        positions=plain.positions[single],
        data=sums[:, single],
        partial=plain.partial[single],
    )
    return fewer, plain.narrow


def _is_whole(sums: Ints, plain: Plain) -> bool:
    """Return whether no sum of several parts needs another part than its first."""
    wide = len(plain.places) - plain.single
    totals, highs = sums[:, :wide], sums[:, wide : wide + len(plain.highs)]
    return (
        _is_below(totals, _TOTAL_END)
        and _is_below(highs, _HIGH_END)
        and not sums[:, wide + len(plain.highs) :].any()
    )


def _is_below(numbers: NDArray[np.int64], end: int) -> bool:
    return bool(numbers.max(initial=0) < end and numbers.min(initial=0) > -end)
