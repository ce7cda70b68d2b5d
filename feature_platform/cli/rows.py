"""An entity's stored rows for people: every tile with its bytes, and what each feature is in it."""

from collections.abc import Iterator, Sequence
from typing import Any

from feature_platform.clock import to_iso
from feature_platform.plan.snapshot import DeployedFeature, Snapshot
from feature_platform.rows.codec import decode_items, decode_row, split_head
from feature_platform.rows.partials import (
    Row,
    Value,
    finish_average,
    finish_counter,
    finish_items,
    whole_sum,
)
from feature_platform.store.base import HEAD_LEVEL, StoredRow
from feature_platform.tiles.layout import ADDITIVE, COUNTERS, EVENTS_COLUMN, EVENTS_ID, LayoutColumn

Tile = tuple[int, int, bytes]
"""Level, start and encoded row."""


def describe_rows(snapshot: Snapshot, stored: Sequence[StoredRow]) -> list[dict[str, Any]]:
    """Return every tile of an entity as readers see it, in its head or closed, by level and start.

    A closed row that the head holds again, as after a replay, is left out: the head wins.

    Raises:
        CorruptRowError: A row cannot be decoded.
    """
    grid = snapshot.layout.grid
    return [
        {
            "level": grid.level_name(level),
            "start": to_iso(start_ms),
            "bytes": payload.hex(),
            "values": _values(snapshot, level, decode_row(payload)),
        }
        for level, start_ms, payload in sorted(_tiles(snapshot, stored))
    ]


def _tiles(snapshot: Snapshot, stored: Sequence[StoredRow]) -> Iterator[Tile]:
    head = [tile for row in stored if row.level == HEAD_LEVEL for tile in split_head(row.payload)]
    oldest_ms = _oldest_slots(snapshot, head)
    yield from head
    for row in stored:
        if row.level >= 0 and row.start_ms < oldest_ms.get(row.level, row.start_ms + 1):
            yield row.level, row.start_ms, row.payload


def _oldest_slots(snapshot: Snapshot, head: Sequence[Tile]) -> dict[int, int]:
    """Return the start of the oldest slot that the head holds at each level, if there is a head."""
    levels = snapshot.layout.used_levels
    newest_ms = max((start for level, start, _ in head if level in levels[:1]), default=None)
    if newest_ms is None:
        return {}
    return {level: snapshot.layout.grid.head_oldest_ms(newest_ms, level) for level in levels}


def _values(snapshot: Snapshot, level: int, row: Row) -> dict[str, Value]:
    lifetime = level == snapshot.layout.grid.lifetime_level
    held = {
        column.name: column
        for column in snapshot.layout.columns
        if (column.lifetime if lifetime else level in column.levels)
    }
    values: dict[str, Value] = {EVENTS_COLUMN: row.counters.get(EVENTS_ID, 0)}
    for feature in snapshot.features:
        columns = [held[name] for name in feature.columns if name in held]
        if columns:
            values[feature.name] = _value(feature, columns, row)
    return values


def _value(feature: DeployedFeature, columns: Sequence[LayoutColumn], row: Row) -> Value:
    column = columns[0]
    if feature.aggregate in {"sum", "avg"}:
        return _sum_value(feature, columns, row)
    if column.kind in COUNTERS:
        partial = row.counters.get(column.id, 0 if column.kind in ADDITIVE else None)
        if partial is None:
            return None
        return finish_counter(column.kind, feature.value_type, feature.scale, partial)
    items = decode_items(row.features.get(column.id, b""), column.carrier)
    return finish_items(column.kind, feature.value_type, feature.scale, items)


def _sum_value(feature: DeployedFeature, columns: Sequence[LayoutColumn], row: Row) -> Value:
    """Return a SUM or AVG; None while it has a value that it could not take."""
    held = {column.name.rpartition("#")[2]: row.counters.get(column.id, 0) for column in columns}
    total = whole_sum(row.counters.get(columns[0].id, 0), held.get("high", 0))
    if held.get("beyond"):
        return None
    if feature.aggregate == "avg":
        return finish_average(total, held.get("count", 0), feature.scale)
    return finish_counter("sum", feature.value_type, feature.scale, total)
