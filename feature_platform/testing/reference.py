"""The naive oracle: features by filtering events, in plain Python. All else must agree with it.

It knows the definition (source, SQL text, features) and the layout. It shares no code with the
kernel, and with serving only the cover (which has tests of its own) and the finishing of partials.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property

import sqlglot
from sqlglot import exp

from feature_platform.definition.model import Feature, FeatureSet, StoredColumn
from feature_platform.definition.sql_text import DefinitionDialect
from feature_platform.rows.partials import (
    Partial,
    Scalar,
    Value,
    finish_average,
    finish_counter,
    finish_items,
)
from feature_platform.store.base import HEAD_LEVEL, TileKey
from feature_platform.testing.expressions import LOST, evaluate, is_lost, is_true
from feature_platform.testing.reference_events import (
    Accepted,
    ColumnValue,
    DeadLetter,
    RawEvent,
    judge,
)
from feature_platform.testing.reference_rows import encode_head, encode_row
from feature_platform.testing.reference_values import Call, Order, aggregated, call_of, taken
from feature_platform.tiles.cover import Mode, cover
from feature_platform.tiles.layout import EVENTS_COLUMN, Layout

Columns = dict[str, ColumnValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedTile:
    """One tile of an entity, wherever it is kept."""

    level: int
    start_ms: int
    partials: dict[str, Partial]
    """By stored column; without those that have nothing."""
    payload: bytes
    """The canonical bytes of its row."""
    in_head: bool
    expires_ms: int | None
    """When a row of its own is no longer kept; None in the head, which stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedEntity:
    """All that the store must hold of an entity."""

    head: bytes
    tiles: tuple[ExpectedTile, ...]
    """By level and start; those of the head too."""

    @property
    def closed(self) -> tuple[ExpectedTile, ...]:
        """The tiles that have a row of their own."""
        return tuple(tile for tile in self.tiles if not tile.in_head)

    @property
    def rows(self) -> dict[TileKey, bytes]:
        """The payload of each row, by level and start: the head, and the closed tiles."""
        closed = {(tile.level, tile.start_ms): tile.payload for tile in self.closed}
        return {(HEAD_LEVEL, 0): self.head} | closed


