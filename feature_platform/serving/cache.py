"""A cache of tiles in the client: entities that are asked for again cost at most one row each.

It keeps decoded tiles, not answers, so windows move on with the clock. `kept.py` says what is known
of an entity, `refresh.py` how that is brought up to date; this module says who reads, and when.
"""

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from itertools import count, repeat

import numpy as np

from feature_platform.clock import Clock
from feature_platform.errors import CallerError, WorldError
from feature_platform.plan.snapshot import Snapshot
from feature_platform.rows.wire import Ints
from feature_platform.serving.ahead import AHEAD, Ahead, Noted
from feature_platform.serving.asked import Options
from feature_platform.serving.assemble import form_of
from feature_platform.serving.cache_stats import CacheStats, Counters
from feature_platform.serving.deadline import Deadline
from feature_platform.serving.kept import (
    ABSENT,
    Entry,
    FoundKept,
    Need,
    Space,
    found_kept,
    numbers_of,
)
from feature_platform.serving.keys import can_be_stored
from feature_platform.serving.read_plan import ReadPlan
from feature_platform.serving.reads import read_rows
from feature_platform.serving.refresh import ReadRows, Refreshed, Refresher
from feature_platform.serving.waiting import Waits, finish
from feature_platform.store.base import Outcome, Requests

MOVES_MS = 1_000
"""How exactly the cache knows what was not asked for longest."""
Key = tuple[int, str]
"""Number of a space, and an entity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheSettings:
    """What a client keeps in memory."""

    bytes_max: int
    """Of the entries of one process; what was not asked for longest is dropped."""
    max_staleness_ms: int = 1_000
    """How long ago the newest events of an answer may have been read; 0: for each request."""
    late_bound_ms: int = 3_600_000
    """How long closed tiles are kept without being read again, whatever the head says."""

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            CallerError: One is negative, or there is no room.
        """
        if self.bytes_max < 1 or self.max_staleness_ms < 0 or self.late_bound_ms < 0:
            msg = f"{self}: bytes_max must be positive, and no bound negative"
            raise CallerError(msg)


def _running() -> Future[None]:
    """Return a future that nobody who waits for it can cancel."""
    made: Future[None] = Future()
    made.set_running_or_notify_cancel()
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """A read that is under way. Mutable: `landed` is filled in before `done` is."""

    began_ms: int
    deadline: Deadline
    """Of the request that reads."""
    keys: list[Key] = field(default_factory=list)
    """Whose rows it reads."""
    is_ahead: bool = False
    """Whether it reads before a request has to."""
    landed: Refreshed = field(default_factory=dict)
    done: Future[None] = field(default_factory=_running)


class _Process:
    """What belongs to one process. Mutable; `lock` guards all of it."""

    def __init__(self, refresh: Callable[[Noted], None]) -> None:
        self.pid = os.getpid()
        self.ahead = Ahead(refresh)
        self.lock = threading.Lock()
        self.shelves: list[OrderedDict[str, Entry]] = []
        """Those of spaces that hold entries, of old deployments too."""
        self.flights: dict[Key, Flight] = {}
        self.spaces: dict[str, Space] = {}
        self.numbers = count(1)
        self.bytes = 0
        self.counters = Counters()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Round:
    """What is to be done for the entities that are not answered yet."""

    own: list[tuple[str, Entry | None]]
    """To be read here, with what is kept of them."""
    others: list[tuple[str, Flight]]
    """To be waited for: others read them."""


