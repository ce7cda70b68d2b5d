"""What a sweep writes: the rows as they were at R, whoever died in between."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from feature_platform.deploy.sweep import BATCH_BYTES_MAX, Line, kept_write, sweep, swept
from feature_platform.errors import CorruptRowError
from feature_platform.registry.base import Attempt, Epoch
from feature_platform.rows.undo import RowKey, UndoKey, encode_undo
from feature_platform.store.base import (
    HEAD_LEVEL,
    LAST_EXPIRY_S,
    UNDO_LEVEL,
    RowWrite,
    StoredRow,
    write_timestamp,
)
from feature_platform.tiles.grid import Grid
from feature_platform.tiles.layout import Layout
from tests.unit.stage import Stage

HEAD = RowKey(HEAD_LEVEL, 0)
TILE = RowKey(0, 60_000)
NOW_MS = 300_000
LAYOUT = Layout(grid=Grid.of(), retention_ms=(600_000, 0, 0, 0, 0, 0), columns=())

R = (1, 5)
"""The savepoint; attempt 2 is the undone version, 3 the sweep."""


def attempt(number: int, r: Epoch = (0, 0), kind: str = "stream") -> Attempt:
    """Make an attempt."""
    return Attempt(
        attempt=number,
        execution=f"x/{number}",
        deployment="d",
        kind=kind,
        restore_point=r,
        end_offsets={},
        claimed_ms=0,
    )


LINE = Line.of([attempt(1), attempt(2, R), attempt(3, R, "sweep")], attempt(3, R, "sweep"))


def stored(key: RowKey, payload: bytes, by: int) -> StoredRow:
    """Make a row as the store has it."""
    return StoredRow(
        level=key.level,
        start_ms=key.start_ms,
        payload=payload,
        written=write_timestamp(by, 7),
    )


def written(
    undo: Mapping[UndoKey, Mapping[RowKey, bytes | None]],
    rows: Mapping[RowKey, tuple[bytes, int]],
    line: Line = LINE,
    now_ms: int = NOW_MS,
) -> dict[RowKey, bytes | None]:
    """Sweep an entity; payload and writer of its rows are given."""
    present = {key: stored(key, payload, by) for key, (payload, by) in rows.items()}
    writes = swept(line, line.kept.before(undo), present, LAYOUT, now_ms)
    return {RowKey(item.level, item.start_ms): item.payload for item in writes}


def test_a_row_gets_back_what_it_was_before_the_undone_version() -> None:
    """The smallest entry after R counts: later ones were of the undone version's own rows."""
    undo = {
        UndoKey(2, 7, 0): {HEAD: b"after one"},
        UndoKey(2, 6, 1): {HEAD: b"in between"},
        UndoKey(2, 6, 0): {HEAD: b"at R"},
        UndoKey(1, 5, 0): {HEAD: b"before R"},
    }
    assert written(undo, {HEAD: (b"after two", 2)}) == {HEAD: b"at R"}


def test_a_row_that_was_not_there_is_deleted() -> None:
    """Serving finds no trace of it."""
    undo = {UndoKey(2, 6, 0): {HEAD: b"h", TILE: None}}
    assert written(undo, {HEAD: (b"x", 2), TILE: (b"y", 2)}) == {HEAD: b"h", TILE: None}


def test_a_row_that_looks_absent_is_deleted_all_the_same() -> None:
    """The dead write may still be on its way to a replica."""
    assert written({UndoKey(2, 6, 0): {TILE: None}}, {}) == {TILE: None}


def test_a_row_that_looks_unchanged_is_written_all_the_same() -> None:
    """Its undo row is acknowledged before it: the dead write may still come."""
    undo = {UndoKey(2, 6, 0): {HEAD: b"alive"}}
    assert written(undo, {HEAD: (b"alive", 1)}) == {HEAD: b"alive"}


def test_rows_that_no_dead_attempt_named_are_left_alone() -> None:
    """The entries of the living are of no interest."""
    assert written({UndoKey(1, 5, 0): {HEAD: b"old"}}, {HEAD: (b"new", 1)}) == {}


def test_later_epochs_of_the_restore_points_own_attempt_are_abandoned() -> None:
    """It went on after the checkpoint that is gone back to."""
    undo = {UndoKey(1, 6, 0): {HEAD: b"at R"}, UndoKey(1, 5, 0): {HEAD: b"before"}}
    assert written(undo, {HEAD: (b"after", 1)}) == {HEAD: b"at R"}


def test_only_entries_on_the_writers_line_count() -> None:
    """Attempt 2 died and 3 restored R as well: what 2 had before is nothing to 3's row."""
    attempts = [attempt(1), attempt(2, R), attempt(3, R), attempt(4, R, "sweep")]
    undo = {
        UndoKey(2, 6, 0): {HEAD: b"void"},
        UndoKey(3, 6, 0): {HEAD: b"at R"},
    }
    line = Line.of(attempts, attempts[-1])
    assert written(undo, {HEAD: (b"of three", 3)}, line) == {HEAD: b"at R"}


