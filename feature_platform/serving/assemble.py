"""From the rows that were read to served values, by the compiled core or by numpy. Hot path.

Both give the same to the bit. The core names no reason when it refuses rows: numpy decodes the same
rows again and does.
"""

from collections.abc import Sequence

from feature_platform.serving.compact import merge_compactly
from feature_platform.serving.compiled import core
from feature_platform.serving.finish import finish, nothing
from feature_platform.serving.matrix import Column
from feature_platform.serving.read_plan import ReadPlan
from feature_platform.serving.tiles import merge_tiles
from feature_platform.store.base import StoredRow


def assemble(plan: ReadPlan, rows: Sequence[Sequence[StoredRow]]) -> tuple[Column, ...]:
    """Return a column for each feature of a plan, an entity each.

    Args:
        plan: What was read.
        rows: For each entity the rows that were read.

    Raises:
        CorruptRowError: A row is malformed.
    """
    compiled = core()
    merged = merge_compactly(compiled, plan, rows) if compiled else None
    merged = merged or merge_tiles(plan, rows)
    return tuple(
        finish(merged, wanted) if plan.has_value(wanted) else nothing(wanted.feature, len(rows))
        for wanted in plan.group.wanted
    )
