"""The naive oracle: features by filtering events, in plain Python. All else must agree with it.

It knows the definition (source, SQL text, features) and the layout. It shares no code with the
kernel, and with serving only the cover (which has tests of its own) and the finishing of partials.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property

import sqlglot
from sqlglot import exp

from feature_platform.definition.model import Feature, FeatureSet, StoredColumn
from feature_platform.definition.sql_text import DefinitionDialect
from feature_platform.rows.partials import (
    Item,
    Partial,
    Scalar,
    Value,
    finish_average,
    finish_counter,
    finish_items,
    to_sortable,
    wrap,
)
from feature_platform.store.base import HEAD_LEVEL, TileKey
from feature_platform.testing.expressions import LOST, evaluate, is_lost, is_true
from feature_platform.testing.reference_events import (
    Accepted,
    ColumnValue,
    DeadLetter,
    RawEvent,
    fixed_point,
    judge,
)
from feature_platform.testing.reference_rows import encode_head, encode_row
from feature_platform.tiles.cover import Mode, cover
from feature_platform.tiles.layout import EVENTS_COLUMN, Layout
from feature_platform.tiles.size import TEXT_BYTES_MAX

Order = tuple[int, int, int]
"""Time, partition and offset of an event."""
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
        self._query = _parse(featureset.sql)
        self._steps = _steps(self._query)
        self._taken: dict[str, dict[Order, Scalar | None]] = defaultdict(dict)
        """What each stored column takes of each row: worked out once."""
        self.add(events)

    def add(self, events: Iterable[RawEvent]) -> None:
        """Take more events in."""
        source = replace(self.featureset.source, columns=self.featureset.reads)
        for event in events:
            judged = judge(source, self.featureset.entity, event, self.featureset.sum_scales)
            if isinstance(judged, DeadLetter):
                self.dead_letters.append(judged)
                continue
            columns = _select(self._steps, judged.columns)
            key = None if columns is None else columns[self.featureset.entity]
            if columns is not None and key is not None:
                self.rows[str(key)].append(replace(judged, columns=columns))

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
        return _aggregate(self._stored[column], self._entries(column, rows))

    def _entries(self, column: str, rows: Sequence[Accepted]) -> list[tuple[Order, Scalar]]:
        stored, taken = self._stored[column], self._taken[column]
        entries: list[tuple[Order, Scalar]] = []
        for row in rows:
            if row.order not in taken:
                taken[row.order] = self._take(stored, row)
            value = taken[row.order]
            if value is not None:
                entries.append((row.order, value))
        return entries

    def _take(self, column: StoredColumn, row: Accepted) -> Scalar | None:
        """Return what a stored column takes of a row; None if nothing."""
        call = self._calls[column.name.partition("#")[0]]
        if not is_true(call.condition, row.columns):
            return None
        value = 1 if call.star else evaluate(call.argument, row.columns)
        if column.name.endswith("#beyond"):
            unheld = value is not None and _addend(column, value) is None
            return 1 if unheld or is_lost(call.argument, row.columns) else None
        return None if value is None else _taken(column, value)

    @cached_property
    def _stored(self) -> dict[str, StoredColumn]:
        return {column.name: column for column in self.featureset.columns}

    @cached_property
    def _calls(self) -> dict[str, "_Call"]:
        return {node.alias: _call(node.this) for node in self._query.expressions if node.alias}

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    argument: exp.Expr
    star: bool
    condition: exp.Expr | None


def _call(node: exp.Expr) -> _Call:
    condition = None
    if isinstance(node, exp.Filter):
        node, condition = node.this, node.expression.this
    argument = node.expressions[0]
    return _Call(argument=argument, star=isinstance(argument, exp.Star), condition=condition)


def _parse(sql: str) -> exp.Select:
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


def _aggregate(column: StoredColumn, entries: Sequence[tuple[Order, Scalar]]) -> Partial:
    values = [value for _, value in entries]
    match column.kind:
        case "count":
            return len(values)
        case "sum":
            return wrap(sum(map(int, values)))
        case "min":
            return min(map(int, values), default=None)
        case "max":
            return max(map(int, values), default=None)
        case "first" | "last" | "last_n":
            newest_first = sorted(entries, reverse=True, key=lambda entry: entry[0])
            items = tuple(Item(*order, value) for order, value in newest_first)
            kept = {"first": items[-1:], "last": items[:1], "last_n": items[: column.n]}
            return kept[column.kind]


def _taken(column: StoredColumn, value: ColumnValue) -> Scalar | None:
    """Return what a stored column takes of a value; None if nothing."""
    match column.kind:
        case "count":
            return None if _addend(column, value) is None else 1
        case "sum":
            addend = _addend(column, value)
            if addend is not None and column.name.endswith("#high"):
                return (addend + 2**31) // 2**32
            return addend
        case "min" | "max":
            return _comparable(column, value)
        case "first" | "last" | "last_n":
            return _carried(column, value)


def _addend(column: StoredColumn, value: ColumnValue) -> int | None:
    """Return what a value adds; None for a fixed-point one that BIGINT does not hold."""
    if column.value_type.name not in ("DOUBLE", "DECIMAL"):
        return int(value or 0) if column.kind == "sum" else 1
    return fixed_point(_double_or_decimal(column, value), column.scale)


def _double_or_decimal(column: StoredColumn, value: ColumnValue) -> float | Decimal:
    if column.value_type.name == "DECIMAL":
        return Decimal(str(value))
    return float(value or 0)


def _comparable(column: StoredColumn, value: ColumnValue) -> int:
    if column.value_type.name == "DOUBLE":
        return to_sortable(float(value or 0))
    return int(_carried(column, value))


def _carried(column: StoredColumn, value: ColumnValue) -> Scalar:
    match column.carrier:
        case "text":
            return _first_characters(str(value))
        case "real":
            return float(value or 0)
        case "int" if column.value_type.name == "DECIMAL":
            return int(Decimal(str(value)).scaleb(column.scale))
        case "int":
            return int(value or 0)


def _first_characters(text: str) -> str:
    """Return the longest beginning of a text that is within the limit."""
    kept = 0
    for length, character in enumerate(text):
        kept += len(character.encode())
        if kept > TEXT_BYTES_MAX:
            return text[:length]
    return text
