"""From the rows that were read to served values, by the compiled core or by numpy. Hot path.

Both give the same to the bit. The core names no reason when it refuses rows: numpy decodes the same
rows again and does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feature_platform.serving.adding import merge_compactly
from feature_platform.serving.compiled import core
from feature_platform.serving.finish import finish, nothing
from feature_platform.serving.forms import CompactForm, Form, RowsForm
from feature_platform.serving.matrix import Block, Column
from feature_platform.serving.merged import Merged
from feature_platform.serving.plain import plain_block
from feature_platform.serving.read_plan import ReadPlan
from feature_platform.serving.tiles import merge_tiles
from feature_platform.store.base import StoredRow
from feature_platform.tiles.layout import Layout


def merge(plan: ReadPlan, rows: Sequence[Sequence[StoredRow]]) -> Merged:
    """Merge what was read over the windows of a plan.

    Args:
        plan: What was read.
        rows: For each entity the rows that were read.

    Raises:
        CorruptRowError: A row is malformed.
    """
    compiled = core()
    merged = merge_compactly(compiled, plan, rows) if compiled else None
    return merged or merge_tiles(plan, rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """What a plan's features are, an entity each, before defaults and ages."""

    block: Block
    """Plain counters."""
    lines: Mapping[int, int]
    """Where they are in the block, by place of their feature in the plan."""
    others: Mapping[int, Column]
    """All other features, by place."""

    def column(self, place: int) -> Column:
        """Return the values of a feature of the plan."""
        other = self.others.get(place)
        return self.block.column(self.lines[place]) if other is None else other


def assemble(plan: ReadPlan, merged: Merged, found: NDArray[np.int8]) -> Values:
    """Return the values of a plan's features, an entity each.

    Args:
        plan: What was read.
        merged: What of it was added up.
        found: Of each entity: HAS_ROWS, NO_ROWS or FAILED.

    Raises:
        CorruptRowError: An encoded value is malformed.
    """
    block, split = plain_block(plan, merged, found)
    wanted = plan.group.wanted
    others = {
        place: finish(merged, wanted[place])
        if plan.has_value(wanted[place])
        else nothing(wanted[place].feature, merged.entity_count)
        for place in split.others
    }
    return Values(block=block, lines=split.lines, others=others)


def form_of(layout: Layout) -> Form:
    """Return how rows of a layout are kept in memory: compactly, by the core, or as they are."""
    compiled = core()
    compact = CompactForm.of(compiled, layout) if compiled else None
    return compact or RowsForm(layout)
