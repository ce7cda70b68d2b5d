"""What was found of the entities of a plan: read for this request, or kept from earlier ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from feature_platform.errors import WorldError
from feature_platform.rows.wire import Ints
from feature_platform.serving.assemble import merge
from feature_platform.serving.merged import Merged
from feature_platform.serving.read_plan import ReadPlan
from feature_platform.serving.states import FAILED, HAS_ROWS, NO_ROWS
from feature_platform.store.base import HEAD_LEVEL, Outcome, StoredRow


class Found(Protocol):
    """What a plan's answer is computed from, an entity each."""

    @property
    def plan(self) -> ReadPlan:
        """What was asked."""
        ...

    @property
    def states(self) -> NDArray[np.int8]:
        """Of each entity: HAS_ROWS, NO_ROWS or FAILED."""
        ...

    @property
    def errors(self) -> Mapping[int, WorldError]:
        """Why entities have failed, by place."""
        ...

    @property
    def ages_ms(self) -> Ints | None:
        """How long ago each entity was read; None: all were read for this request."""
        ...

    @property
    def until_ms(self) -> Ints | None:
        """Before when each entity is known well enough without a read; None: nothing is kept."""
        ...

    def rows(self, place: int) -> Sequence[StoredRow]:
        """Return the rows of an entity; none of one that was kept, or has failed."""
        ...

    def written(self, places: Ints) -> Ints:
        """Return the write timestamp of the head of each of these entities; 0 without one."""
        ...

    def merge(self) -> Merged:
        """Merge the tiles of all entities over the windows.

        Raises:
            CorruptRowError: Some are malformed.
        """
        ...

    def only(self, place: int) -> "Found":
        """Return what was found of one entity."""
        ...

    def without(self, errors: Mapping[int, WorldError]) -> Self:
        """Return the same with some entities failed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRows:
    """Rows that were read for this request."""

    plan: ReadPlan
    outcomes: Sequence[Outcome]
    ages_ms: Ints | None = None

    @property
    def states(self) -> NDArray[np.int8]:
        """Of each entity: HAS_ROWS, NO_ROWS or FAILED."""
        return np.fromiter(map(_state, self.outcomes), dtype=np.int8, count=len(self.outcomes))

    @property
    def errors(self) -> dict[int, WorldError]:
        """Why entities have failed, by place."""
        named = enumerate(self.outcomes)
        return {place: outcome for place, outcome in named if isinstance(outcome, WorldError)}

    @property
    def until_ms(self) -> None:
        """Say that nothing is kept."""
        return

    def rows(self, place: int) -> Sequence[StoredRow]:
        """Return the rows of an entity; none of one that has failed."""
        return _rows(self.outcomes[place])

    def written(self, places: Ints) -> Ints:
        """Return the write timestamp of the head of each of these entities; 0 without one."""
        found = (_head_written(self.outcomes[place]) for place in places.tolist())
        return np.fromiter(found, dtype=np.int64, count=len(places))

    def merge(self) -> Merged:
        """Merge all rows over the windows.

        Raises:
            CorruptRowError: Some are malformed.
        """
        return merge(self.plan, [_rows(outcome) for outcome in self.outcomes])

    def only(self, place: int) -> "FoundRows":
        """Return what was found of one entity."""
        return replace(self, outcomes=[self.outcomes[place]], ages_ms=None)

    def without(self, errors: Mapping[int, WorldError]) -> "FoundRows":
        """Return the same with some entities failed."""
        named = enumerate(self.outcomes)
        return replace(self, outcomes=[errors.get(place, outcome) for place, outcome in named])


def _state(outcome: Outcome) -> int:
    if isinstance(outcome, WorldError):
        return FAILED
    return HAS_ROWS if outcome else NO_ROWS


def _rows(outcome: Outcome) -> list[StoredRow]:
    return [] if isinstance(outcome, WorldError) else outcome


def _head_written(outcome: Outcome) -> int:
    heads = (row.written for row in _rows(outcome) if row.level == HEAD_LEVEL)
    return next(heads, 0)
