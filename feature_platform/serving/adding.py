"""Compact tiles of many entities, added up over all windows by the compiled core. Hot path."""

import ctypes
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from feature_platform.errors import CorruptRowError
from feature_platform.rows.wire import Ints, Mask
from feature_platform.serving.compact import (
    KEY_BITS,
    SLOTS_MAX,
    CompactTiles,
    Decoding,
    Levels,
    Slots,
    decode_compactly,
)
from feature_platform.serving.compiled import Add, Census, Core, Find, address
from feature_platform.serving.plain import Line, plain_of
from feature_platform.serving.read_plan import ReadPlan
from feature_platform.store.base import StoredRow
from feature_platform.tiles.cover import Cover
from feature_platform.tiles.grid import Grid
from feature_platform.tiles.layout import COUNTERS, Layout, LayoutColumn

CELLS_MAX = 1 << 20
"""Windows times counters that are added up at once; numpy answers what is larger."""
LEVELS_MAX = 63
_TABLE_BITS_MIN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """Which tiles belong to which windows."""

    places: Mapping[int, int]
    """By window: its number for the core."""
    keys: Ints
    """Of the tiles of all covers."""
    key_windows: Ints
    """By key: where its windows begin in `windows_of`."""
    windows_of: NDArray[np.int32]

    @classmethod
    def of(cls, covers: Mapping[int, Cover]) -> "Windows":
        """Number the windows, lifetime last, and bring their covers together."""
        places = {window_ms: place for place, window_ms in enumerate((*covers, 0))}
        members: dict[int, list[int]] = {}
        for window_ms, answer in covers.items():
            for level, start_ms in answer.tiles:
                key = (start_ms << KEY_BITS) | level
                members.setdefault(key, []).append(places[window_ms])
        return cls(
            places=places,
            keys=np.array(list(members), dtype=np.int64),
            key_windows=np.cumsum([0, *map(len, members.values())], dtype=np.int64),
            windows_of=np.array(list(chain.from_iterable(members.values())), dtype=np.int32),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """How tiles are added up over windows: what is the same for all of them."""

    slots: Slots
    windows: Windows
    levels: Levels
    owned: tuple[NDArray[np.int32], ...]
    """The windows and slots of the lines, lifetime's window: the request points to them, too."""
    request: Add
    """What of a request is the same."""

    @classmethod
    def of(
        cls, grid: Grid, slots: Slots, windows: Windows, lines: Iterable[Line] = ()
    ) -> "Addition":
        """Lay it out.

        Args:
            grid: Of the tiles.
            slots: What they hold.
            windows: Those of the lines, at least.
            lines: Windows and counter ids: what is added up, a column of the outcome each.
        """
        lines, levels, places = tuple(lines), Levels.of(grid), windows.places
        line_windows = np.array([places[window_ms] for window_ms, _ in lines], dtype=np.int32)
        line_slots = slots.slot_by_id[[counter for _, counter in lines]]
        lifetime = np.array([places[0]], dtype=np.int32)
        bits = max(_TABLE_BITS_MIN, int(2 * len(windows.keys) + 1).bit_length())
        request = Add(
            level_ms=address(levels.length_ms),
            level_back_ms=address(levels.back_ms),
            levels=levels.lifetime,
            additive=slots.additive,
            slots=slots.count,
            smallest=address(slots.smallest),
            keys=address(windows.keys),
            key_windows=address(windows.key_windows),
            windows_of=address(windows.windows_of),
            key_count=len(windows.keys),
            windows=len(places),
            lifetime_level=levels.lifetime,
            lifetime_windows=address(lifetime),
            lifetime_count=1,
            table_bits=bits,
            out_windows=address(line_windows),
            out_slots=address(line_slots),
            outs=len(lines),
        )
        return cls(
            slots=slots,
            windows=windows,
            levels=levels,
            owned=(line_windows, line_slots, lifetime),
            request=request,
        )


class Adder:
    """Adds up compact tiles. Mutable: holds the memory that the core works with."""

    def __init__(self, core: Core, addition: Addition, tiles: CompactTiles) -> None:
        """Get ready.

        Args:
            core: The compiled core.
            addition: How.
            tiles: Of all entities.
        """
        self._core, self._addition, self._tiles = core, addition, tiles
        cells = len(addition.windows.places) * addition.slots.count
        self._table = np.empty(1 << addition.request.table_bits, dtype=np.int32)
        self._sums = np.empty(cells, dtype=np.uint64)
        self._seen = np.empty(cells, dtype=np.uint8)
        self._request = request = Add.from_buffer_copy(addition.request)
        request.table, request.sums = address(self._table), address(self._sums)
        request.seen = address(self._seen)
        request.arena, request.arena_bytes = tiles.begin, tiles.size
        request.entities = tiles.entity_count
        for name in ("head_starts", "head_stops", "closed_starts", "closed_stops", "newest_ms"):
            setattr(request, name, address(getattr(tiles, name)))

    def add(self) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return sums or extremes, and presence: a row for each entity, a column for each line.

        Raises:
            CorruptRowError: These are no compact tiles of these slots.
        """
        out = np.empty((self._tiles.entity_count, self._request.outs), dtype=np.int64)
        present = np.empty(out.shape, dtype=np.bool_)
        self._request.out, self._request.present = address(out), address(present)
        _refuse_foreign(self._core.add(ctypes.byref(self._request)))
        return out, present

    def find(self, window_ms: int, feature: int) -> Iterator[tuple[int, bytes]]:
        """Yield entity and encoded value of a feature in the tiles of a window.

        Raises:
            CorruptRowError: These are no compact tiles of these slots.
        """
        addition, tiles = self._addition, self._tiles
        found = np.empty((3, tiles.tiles), dtype=np.int64)
        request = Find(
            line=int(addition.slots.line_by_id[feature]),
            window=addition.windows.places[window_ms],
            entities=address(found[0]),
            starts=address(found[1]),
            stops=address(found[2]),
            room=tiles.tiles,
        )
        count = self._core.find(ctypes.byref(self._request), ctypes.byref(request))
        _refuse_foreign(count)
        for entity, start, stop in zip(*found[:, :count].tolist(), strict=True):
            yield entity, tiles.content(start, stop)

    def census(self, counter: int) -> tuple[Ints, Ints]:
        """Add up a counter over all tiles of each level, whatever the windows are.

        Returns:
            Of heads and of closed tiles: a line for each entity with a sum for each level, and
            lifetime's last.

        Raises:
            CorruptRowError: These are no compact tiles of these slots.
        """
        addition = self._addition
        levels = addition.levels.lifetime + 1
        sums = np.empty((2, self._tiles.entity_count, levels), dtype=np.int64)
        slot = int(addition.slots.slot_by_id[counter])
        request = Census(slot=slot, head=address(sums[0]), closed=address(sums[1]))
        _refuse_foreign(self._core.census(ctypes.byref(self._request), ctypes.byref(request)))
        return sums[0], sums[1]


def _refuse_foreign(outcome: int) -> None:
    if outcome < 0:
        msg = "these are no compact tiles of this layout"
        raise CorruptRowError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedCompactly:
    """Compact tiles, their counters added up over all windows."""

    adder: Adder
    entity_count: int
    lines: Mapping[Line, int]
    """By window and counter id: the column in the two arrays, which have a row per entity."""
    counters: NDArray[np.int64]
    present: NDArray[np.bool_]

    def total(self, column: LayoutColumn, window_ms: int) -> Ints:
        """Return the sum of a counter for each entity, as int64 wraps."""
        return np.ascontiguousarray(self.counters[:, self.lines[window_ms, column.id]])

    def totals(self, lines: Sequence[Line]) -> Ints:
        """Return sums of many counters: a row for each entity, a column for each line."""
        places = list(map(self.lines.__getitem__, lines))
        if places == list(range(len(places))):
            return self.counters[:, : len(places)]
        return self.counters[:, places]

    def extreme(self, column: LayoutColumn, window_ms: int) -> tuple[Ints, Mask]:
        """Return the minimum or maximum for each entity, and where there is one."""
        line = self.lines[window_ms, column.id]
        extremes = np.ascontiguousarray(self.counters[:, line])
        return extremes, np.ascontiguousarray(self.present[:, line])

    def encoded(self, column: LayoutColumn, window_ms: int) -> Iterator[tuple[int, bytes]]:
        """Yield entity and encoded value of a feature, tile by tile, by ascending entity."""
        return self.adder.find(window_ms, column.id)


def merge_compactly(
    core: Core, plan: ReadPlan, rows: Sequence[Sequence[StoredRow]]
) -> MergedCompactly | None:
    """Decode what was read and add it up over all windows; None where the core does not take it."""
    layout = plan.group.snapshot.layout
    slots = plan.derived(slots_of)
    if not fits(layout, slots, len(plan.covers)):
        return None
    tiles = decode_compactly(core, plan.derived(_decoding_of), rows)
    return None if tiles is None else add_up(core, plan, slots, tiles)


def fits(layout: Layout, slots: Slots, windows: int) -> bool:
    """Return whether the core takes these slots and windows; lifetime is not counted as one."""
    return (
        max(slots.count, len(slots.line_by_id)) <= SLOTS_MAX
        and slots.count * (windows + 1) <= CELLS_MAX
        and layout.grid.lifetime_level <= LEVELS_MAX
    )


def _lines(plan: ReadPlan) -> dict[Line, int]:
    """Number the windows and counters that a plan's features are made of, plain ones first."""
    lines: dict[Line, int] = {}
    for line in plan.derived(plain_of).lines:
        lines.setdefault(line, len(lines))
    for wanted in plan.group.wanted:
        for column in wanted.columns if plan.has_value(wanted) else ():
            if column.kind in COUNTERS:
                lines.setdefault((wanted.window_ms, column.id), len(lines))
    return lines


def slots_of(plan: ReadPlan) -> Slots:
    """Return where the core has the columns of a plan's features."""
    return Slots.of(plan.columns().values())


def _decoding_of(plan: ReadPlan) -> Decoding:
    """Return how rows of a plan's columns alone are decoded."""
    return Decoding.of(plan.group.snapshot.layout, plan.derived(slots_of))


def _windows_of(plan: ReadPlan) -> Windows:
    """Return which tiles belong to which windows of a plan."""
    return Windows.of(plan.covers)


def _additions_of(plan: ReadPlan) -> dict[int, Addition]:  # noqa: ARG001 - kept with the plan
    """Return where `_addition` keeps what it makes: by identity of the slots, which that keeps."""
    return {}


def _addition(plan: ReadPlan, slots: Slots) -> Addition:
    """Return how tiles of some slots are added up for a plan: laid out once."""
    known = plan.derived(_additions_of)
    if id(slots) not in known:
        grid = plan.group.snapshot.layout.grid
        known[id(slots)] = Addition.of(grid, slots, plan.derived(_windows_of), plan.derived(_lines))
    return known[id(slots)]


def add_up(core: Core, plan: ReadPlan, slots: Slots, tiles: CompactTiles) -> MergedCompactly:
    """Add up the counters of a plan's features over its windows."""
    adder = Adder(core, _addition(plan, slots), tiles)
    counters, present = adder.add()
    return MergedCompactly(
        adder=adder,
        entity_count=tiles.entity_count,
        lines=plan.derived(_lines),
        counters=counters,
        present=present,
    )
