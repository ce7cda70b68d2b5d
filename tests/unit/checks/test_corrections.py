"""What a repair writes: what the events surely say, and nothing else."""

from dataclasses import replace

import pytest

from feature_platform.deploy.corrections import corrections, unreadable
from feature_platform.plan.expected import Expected
from feature_platform.rows.codec import decode_row, split_head
from feature_platform.rows.partials import Row
from feature_platform.rows.undo import HEAD, RowKey
from feature_platform.store.base import RowWrite
from feature_platform.testing.reference_rows import encode_decoded, encode_head
from feature_platform.tiles.retention import Retention
from tests.unit.checks.bench import HOUR_MS, NOW_MS, Bench
from tests.unit.checks.changes import busiest

Rows = dict[RowKey, bytes]


def rows_of(bench: Bench) -> Rows:
    """Return the rows of an entity as all events make them, those that have expired too."""
    expected = bench.oracle.entity(busiest(bench))
    assert expected is not None
    return {RowKey(*key): payload for key, payload in expected.rows.items()}


def closed(rows: Rows, level: int = 1) -> RowKey:
    """Return the newest closed tile of a level."""
    return max(key for key in rows if key.level == level)


def changed(payload: bytes, counters: dict[int, int | None]) -> bytes:
    """Return a row with other counters; None takes one away."""
    row = decode_row(payload)
    held = {**row.counters, **counters}
    kept = {key: value for key, value in held.items() if value is not None}
    return encode_decoded(Row(counters=kept, features=row.features))


def corrected(bench: Bench, held: dict[RowKey, bytes | None]) -> dict[RowKey, RowWrite]:
    """Return what a repair writes over rows that are held."""
    found = corrections(held, rows_of(bench), Expected.of(bench.snapshot), NOW_MS)
    return {RowKey(write.level, write.start_ms): write for write in found}


def test_right_rows_are_left_alone(bench: Bench) -> None:
    """Also what has expired since."""
    assert corrected(bench, dict(rows_of(bench))) == {}


@pytest.mark.parametrize("payload", [None, b"\xff\xff"])
@pytest.mark.parametrize("level", [-1, 1])
def test_what_says_nothing_is_recomputed(bench: Bench, payload: bytes | None, level: int) -> None:
    """A closed tile alone, or the whole head; the others stay."""
    rows = rows_of(bench)
    key = HEAD if level < 0 else closed(rows)
    held = {**rows, key: payload}
    if level < 0 or payload is None:
        assert unreadable(held)
    assert {each: write.payload for each, write in corrected(bench, held).items()} == {
        key: rows[key]
    }


def test_wrong_extra_and_missing_rows(bench: Bench) -> None:
    """Each becomes what it must be, with the time that it has left."""
    rows = rows_of(bench)
    wrong, missing = closed(rows), closed(rows, 2)
    tiles = (RowKey(1, missing.start_ms - 300_000 * number) for number in range(1, 1_000))
    extra = next(key for key in tiles if key not in rows)
    misplaced, foreign = RowKey(1, wrong.start_ms + 5), RowKey(77, 0)
    held: dict[RowKey, bytes | None] = dict(rows)
    held |= {wrong: changed(rows[wrong], {0: 99}), extra: b"", misplaced: b"", foreign: b"\xff"}
    del held[missing]
    found = corrected(bench, held)
    assert {key: write.payload for key, write in found.items()} == {
        wrong: rows[wrong],
        missing: rows[missing],
        extra: None,
        misplaced: None,
        foreign: None,
    }
    assert found[wrong].ttl_s > HOUR_MS / 1000
    head = {(level, start): row for level, start, row in split_head(rows[HEAD])}
    (oldest, *_) = sorted(head)
    less = {key: row for key, row in head.items() if key != oldest}
    found = corrected(bench, {**rows, HEAD: encode_head(less), RowKey(*oldest): head[oldest]})
    assert {key: write.payload for key, write in found.items()} == {
        HEAD: rows[HEAD],
        RowKey(*oldest): None,
    }


def test_a_column_that_counts_since_a_change_stays_as_it_is(bench: Bench) -> None:
    """In closed tiles and in the head; the others are corrected beside it."""
    young = bench.snapshot.layout.column("events").id
    lifetime = bench.snapshot.layout.grid.lifetime_level
    since = {str(young): {str(level): NOW_MS - HOUR_MS for level in range(lifetime + 1)}}
    kept = Retention.begun(bench.snapshot.layout.retention_ms)
    bench.deploy(replace(bench.snapshot, retention=kept, column_since=since))
    rows = rows_of(bench)
    held: dict[RowKey, bytes | None] = {
        key: changed(payload, {young: None}) for key, payload in rows.items() if key != HEAD
    }
    head = {(level, start): row for level, start, row in split_head(rows[HEAD])}
    without = {key: changed(row, {young: None}) for key, row in head.items()}
    held[HEAD] = encode_head(without)
    now_whole = {key for key in corrected(bench, held) if key != HEAD}
    assert all(key.start_ms >= NOW_MS - HOUR_MS for key in now_whole)
    old = max(key for key in rows if key.level == 1 and key.start_ms < NOW_MS - 2 * HOUR_MS)
    right = held[old]
    assert right is not None
    held[old] = changed(right, {0: 99})
    total = (lifetime, 0)
    held[HEAD] = encode_head({**without, total: changed(without[total], {0: 99})})
    found = corrected(bench, held)
    assert found[old].payload == right
    payload = found[HEAD].payload
    assert payload is not None
    tiles = {(level, start): row for level, start, row in split_head(payload)}
    assert tiles[total] == without[total]


def test_what_an_earlier_version_let_expire_does_not_come_back(bench: Bench) -> None:
    """Nor is a row taken away that it kept for longer."""
    times = bench.snapshot.layout.retention_ms
    kept = Retention.begun([HOUR_MS for _ in times]).changed(times, NOW_MS - HOUR_MS)
    bench.deploy(replace(bench.snapshot, retention=kept))
    rows = rows_of(bench)
    old = max(key for key in rows if key.level == 1 and key.start_ms < NOW_MS - 2 * HOUR_MS)
    held: dict[RowKey, bytes | None] = {key: row for key, row in rows.items() if key != old}
    assert corrected(bench, held) == {}
    held[old] = changed(rows[old], {0: 99})
    assert corrected(bench, held) == {}
