"""Sequences whose items are made when somebody first asks for them."""

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar, overload

T_co = TypeVar("T_co", covariant=True)


class Later(Sequence[T_co], Generic[T_co]):
    """Items that are made once, when they are asked for. Mutable: keeps them.

    Two threads may make the same item; both then see the one that was kept first.
    """

    def __init__(self, count: int, make: Callable[[int], T_co]) -> None:
        """Make nothing yet.

        Args:
            count: How many items there are.
            make: Makes the item of a place.
        """
        self._count, self._make = count, make
        self._made: dict[int, T_co] = {}

    def __len__(self) -> int:
        """Return how many items there are."""
        return self._count

    @overload
    def __getitem__(self, place: int) -> T_co: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[T_co, ...]: ...

    def __getitem__(self, place: int | slice) -> T_co | tuple[T_co, ...]:
        """Return an item, or those of a slice."""
        places = range(self._count)[place]
        if isinstance(places, range):
            return tuple(map(self._item, places))
        return self._item(places)

    def __iter__(self) -> Iterator[T_co]:
        """Return all items."""
        return map(self._item, range(self._count))

    def __reduce__(self) -> tuple[type[tuple[T_co, ...]], tuple[tuple[T_co, ...]]]:
        """Become a tuple where it is copied or sent to another process."""
        return tuple, (tuple(self),)

    def _item(self, place: int) -> T_co:
        if place in self._made:
            return self._made[place]
        return self._made.setdefault(place, self._make(place))
