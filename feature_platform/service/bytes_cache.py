"""A bounded memory of entities' bytes: what is answered again is joined, not computed.

Entries are in two halves. What is asked for moves to the young half; when that is full, the old
half is dropped and the young one becomes old. So what is asked for stays, and a hit costs a look.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from feature_platform.service.entity_bytes import EntityBytes, held


@dataclass(slots=True, eq=False)
class Shelf:
    """What is kept of the entities of one kind, in one form (mutable; the cache guards it)."""

    young: dict[str, EntityBytes] = field(default_factory=dict)
    old: dict[str, EntityBytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BytesStats:
    """What a cache holds and has done."""

    size: int
    """About how many bytes of memory."""
    hits: int
    misses: int
    dropped: int
    """Entries that had to make room, or whose list or deployment changed."""


class BytesCache:
    """Keeps entities' bytes. Mutable; safe for use by threads."""

    def __init__(self, bytes_max: int) -> None:
        """Keep nothing yet.

        Args:
            bytes_max: Of all entries; 0 keeps nothing.
        """
        self._half = bytes_max // 2
        self._lock = threading.Lock()
        self._shelves: set[Shelf] = set()
        self._young_bytes = self._old_bytes = 0
        self._hits = self._misses = self._dropped = 0

    def shelf(self) -> Shelf:
        """Begin another shelf; `drop` ends it."""
        made = Shelf()
        with self._lock:
            self._shelves.add(made)
        return made

    def drop(self, shelf: Shelf) -> None:
        """Forget all that is on a shelf; what is put there later is not kept."""
        with self._lock:
            if shelf not in self._shelves:
                return
            self._shelves.remove(shelf)
            self._dropped += len(shelf.young) + len(shelf.old)
            self._young_bytes -= _size(shelf.young)
            self._old_bytes -= _size(shelf.old)
            shelf.young, shelf.old = {}, {}

    def find(self, shelf: Shelf, entities: Sequence[str], now_ms: int) -> list[EntityBytes | None]:
        """Return what holds at an instant, an entity each; None where nothing does. Hot path."""
        found: list[EntityBytes | None] = list(map(shelf.young.get, entities))
        if None in found:
            self._renew(shelf, entities, found)
        found = held(found, now_ms)
        misses = found.count(None)
        with self._lock:
            self._hits += len(found) - misses
            self._misses += misses
        return found

    def put(self, shelf: Shelf, made: Mapping[str, EntityBytes]) -> None:
        """Keep what holds for some time."""
        with self._lock:
            if shelf not in self._shelves:
                return
            for entity, each in made.items():
                if each.until_ms > each.made_ms:
                    self._put(shelf, entity, each)

    def stats(self) -> BytesStats:
        """Return what it holds and has done."""
        with self._lock:
            return BytesStats(
                size=self._young_bytes + self._old_bytes,
                hits=self._hits,
                misses=self._misses,
                dropped=self._dropped,
            )

    def _renew(
        self, shelf: Shelf, entities: Sequence[str], found: list[EntityBytes | None]
    ) -> None:
        """Add what the old half has, and move it to the young one.

        All of it leaves the old half first: making room must not drop what is asked for here.
        """
        with self._lock:
            moved: dict[str, EntityBytes] = {}
            for place, entity in enumerate(entities):
                if found[place] is None:
                    entry = moved.get(entity) or shelf.young.get(entity)
                    if entry is None and (entry := shelf.old.pop(entity, None)) is not None:
                        moved[entity] = entry
                        self._old_bytes -= entry.bytes_with(entity)
                    found[place] = entry
            for entity, entry in moved.items():
                self._put(shelf, entity, entry)

    def _put(self, shelf: Shelf, entity: str, entry: EntityBytes) -> None:
        """Put an entry into the young half. The lock is held."""
        size = entry.bytes_with(entity)
        if size > self._half:
            return
        before = shelf.young.pop(entity, None)
        if before is not None:
            self._young_bytes -= before.bytes_with(entity)
        before = shelf.old.pop(entity, None)
        if before is not None:
            self._old_bytes -= before.bytes_with(entity)
        if self._young_bytes + size > self._half:
            self._age()
        shelf.young[entity] = entry
        self._young_bytes += size

    def _age(self) -> None:
        """Drop the old half, and make the young one old. The lock is held."""
        for shelf in self._shelves:
            self._dropped += len(shelf.old)
            shelf.old, shelf.young = shelf.young, {}
        self._old_bytes, self._young_bytes = self._young_bytes, 0


def _size(entries: Mapping[str, EntityBytes]) -> int:
    return sum(entry.bytes_with(entity) for entity, entry in entries.items())
