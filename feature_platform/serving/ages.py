"""How old a property is: the time of its newest event. Read only where a `max_age` was asked."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from feature_platform.definition.served import AGED
from feature_platform.errors import CallerError
from feature_platform.rows.codec import decode_items
from feature_platform.serving.merged import LIFETIME, Merged
from feature_platform.serving.read_plan import NEVER_CHANGES_MS, ReadPlan, ResolvedFeature


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


def stale_from_ms(
    plan: ReadPlan, merged: Merged, max_ages_ms: Mapping[int, int]
) -> dict[int, NDArray[np.int64]]:
    """Return from when values are older than they may be, by position in the request.

    Args:
        plan: What was asked.
        merged: What was found.
        max_ages_ms: By position in the request.
    """
    found = {}
    for position, each in zip(plan.group.positions, plan.group.wanted, strict=True):
        if position in max_ages_ms:
            newest_ms, age_ms = _newest_ms(merged, each), max_ages_ms[position]
            latest_ms = NEVER_CHANGES_MS - age_ms - 1  # so that the sum fits
            found[position] = np.minimum(newest_ms, latest_ms) + age_ms + 1
    return found


def _newest_ms(merged: Merged, wanted: ResolvedFeature) -> NDArray[np.int64]:
    """Return the time of each entity's newest item; the end of time without any."""
    column = wanted.columns[0]
    times = np.full(merged.entity_count, np.iinfo(np.int64).max)
    for entity, encoded in merged.encoded(column, LIFETIME):
        items = decode_items(encoded, column.carrier)
        times[entity] = max((item.time_ms for item in items), default=times[entity])
    return times
