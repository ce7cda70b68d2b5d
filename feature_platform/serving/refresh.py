"""Brings entries of a cache up to date: one row where nothing closed, the head.

The kernel writes an entity's head with every flush that changes any of its rows, all under one
write timestamp. So an unchanged head says that nothing has changed. A changed one says by its
newest tile which tiles have left it since, and by its counts how many events are in closed tiles of
each level. What is kept must account for the difference, or else everything is read again.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from feature_platform.errors import CorruptRowError, WorldError
from feature_platform.rows.wire import Ints
from feature_platform.serving.forms import NEVER_MS, Pieces
from feature_platform.serving.kept import FOREVER_MS, Entry, Need
from feature_platform.store.base import (
    HEAD_LEVEL,
    Outcome,
    Requests,
    StoredRow,
    TileKey,
    written_by,
)
from feature_platform.tiles.grid import Grid

HEAD: TileKey = (HEAD_LEVEL, 0)
CLOSING_MAX = 64
"""Tiles that are asked for because they may have left a head; with more, all are read again."""

ReadRows = Callable[[Requests], Awaitable[list[Outcome]]]
"""Reads rows of entities of one table, in the order of the keys; failures are answers."""
Refreshed = dict[str, Entry | WorldError]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Changed:
    """An entity whose head has changed."""

    entity: str
    old: Entry
    """With the tiles that were read beside the new head."""
    new: Entry
    """With the new head, not yet with the tiles that have left it."""
    closing: tuple[TileKey, ...]
    """Tiles that may have left the head, and closed ones that a late event may have changed."""


class Refresher:
    """Reads for one request. Mutable: collects what must be read in full."""

    def __init__(self, need: Need, read: ReadRows) -> None:
        """Read nothing yet."""
        self._need = need
        self._space, self._form = need.space, need.space.form
        self._read = read
        self._done: Refreshed = {}
        self._in_full: list[str] = []

    async def run(self, wanted: Sequence[tuple[str, Entry | None]]) -> Refreshed:
        """Return an entry for each entity, read now, or why there is none.

        1. Heads are read again, with tiles that windows have moved on to.
        2. Tiles that have left changed heads are read.
        3. All that is needed is read of entities that are new, or whose entry does not add up.

        Args:
            wanted: Entities with what is kept of them.
        """
        kept = {entity: entry for entity, entry in wanted if self._is_worth_it(entry)}
        self._in_full += [entity for entity, _ in wanted if entity not in kept]
        known = {entity: entry for entity, entry in kept.items() if entry}
        changed = await self._read_heads(known)  # 1
        await self._read_closing(changed)  # 2
        await self._load()  # 3
        return self._done

    def _is_worth_it(self, entry: Entry | None) -> bool:
        need = self._need
        return entry is not None and need.loaded_since_ms <= entry.loaded_ms <= need.now_ms

    async def _read_heads(self, kept: dict[str, Entry]) -> list[_Changed]:
        """Read heads; return those that have changed in a way that can be followed."""
        if not kept:
            return []
        more = {entity: self._need.unknown(entry) for entity, entry in kept.items()}
        outcomes = await self._read([(entity, (HEAD, *keys)) for entity, keys in more.items()])
        found: dict[str, list[StoredRow]] = {}
        for entity, outcome in zip(more, outcomes, strict=True):
            if isinstance(outcome, WorldError):
                self._done[entity] = outcome
            else:
                found[entity] = outcome
        known = self._with_more(kept, more, found)
        changed: list[tuple[str, Entry, StoredRow]] = []
        for entity, entry in known.items():
            head = next((row for row in found[entity] if row.level == HEAD_LEVEL), None)
            if (head.written if head else 0) == entry.written:
                self._done[entity] = replace(entry, read_ms=self._need.now_ms)
            elif head is None or not _same_attempt(entry, head):
                self._in_full.append(entity)
            else:
                changed.append((entity, entry, head))
        return self._followed(changed)

    def _with_more(
        self,
        kept: Mapping[str, Entry],
        more: Mapping[str, Sequence[TileKey]],
        found: Mapping[str, list[StoredRow]],
    ) -> dict[str, Entry]:
        """Append closed tiles that were not known to the entries of entities that were read."""
        asked = [entity for entity in found if more[entity]]
        entries = {entity: kept[entity] for entity in found}
        if not asked:
            return entries
        rows = [[row for row in found[entity] if row.level != HEAD_LEVEL] for entity in asked]
        pieces = self._try_keep(rows)
        if pieces is None:  # a full read says whose is malformed
            self._in_full += asked
            return {entity: kept[entity] for entity in found if not more[entity]}
        for entity, closed in zip(asked, pieces.closed, strict=True):
            entry = kept[entity]
            known = self._space.shared(entry.known.union(more[entity]))
            entries[entity] = replace(entry, known=known, closed=entry.closed + closed)
        return entries

    def _try_keep(self, rows: Sequence[Sequence[StoredRow]]) -> Pieces | None:
        try:
            return self._form.keep(rows)
        except CorruptRowError:
            return None

    def _followed(self, changed: Sequence[tuple[str, Entry, StoredRow]]) -> list[_Changed]:
        """Decode new heads; return those after which closed tiles are to be read."""
        if not changed:
            return []
        pieces = self._try_keep([[head] for _, _, head in changed])
        if pieces is None:  # a full read says whose is malformed
            self._in_full += [entity for entity, _, _ in changed]
            return []
        heads, _ = self._form.events(pieces)
        left: list[_Changed] = []
        for place, (entity, old, head) in enumerate(changed):
            new = replace(
                old,
                head=pieces.heads[place],
                newest_ms=pieces.newest_ms[place],
                written=head.written,
                closed_events=_closed_events(heads[place]),
                read_ms=self._need.now_ms,
            )
            closing = self._closing(old, new)
            if closing is None:
                self._in_full.append(entity)
            elif closing:
                left.append(_Changed(entity=entity, old=old, new=new, closing=closing))
            else:
                self._done[entity] = new
        return left

    def _closing(self, old: Entry, new: Entry) -> tuple[TileKey, ...] | None:
        """Return the closed tiles that may be new or changed; None if they cannot be named."""
        layout, grid = self._space.snapshot.layout, self._space.grid
        if not layout.used_levels:
            return ()
        if not NEVER_MS < old.newest_ms <= new.newest_ms or not layout.columns[0].lifetime:
            return None
        keys: list[TileKey] = []
        for level in layout.used_levels:
            if new.closed_events[level] == old.closed_events[level]:
                continue  # what has left the head was empty
            starts = _left(grid, level, old.newest_ms, new.newest_ms)
            if not starts:  # a late event: most are late for the tile that closed last
                starts = range(starts.start - starts.step, starts.start, starts.step)
            if len(keys) + len(starts) > CLOSING_MAX:
                return None
            keys += [(level, start_ms) for start_ms in starts]
        return tuple(keys)

    async def _read_closing(self, changed: Sequence[_Changed]) -> None:
        """Read tiles that have left heads, and see whether all events are accounted for."""
        if not changed:
            return
        outcomes = await self._read([(each.entity, each.closing) for each in changed])
        answered: list[tuple[_Changed, list[StoredRow]]] = []
        for each, outcome in zip(changed, outcomes, strict=True):
            if isinstance(outcome, WorldError):
                self._done[each.entity] = outcome
            else:
                answered.append((each, outcome))
        pieces = self._try_keep([rows for _, rows in answered])
        if pieces is None:
            self._in_full += [each.entity for each, _ in answered]
            return
        entries = [
            self._with_closed(each, piece)
            for (each, _), piece in zip(answered, pieces.closed, strict=True)
        ]
        before = self._counted([each.old for each, _ in answered])
        after = self._counted(entries)
        for place, ((each, _), entry) in enumerate(zip(answered, entries, strict=True)):
            grown = after[place] - before[place]
            if self._accounts_for(each, grown):
                self._done[each.entity] = entry
            else:
                self._in_full.append(each.entity)

    def _with_closed(self, each: _Changed, piece: bytes) -> Entry:
        closing = frozenset(each.closing)
        again = [key for key in closing if key[1] < self._oldest_ms(each.old, key[0])]
        kept = self._form.without(each.old.closed, closing) if again else each.old.closed
        known = self._space.shared(each.new.known.union(again)) if again else each.new.known
        return replace(each.new, closed=kept + piece, known=known)

    def _oldest_ms(self, entry: Entry, level: int) -> int:
        return self._space.grid.head_oldest_ms(entry.newest_ms, level)

    def _counted(self, entries: Sequence[Entry]) -> Ints:
        _, closed = self._form.events(_pieces(entries))
        return closed

    def _accounts_for(self, each: _Changed, grown: Ints) -> bool:
        """Return whether closed tiles have grown by as many events as the head says."""
        return all(
            int(grown[level]) == each.new.closed_events[level] - each.old.closed_events[level]
            for level in self._space.snapshot.layout.used_levels
        )

    async def _load(self) -> None:
        """Read all that is needed of some entities."""
        if not self._in_full:
            return
        keys = self._need.keys()
        outcomes = await self._read([(entity, (HEAD, *keys)) for entity in self._in_full])
        rows: dict[str, list[StoredRow]] = {}
        for entity, outcome in zip(self._in_full, outcomes, strict=True):
            if isinstance(outcome, WorldError):
                self._done[entity] = outcome
            else:
                rows[entity] = outcome
        known = self._space.shared(keys)
        try:
            self._done |= self._loaded(rows, known)
        except CorruptRowError:
            for entity, found in rows.items():
                self._done[entity] = self._judged(entity, found, known)

    def _judged(
        self, entity: str, rows: list[StoredRow], known: frozenset[TileKey]
    ) -> Entry | WorldError:
        try:
            return self._loaded({entity: rows}, known)[entity]
        except CorruptRowError as error:
            return error

    def _loaded(
        self, rows: dict[str, list[StoredRow]], known: frozenset[TileKey]
    ) -> dict[str, Entry]:
        pieces = self._form.keep(list(rows.values()))
        heads, _ = self._form.events(pieces)
        entries: dict[str, Entry] = {}
        for place, (entity, found) in enumerate(rows.items()):
            newest_ms = pieces.newest_ms[place]
            entries[entity] = Entry(
                head=pieces.heads[place],
                closed=pieces.closed[place],
                newest_ms=newest_ms,
                since_ms=FOREVER_MS if found and newest_ms == NEVER_MS else newest_ms,
                known=known,
                written=next((row.written for row in found if row.level == HEAD_LEVEL), 0),
                closed_events=_closed_events(heads[place]),
                read_ms=self._need.now_ms,
                loaded_ms=self._need.now_ms,
            )
        return entries


def _same_attempt(entry: Entry, head: StoredRow) -> bool:
    """Return whether one attempt wrote both heads: between attempts rows may step back."""
    return entry.written != 0 and written_by(entry.written)[0] == written_by(head.written)[0]


def _closed_events(head: Ints) -> tuple[int, ...]:
    """Return by level how many events are not in the head's tiles of it, but in closed ones."""
    lifetime = int(head[-1])
    return tuple(lifetime - events for events in head[:-1].tolist())


def _left(grid: Grid, level: int, old_ms: int, new_ms: int) -> range:
    """Return the starts of tiles that a head whose newest tile moved on has no room for any more.

    Args:
        grid: The levels.
        level: Which of them.
        old_ms: The newest tile of the finest level before.
        new_ms: The same now.
    """
    first, after = grid.head_oldest_ms(old_ms, level), grid.head_oldest_ms(new_ms, level)
    return range(first, after, grid.levels_ms[level])


def _pieces(entries: Sequence[Entry]) -> Pieces:
    return Pieces(
        heads=[entry.head for entry in entries],
        closed=[entry.closed for entry in entries],
        newest_ms=[entry.newest_ms for entry in entries],
    )
