"""Reads rows of many entities, in as many queries as the store needs. Failures are answers."""

from feature_platform.errors import WorldError
from feature_platform.serving.keys import can_be_stored
from feature_platform.serving.waiting import Waits
from feature_platform.store.base import Outcome, Requests


async def read_rows(waits: Waits, table: str, asked: Requests, keys_per_read: int) -> list[Outcome]:
    """Read rows of entities.

    Args:
        waits: Reads, until the deadline.
        table: The generation's table.
        asked: For each entity the keys wanted; those that come first are read first.
        keys_per_read: Most keys of an entity in a query.
    """
    outcomes: list[Outcome] = [[] for _ in asked]
    left = [place for place, (entity, _) in enumerate(asked) if can_be_stored(entity)]
    first = 0
    while left:
        queries = [(asked[each][0], asked[each][1][first : first + keys_per_read]) for each in left]
        read = await waits.read(table, queries)
        for place, more in zip(left, read, strict=True):
            outcomes[place] = joined(outcomes[place], more)
        first += keys_per_read
        # Who has failed is unavailable; asking on would wait for the store again.
        left = [
            place
            for place in left
            if isinstance(outcomes[place], list) and len(asked[place][1]) > first
        ]
    return outcomes


def joined(before: Outcome, more: Outcome) -> Outcome:
    """Join what two reads of one entity gave; one failure is enough."""
    if isinstance(before, WorldError):
        return before
    return more if isinstance(more, WorldError) else before + more
