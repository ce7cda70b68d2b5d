"""A packed row: where in it what is; the same for whoever writes and whoever reads. No I/O.

`Block` in features.proto describes it to other languages.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from feature_platform.definition.served import LIST_OF

Numbers = Literal["exact", "float64", "float32"]
"""How numbers are packed: by the feature's type, or all as floats."""
Rows = NDArray[np.uint8]
"""Packed rows: a line for each entity, `row_bytes` long."""

WHOLE = ("BIGINT", "INT", "TIMESTAMP")
TEXT, BOOLEAN = "STRING", "BOOLEAN"
READ_MS_BYTES = 8
SHAPES_MAX = 256
"""That are kept."""
ALIGNED_BYTES = 8
"""Rows are a multiple of this, so that all numbers are where a processor wants them."""


def is_number(type_: str) -> bool:
    """Return whether values of a feature's type have numbers in packed rows."""
    return type_ != TEXT and not type_.startswith(LIST_OF)


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The layout of the packed rows of one kind of entity."""

    types: tuple[str, ...]
    """Of the columns about it."""
    numbers: Numbers
    states: bool

    @cached_property
    def numeric(self) -> tuple[int, ...]:
        """Which columns have numbers, in their order."""
        return tuple(place for place, type_ in enumerate(self.types) if is_number(type_))

    @cached_property
    def slots(self) -> dict[int, int]:
        """Where the number of each of `numeric` is, in numbers."""
        return {place: slot for slot, place in enumerate(self.numeric)}

    @cached_property
    def others(self) -> tuple[int, ...]:
        """Which columns have texts or lists."""
        return tuple(place for place, type_ in enumerate(self.types) if not is_number(type_))

    @property
    def has_large(self) -> bool:
        """Whether there may be integers without room in a row."""
        return self.numbers == "exact"

    @property
    def number_bytes(self) -> int:
        """How long one number is."""
        return 4 if self.numbers == "float32" else 8

    @cached_property
    def status_at(self) -> int:
        """Where the status is: behind the numbers."""
        return READ_MS_BYTES + self.number_bytes * len(self.numeric)

    @property
    def _mask_bytes(self) -> int:
        return (len(self.types) + 7) // 8

    @cached_property
    def row_bytes(self) -> int:
        """How long a row is."""
        used = self.status_at + 1 + 2 * self._mask_bytes + self.states * len(self.types)
        return -(-used // ALIGNED_BYTES) * ALIGNED_BYTES

    def blank(self, count: int) -> Rows:
        """Return rows of zeros."""
        return np.zeros((count, self.row_bytes), dtype=np.uint8)

    def read_ms(self, rows: Rows) -> NDArray[np.int64]:
        """Return a view of when entities were read."""
        return rows[:, :READ_MS_BYTES].view("<i8")[:, 0]

    def numbers_of(self, rows: Rows, dtype: str) -> NDArray[np.generic]:
        """Return a view of the numbers, a column for each of `numeric`.

        Args:
            rows: Packed rows.
            dtype: `<i8` or `<f8` with 8 bytes a number, `<f4` with 4.
        """
        return rows[:, READ_MS_BYTES : self.status_at].view(dtype)

    def dtype(self, place: int) -> str:
        """Return as what the number of a column is packed."""
        if self.numbers != "exact":
            return "<f4" if self.numbers == "float32" else "<f8"
        return "<i8" if self.types[place] in (*WHOLE, BOOLEAN) else "<f8"

    def status(self, rows: Rows) -> Rows:
        """Return a view of the statuses."""
        return rows[:, self.status_at]

    def present(self, rows: Rows) -> Rows:
        """Return a view of the bits that say where values are."""
        begin = self.status_at + 1
        return rows[:, begin : begin + self._mask_bytes]

    def filled(self, rows: Rows) -> Rows:
        """Return a view of the bits that say where defaults are."""
        begin = self.status_at + 1 + self._mask_bytes
        return rows[:, begin : begin + self._mask_bytes]

    def state_codes(self, rows: Rows) -> Rows:
        """Return a view of the states, a byte for each column; nothing wide without them."""
        begin = self.status_at + 1 + 2 * self._mask_bytes
        return rows[:, begin : begin + self.states * len(self.types)]

    def mask(self, bits: Rows) -> NDArray[np.bool_]:
        """Return bits as truth values, a column for each column."""
        return np.unpackbits(bits, axis=1, count=len(self.types), bitorder="little").view(np.bool_)


@lru_cache(maxsize=SHAPES_MAX)
def shape_of(types: tuple[str, ...], numbers: Numbers, *, states: bool) -> Shape:
    """Return a shape; requests of one list share one, with what it has computed."""
    return Shape(types=types, numbers=numbers, states=states)
