"""Which entities are read together, and what comes of it. No I/O.

One query is for some that want the same rows.

A query costs the driver about 150 us, whatever it asks for; a row in an answer costs a few.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from feature_platform.errors import StoreDownError, StoreUnavailableError, WorldError
from feature_platform.store.base import Outcome, Requests, StoredRow, TileKey

ENTITIES_PER_READ = 16
"""More are hardly cheaper, and a slow partition delays the others of its query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Entities of one query. Mutable while it is filled."""

    keys: Sequence[TileKey]
    places: dict[str, int]
    """Entity -> its place among the requests."""

    @property
    def key(self) -> str:
        """The partition that it goes by."""
        return next(iter(self.places))

    def divided(self) -> Iterator["Batch"]:
        """Yield each entity on its own."""
        for entity, place in self.places.items():
            yield Batch(keys=self.keys, places={entity: place})


def batches(
    requests: Requests,
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


class Answers:
    """What came of the requests of one read. Mutable: batches are put in as they are answered."""

    def __init__(self, count: int) -> None:
        """Know nothing of any of them."""
        self._rows: list[list[StoredRow]] = [[] for _ in range(count)]
        self._errors: dict[int, WorldError] = {}

    def put(
        self,
        asked: Sequence[Batch],
        found: Sequence[Sequence[tuple[Any, ...]] | StoreUnavailableError],
    ) -> list[Batch]:
        """Put in what was found, in rows of entity, level, start, payload and write timestamp.

        Returns:
            Entities to be asked for on their own, because their batch failed: what is wrong with
            one is not the others'. None where no node answered: it would be asked in vain.
        """
        alone: list[Batch] = []
        for batch, outcome in zip(asked, found, strict=True):
            if isinstance(outcome, StoreUnavailableError):
                self._errors |= dict.fromkeys(batch.places.values(), outcome)
                if len(batch.places) > 1 and not isinstance(outcome, StoreDownError):
                    alone += batch.divided()
                continue
            for place in batch.places.values():
                self._errors.pop(place, None)
            for entity, level, start_ms, payload, written in outcome:
                row = StoredRow(level=level, start_ms=start_ms, payload=payload, written=written)
                self._rows[batch.places[entity]].append(row)
        return alone

    def outcomes(self) -> list[Outcome]:
        """Return what came of each request."""
        return [self._errors.get(place, rows) for place, rows in enumerate(self._rows)]
