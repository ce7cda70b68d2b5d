"""Which answers are logged, and what is kept of one until it is encoded. No I/O."""

import hashlib
import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from feature_platform.definition.served import LIST_OF
from feature_platform.feature_log_settings import FeatureLogSettings
from feature_platform.rows.wire import Ints
from feature_platform.serving.answer_log import LoggedRows

KNOWN_MAX = 200_000
"""Entities of which it is remembered whether they are in the sample."""
HASHES = 1 << 32
_YES = 1
"""Of an entity that is in the sample; 0 of others."""
CELL_BYTES, TEXT_BYTES, LIST_BYTES, ROW_BYTES = 9, 100, 1_000, 120
"""About what a number with its presence, a text, a list, and a row's keys and status take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Some rows of an answer, by reference: nobody may write into the columns of its matrix."""

    request_id: str
    instant_ms: int
    list: str
    version: int
    logged: LoggedRows
    held_bytes: int
    """About how much memory it keeps from being freed."""

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(self.logged.matrix.status)


@lru_cache(maxsize=100)
def row_bytes(types: tuple[str, ...]) -> int:
    """Return about how much memory a row of an answer takes, by the types of its columns."""
    objects = sum(LIST_BYTES if type_.startswith(LIST_OF) else 0 for type_ in types)
    return CELL_BYTES * len(types) + TEXT_BYTES * types.count("STRING") + objects + ROW_BYTES


class Sampler:
    """Decides which rows are logged. Mutable: remembers entities; safe for use by threads."""

    def __init__(self, settings: FeatureLogSettings) -> None:
        """Know no entity yet."""
        self._share = settings.share
        self._by_entity = settings.by == "entity"
        self._known: dict[str, int] = {}

    def rows(self, kinds: Mapping[str, Sequence[str]]) -> Ints | None:
        """Return which rows of an answer are logged; None: none. Hot path.

        Args:
            kinds: By kind of entity, its key in each row.
        """
        keys = next(iter(kinds.values()), ())
        if not self._by_entity:
            if not keys or random.random() >= self._share:  # noqa: S311 (no secret)
                return None
            return np.arange(len(keys))
        try:
            chosen = bytes(map(self._known.__getitem__, keys))
        except KeyError:
            chosen = self._decided(keys)
        if _YES not in chosen:
            return None
        return np.flatnonzero(np.frombuffer(chosen, dtype=np.uint8))

    def _decided(self, keys: Sequence[str]) -> bytes:
        """Return whether each entity is in the sample, and remember it."""
        known = self._known if len(self._known) < KNOWN_MAX else {}
        chosen = bytes(is_sampled(key, self._share) for key in keys)
        known.update(zip(keys, chosen, strict=True))
        self._known = known
        return chosen


def is_sampled(key: str, share: float) -> bool:
    """Return whether an entity is in a sample: always the same, and also in any larger sample."""
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=4).digest()
    return int.from_bytes(digest, "little") < share * HASHES


def new_request_id() -> str:
    """Return 16 hexadecimal digits that no other answer has."""
    return os.urandom(8).hex()
