"""From the counters that Spark has merged to the values that are served, by serving's own code."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from feature_platform.rows.wire import Ints, Mask
from feature_platform.serving.ages import stale_from_ms
from feature_platform.serving.finish import finish
from feature_platform.serving.matrix import Column
from feature_platform.serving.read_plan import ReadPlan
from feature_platform.serving.shown import Wishes
from feature_platform.serving.states import HAS_ROWS, NO_ROWS
from feature_platform.tiles.layout import COUNTERS, EXTREMES, LayoutColumn
from feature_platform.training.asked import AskedList, AskedPart, Slot
from feature_platform.training.row_files import RowFiles


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredRows:
    """What Spark found for consecutive rows of a spine, of one feature set."""

    plan: ReadPlan
    states: NDArray[np.int8]
    """Of each row: HAS_ROWS or NO_ROWS."""
    slots: "MergedSlots"


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedSlots:
    """An answer by slot; implements `serving.merged.Merged`."""

    entity_count: int
    counters: Ints
    """A row for each row, a column for each slot of a counter."""
    present: Mask
    """A row for each row, a column for each slot of a minimum or maximum: whether there is one."""
    items: Mapping[Slot, pa.Array]
    places: Mapping[Slot, int]
    """Columns of `counters`."""
    marks: Mapping[Slot, int]
    """Columns of `present`."""

    def total(self, column: LayoutColumn, window_ms: int) -> Ints:
        """Return the sum of a counter for each row."""
        return self.counters[:, self.places[column.id, window_ms]]

    def totals(self, lines: Sequence[tuple[int, int]]) -> Ints:
        """Return sums of many counters: a row for each row, a column for each line."""
        return self.counters[:, [self.places[column, window] for window, column in lines]]

    def extreme(self, column: LayoutColumn, window_ms: int) -> tuple[Ints, Mask]:
        """Return the minimum or maximum for each row, and where there is one."""
        slot = (column.id, window_ms)
        return self.counters[:, self.places[slot]], self.present[:, self.marks[slot]]

    def encoded(self, column: LayoutColumn, window_ms: int) -> Iterator[tuple[int, bytes]]:
        """Yield row and encoded value of a feature."""
        for place, value in enumerate(self.items[column.id, window_ms].to_pylist()):
            if value is not None:
                yield place, value


class SlotShape:
    """Where the slots of a feature set are in what Spark has written; see `AsOfAnswer.java`."""

    def __init__(self, part: AskedPart) -> None:
        """Work it out from what was asked."""
        self.part = part
        self.columns = {column.id: column for column in part.group.snapshot.layout.columns}
        kinds = {number: column.kind for number, column in self.columns.items()}
        counted = [slot for slot in part.slots if kinds[slot[0]] in COUNTERS]
        extremes = [slot for slot in counted if kinds[slot[0]] in EXTREMES]
        self.places = {slot: place for place, slot in enumerate(counted)}
        """Columns of counters."""
        self.marks = {slot: place for place, slot in enumerate(extremes)}
        """Columns that say whether a minimum or maximum is there."""
        self.items = {
            slot: f"v{number}" for number, slot in enumerate(part.slots) if slot not in self.places
        }
        self.plan = ReadPlan(group=part.group, mode="now", covers={}, keys=())
        self.schema = pa.schema(
            [
                ("row", pa.int64()),
                ("known", pa.bool_()),
                ("counters", pa.binary()),
                *((name, pa.binary()) for name in self.items.values()),
            ]
        )

    def numbers(self, table: pa.Table) -> tuple[Ints, NDArray[np.uint8]]:
        """Return the counters of each row, and the marks behind them."""
        size = 8 * len(self.places)
        packed = np.empty((len(table), size + len(self.marks)), dtype=np.uint8)
        at = 0
        for chunk in table["counters"].chunks if packed.size else ():
            if not len(chunk):
                continue
            _, offsets, values = chunk.buffers()
            begin = int(np.frombuffer(offsets, dtype=np.int32)[chunk.offset])
            whole = np.frombuffer(values, np.uint8, len(chunk) * packed.shape[1], begin)
            packed[at : at + len(chunk)] = whole.reshape(len(chunk), packed.shape[1])
            at += len(chunk)
        counters = np.ascontiguousarray(packed[:, :size]).view(np.dtype("<i8"))
        return counters.astype(np.int64, copy=False), packed[:, size:]


class AnswerReader:
    """Hands out the answers of one feature set in the order of the spine. Mutable."""

    def __init__(self, part: AskedPart, folder: Path) -> None:
        """Begin with the first row.

        Args:
            part: What was asked.
            folder: What Spark wrote: files in order, each row by number at most once.
        """
        self.part, self._shape = part, SlotShape(part)
        self._files = RowFiles(folder, self._shape.schema)

    def take(self, first: int, count: int) -> AnsweredRows:
        """Return the answers of rows `[first, first + count)`; call it with ascending rows.

        A row that Spark was not asked about has nothing.
        """
        table = self._files.until(first + count)
        rows = np.asarray(table["row"]) - first
        states = np.full(count, NO_ROWS, dtype=np.int8)
        states[rows[np.asarray(table["known"])]] = HAS_ROWS
        counters, marks = self._shape.numbers(table)
        places = np.full(count, -1, dtype=np.int64)
        places[rows] = np.arange(len(rows))
        indexes = pa.array(places, mask=places < 0)
        slots = MergedSlots(
            entity_count=count,
            counters=_spread(counters, rows, count),
            present=_spread(marks, rows, count).astype(np.bool_),
            items={
                slot: table[name].combine_chunks().take(indexes)
                for slot, name in self._shape.items.items()
            },
            places=self._shape.places,
            marks=self._shape.marks,
        )
        return AnsweredRows(plan=self._shape.plan, states=states, slots=slots)


def _spread(values: NDArray[Any], rows: Ints, count: int) -> NDArray[Any]:
    """Return values of some rows in their places among all, with zeros in others."""
    if len(rows) == count:
        return values
    whole = np.zeros((count, values.shape[1]), dtype=values.dtype)
    whole[rows] = values
    return whole


def finished(
    asked: AskedList, found: Sequence[AnsweredRows], instants_ms: Ints, good: Mask
) -> tuple[Column, ...]:
    """Return the features of a list for some rows, in its order.

    Args:
        asked: The list.
        found: What Spark found, by feature set.
        instants_ms: Of each row; values that are older than their `max_age` then are none.
        good: Which rows have features at all.
    """
    columns: dict[int, Column] = {}
    for each in found:
        columns |= feature_columns(each, instants_ms, asked.wishes)
    return tuple(_only(columns[position], good) for position in range(len(columns)))


def feature_columns(found: AnsweredRows, instants_ms: Ints, wishes: Wishes) -> dict[int, Column]:
    """Return the features of one feature set by position in the list.

    Each row is asked at an instant of its own, so ages are compared here, and defaults come after.
    """
    group = found.plan.group
    positions = group.positions
    columns = {
        position: finish(found.slots, wanted)
        for position, wanted in zip(positions, group.wanted, strict=True)
    }
    for position, stale_ms in stale_from_ms(found.plan, found.slots, wishes.max_ages_ms).items():
        columns[position] = columns[position].only(stale_ms > instants_ms)
    for position in positions:
        if position in wishes.defaults:
            columns[position] = columns[position].with_default(wishes.defaults[position])
    return columns


def _only(column: Column, good: Mask) -> Column:
    """Return the values of good rows; in others not even a default is one."""
    filled = None if column.filled is None else column.filled & good
    large = {place: value for place, value in column.large.items() if good[place]}
    return replace(column, present=column.present & good, filled=filled, large=large)
