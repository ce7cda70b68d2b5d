"""What happens to rows that are checked: whose they are, and who changes them."""

from datetime import date

from feature_platform.checks.run import CheckRequest
from feature_platform.checks.scope import Span
from feature_platform.rows.undo import RowKey, UndoKey, encode_undo
from feature_platform.store.base import (
    HEAD_LEVEL,
    UNDO_LEVEL,
    RowWrite,
    TileKey,
    write_timestamp,
)
from feature_platform.testing.reference_rows import encode_head
from tests.unit.checks.bench import HOUR_MS, Bench

YESTERDAY = CheckRequest(span=Span.of_days(date(2026, 2, 28), date(2026, 2, 28)))
DAY_MS = 24 * HOUR_MS


def busiest(bench: Bench) -> str:
    """Return the entity with most events."""
    return max(bench.oracle.rows, key=lambda key: len(bench.oracle.rows[key]))


def partials_of(bench: Bench, entity: str) -> dict[TileKey, dict[int, int]]:
    """Return every tile's counters by column id."""
    found = bench.oracle.entity(entity)
    assert found is not None
    ids = {column.name: column.id for column in bench.snapshot.layout.columns}
    return {
        (tile.level, tile.start_ms): {
            ids[name]: value for name, value in tile.partials.items() if isinstance(value, int)
        }
        for tile in found.tiles
    }


def closed_tile(bench: Bench, entity: str, level: int, day_ms: int) -> TileKey:
    """Return a closed tile of a day that lasts."""
    found = bench.oracle.entity(entity)
    assert found is not None
    return next(
        (tile.level, tile.start_ms)
        for tile in found.closed
        if tile.level == level and day_ms <= tile.start_ms < day_ms + DAY_MS
    )


def overwrite(bench: Bench, entity: str, key: TileKey, payload: bytes | None) -> None:
    """Change a row behind the job's back."""
    level, start_ms = key
    row = RowWrite(level=level, start_ms=start_ms, payload=payload)
    bench.tiles.write(bench.snapshot.table, entity, [row], written=write_timestamp(1, 2))


def change_head(
    bench: Bench, entity: str, *, attempt: int, checkpoint_id: int, undo_ttl_s: int = 0
) -> None:
    """Write an entity's head as a later epoch does: what it was first."""
    (head,) = [
        row
        for row in bench.tiles.read_entity(bench.snapshot.table, entity)
        if row.level == HEAD_LEVEL
    ]
    undo = RowWrite(
        level=UNDO_LEVEL,
        start_ms=UndoKey(attempt, checkpoint_id, 0).start,
        payload=encode_undo({RowKey(HEAD_LEVEL, 0): head.payload}),
        ttl_s=undo_ttl_s,
    )
    changed = RowWrite(level=HEAD_LEVEL, start_ms=0, payload=encode_head({}))
    stamp = write_timestamp(attempt, (checkpoint_id - 1) * 1024)
    bench.tiles.write(bench.snapshot.table, entity, [undo, changed], written=stamp)
