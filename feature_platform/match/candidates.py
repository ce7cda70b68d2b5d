"""Which states a row can have been in, most likely first; a bounded number of them. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product

from feature_platform.match.bounds import Bounds
from feature_platform.match.states import Event, Open

STATES_MAX = 2_000
"""States of one row that are tried; a row that fits none of them is undecided if there are more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Possible:
    """What a row can have held of the events after a cut."""

    sure: tuple[Event, ...]
    """That it held."""
    maybe: tuple[Event, ...]
    """That it may have held, as the broker took them."""
    beyond: tuple[Event, ...]
    """That it cannot have held, though the broker had them."""

    @classmethod
    def of(cls, opened: Open, bounds: Bounds, topic: str) -> "Possible":
        """Divide events by the offsets that a row held."""
        sure, maybe, beyond = list[Event](), list[Event](), list[Event]()
        for event in opened.events:
            place = f"{topic}/{event.partition}"
            if event.offset < bounds.lower.get(place, 0):
                sure.append(event)
            elif event.offset < bounds.upper.get(place, 0):
                maybe.append(event)
            else:
                beyond.append(event)
        return cls(sure=tuple(sure), maybe=tuple(maybe), beyond=tuple(beyond))

    def known(self, time_ms: int) -> tuple[Event, ...]:
        """Return what a row held that knew all that the broker had by an instant."""
        every = (*self.maybe, *self.beyond)
        return (*self.sure, *(event for event in every if event.appended_ms <= time_ms))


@dataclass(frozen=True, slots=True, kw_only=True)
class States:
    """States to try, in order."""

    each: tuple[tuple[Event, ...], ...]
    whole: bool
    """Whether there are no others."""


def states(possible: Possible, read_ms: int, finest_ms: int) -> States:
    """Return the states of a row.

    1. All that the broker had when the row was read.
    2. The first events as the broker took them, most of them first.
    3. Of each partition and finest tile the first ones, in all combinations.

    Args:
        possible: What it can have held.
        read_ms: When it was read.
        finest_ms: How long the finest tiles are.
    """
    first = tuple(event for event in possible.maybe if event.appended_ms <= read_ms)
    count = len(possible.maybe)
    chain = (possible.maybe[:number] for number in range(count, -1, -1))
    groups: dict[tuple[int, int], list[Event]] = {}
    for event in sorted(possible.maybe, key=lambda each: (each.partition, each.offset)):
        groups.setdefault((event.partition, event.time_ms // finest_ms), []).append(event)
    total = 1
    for group in groups.values():
        total *= len(group) + 1
    every = islice(_tries(first, chain, groups), STATES_MAX)
    distinct = {frozenset(each): each for each in every}
    return States(
        each=tuple((*possible.sure, *each) for each in distinct.values()),
        whole=len(distinct) >= total,
    )


def _tries(
    first: tuple[Event, ...],
    chain: Iterator[tuple[Event, ...]],
    groups: Mapping[tuple[int, int], Sequence[Event]],
) -> Iterator[tuple[Event, ...]]:
    yield first
    yield from chain
    if len(groups) > 1:
        for counts in product(*(range(len(group), -1, -1) for group in groups.values())):
            pairs = zip(groups.values(), counts, strict=True)
            yield tuple(event for group, count in pairs for event in group[:count])