def test_a_second_sweep_leaves_the_first_one_alone() -> None:
    """And what the job that started from it has written since."""
    undo = {UndoKey(2, 6, 0): {HEAD: b"at R", TILE: b"t"}}
    assert written(undo, {HEAD: (b"at R", 3), TILE: (b"newer", 4)}) == {}


def test_a_dead_row_without_an_undo_row_is_an_error() -> None:
    """Never taken as it is."""
    undo = {UndoKey(2, 6, 0): {HEAD: b"at R"}}
    attempts = [attempt(1), attempt(2, R), attempt(3, R), attempt(4, R, "sweep")]
    with pytest.raises(CorruptRowError, match=r"written by the abandoned attempt 3"):
        written(undo, {HEAD: (b"of three", 3)}, Line.of(attempts, attempts[-1]))


def test_a_tile_gets_the_time_that_it_has_left() -> None:
    """It ends at 120 s and is kept for 600 s; after that it is deleted, never kept for ever."""
    undo = {UndoKey(2, 6, 0): {HEAD: b"h", TILE: b"t"}}
    rows = {HEAD: stored(HEAD, b"x", 2), TILE: stored(TILE, b"y", 2)}
    writes = swept(LINE, LINE.kept.before(undo), rows, LAYOUT, NOW_MS + 1)
    assert [(item.payload, item.ttl_s) for item in writes] == [(b"h", 0), (b"t", 420)]
    late = swept(LINE, LINE.kept.before(undo), rows, LAYOUT, 720_000)
    assert [(item.payload, item.ttl_s) for item in late] == [(b"h", 0), (None, 0)]


def test_the_whole_table_is_walked(stage: Stage) -> None:
    """Entity by entity, with the timestamp of the sweep, however large an entity is."""
    snapshot = stage.apply().snapshot
    assert snapshot is not None
    table, tiles = snapshot.table, stage.tiles
    large = bytes(BATCH_BYTES_MAX // 2 + 1)
    keys = [RowKey(0, stage.clock.now_ms() + number * 60_000) for number in range(3)]
    for entity in ("a", "b"):
        undo = encode_undo(dict.fromkeys(keys, large))
        rows = [RowWrite(level=UNDO_LEVEL, start_ms=UndoKey(2, 6, 0).start, payload=undo)]
        rows += [RowWrite(level=0, start_ms=key.start_ms, payload=b"x") for key in keys]
        tiles.write(table, entity, rows, written=write_timestamp(2, 1))
    tiles.write(table, "c", [RowWrite(level=-1, start_ms=0, payload=b"c")], written=1)
    now_ms = stage.clock.now_ms()
    undone = replace(attempt(2, R), claimed_ms=now_ms)
    own = replace(attempt(3, R, "sweep"), claimed_ms=now_ms, dirty_since_ms=now_ms)
    line = Line.of([attempt(1), undone, own], own)
    assert sweep(stage.world, snapshot, line, stage.said.append) == 6
    assert stage.said[-1] == f"100% of {table} processed, 6 rows written back"
    for entity in ("a", "b"):
        swept_rows = [row for row in tiles.read_entity(table, entity) if row.level >= 0]
        assert {(row.payload, row.written) for row in swept_rows} == {
            (large, write_timestamp(3, 1))
        }


def test_rows_of_entities_that_no_dead_attempt_wrote_are_not_read(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their undo rows say so: a sweep costs what is undone, not what is stored."""
    snapshot = stage.apply().snapshot
    assert snapshot is not None
    now_ms, read = stage.clock.now_ms(), list[str]()
    for entity, by in (("living", 1), ("dead", 2)):
        undo = encode_undo({HEAD: b"before"})
        rows = [RowWrite(level=UNDO_LEVEL, start_ms=UndoKey(by, 5, 0).start, payload=undo)]
        rows += [RowWrite(level=HEAD_LEVEL, start_ms=0, payload=b"x")]
        stage.tiles.write(snapshot.table, entity, rows, written=write_timestamp(by, 6))
    own = replace(attempt(3, R, "sweep"), claimed_ms=now_ms, dirty_since_ms=now_ms)
    line = Line.of([attempt(1), replace(attempt(2, R), claimed_ms=now_ms), own], own)
    read_entity = stage.tiles.read_entity

    def noted(table: str, entity: str) -> list[StoredRow]:
        read.append(entity)
        return read_entity(table, entity)

    monkeypatch.setattr(stage.tiles, "read_entity", noted)
    assert sweep(stage.world, snapshot, line, stage.said.append) == 1
    assert read.count("dead") == read.count("living") + 1  # the store in memory walks by it, too


def test_what_the_store_cannot_expire_stays() -> None:
    """Cassandra refuses a row that would expire after January 2038; ours then has no TTL."""
    now_ms = LAST_EXPIRY_S * 1000 - 60_000
    writes = [
        kept_write(RowKey(0, now_ms - start_ms), b"1", LAYOUT, now_ms)
        for start_ms in (660_000, 630_000, 599_000)
    ]
    assert [(write.ttl_s, write.payload) for write in writes] == [(0, None), (30, b"1"), (0, b"1")]
