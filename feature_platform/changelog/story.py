"""An entity's commands in the order in which they were logged, for people."""

from typing import Any

from feature_platform.changelog.olap import Olap
from feature_platform.changelog.sums import logged_column
from feature_platform.changelog.tables import column_names, literal, quoted, table_name
from feature_platform.errors import CorruptRowError
from feature_platform.plan.snapshot import Snapshot
from feature_platform.rows.codec import decode_items
from feature_platform.tiles.layout import COUNTERS, LayoutColumn

FIXED = ("at", "attempt", "checkpoint_id", "flush", "subtask", "seq", "kind", "tile")


def story(
    olap: Olap, snapshot: Snapshot, entity: str, tile_ms: int | None, newest: int
) -> list[dict[str, Any]]:
    """Return an entity's newest commands and markers, those of abandoned epochs too.

    Args:
        olap: Where they are loaded.
        snapshot: What is deployed.
        entity: Whose.
        tile_ms: Start of the finest tile that is meant; None: all.
        newest: How many at most.

    Raises:
        OlapError: ClickHouse does not answer.
    """
    columns = snapshot.layout.columns
    table = table_name(snapshot.featureset, snapshot.generation)
    names = column_names(olap, table, [logged_column(each) for each in columns])
    values = [_spelled(each, quoted(names[each.id])) for each in columns]
    tile = "" if tile_ms is None else f" AND tile_ms = {tile_ms}"
    rows = olap.run(
        "SELECT toString(at), attempt, checkpoint_id, flush, subtask, seq, kind,"
        f" if(toInt8(kind) > 3, '', toString(tile)), {', '.join(values)} FROM {table} FINAL"
        f" WHERE entity = {literal(entity)}{tile}"
        f" ORDER BY attempt DESC, seq DESC LIMIT {newest}"
    )
    fixed = len(FIXED)
    return [
        dict(zip(FIXED, row[:fixed], strict=True))
        | {each.name: _value(each, value) for each, value in zip(columns, row[fixed:], strict=True)}
        for row in reversed(rows)
    ]


def _spelled(column: LayoutColumn, name: str) -> str:
    return name if column.kind in COUNTERS else f"hex({name})"


def _value(column: LayoutColumn, value: Any) -> Any:  # noqa: ANN401 (of JSON)
    """Return a number, or the values of items, newest first."""
    if column.kind in COUNTERS or not value:
        return None if value is None or value == "" else int(value)
    try:
        return [item.value for item in decode_items(bytes.fromhex(value), column.carrier)]
    except CorruptRowError as error:
        return f"unreadable: {error}"
