"""The oracle that grows: it folds new events into what it has, so that a judgement stays short.

The naive `Oracle` aggregates an entity's events from the first one at every question. Here the
same `Oracle.partial` aggregates only the events that are new, and their partials are joined to the
earlier ones. For some entities all rows are kept, too: the naive oracle confirms them at the end.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from feature_platform.definition.model import FeatureSet
from feature_platform.rows.partials import Item, Partial, wrap
from feature_platform.store.base import HEAD_LEVEL
from feature_platform.testing import Oracle, RawEvent
from feature_platform.testing.reference_events import Accepted
from feature_platform.testing.reference_rows import encode_head, encode_row
from feature_platform.tiles.layout import Layout, LayoutColumn

KEPT_ONE_IN = 8
"""Share of entities whose rows are kept for the naive oracle."""
EXPIRY_MARGIN_MS = 120_000
"""Closed rows that are so near the end of their time are not judged."""

Place = tuple[int, int]
"""Level and start of a row, as in the store."""


@dataclass(slots=True)
class _Entity:
    """Mutable: what an entity's events have come to so far."""

    newest_ms: int = -1
    tiles: dict[Place, dict[str, Partial]] = field(default_factory=lambda: defaultdict(dict))
    payloads: dict[Place, bytes] = field(default_factory=dict)
    """Of the tiles that have not changed since they were encoded."""


class GrowingOracle:
    """What the store must hold. Mutable: events are added, each exactly once."""

    def __init__(self, featureset: FeatureSet, layout: Layout) -> None:
        """Begin without any event."""
        self._reader = Oracle(featureset, layout)
        self._layout = layout
        self._entities: dict[str, _Entity] = defaultdict(_Entity)
        self.naive = Oracle(featureset, layout)
        """Knows the rows of some entities in full."""
        self.events = 0

    def add(self, events: Iterable[RawEvent]) -> None:
        """Take more events in."""
        events = list(events)
        self._reader.add(events)
        self.events += len(events)
        for entity, rows in self._reader.rows.items():
            self._fold(self._entities[entity], rows)
            if is_kept(entity):
                self.naive.rows[entity].extend(rows)
        self._reader.rows.clear()
        self._reader._taken.clear()

    @property
    def dead_letters(self) -> dict[tuple[int, int], str]:
        """The events that must have been dead-lettered, by partition and offset, and why."""
        return {
            (letter.partition, letter.offset): letter.reason for letter in self._reader.dead_letters
        }

    @property
    def entities(self) -> list[str]:
        """The entities that have any row."""
        return sorted(self._entities)

    def rows(self, entity: str, now_ms: int) -> dict[Place, bytes]:
        """Return the rows that the store must hold of an entity."""
        state = self._entities[entity]
        grid, head = self._layout.grid, dict[Place, bytes]()
        rows: dict[Place, bytes] = {}
        for place in state.tiles:
            level, start_ms = place
            in_head = level == grid.lifetime_level or start_ms >= grid.head_oldest_ms(
                state.newest_ms, level
            )
            if in_head:
                head[place] = self._payload(state, place)
            elif self.judged(place, now_ms):
                rows[place] = self._payload(state, place)
        return {(HEAD_LEVEL, 0): encode_head(head), **rows}

    def judged(self, place: Place, now_ms: int) -> bool:
        """Tell whether a row is kept for certain: the time of a closed one may be nearly over."""
        level, start_ms = place
        if not 0 <= level < len(self._layout.grid.levels_ms):
            return True
        end_ms = start_ms + self._layout.grid.levels_ms[level]
        return end_ms + self._layout.retention_ms[level] - now_ms > EXPIRY_MARGIN_MS

    def _fold(self, state: _Entity, rows: Sequence[Accepted]) -> None:
        state.newest_ms = max(state.newest_ms, *(row.time_ms for row in rows))
        grid = self._layout.grid
        members: dict[Place, list[Accepted]] = defaultdict(list)
        for row in rows:
            for level in self._layout.used_levels:
                members[level, grid.floor(row.time_ms, level)].append(row)
        if self._layout.columns[0].lifetime:
            members[grid.lifetime_level, 0] = list(rows)
        for place, inside in members.items():
            self._fold_tile(state, place, inside)

    def _fold_tile(self, state: _Entity, place: Place, rows: Sequence[Accepted]) -> None:
        tile, level = state.tiles[place], place[0]
        state.payloads.pop(place, None)
        lifetime = level == self._layout.grid.lifetime_level
        for column in self._layout.columns:
            if column.lifetime if lifetime else level in column.levels:
                fresh = self._reader.partial(column.name, rows)
                tile[column.name] = joined(column, tile.get(column.name), fresh)

    def _payload(self, state: _Entity, place: Place) -> bytes:
        known = state.payloads.get(place)
        if known is None:
            ids = {column.name: column.id for column in self._layout.columns}
            by_id = {
                ids[name]: partial
                for name, partial in state.tiles[place].items()
                if partial not in (None, ())
            }
            known = state.payloads[place] = encode_row(self._layout, by_id)
        return known


def is_kept(entity: str) -> bool:
    """Tell whether an entity's rows are kept; decided by its number."""
    return int(entity.rpartition("-")[2]) % KEPT_ONE_IN == 0


def joined(column: LayoutColumn, left: Partial, right: Partial) -> Partial:
    """Join two partials of different events, in the plainest way."""
    if left in (None, ()) or right in (None, ()):
        return right if left in (None, ()) else left
    if isinstance(left, int) and isinstance(right, int):
        match column.kind:
            case "min":
                return min(left, right)
            case "max":
                return max(left, right)
            case _:
                return wrap(left + right)
    return _items(column, left, right)


def _items(column: LayoutColumn, left: Partial, right: Partial) -> tuple[Item, ...]:
    assert isinstance(left, tuple)
    assert isinstance(right, tuple)
    newest_first = sorted((*left, *right), key=lambda item: item.order, reverse=True)
    match column.kind:
        case "first":
            return tuple(newest_first[-1:])
        case "last":
            return tuple(newest_first[:1])
        case _:
            return tuple(newest_first[: column.n])
