"""Random schedules of crashes and restarts, swept back to any epoch that is still alive.

The store has three replicas: writes that nobody has heard of are on one of them or on their way, a
row that is read is repaired alone, and the sweep dies after any of its writes and begins again.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from feature_platform.deploy.sweep import Line, swept
from feature_platform.registry.base import Attempt, Epoch
from feature_platform.registry.history import history, holds, last_rewrite
from feature_platform.rows.undo import RowKey, UndoKey
from feature_platform.store.base import StoredRow, write_timestamp
from feature_platform.tiles.grid import Grid
from feature_platform.tiles.layout import Layout

KEYS = [RowKey(-1, 0), *(RowKey(0, number * 60_000) for number in range(3))]
LAYOUT = Layout(grid=Grid.of(), retention_ms=(10**9,) * 6, columns=())
STEPS = 60
QUORUM, REPLICAS = 2, 3
Rows = dict[RowKey, bytes]
Before = Mapping[RowKey, bytes | None]


@dataclass(frozen=True, slots=True)
class Cell:
    """A row as one replica has it; None: deleted."""

    written: int
    payload: bytes | None

    def wins(self, other: "Cell | None") -> bool:
        """Tell whether it is the newer one; of two of the same time the deletion is."""
        if other is None or self.written != other.written:
            return other is None or self.written > other.written
        return self.payload is None


@dataclass
class Replicas:
    """One entity's partition. Mutable."""

    chance: random.Random
    rows: list[dict[RowKey, Cell]] = field(default_factory=lambda: [{} for _ in range(REPLICAS)])
    undo: list[dict[UndoKey, Before]] = field(default_factory=lambda: [{} for _ in range(REPLICAS)])
    late: list[tuple[int, RowKey, Cell]] = field(default_factory=list)
    """What is still on its way to a replica."""

    def write(self, key: RowKey, cell: Cell, *, acknowledged: bool) -> None:
        """Bring a row to a quorum, or to one replica at most; it may reach the others later."""
        for replica in self._drawn(acknowledged):
            if replica < 0:
                self.late.append((~replica, key, cell))
            else:
                self._take(replica, key, cell)

    def write_undo(self, flush: UndoKey, before: Before, *, acknowledged: bool) -> None:
        """Bring an undo row to a quorum, or to one replica at most."""
        for replica in self._drawn(acknowledged):
            if replica >= 0:
                self.undo[replica][flush] = before

    def deliver(self) -> None:
        """Let some of what is on its way arrive."""
        self.chance.shuffle(self.late)
        for _ in range(self.chance.randint(0, len(self.late))):
            self._take(*self.late.pop())

    def read(self) -> dict[RowKey, StoredRow]:
        """Read the rows from a quorum; what one of them lacks it has afterwards."""
        asked = self.chance.sample(range(REPLICAS), QUORUM)
        for key in KEYS:
            for cell in [self.rows[replica].get(key) for replica in asked]:
                if cell:
                    for replica in asked:
                        self._take(replica, key, cell)
        return {
            key: StoredRow(
                level=key.level, start_ms=key.start_ms, payload=cell.payload, written=cell.written
            )
            for key, cell in self.rows[asked[0]].items()
            if cell.payload is not None
        }

    def read_undo(self) -> dict[UndoKey, Before]:
        """Read the undo rows from a quorum."""
        one, other = self.chance.sample(range(REPLICAS), QUORUM)
        return self.undo[one] | self.undo[other]

    def _drawn(self, acknowledged: bool) -> list[int]:
        """Return replicas that are reached; the complement of a number is reached later."""
        replicas = self.chance.sample(range(REPLICAS), REPLICAS)
        reached = (
            self.chance.randint(QUORUM, REPLICAS) if acknowledged else self.chance.randint(0, 1)
        )
        later = [~replica for replica in replicas[reached:] if self.chance.random() < 0.5]
        return [*replicas[:reached], *later]

    def _take(self, replica: int, key: RowKey, cell: Cell) -> None:
        if cell.wins(self.rows[replica].get(key)):
            self.rows[replica][key] = cell


