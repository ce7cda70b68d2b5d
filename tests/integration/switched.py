"""The oracle of an upgrade: one meaning before the cut's offsets, another after them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from feature_platform.definition.model import FeatureSet, StoredColumn
from feature_platform.rows.partials import Partial, Scalar
from feature_platform.testing import Oracle, RawEvent
from feature_platform.testing.reference_events import Accepted
from feature_platform.testing.reference_values import Order
from feature_platform.tiles.layout import Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A definition as it was deployed."""

    featureset: FeatureSet
    layout: Layout


class SwitchedOracle(Oracle):
    """Counts by the old definition up to a cut, and by the new one from it on.

    A column that keeps its id goes on with what it has; one with a new id begins at the cut. What
    was counted under an id that is gone stays in the rows, because nobody rewrites it.
    """

    def __init__(
        self,
        before: Version,
        after: Version,
        events: Sequence[RawEvent],
        cut: Mapping[int, int],
    ) -> None:
        """Take the first offset of the new definition, by partition."""
        self._cut = cut
        self._earlier = Oracle(before.featureset, before.layout)
        self._kept = {column.id for column in before.layout.columns}
        self._wanted = after.layout
        ids = {column.id for column in after.layout.columns}
        gone = [column for column in before.layout.columns if column.id not in ids]
        self._gone = {f"{column.name}@{column.id}": column.name for column in gone}
        renamed = [replace(column, name=f"{column.name}@{column.id}") for column in gone]
        columns = sorted([*after.layout.columns, *renamed], key=lambda column: column.id)
        super().__init__(after.featureset, replace(after.layout, columns=tuple(columns)))
        self.add(events)

    def add(self, events: Iterable[RawEvent]) -> None:
        """Take more events in, each by the query that has read it."""
        events = list(events)
        before = [event for event in events if not self._is_later(event.partition, event.offset)]
        earlier = Oracle(self._earlier.featureset, self._earlier.layout, before)
        self.dead_letters += earlier.dead_letters
        for entity, rows in earlier.rows.items():
            self.rows[entity] += rows
        super().add(event for event in events if self._is_later(event.partition, event.offset))

    def partial(self, column: str, rows: Sequence[Accepted]) -> Partial:
        """Aggregate the rows that count for the column."""
        if column in self._gone:
            earlier = [row for row in rows if not self._is_new(row)]
            return self._earlier.partial(self._gone[column], earlier)
        return super().partial(column, rows)

    def _entries(self, column: str, rows: Sequence[Accepted]) -> list[tuple[Order, Scalar]]:
        if self._wanted.column(column).id not in self._kept:
            rows = [row for row in rows if self._is_new(row)]
        return super()._entries(column, rows)

    def _take(self, column: StoredColumn, row: Accepted) -> Scalar | None:
        if self._is_new(row):
            return super()._take(column, row)
        return self._earlier._take(column, row)

    @cached_property
    def switched(self) -> int:
        """How many events the new definition has read; both must have read some."""
        return sum(self._is_new(row) for rows in self.rows.values() for row in rows)

    def _is_new(self, row: Accepted) -> bool:
        return self._is_later(row.order[1], row.order[2])

    def _is_later(self, partition: int, offset: int) -> bool:
        return offset >= self._cut.get(partition, 0)