class Oracle:
    """What a feature set must be, given the events of its topic. Mutable: events are added."""

    def __init__(
        self, featureset: FeatureSet, layout: Layout, events: Iterable[RawEvent] = ()
    ) -> None:
        """Read the events.

        Args:
            featureset: The definition.
            layout: Grid and ids as deployed.
            events: Records of the source's topic, in any order.
        """
        self.featureset = featureset
        self.layout = layout
        self.dead_letters: list[DeadLetter] = []
        self.rows: dict[str, list[Accepted]] = defaultdict(list)
        """Rows that are aggregated, by entity: accepted events after inner selects and WHERE."""
        self._source = replace(featureset.source, columns=featureset.reads)
        self._query = parse_query(featureset.sql)
        self._steps = _steps(self._query)
        self._taken: dict[str, dict[Order, Scalar | None]] = defaultdict(dict)
        """What each stored column takes of each row: worked out once."""
        self.add(events)

    def add(self, events: Iterable[RawEvent]) -> None:
        """Take more events in."""
        for event in events:
            found = self.read(event)
            if isinstance(found, DeadLetter):
                self.dead_letters.append(found)
            elif found is not None:
                self.add_row(found)

    def read(self, event: RawEvent) -> Accepted | DeadLetter | None:
        """Return the row that is aggregated of an event; None if a WHERE leaves it out."""
        judged = judge(self._source, self.featureset.entity, event, self.featureset.sum_scales)
        if isinstance(judged, DeadLetter):
            return judged
        columns = _select(self._steps, judged.columns)
        key = None if columns is None else columns[self.featureset.entity]
        return replace(judged, columns=columns) if columns is not None and key is not None else None

    def add_row(self, row: Accepted) -> None:
        """Take in what `read` returned of an event."""
        self.rows[str(row.columns[self.featureset.entity])].append(row)

    def takes(self, column: str, row: Accepted) -> bool:
        """Return whether a stored column takes anything of a row: FILTER and operand let it."""
        return column == EVENTS_COLUMN or bool(self._entries(column, [row]))

    def only(self, rows: Iterable[Accepted]) -> "Oracle":
        """Return one of some of its rows alone; what columns take of a row is known to both."""
        found = copy(self)
        found.rows, found.dead_letters = defaultdict(list), []
        for row in rows:
            found.add_row(row)
        return found

    @property
    def entities(self) -> list[str]:
        """The entities that have any row."""
        return sorted(self.rows)

    def entity(self, entity: str) -> ExpectedEntity | None:
        """Return what the store must hold of an entity; None if nothing."""
        rows = self.rows.get(entity)
        if not rows:
            return None
        tiles = sorted(self._tiles(rows), key=lambda tile: (tile.level, tile.start_ms))
        head = {(tile.level, tile.start_ms): tile.payload for tile in tiles if tile.in_head}
        return ExpectedEntity(head=encode_head(head), tiles=tuple(tiles))

    def _tiles(self, rows: Sequence[Accepted]) -> Iterable[ExpectedTile]:
        grid = self.layout.grid
        newest_ms = max(row.time_ms for row in rows)
        for level in self.layout.used_levels:
            by_start: dict[int, list[Accepted]] = defaultdict(list)
            for row in rows:
                by_start[grid.floor(row.time_ms, level)].append(row)
            oldest_ms = grid.head_oldest_ms(newest_ms, level)
            for start_ms, members in by_start.items():
                end_ms = start_ms + grid.levels_ms[level]
                expires_ms = end_ms + self.layout.retention_ms[level]
                in_head = start_ms >= oldest_ms
                yield self._tile(level, start_ms, members, None if in_head else expires_ms)
        if self.layout.columns[0].lifetime:
            yield self._tile(grid.lifetime_level, 0, rows, None)

    def _tile(
        self, level: int, start_ms: int, rows: Sequence[Accepted], expires_ms: int | None
    ) -> ExpectedTile:
        lifetime = level == self.layout.grid.lifetime_level
        partials = {
            column.name: self.partial(column.name, rows)
            for column in self.layout.columns
            if (column.lifetime if lifetime else level in column.levels)
        }
        partials = {
            name: partial for name, partial in partials.items() if partial not in (None, ())
        }
        by_id = {self.layout.column(name).id: partial for name, partial in partials.items()}
        return ExpectedTile(
            level=level,
            start_ms=start_ms,
            partials=partials,
            payload=encode_row(self.layout, by_id),
            in_head=expires_ms is None,
            expires_ms=expires_ms,
        )

    def partial(self, column: str, rows: Sequence[Accepted]) -> Partial:
        """Aggregate rows into the partial of one stored column."""
        if column == EVENTS_COLUMN:
            return len(rows)
        return aggregated(self._stored[column], self._entries(column, rows))

    def _entries(self, column: str, rows: Sequence[Accepted]) -> list[tuple[Order, Scalar]]:
        """Return what a stored column takes, of each row of which it takes anything."""
        stored, known = self._stored[column], self._taken[column]
        entries: list[tuple[Order, Scalar]] = []
        for row in rows:
            order = row.order
            if order not in known:
                known[order] = self._take(stored, row)
            value = known[order]
            if value is not None:
                entries.append((order, value))
        return entries

    def _take(self, column: StoredColumn, row: Accepted) -> Scalar | None:
        """Return what a stored column takes of a row; None if nothing."""
        return taken(column, self._call(column.name), row)

    def _call(self, column: str) -> Call:
        """Return the aggregate that a stored column is of."""
        return self._calls[column.partition("#")[0]]

    def unfiltered(self, column: str, rows: Sequence[Accepted]) -> Partial:
        """Aggregate rows into the partial of a stored column as if its feature had no FILTER."""
        if column == EVENTS_COLUMN:
            return len(rows)
        stored = self._stored[column]
        call = replace(self._call(column), condition=None)
        values = ((row.order, taken(stored, call, row)) for row in rows)
        return aggregated(stored, [(order, value) for order, value in values if value is not None])

    def passes(self, feature: str, row: Accepted) -> bool:
        """Return whether a feature's FILTER lets a row through; without one every row passes."""
        return is_true(self._calls[feature].condition, row.columns)

    @cached_property
    def _stored(self) -> dict[str, StoredColumn]:
        return {column.name: column for column in self.featureset.columns}

    @cached_property
    def _calls(self) -> dict[str, Call]:
        return {node.alias: call_of(node.this) for node in self._query.expressions if node.alias}

    def served(
        self, entity: str, now_ms: int, *, at_ms: int | None = None, edge_ms: int = 0
    ) -> dict[str, Value]:
        """Return what serving must answer for all features.

        Args:
            entity: The entity asked about.
            now_ms: The present.
            at_ms: A past instant instead; lifetime features and properties are then None.
            edge_ms: The coarser tail edge that serving was prepared with.
        """
        rows = self.rows.get(entity, [])
        grid = self.layout.grid
        values: dict[str, Value] = {}
        for feature in self.featureset.features:
            names = iter(feature.served_names)
            for window_ms in feature.windows_ms:
                levels = grid.levels_for_window(window_ms)
                mode: Mode = "now" if at_ms is None else "past"
                instant_ms = now_ms if at_ms is None else at_ms
                span = cover(grid, levels, window_ms, instant_ms, mode, edge_ms=edge_ms)
                inside = [row for row in rows if span.lo_ms <= row.time_ms < span.hi_ms]
                values[next(names)] = self.value(feature, inside)
            for name in names:
                values[name] = self.value(feature, rows) if at_ms is None else None
        return values

    def value(self, feature: Feature, rows: Sequence[Accepted]) -> Value:
        """Return the served value of a feature over rows."""
        stored = self._stored[feature.columns[0]]
        if stored.kind == "sum":
            return self._sum(feature, stored, rows)
        first = self.partial(stored.name, rows)
        if isinstance(first, tuple):
            return finish_items(stored.kind, str(stored.value_type), stored.scale, first)
        if first is None:
            return None
        return finish_counter(stored.kind, str(stored.value_type), stored.scale, first)

    def _sum(self, feature: Feature, stored: StoredColumn, rows: Sequence[Accepted]) -> Value:
        """Add up as plain integers, which have no largest; no value where one is lost."""
        addends = [int(value) for _, value in self._entries(stored.name, rows)]
        lost = [name for name in feature.columns if name.endswith("#beyond")]
        if lost and self._entries(lost[0], rows):
            return None
        if feature.aggregate == "avg":
            return finish_average(sum(addends), len(addends), stored.scale)
        return finish_counter("sum", str(stored.value_type), stored.scale, sum(addends))


