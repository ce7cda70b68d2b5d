"""Asks Spark what rows can have held when they were read, and adds up the states that may be.

A state of a row is the events up to a cut, and some of those that follow: of each partition and
finest tile the first ones, because Flink SQL counts the events of a tile in their order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from feature_platform.engines.spark_facts import StatesTold
from feature_platform.engines.spark_request import StatesTask
from feature_platform.rows.codec import decode_items
from feature_platform.rows.partials import Item, merge_items
from feature_platform.rows.row_pb2 import FeatureValue
from feature_platform.rows.wire import Ints, Mask
from feature_platform.serving.states import HAS_ROWS
from feature_platform.tiles.layout import Carrier
from feature_platform.training.answers import AnsweredRows, MergedSlots, SlotShape
from feature_platform.training.asked import Slot

QUESTION = pa.schema(
    [
        ("row", pa.int64()),
        ("entity", pa.string()),
        ("instant", pa.int64()),
        ("lower", pa.int32()),
        ("upper", pa.int32()),
        ("known", pa.int64()),
    ]
)
WHOLE, MORE = -1, -2
"""Instead of a partition; see `StateRows.java`."""


class Teller(Protocol):
    """Says what rows can have held; `engines.spark.SparkAnswerer` is one."""

    def tell(self, task: StatesTask, again: str) -> StatesTold:
        """Write the answers to the task's folder.

        Raises:
            EventLogError: The log is damaged or empty.
            SparkFailedError: Spark failed.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event that a row may have held."""

    partition: int
    offset: int
    appended_ms: int
    time_ms: int
    line: int
    """Where its numbers are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """What may have been in a row beside the events up to a cut."""

    whole: int
    """The line with the answer by all events up to the cut."""
    events: tuple[Event, ...]
    """Those that followed, as the broker took them."""
    more: bool
    """Whether some are not here, because they were too many."""


class Told:
    """What Spark has said of the rows of one feature set."""

    def __init__(self, shape: SlotShape, table: pa.Table) -> None:
        """Take all answers, which fit into memory: of each question there is a limit.

        Args:
            shape: What was asked.
            table: What Spark wrote.
        """
        self.shape = shape
        self._counters, marks = shape.numbers(table)
        self._marks: Mask = marks.astype(np.bool_)
        self._items = {slot: table[name].to_pylist() for slot, name in shape.items.items()}
        self.rows = _opened(table)

    @classmethod
    def read(cls, shape: SlotShape, folder: Path) -> "Told":
        """Read what Spark wrote into a folder."""
        names = ["row", "partition", "offset", "appended", "time", *shape.schema.names[1:]]
        files = sorted(folder.glob("part-*.parquet"))
        return cls(
            shape, pa.concat_tables([parquet.read_table(file, columns=names) for file in files])
        )

    def states(self, of: Sequence[tuple[Open, Sequence[Event]]]) -> AnsweredRows:
        """Return the slots of states, a row each: what a cut holds, and some events more."""
        counters = np.array([self._counters[each.whole] for each, _ in of], dtype=np.int64)
        marks = np.array([self._marks[each.whole] for each, _ in of], dtype=np.bool_)
        counters = counters.reshape(len(of), len(self.shape.places))
        marks = marks.reshape(len(of), len(self.shape.marks))
        for place, (_, events) in enumerate(of):
            if events:
                self._add(counters[place], marks[place], [event.line for event in events])
        return AnsweredRows(
            plan=self.shape.plan,
            states=np.full(len(of), HAS_ROWS, dtype=np.int8),
            slots=MergedSlots(
                entity_count=len(of),
                counters=counters,
                present=marks,
                items={slot: self._merged(slot, of) for slot in self._items},
                places=self.shape.places,
                marks=self.shape.marks,
            ),
        )

    def _add(self, counters: Ints, marks: Mask, lines: list[int]) -> None:
        """Add events to a row in place."""
        added = self._counters[lines]
        sums = counters + added.sum(axis=0)
        for slot, mark in self.shape.marks.items():
            place = self.shape.places[slot]
            there = [int(added[at, place]) for at in np.flatnonzero(self._marks[lines, mark])]
            if marks[mark]:
                there.append(int(counters[place]))
            best = min if self.shape.columns[slot[0]].kind == "min" else max
            sums[place] = best(there, default=0)
            marks[mark] = bool(there)
        counters[:] = sums

    def _merged(self, slot: Slot, of: Sequence[tuple[Open, Sequence[Event]]]) -> pa.Array:
        column, found = self.shape.columns[slot[0]], self._items[slot]
        merged: list[bytes | None] = []
        for each, events in of:
            parts = [found[line] for line in (each.whole, *(event.line for event in events))]
            there = [part for part in parts if part is not None]
            if len(there) > 1:
                decoded = (decode_items(part, column.carrier) for part in there)
                kept = merge_items(column.kind, column.n, decoded)
                merged.append(encoded_items(kept, column.carrier))
            else:
                merged.append(there[0] if there else None)
        return pa.array(merged, pa.binary())


def encoded_items(items: Sequence[Item], carrier: Carrier) -> bytes:
    """Return items as `decode_items` reads them."""
    value = FeatureValue(partitions=[item.partition for item in items])
    time_ms = offset = 0
    for item in items:
        value.times_ms.append(item.time_ms - time_ms)
        value.offsets.append(item.offset - offset)
        time_ms, offset = item.time_ms, item.offset
        match carrier:
            case "int":
                value.integers.append(int(item.value))
            case "real":
                value.reals.append(float(item.value))
            case "text":
                value.texts.append(str(item.value).encode())
    return value.SerializeToString()


def _opened(table: pa.Table) -> dict[int, Open]:
    """Return, by number of row, what may have been in it."""
    whole: dict[int, int] = {}
    events: dict[int, list[Event]] = {}
    more: set[int] = set()
    names = ("row", "partition", "offset", "appended", "time")
    columns = (table[name].to_pylist() for name in names)
    for line, (row, part, offset, appended, time) in enumerate(zip(*columns, strict=True)):
        if part == WHOLE:
            whole[row] = line
        elif part == MORE:
            more.add(row)
        else:
            events.setdefault(row, []).append(
                Event(partition=part, offset=offset, appended_ms=appended, time_ms=time, line=line)
            )
    return {
        row: Open(
            whole=line,
            events=tuple(sorted(events.get(row, ()), key=_arrival)),
            more=row in more,
        )
        for row, line in whole.items()
    }


def _arrival(event: Event) -> tuple[int, int, int]:
    return event.appended_ms, event.partition, event.offset
