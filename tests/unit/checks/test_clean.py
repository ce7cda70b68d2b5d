"""What is found clean at once is what is found clean tile by tile, and adds up to the same."""

from collections.abc import Mapping
from dataclasses import replace
from random import Random

import pytest

from feature_platform.checks import judge
from feature_platform.checks.clean import Clean, clean
from feature_platform.checks.counts import Counts
from feature_platform.checks.result import Check, CheckResult
from feature_platform.checks.run import CheckRequest
from feature_platform.checks.scope import Scope
from feature_platform.rows.codec import decode_row
from feature_platform.rows.partials import Row
from feature_platform.store.base import HEAD_LEVEL, RowWrite, TileKey, write_timestamp
from feature_platform.testing.reference_rows import encode_decoded
from feature_platform.tiles.retention import Retention
from tests.unit.checks.bench import HOUR_MS, NOW_MS, Bench
from tests.unit.checks.changes import DAY_MS, YESTERDAY, busiest, overwrite

SEEDS = range(12)
ASKS = (CheckRequest(), YESTERDAY)


def one_by_one(
    bench: Bench, ask: CheckRequest, monkeypatch: pytest.MonkeyPatch
) -> tuple[Mapping[Check, CheckResult], int]:
    """Check without looking at many entities at once; return how many were looked at, too."""
    calls = 0

    def nothing(stored: object, expected: object, scope: object, counts: object) -> Clean:
        nonlocal calls
        calls += 1
        assert all((stored, expected, scope, counts))
        return Clean(entities=frozenset(), rows=0, compared=0, sums=0)

    with monkeypatch.context() as patched:
        patched.setattr(judge, "clean", nothing)
        return bench.check(ask), calls


def spoil(bench: Bench, chance: Random) -> None:
    """Change, remove or add a row, or make it unreadable."""
    entity = chance.choice(bench.oracle.entities)
    rows = bench.tiles.read_entity(bench.snapshot.table, entity)
    row = chance.choice([row for row in rows if row.level > HEAD_LEVEL])
    held = decode_row(row.payload)
    match chance.randrange(6):
        case 0:
            payload: bytes | None = None
        case 1:
            payload = b"\xff\xff"
        case 2:
            moved = RowWrite(level=row.level, start_ms=row.start_ms + 7, payload=row.payload)
            bench.tiles.write(bench.snapshot.table, entity, [moved], written=write_timestamp(1, 2))
            return
        case 3:
            moved = RowWrite(level=77, start_ms=row.start_ms, payload=row.payload)
            bench.tiles.write(bench.snapshot.table, entity, [moved], written=write_timestamp(1, 2))
            return
        case 4:
            less = dict(list(held.counters.items())[:-1])
            payload = encode_decoded(Row(counters=less, features=held.features))
        case _:
            more = {key: value + chance.randrange(2) for key, value in held.counters.items()}
            payload = encode_decoded(Row(counters=more, features=held.features))
    overwrite(bench, entity, (row.level, row.start_ms), payload)


def change(bench: Bench, chance: Random) -> None:
    """Let some be unknown, younger or kept for a shorter time."""
    match chance.randrange(4):
        case 0:
            bench.recounter.complete_ms = NOW_MS - 30 * HOUR_MS
        case 1:
            since = {
                str(column.id): {"2": NOW_MS - 9 * HOUR_MS}
                for column in bench.snapshot.layout.columns[1:3]
            }
            kept = Retention.begun(bench.snapshot.layout.retention_ms)
            bench.deploy(replace(bench.snapshot, retention=kept, column_since=since))
        case 2:
            times = bench.snapshot.layout.retention_ms
            kept = Retention.begun(
                [time_ms // 9 for time_ms in times], unknown_before_ms=NOW_MS - 2 * DAY_MS
            )
            kept = kept.changed(times, NOW_MS - 5 * HOUR_MS)
            bench.deploy(replace(bench.snapshot, retention=kept))
        case _:
            pass


@pytest.mark.parametrize("seed", SEEDS)
def test_at_once_and_one_by_one_find_the_same(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Right and wrong rows, all tiles and those of a day."""
    chance = Random(seed)  # noqa: S311 - the same seed must spoil the same rows
    change(bench, chance)
    for _ in range(3):
        for ask in ASKS:
            found, calls = one_by_one(bench, ask, monkeypatch)
            assert calls > 0
            assert bench.check(ask) == found
        spoil(bench, chance)


def test_most_entities_are_clean_at_once(bench: Bench) -> None:
    """All but the one that is wrong."""
    tiles: list[dict[TileKey, bytes]] = []
    for entity in bench.oracle.entities:
        expected = bench.oracle.entity(entity)
        assert expected is not None
        tiles.append({(tile.level, tile.start_ms): tile.payload for tile in expected.tiles})
    scope = Scope.of(bench.snapshot, NOW_MS, None, 0)
    whole = clean(tiles, tiles, scope, Counts(bench.snapshot))
    assert whole.entities == frozenset(range(len(tiles)))
    assert min(whole.rows, whole.compared, whole.sums) > 100
    place = bench.oracle.entities.index(busiest(bench))
    wrong = dict(tiles[place])
    del wrong[max(key for key in wrong if key[0] == 0)]
    some = [*tiles[:place], wrong, *tiles[place + 1 :]]
    assert clean(some, tiles, scope, Counts(bench.snapshot)).entities == whole.entities - {place}
    assert clean(some, some, scope, Counts(bench.snapshot)).entities == whole.entities - {place}
