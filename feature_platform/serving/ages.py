"""How old a property is: the time of its newest event. Read only where a `max_age` was asked."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from feature_platform.definition.served import AGED
from feature_platform.errors import CallerError
from feature_platform.rows.codec import decode_heads, decode_items, decode_rows
from feature_platform.serving.read_plan import ReadPlan, ResolvedFeature
from feature_platform.store.base import HEAD_LEVEL, StoredRow


def check_aged(wanted: ResolvedFeature, name: str) -> None:
    """Check that a feature can have a `max_age`.

    Args:
        wanted: The feature.
        name: As the caller calls it.

    Raises:
        CallerError: It is no LAST_VALUE or LAST_N.
    """
    if wanted.feature.aggregate not in AGED:
        msg = (
            f"max_age of {name!r}: it is a {wanted.feature.aggregate.upper()}, and only LAST_VALUE "
            "and LAST_N have an age; remove it"
        )
        raise CallerError(msg)


def stale(
    plan: ReadPlan,
    rows: Sequence[Sequence[StoredRow]],
    max_ages_ms: Mapping[int, int],
    now_ms: int,
) -> dict[int, NDArray[np.bool_]]:
    """Return which values are older than they may be, by position in the request.

    Args:
        plan: What was read.
        rows: For each entity the rows that were read.
        max_ages_ms: By position in the request.
        now_ms: The present.

    Raises:
        CorruptRowError: A head is malformed.
    """
    wanted = {
        position: each
        for position, each in zip(plan.group.positions, plan.group.wanted, strict=True)
        if position in max_ages_ms
    }
    if not wanted:
        return {}
    newest = _newest_ms(plan, rows, tuple(wanted.values()))
    return {
        position: newest[each.columns[0].id] < now_ms - max_ages_ms[position]
        for position, each in wanted.items()
    }


def _newest_ms(
    plan: ReadPlan, rows: Sequence[Sequence[StoredRow]], wanted: Sequence[ResolvedFeature]
) -> dict[int, NDArray[np.int64]]:
    """Return the time of each entity's newest item, by column id; the end of time without any."""
    flat = [(place, row) for place, found in enumerate(rows) for row in found]
    heads = [(place, row.payload) for place, row in flat if row.level == HEAD_LEVEL]
    split = decode_heads([payload for _, payload in heads])
    lifetimes = split.levels == plan.group.snapshot.layout.grid.lifetime_level
    owners = [heads[head][0] for head in split.heads[lifetimes].tolist()]
    decoded = decode_rows(split.buffer, split.spans[lifetimes])
    newest: dict[int, NDArray[np.int64]] = {}
    for each in wanted:
        column = each.columns[0]
        times = np.full(len(rows), np.iinfo(np.int64).max)
        for row, payload in decoded.encoded_features(column.id):
            items = decode_items(payload, column.carrier)
            times[owners[row]] = max(item.time_ms for item in items)
        newest[column.id] = times
    return newest
