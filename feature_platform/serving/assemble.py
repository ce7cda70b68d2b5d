"""From the rows that were read to served values, by the compiled core or by numpy. Hot path.

Both give the same to the bit. The core names no reason when it refuses rows: numpy decodes the same
rows again and does.
"""

from collections.abc import Sequence

from feature_platform.serving.adding import merge_compactly
from feature_platform.serving.compiled import core
from feature_platform.serving.finish import finish, nothing
from feature_platform.serving.forms import CompactForm, Form, RowsForm
from feature_platform.serving.matrix import Column
from feature_platform.serving.merged import Merged
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


def assemble(plan: ReadPlan, merged: Merged) -> tuple[Column, ...]:
    """Return a column for each feature of a plan, an entity each.

    Raises:
        CorruptRowError: An encoded value is malformed.
    """
    return tuple(
        finish(merged, wanted)
        if plan.has_value(wanted)
        else nothing(wanted.feature, merged.entity_count)
        for wanted in plan.group.wanted
    )


def form_of(layout: Layout) -> Form:
    """Return how rows of a layout are kept in memory: compactly, by the core, or as they are."""
    compiled = core()
    compact = CompactForm.of(compiled, layout) if compiled else None
    return compact or RowsForm(layout)
