"""Columns of a list as a replica has described them, and what of each answer follows. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from feature_platform.service.features_pb2 import ColumnHead, ListDescription
from feature_platform.service.shape import Numbers, Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Codes:
    """States of one column, as they were received."""

    received: NDArray[np.int8]

    def codes(
        self,
        present: NDArray[np.bool_],  # noqa: ARG002 (part of the answer already)
        zero: NDArray[np.bool_],  # noqa: ARG002
        lost: NDArray[np.bool_] | None = None,  # noqa: ARG002
    ) -> NDArray[np.int8]:
        """Return them."""
        return self.received


@dataclass(frozen=True, kw_only=True)
class KindColumns:
    """The columns about one kind of entity."""

    heads: Mapping[int, ColumnHead]
    """By their place in the list."""
    shape: Shape

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """Where they are in the list."""
        return np.array(tuple(self.heads), dtype=np.int64)

    @cached_property
    def order(self) -> Mapping[int, int]:
        """The place of each among the kind's, by its place in the list."""
        return {number: place for place, number in enumerate(self.heads)}

    @cached_property
    def expected(self) -> list[ColumnHead]:
        """What an answer says of them."""
        return [
            ColumnHead(name=head.name, type=head.type, kind=head.kind)
            for head in self.heads.values()
        ]

    @cached_property
    def packed(self) -> Mapping[str, tuple[list[int], list[int]]]:
        """By type of number: which have such numbers, and where these are in a row."""
        made: dict[str, tuple[list[int], list[int]]] = {}
        for place in self.shape.numeric:
            places, slots = made.setdefault(self.shape.dtype(place), ([], []))
            places.append(place)
            slots.append(self.shape.slots[place])
        return made


class Described:
    """A list, with what of each answer follows from that alone. Mutable: made when it is needed."""

    def __init__(self, described: ListDescription) -> None:
        """Take a list as a replica has described it."""
        self.described = described
        self.names = tuple(head.name for head in described.heads)
        self.types = tuple(head.type for head in described.heads)
        self._columns: dict[tuple[str, Numbers], KindColumns] = {}

    def columns(self, kind: str, numbers: Numbers) -> KindColumns:
        """Return the columns about a kind of entity, with their numbers packed in some form."""
        if (kind, numbers) not in self._columns:
            heads = {n: head for n, head in enumerate(self.described.heads) if head.kind == kind}
            types = tuple(head.type for head in heads.values())
            shape = Shape(types=types, numbers=numbers, states=True)
            self._columns[kind, numbers] = KindColumns(heads=heads, shape=shape)
        return self._columns[kind, numbers]
