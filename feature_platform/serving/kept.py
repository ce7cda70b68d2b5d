"""What a cache keeps of entities, and whether that is enough for a request. No I/O."""

import struct
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from feature_platform.errors import WorldError
from feature_platform.plan.snapshot import Snapshot
from feature_platform.rows.wire import Ints, Mask
from feature_platform.serving.compiled import content_address
from feature_platform.serving.forms import NEVER_MS, Form, Pieces
from feature_platform.serving.later import Later
from feature_platform.serving.merged import Merged
from feature_platform.serving.read_plan import ReadPlan, tiles_until
from feature_platform.serving.states import FAILED, HAS_ROWS, NO_ROWS
from feature_platform.store.base import StoredRow, TileKey
from feature_platform.tiles.grid import Grid

FOREVER_MS = np.iinfo(np.int64).max
ENTRY_BYTES = 700
"""About what an entry takes beside its pieces and its key: objects, numbers, its place."""
_KNOWN_SETS_MAX = 200
_NUMBERS = struct.Struct("<9q")
READ_MS, LOADED_MS, SINCE_MS, NEWEST_MS = range(4)
HEAD_AT, HEAD_BYTES, CLOSED_AT, CLOSED_BYTES, KNOWN = range(4, 9)
"""Which line of `numbers_of` is which; the last is the identity of the set of known tiles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is kept of one entity: all it had in the tiles that are known.

    Known are the tiles in `known`, and all that are not older than the head's slots were when the
    entry was loaded: those were in the head, or were appended when they left it.
    """

    head: bytes
    closed: bytes
    newest_ms: int
    """Start of the head's newest tile of the finest level; `NEVER_MS` without one."""
    since_ms: int
    """The same when it was loaded; `FOREVER_MS` if rows without a head were."""
    known: frozenset[TileKey]
    written: int
    """Write timestamp of the head; 0 without one."""
    closed_events: tuple[int, ...]
    """By level, how many events were ever counted in closed tiles: the head knows it."""
    read_ms: int
    """When the head was read: no event that was there then is missing."""
    loaded_ms: int
    """When all closed tiles were read."""
    numbers: bytes = field(init=False, repr=False, compare=False)
    """The instants, and where the pieces are in memory; see `numbers_of`."""

    def __post_init__(self) -> None:
        """Pack the numbers."""
        instants = (self.read_ms, self.loaded_ms, self.since_ms, self.newest_ms)
        head = (content_address(self.head), len(self.head))
        closed = (content_address(self.closed), len(self.closed))
        packed = _NUMBERS.pack(*instants, *head, *closed, id(self.known))
        object.__setattr__(self, "numbers", packed)

    @property
    def is_empty(self) -> bool:
        """Return whether the entity had no rows."""
        return not self.head and not self.closed

    def bytes_with(self, entity: str) -> int:
        """Return about how much memory it takes, under this key."""
        return ENTRY_BYTES + len(entity) + len(self.head) + len(self.closed)


ABSENT = Entry(
    head=b"",
    closed=b"",
    newest_ms=NEVER_MS,
    since_ms=NEVER_MS,
    known=frozenset(),
    written=0,
    closed_events=(),
    read_ms=NEVER_MS,
    loaded_ms=NEVER_MS,
)
"""An entity that can have no rows, for instance because its key is too long for the store."""