@dataclass
class Writer:
    """One entity's rows in the store, and the attempts that wrote them. Mutable."""

    chance: random.Random
    store: Replicas
    attempts: list[Attempt] = field(default_factory=list)
    at: dict[Epoch, Rows] = field(default_factory=lambda: {(0, 0): {}})
    """The rows as each epoch saw them when it ended."""
    view: Rows = field(default_factory=dict)
    checkpoint_id: int = 1
    flushes: int = 0
    touched: set[RowKey] = field(default_factory=set)

    def start(self, r: Epoch, kind: str = "stream") -> None:
        """Claim the next attempt from an epoch; what came after that is dead."""
        number = len(self.attempts) + 1
        self.attempts.append(
            Attempt(
                attempt=number,
                execution=f"x/{number}",
                deployment="d",
                kind=kind,
                restore_point=r,
                end_offsets={},
                claimed_ms=number,
            )
        )
        self.view, self.checkpoint_id = dict(self.at[r]), r[1] + 1
        self.flushes, self.touched = 0, set()

    def flush(self) -> None:
        """Write some rows: undo first, then the rows; now and then it dies on the way."""
        number = self.attempts[-1].attempt
        keys = self.chance.sample(KEYS, self.chance.randint(1, len(KEYS)))
        self.flushes += 1
        dies = self.chance.choice(("at undo", "at rows")) if self.chance.random() < 0.2 else ""
        first = [key for key in keys if key not in self.touched]
        if first:
            flush = UndoKey(number, self.checkpoint_id, self.flushes)
            before = {key: self.view.get(key) for key in first}
            self.store.write_undo(flush, before, acknowledged=dies != "at undo")
            self.touched.update(first)
        for key in keys if dies != "at undo" else ():
            payload = b"%d/%d/%d" % (number, self.checkpoint_id, self.flushes)
            cell = Cell(write_timestamp(number, self.flushes), payload)
            self.store.write(key, cell, acknowledged=not dies)
            self.view[key] = payload
        if dies:
            self.start(self.any_alive())

    def barrier(self) -> None:
        """End the checkpoint; its epoch can be started from."""
        self.at[self.attempts[-1].attempt, self.checkpoint_id] = dict(self.view)
        self.checkpoint_id += 1
        self.touched = set()

    def any_alive(self) -> Epoch:
        """Return an epoch of the newest attempt's history, not before a sweep."""
        line = history(self.attempts, len(self.attempts))
        first = last_rewrite(self.attempts, line)
        return self.chance.choice(
            sorted(epoch for epoch in self.at if epoch[0] >= first and holds(line, epoch))
        )

    def sweep(self) -> Rows:
        """Sweep back to an epoch that is alive; returns the rows that it should lead to."""
        r = self.any_alive()
        self.start(r, "sweep")
        line = Line.of(self.attempts, self.attempts[-1])
        while not self._swept(line):
            self.store.deliver()
        self.at[line.sweep.attempt, 1] = dict(self.at[r])
        self.checkpoint_id = 2
        return self.at[r]

    def _swept(self, line: Line) -> bool:
        """Go over the rows once; False if it died after one of them."""
        stamp = write_timestamp(line.sweep.attempt, 1)
        before = line.kept.before(self.store.read_undo())
        for write in swept(line, before, self.store.read(), LAYOUT, 0):
            dies = self.chance.random() < 0.1
            key = RowKey(write.level, write.start_ms)
            self.store.write(key, Cell(stamp, write.payload), acknowledged=not dies)
            if dies:
                return False
        return True


@pytest.mark.parametrize("seed", range(300))
def test_rows_are_as_they_were_at_r(seed: int) -> None:
    """Whatever died before, however often it was swept, and whatever arrives later."""
    chance = random.Random(seed)  # noqa: S311 - any order will do
    writer = Writer(chance, Replicas(chance))
    writer.start((0, 0))
    for _ in range(STEPS):
        draw = chance.random()
        if draw < 0.6:
            writer.flush()
        elif draw < 0.8:
            writer.barrier()
        elif draw < 0.92:
            writer.start(writer.any_alive())
        elif draw < 0.97:
            writer.store.deliver()
        else:
            _sweep(writer)
            writer.start((len(writer.attempts), 1))
    _sweep(writer)


def _sweep(writer: Writer) -> None:
    expected = writer.sweep()
    for _ in range(REPLICAS):
        assert {key: row.payload for key, row in writer.store.read().items()} == expected
        writer.store.deliver()
