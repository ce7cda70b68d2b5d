"""Which entities are read together: one query for some that want the same rows. No I/O.

A query costs the driver about 150 us, whatever it asks for; a row in an answer costs a few.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass

from feature_platform.store.base import TileKey

ENTITIES_PER_READ = 16
"""More are hardly cheaper, and a slow partition delays the others of its query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Entities of one query. Mutable while it is filled."""

    keys: Sequence[TileKey]
    places: dict[str, int]
    """Entity -> its place among the requests."""

    def divided(self) -> Iterator["Batch"]:
        """Yield each entity on its own."""
        for entity, place in self.places.items():
            yield Batch(keys=self.keys, places={entity: place})


def batches(
    requests: Sequence[tuple[str, Sequence[TileKey]]],
    owner: Callable[[str], Hashable],
    most: int,
) -> list[Batch]:
    """Bring requests together that want the same keys from the same node.

    Args:
        requests: Entities and the keys wanted of each; one that wants none is in no batch.
        owner: Names the node that a partition is on.
        most: Entities of a batch.
    """
    made: list[Batch] = []
    filling: dict[tuple[int, Hashable], Batch] = {}
    numbers: dict[tuple[TileKey, ...], int] = {}
    by_object: dict[int, int] = {}
    for place, (entity, keys) in enumerate(requests):
        if not keys:
            continue
        # Most requests share one object: its keys are hashed once.
        number = by_object.get(id(keys))
        if number is None:
            number = by_object[id(keys)] = numbers.setdefault(tuple(keys), len(numbers))
        kind = (number, owner(entity))
        batch = filling.get(kind)
        if batch is None or len(batch.places) == most or entity in batch.places:
            batch = filling[kind] = Batch(keys=keys, places={})
            made.append(batch)
        batch.places[entity] = place
    return made
