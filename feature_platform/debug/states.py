"""Which states an entity's rows may have had: of each partition its first events. Pure.

A job reads partitions independently: an event of one may be counted before an older one of another.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any

from feature_platform.debug.account import Account
from feature_platform.testing.reference_events import RawEvent

RECOUNTED_MAX = 500_000
"""Events that are counted again for all states together: of a busy entity these are few."""
ONE_WAY = frozenset({"count", "min", "max"})
"""Aggregates that no event takes back to where they were."""


def states_max(whole: Account, most: int) -> int:
    """Return how many states may be recomputed: `most`, or fewer if there are many events."""
    return min(most, max(1, RECOUNTED_MAX // max(1, len(whole.events))))


def states_between(
    ends: Mapping[int, int], later: Sequence[RawEvent], most: int
) -> Iterator[dict[int, int]] | None:
    """Return every state from one on that may lack some later events, by first offset not in it.

    Args:
        ends: The oldest state.
        later: Events that it lacks.
        most: States that are returned.

    Returns:
        The oldest first; None if there are more.
    """
    offsets: dict[int, list[int]] = {}
    for event in later:
        offsets.setdefault(event.partition, []).append(event.offset + 1)
    if prod(len(each) + 1 for each in offsets.values()) > most:
        return None
    choices = [[ends.get(part, 0), *sorted(each)] for part, each in offsets.items()]
    return (dict(ends) | dict(zip(offsets, chosen, strict=True)) for chosen in product(*choices))


def one_way_names(whole: Account) -> set[str]:
    """Return the served names of what no event takes back."""
    features = whole.oracle.featureset.features
    return {name for each in features if each.aggregate in ONE_WAY for name in each.served_names}


def is_between(first: Any, value: Any, last: Any) -> bool:  # noqa: ANN401 (a served value)
    """Return whether a value may come between two; None comes before all others."""
    if value is None or first is None:
        return first is None
    return bool(min(first, last) <= value <= max(first, last))