class TileCache:
    """Keeps tiles of entities. Mutable; safe for use by threads, and empty after a fork."""

    def __init__(
        self,
        settings: CacheSettings,
        keys_per_read: int,
        clock: Clock,
        begin: Callable[[], Waits] | None = None,
    ) -> None:
        """Keep nothing yet.

        Args:
            settings: What to keep.
            keys_per_read: Most keys of an entity in a query.
            clock: What *now* means.
            begin: Begins a blocking request; with it, entities that are asked for often are read
                again ahead of requests, in a thread.
        """
        self.settings = settings
        self._keys_per_read = keys_per_read
        self._clock = clock
        self._begin_request = begin
        self._process = _Process(self._refresh)

    def takes(self, plan: ReadPlan) -> bool:
        """Return whether a plan can be answered from kept tiles: of now, and of not too much."""
        mine = self._mine()
        return plan.mode == "now" and self._space(mine, plan.group.snapshot).form.takes(plan)

    async def find(
        self, waits: Waits, plan: ReadPlan, entities: Sequence[str], asked: Options
    ) -> FoundKept:
        """Return what is kept of entities, after reading what is not, or is too old.

        Args:
            waits: Reads, until the deadline.
            plan: What is asked.
            entities: Whose tiles, each once.
            asked: How old that may be.
        """
        mine, bound_ms = self._mine(), asked.max_staleness_ms
        if bound_ms is None:
            bound_ms = self.settings.max_staleness_ms
        need = self._need(mine, plan, asked.now_ms, bound_ms)
        entries, numbers, left = self._look_up(mine, need, entities)
        if left:
            found = await self._read_all(mine, waits, need, [entities[place] for place in left])
            for place in left:
                entries[place] = found[entities[place]]
        made = found_kept(need, entries, left, numbers)
        with mine.lock:
            mine.counters.answered(made)
        if self._begin_request is not None:
            self._look_ahead(mine, need, made.ages_ms, entities)
        return made

    def _look_up(
        self, mine: _Process, need: Need, entities: Sequence[str]
    ) -> tuple[list[Entry | WorldError], Ints, list[int]]:
        """Return what is kept of entities, its numbers, and where it is not enough. Hot path.

        What is asked for moves to the end at least once a second: when it is read again, or here if
        its bound is longer.
        """
        kept = need.space.entries
        with mine.lock:
            entries = list(map(kept.get, entities, repeat(ABSENT)))
            numbers = numbers_of(entries)
            left = need.not_met(entries, numbers)
            mine.counters.hits += len(entries) - len(left)
            if need.now_ms - need.read_since_ms > MOVES_MS:
                missing = set(left)
                for place, entity in enumerate(entities):
                    if place not in missing:
                        kept.move_to_end(entity)
        return entries, numbers, left  # type: ignore[return-value]  # of a list that can hold more

    async def _read_all(
        self, mine: _Process, waits: Waits, need: Need, entities: Sequence[str]
    ) -> Refreshed:
        """Read what is not kept, or too old."""
        found: Refreshed = {each: ABSENT for each in entities if not can_be_stored(each)}
        left = [entity for entity in entities if entity not in found]
        while left:
            left = await self._try(mine, waits, need, left, found)
        return found

    def _need(self, mine: _Process, plan: ReadPlan, now_ms: int, bound_ms: int) -> Need:
        return Need(
            space=self._space(mine, plan.group.snapshot),
            plan=plan,
            now_ms=now_ms,
            read_since_ms=now_ms - bound_ms,
            loaded_since_ms=now_ms - self.settings.late_bound_ms,
        )

    def _look_ahead(
        self, mine: _Process, need: Need, ages_ms: Ints, entities: Sequence[str]
    ) -> None:
        """Note what will soon be too old; whoever asks for it now will probably ask again."""
        bound_ms = need.now_ms - need.read_since_ms
        due = np.flatnonzero(ages_ms > AHEAD * bound_ms).tolist()
        if due:
            entities_due = (entities[place] for place in due)
            mine.ahead.note(need.space.number, need.plan, bound_ms, entities_due)

    def _refresh(self, noted: Noted) -> None:
        """Read entities again that are old enough; what fails is left to the next request."""
        if self._begin_request is None:
            return
        mine, now_ms = self._mine(), self._clock.now_ms()
        need = self._need(mine, noted.plan, now_ms, int((1 - AHEAD) * noted.bound_ms))
        trying = self._try(
            mine, self._begin_request(), need, list(noted.entities), {}, is_ahead=True
        )
        finish(trying)

    def close(self) -> None:
        """Read no more ahead of requests."""
        self._process.ahead.close()

    def stats(self) -> CacheStats:
        """Return what the cache of this process holds and has done."""
        mine = self._mine()
        with mine.lock:
            entries = sum(map(len, mine.shelves))
            return mine.counters.stats(entries=entries, size=mine.bytes)

    def _mine(self) -> _Process:
        """Return what belongs to this process: after a fork nothing is kept, no lock is held."""
        mine = self._process
        if mine.pid != os.getpid():
            mine = self._process = _Process(self._refresh)
        return mine

    def _space(self, mine: _Process, snapshot: Snapshot) -> Space:
        """Return where entries belong; a deployment begins another space, and old ones age."""
        with mine.lock:
            space = mine.spaces.get(snapshot.table)
            if space is not None and space.snapshot is snapshot:
                return space
            if space is not None and space.is_of(snapshot):
                space = replace(space, snapshot=snapshot)  # to be known again at once
            else:
                space = Space(
                    number=next(mine.numbers), snapshot=snapshot, form=form_of(snapshot.layout)
                )
            mine.spaces[snapshot.table] = space
            return space

    async def _try(
        self,
        mine: _Process,
        waits: Waits,
        need: Need,
        entities: Sequence[str],
        found: Refreshed,
        *,
        is_ahead: bool = False,
    ) -> list[str]:
        """Answer what can be answered, read what nobody reads, wait for what others do.

        Returns:
            Entities that others have read, and not what is needed here.
        """
        flight = Flight(began_ms=need.now_ms, deadline=waits.deadline, is_ahead=is_ahead)
        try:
            todo = self._begin(mine, need, entities, found, flight)
            if todo.own:
                read = self._reader(mine, waits, need.space.snapshot.table)
                flight.landed.update(await Refresher(need, read).run(todo.own))
        finally:
            if flight.keys:
                self._land(mine, need.space, flight)
        found |= flight.landed
        left: list[str] = []
        for entity, other in todo.others:
            await waits.ended(other.done)
            if not other.done.done():
                found[entity] = waits.deadline.missed()
            elif _answers(need, other, entity):
                found[entity] = other.landed[entity]
            else:
                left.append(entity)
        return left

    def _begin(
        self,
        mine: _Process,
        need: Need,
        entities: Sequence[str],
        found: Refreshed,
        flight: Flight,
    ) -> _Round:
        """Look entities up. Hot path."""
        todo = _Round(own=[], others=[])
        number, kept = need.space.number, need.space.entries
        with mine.lock:
            known = [kept.get(entity, ABSENT) for entity in entities]
            left = set(need.not_met(known, numbers_of(known)))
            for place, entity in enumerate(entities):
                key, entry = (number, entity), kept.get(entity)
                if entry is not None and place not in left:
                    kept.move_to_end(entity)
                    found[entity] = entry
                    mine.counters.hits += not flight.is_ahead
                    continue
                other = mine.flights.get(key)
                if other is not None and need.read_since_ms < other.began_ms <= need.now_ms:
                    mine.counters.joined += 1
                    todo.others.append((entity, other))
                    continue
                flight.keys.append(key)
                mine.flights[key] = flight
                mine.counters.asked(entry, is_ahead=flight.is_ahead)
                todo.own.append((entity, entry))
        return todo

    def _land(self, mine: _Process, space: Space, flight: Flight) -> None:
        """Keep what was read, and hand it to whoever waits; also if the read was interrupted."""
        with mine.lock:
            for key in flight.keys:
                if mine.flights.get(key) is flight:
                    del mine.flights[key]
                landed = flight.landed.get(key[1])
                if isinstance(landed, Entry):
                    self._keep(mine, space.entries, key[1], landed)
        flight.done.set_result(None)

    def _reader(self, mine: _Process, waits: Waits, table: str) -> ReadRows:
        async def read(asked: Requests) -> list[Outcome]:
            outcomes = await read_rows(waits, table, asked, self._keys_per_read)
            with mine.lock:
                mine.counters.has_read(outcomes)
            return outcomes

        return read

    def _keep(
        self, mine: _Process, shelf: OrderedDict[str, Entry], entity: str, entry: Entry
    ) -> None:
        """Keep an entry; drop what was not asked for longest while there is no room."""
        before = shelf.get(entity)
        if before is not None:
            mine.bytes -= before.bytes_with(entity)
        elif not shelf:
            mine.shelves.append(shelf)
        shelf[entity] = entry
        shelf.move_to_end(entity)
        mine.bytes += entry.bytes_with(entity)
        while mine.bytes > self.settings.bytes_max:
            oldest = min(mine.shelves, key=_first_read_ms)
            entity, dropped = oldest.popitem(last=False)
            mine.bytes -= dropped.bytes_with(entity)
            mine.counters.evicted += 1
            if not oldest:
                mine.shelves.remove(oldest)


def _first_read_ms(shelf: OrderedDict[str, Entry]) -> int:
    """Return when that was read which was not asked for longest: not long before it was asked."""
    return next(iter(shelf.values())).read_ms


def _answers(need: Need, other: Flight, entity: str) -> bool:
    """Return whether what another request has read of an entity answers this one, too."""
    landed = other.landed.get(entity)
    if isinstance(landed, WorldError):
        return other.deadline.left_s > 0  # else it was in more of a hurry
    return landed is not None and need.knows(landed)
