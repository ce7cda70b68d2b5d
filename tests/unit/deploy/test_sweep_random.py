"""Random schedules of crashes and restarts, swept back to any epoch that is still alive."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from feature_platform.deploy.sweep import Line, swept
from feature_platform.registry.base import Attempt, Epoch
from feature_platform.registry.history import history, holds, last_rewrite
from feature_platform.rows.undo import RowKey, UndoKey
from feature_platform.store.base import StoredRow, write_timestamp, written_by
from feature_platform.tiles.grid import Grid
from feature_platform.tiles.layout import Layout

KEYS = [RowKey(-1, 0), *(RowKey(0, number * 60_000) for number in range(3))]
LAYOUT = Layout(grid=Grid.of(), retention_ms=(10**9,) * 6, columns=())
STEPS = 60
Rows = dict[RowKey, bytes]


@dataclass
class Writer:
    """One entity's rows in the store, and the attempts that wrote them. Mutable."""

    chance: random.Random
    attempts: list[Attempt] = field(default_factory=list)
    stored: dict[RowKey, StoredRow] = field(default_factory=dict)
    undo: dict[UndoKey, dict[RowKey, bytes | None]] = field(default_factory=dict)
    at: dict[Epoch, Rows] = field(default_factory=lambda: {(0, 0): {}})
    """The rows as each epoch saw them when it ended."""
    view: Rows = field(default_factory=dict)
    label: int = 1
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
                r_attempt=r[0],
                r_label=r[1],
                end_offsets={},
                claimed_ms=number,
            )
        )
        self.view, self.label = dict(self.at[r]), r[1] + 1
        self.flushes, self.touched = 0, set()

    def flush(self) -> None:
        """Write some rows: undo first, then, unless it dies in between, the rows."""
        number = self.attempts[-1].attempt
        keys = self.chance.sample(KEYS, self.chance.randint(1, len(KEYS)))
        self.flushes += 1
        first = [key for key in keys if key not in self.touched]
        if first:
            flush = UndoKey(number, self.label, self.flushes)
            self.undo[flush] = {key: self.view.get(key) for key in first}
            self.touched.update(first)
        landed = keys[: self.chance.randint(0, len(keys))] if self.chance.random() < 0.2 else keys
        for key in landed:
            self.view[key] = b"%d/%d/%d" % (number, self.label, self.flushes)
            self.stored[key] = StoredRow(
                level=key.level,
                start_ms=key.start_ms,
                payload=self.view[key],
                written=write_timestamp(number, self.flushes),
            )
        if landed != keys:
            self.start(self.any_alive())

    def barrier(self) -> None:
        """End the label; its epoch can be started from."""
        self.at[self.attempts[-1].attempt, self.label] = dict(self.view)
        self.label += 1
        self.touched = set()

    def any_alive(self) -> Epoch:
        """Return an epoch of the newest attempt's history, not before a sweep."""
        line = history(self.attempts, len(self.attempts))
        first = last_rewrite(self.attempts, line)
        return self.chance.choice(
            sorted(epoch for epoch in self.at if epoch[0] >= first and holds(line, epoch))
        )

    def sweep(self) -> Mapping[RowKey, bytes]:
        """Sweep back to an epoch that is alive; returns the rows that it should lead to."""
        r = self.any_alive()
        self.start(r, "sweep")
        line = Line.of(self.attempts, self.attempts[-1])
        stamp = write_timestamp(line.sweep.attempt, 1)
        for write in swept(line, self.undo, self.stored, LAYOUT, 0):
            key = RowKey(write.level, write.start_ms)
            assert written_by(stamp)[0] == line.sweep.attempt
            if write.payload is None:
                self.stored.pop(key, None)
            else:
                self.stored[key] = StoredRow(
                    level=key.level,
                    start_ms=key.start_ms,
                    payload=write.payload,
                    written=stamp,
                )
        self.at[line.sweep.attempt, 1] = dict(self.at[r])
        self.label = 2
        return self.at[r]


@pytest.mark.parametrize("seed", range(100))
def test_rows_are_as_they_were_at_r(seed: int) -> None:
    """Whatever died before, and however often it was swept."""
    writer = Writer(random.Random(seed))  # noqa: S311 - any order will do
    writer.start((0, 0))
    for _ in range(STEPS):
        draw = writer.chance.random()
        if draw < 0.6:
            writer.flush()
        elif draw < 0.85:
            writer.barrier()
        elif draw < 0.97:
            writer.start(writer.any_alive())
        else:
            expected = writer.sweep()
            assert {key: row.payload for key, row in writer.stored.items()} == expected
            writer.start((len(writer.attempts), 1))
    assert {key: row.payload for key, row in _swept(writer).items()} == writer.at[_r(writer)]


def _swept(writer: Writer) -> Mapping[RowKey, StoredRow]:
    writer.sweep()
    return writer.stored


def _r(writer: Writer) -> Epoch:
    return writer.attempts[-1].r