def parse_query(sql: str) -> exp.Select:
    """Parse the query of a feature set."""
    query = sqlglot.parse_one(sql, dialect=DefinitionDialect)
    if not isinstance(query, exp.Select):
        msg = f"a feature set's query is a SELECT, not {type(query).__name__}"
        raise TypeError(msg)
    return query


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """One SELECT on a row: does it pass, and what is made of it; the outermost makes nothing."""

    where: exp.Expr | None
    made: tuple[tuple[str, exp.Expr], ...] | None


def _steps(query: exp.Select) -> list[_Step]:
    """Return the SELECTs of a query, the innermost first."""
    tables = {cte.alias: cte.this for cte in query.ctes}
    where = query.args.get("where")
    steps = [_Step(where=where and where.this, made=None)]
    while isinstance(inner := _from(query, tables), exp.Select):
        query, where = inner, inner.args.get("where")
        made = tuple((node.alias_or_name, node.unalias()) for node in query.expressions)
        steps.insert(0, _Step(where=where and where.this, made=made))
    return steps


def _from(query: exp.Select, tables: dict[str, exp.Expr]) -> exp.Expr | None:
    origin = query.args["from_"].this
    return origin.this if isinstance(origin, exp.Subquery) else tables.get(origin.name)


def _select(steps: Sequence[_Step], columns: Columns) -> Columns | None:
    """Return what the SELECTs make of a row; None if it does not pass."""
    for step in steps:
        if not is_true(step.where, columns):
            return None
        if step.made is not None:
            columns = {name: evaluate(node, columns) for name, node in step.made} | {
                f"{LOST}{name}": True for name, node in step.made if is_lost(node, columns)
            }
    return columns