def numbers_of(entries: Sequence[Entry]) -> Ints:
    """Return the numbers of many entries: a line for each of `READ_MS` and so on. Hot path.

    A request looks at these alone, not at thousands of objects. They hold while the entries live.
    """
    packed = b"".join(map(attrgetter("numbers"), entries))
    lines = np.frombuffer(packed, dtype="<i8").reshape(len(entries), KNOWN + 1)
    return np.ascontiguousarray(lines.T)


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """Where entries of a table belong, as one deployment wrote it. Mutable: what it holds grows."""

    number: int
    snapshot: Snapshot
    form: Form
    entries: OrderedDict[str, Entry] = field(default_factory=OrderedDict)
    """What is kept, by entity; what was not asked for longest comes first."""
    _sets: dict[frozenset[TileKey], frozenset[TileKey]] = field(default_factory=dict)

    @property
    def grid(self) -> Grid:
        """The levels."""
        return self.snapshot.layout.grid

    def is_of(self, snapshot: Snapshot) -> bool:
        """Return whether rows read by a snapshot belong here: nothing is kept over a deployment."""
        mine, wanted = self.snapshot, snapshot
        return (mine.table, mine.deployment, mine.job_id, mine.layout) == (
            wanted.table,
            wanted.deployment,
            wanted.job_id,
            wanted.layout,
        )

    def shared(self, keys: Iterable[TileKey]) -> frozenset[TileKey]:
        """Return a set of keys that all entries with the same share."""
        if len(self._sets) > _KNOWN_SETS_MAX:
            self._sets.clear()
        made = frozenset(keys)
        return self._sets.setdefault(made, made)


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What one request needs to know of each entity."""

    space: Space
    plan: ReadPlan
    now_ms: int
    read_since_ms: int
    """After which instant a head must have been read."""
    loaded_since_ms: int
    """The oldest instant that all closed tiles may have been read at."""
    _limits: dict[int, tuple[frozenset[TileKey], int]] = field(default_factory=dict)
    """By identity of a set of known tiles, which is kept alive: what `_last_ms` returns."""
    _keys: list[tuple[TileKey, ...]] = field(default_factory=list)
    """What `keys` returns, once it is known."""

    def not_met(self, entries: Sequence[Entry], numbers: Ints) -> list[int]:
        """Return the places of entries that do not answer the request without a read. Hot path.

        Args:
            entries: Of the entities.
            numbers: Of the entries, see `numbers_of`.
        """
        read_ms, known = numbers[READ_MS], numbers[KNOWN]
        is_met = (read_ms > self.read_since_ms) & (read_ms <= self.now_ms)
        is_met &= numbers[LOADED_MS] >= self.loaded_since_ms
        left = is_met.copy()
        while left.any():  # once for each set of known tiles, which most entries share
            first = int(left.argmax())
            same = known == known[first]
            is_met &= ~same | (numbers[SINCE_MS] <= self._last_ms(entries[first].known))
            left &= ~same
        left_over: list[int] = np.flatnonzero(~is_met).tolist()
        return left_over

    def knows(self, entry: Entry) -> bool:
        """Return whether an entry knows all tiles that are needed."""
        return entry.since_ms <= self._last_ms(entry.known)

    def _last_ms(self, known: frozenset[TileKey]) -> int:
        """Return the latest instant that `since_ms` may be so that no tile is missing."""
        found = self._limits.get(id(known))
        if found is None:
            grid = self.space.grid
            unknown = [key for key in self.plan.keys[1:] if key not in known]
            ends = (
                start_ms + grid.depth[level] * grid.levels_ms[level] for level, start_ms in unknown
            )
            last_ms = min(ends, default=FOREVER_MS + 1) - 1
            found = self._limits[id(known)] = (known, last_ms)
        return found[1]

    def unknown(self, entry: Entry) -> tuple[TileKey, ...]:
        """Return the tiles that are needed, now or until it is read again, and not known."""
        if self.knows(entry):
            return ()
        return tuple(key for key in self.keys() if not is_known(self.space.grid, entry, key))

    def keys(self) -> tuple[TileKey, ...]:
        """Return the tiles that are needed until what is read now is too old, without the head."""
        if not self._keys:
            until_ms = self.now_ms + (self.now_ms - self.read_since_ms)
            self._keys.append(tiles_until(self.plan, self.now_ms, until_ms))
        return self._keys[0]


def is_known(grid: Grid, entry: Entry, key: TileKey) -> bool:
    """Return whether an entry has a tile, or knows that it is empty."""
    level, start_ms = key
    if key in entry.known or entry.since_ms == NEVER_MS:
        return True
    return entry.since_ms != FOREVER_MS and start_ms >= grid.head_oldest_ms(entry.since_ms, level)


def found_kept(
    need: Need,
    entries: list[Entry | WorldError],
    read: Collection[int],
    numbers: Ints,
) -> "FoundKept":
    """Return what was found of the entities of a plan.

    Args:
        need: What was needed.
        entries: Of each entity, or why there is none; changed.
        read: Places that were read for this; no other one has failed.
        numbers: Of the entries before any was read, see `numbers_of`.
    """
    failed = ((place, entries[place]) for place in read)
    errors = {place: each for place, each in failed if isinstance(each, WorldError)}
    for place in errors:
        entries[place] = ABSENT
    known: Sequence[Entry] = entries  # type: ignore[assignment]  # the others are none
    if read:
        numbers = numbers_of(known)
    read_ms = numbers[READ_MS]
    until_ms = np.minimum(
        read_ms + (need.now_ms - need.read_since_ms),
        numbers[LOADED_MS] + (need.now_ms - need.loaded_since_ms) + 1,
    )
    absent = read_ms == NEVER_MS
    pieces = Pieces(
        heads=Later(len(known), lambda place: known[place].head),
        closed=Later(len(known), lambda place: known[place].closed),
        newest_ms=numbers[NEWEST_MS],
        spans=numbers[HEAD_AT : CLOSED_BYTES + 1],
        owner=known,
    )
    return FoundKept(
        plan=need.plan,
        form=need.space.form,
        pieces=pieces,
        entries=known,
        is_empty=(numbers[HEAD_BYTES] | numbers[CLOSED_BYTES]) == 0,
        errors=errors,
        ages_ms=np.where(absent, 0, need.now_ms - read_ms),
        until_ms=np.where(absent, FOREVER_MS, until_ms),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundKept:
    """What is kept of the entities of a plan; see `found.Found`."""

    plan: ReadPlan
    form: Form
    pieces: Pieces
    entries: Sequence[Entry]
    """Whose pieces they are."""
    is_empty: Mask
    """Whether each entity has no rows, or has failed."""
    errors: Mapping[int, WorldError]
    """Why entities have failed, by place; their pieces are empty."""
    ages_ms: Ints
    """How long ago each entity was read; 0 of one that has failed or can have no rows."""
    until_ms: Ints
    """Before when each entity is known well enough without a read: bounds move on by then."""

    @property
    def states(self) -> NDArray[np.int8]:
        """Of each entity: HAS_ROWS, NO_ROWS or FAILED."""
        states = np.where(self.is_empty, NO_ROWS, HAS_ROWS).astype(np.int8)
        states[list(self.errors)] = FAILED
        return states

    def rows(self, place: int) -> Sequence[StoredRow]:  # noqa: ARG002 (of `Found`)
        """Return no rows: tiles are kept instead."""
        return ()

    def written(self, places: Ints) -> Ints:
        """Return the write timestamp of the head of each of these entities; 0 without one."""
        found = (self.entries[place].written for place in places.tolist())
        return np.fromiter(found, dtype=np.int64, count=len(places))

    def merge(self) -> Merged:
        """Merge the tiles of all entities over the windows.

        Raises:
            CorruptRowError: Some are malformed.
        """
        return self.form.merge(self.plan, self.pieces)

    def only(self, place: int) -> "FoundKept":
        """Return what is kept of one entity."""
        one = slice(place, place + 1)
        pieces = Pieces(
            heads=self.pieces.heads[one],
            closed=self.pieces.closed[one],
            newest_ms=self.pieces.newest_ms[one],
        )
        return replace(
            self,
            pieces=pieces,
            entries=self.entries[one],
            is_empty=self.is_empty[one],
            errors={},
            ages_ms=self.ages_ms[one],
            until_ms=self.until_ms[one],
        )

    def without(self, errors: Mapping[int, WorldError]) -> "FoundKept":
        """Return the same with some entities failed."""
        heads, closed = list(self.pieces.heads), list(self.pieces.closed)
        newest_ms, entries = list(self.pieces.newest_ms), list(self.entries)
        is_empty, ages_ms = self.is_empty.copy(), self.ages_ms.copy()
        for place in errors:
            heads[place], closed[place], newest_ms[place] = b"", b"", NEVER_MS
            is_empty[place], ages_ms[place], entries[place] = True, 0, ABSENT
        return replace(
            self,
            pieces=Pieces(heads=heads, closed=closed, newest_ms=newest_ms),
            entries=entries,
            is_empty=is_empty,
            errors={**self.errors, **errors},
            ages_ms=ages_ms,
        )
