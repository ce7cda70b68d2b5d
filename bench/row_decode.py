"""How fast rows become sums: by the compiled core, by numpy, and by protobuf as usually written.

Three questions. What does it cost to decode and add one row of 100 counters? How many bytes do
decoded tiles take, dense and sparse, beside the rows they are of? What does a request cost whose
tiles are decoded already: 2,000 entities, 25 counters, 4 windows, 20 tiles of each? All answers are
compared first. CPU time of this process, best of several rounds; needs no servers. The last line
printed is one JSON object with the goals.
"""

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bench.rig import goal
from feature_platform.rows.partials import Row
from feature_platform.rows.row_pb2 import TileRow
from feature_platform.serving.adding import Adder, Addition, Windows
from feature_platform.serving.compact import CompactTiles, Decoding, Slots, decode_compactly
from feature_platform.serving.compiled import Core, library_path, loaded
from feature_platform.serving.tiles import MergedTiles, decode_tiles
from feature_platform.store.base import StoredRow
from feature_platform.testing.reference_rows import encode_decoded
from feature_platform.tiles.cover import Cover
from feature_platform.tiles.grid import Grid
from feature_platform.tiles.layout import Layout, LayoutColumn

ROUNDS = 7
SEED = 7
TILES = 20
ROW_US_GOAL, WARM_MS_GOAL, BYTES_GOAL, IMPORT_MS_GOAL = 0.35, 4.0, 2.0, 10.0
GRID = Grid.of(("1m", "5m", "30m", "3h", "1d", "5d"))
MINUTE_MS = GRID.levels_ms[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Rows of many entities, and what is asked of them."""

    layout: Layout
    covers: Mapping[int, Cover]
    rows: list[list[StoredRow]]

    @property
    def payloads(self) -> list[bytes]:
        """All rows' bytes."""
        return [row.payload for found in self.rows for row in found]


def load(entities: int, counters: int, windows: int, *, filled: float = 1.0) -> Load:
    """Draw rows: 70 % of the values take one byte, 25 % two, 5 % three.

    Args:
        entities: How many, with `TILES` closed tiles each.
        counters: How many a row has.
        windows: How many there are; each needs all tiles.
        filled: The share of counters that are not zero, and so in the row.
    """
    chance = random.Random(SEED)  # noqa: S311 - no secret
    columns = tuple(
        LayoutColumn(
            id=key, name=str(key), kind="count", carrier="int", n=0, levels=(0,), lifetime=False
        )
        for key in range(counters)
    )
    layout = Layout(grid=GRID, retention_ms=(0,) * len(GRID.levels_ms), columns=columns)
    tiles = tuple((0, place * MINUTE_MS) for place in range(TILES))
    cover = Cover(lo_ms=0, hi_ms=TILES * MINUTE_MS, tiles=tiles)
    chosen = max(1, round(counters * filled))
    rows = [
        [
            StoredRow(level=level, start_ms=start_ms, payload=payload, written=1)
            for level, start_ms in tiles
            for payload in [_payload(chance, sorted(chance.sample(range(counters), chosen)))]
        ]
        for _ in range(entities)
    ]
    covers = dict.fromkeys(range(1, windows + 1), cover)
    return Load(layout=layout, covers=covers, rows=rows)


def _payload(chance: random.Random, ids: Sequence[int]) -> bytes:
    ranges = chance.choices(((1, 63), (64, 8_191), (8_192, 1_048_575)), (70, 25, 5), k=len(ids))
    counters = {key: chance.randint(*bounds) for key, bounds in zip(ids, ranges, strict=True)}
    return encode_decoded(Row(counters=counters, features={}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """The compiled core with what it needs for a load."""

    core: Core
    load: Load
    slots: Slots
    decoding: Decoding
    addition: Addition

    @classmethod
    def of(cls, core: Core, load: Load) -> "Compiled":
        """Prepare it."""
        slots = Slots.of(load.layout.columns)
        lines = [(window, column.id) for window in load.covers for column in load.layout.columns]
        windows = Windows.of(load.covers)
        return cls(
            core=core,
            load=load,
            slots=slots,
            decoding=Decoding.of(load.layout, slots),
            addition=Addition.of(load.layout.grid, slots, windows, lines),
        )

    def decode(self) -> CompactTiles:
        """Decode all rows."""
        tiles = decode_compactly(self.core, self.decoding, self.load.rows)
        if tiles is None:
            msg = "the compiled core refused the rows"
            raise SystemExit(msg)
        return tiles

    def add(self, tiles: CompactTiles) -> "np.ndarray[Any, Any]":
        """Add up all counters over all windows."""
        return Adder(self.core, self.addition, tiles).add()[0].T


def by_numpy(load: Load) -> "np.ndarray[Any, Any]":
    """Decode and add as a client without the core does."""
    ids = [column.id for column in load.layout.columns]
    tiles = decode_tiles(load.layout, load.rows, ids, [], [])
    members = {window: tiles.members(answer) for window, answer in load.covers.items()}
    merged = MergedTiles(tiles=tiles, members=members)
    return np.array(
        [merged.total(column, window) for window in load.covers for column in load.layout.columns]
    )


def by_protobuf(load: Load) -> "np.ndarray[Any, Any]":
    """Decode and add as it is usually written: a message for each row, a dict of sums."""
    sums = np.zeros((len(load.layout.columns), len(load.rows)), dtype=np.int64)
    for entity, found in enumerate(load.rows):
        totals: dict[int, int] = {}
        for row in found:
            message = TileRow.FromString(row.payload)
            for key, value in zip(message.counter_ids, message.counters, strict=True):
                totals[key] = totals.get(key, 0) + value
        for key, value in totals.items():
            sums[key, entity] = value
    return np.concatenate([sums] * len(load.covers))


def cpu_s(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Return the CPU seconds of the best of several rounds."""
    best = float("inf")
    for _ in range(rounds):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return best


def import_cpu_ms(statement: str) -> float:
    """Return the CPU milliseconds of a statement in a process of its own, best of three."""
    script = f"import time; t = time.process_time(); {statement}; print(time.process_time() - t)"
    runs = [
        float(
            subprocess.run([sys.executable, "-c", script], check=True, capture_output=True).stdout
        )
        for _ in range(3)
    ]
    return 1_000 * min(runs)


def measure(core: Core, entities: int) -> dict[str, float]:
    """Compare the answers, then take the times."""
    wide = Compiled.of(core, load(entities, 100, 1))
    reference = by_numpy(wide.load)
    np.testing.assert_array_equal(wide.add(wide.decode()), reference)
    np.testing.assert_array_equal(by_protobuf(wide.load), reference)
    rows = entities * TILES
    kept = wide.decode()
    decode = _inner_cpu_s(wide)
    figures = {
        "numpy": 1e6 * cpu_s(lambda: by_numpy(wide.load), 3) / rows,
        "protobuf": 1e6 * cpu_s(lambda: by_protobuf(wide.load), 1) / rows,
        "compiled": 1e6 * (decode + cpu_s(lambda: wide.add(kept))) / rows,
        "whole": 1e6 * cpu_s(lambda: wide.add(wide.decode())) / rows,
    }
    return {**figures, "dense": _ratio(kept, wide.load)}


def _inner_cpu_s(compiled: Compiled) -> float:
    """Return the CPU seconds of the core's own decoding, without gathering rows in Python."""
    calls: list[float] = []

    def decode(request: Any) -> int:  # noqa: ANN401 - a pointer of ctypes
        started = time.process_time()
        outcome = compiled.core.decode(request)
        calls.append(time.process_time() - started)
        return outcome

    timed = replace(compiled.core, decode=decode)
    for _ in range(ROUNDS):
        decode_compactly(timed, compiled.decoding, compiled.load.rows)
    return min(calls)


def _ratio(tiles: CompactTiles, load: Load) -> float:
    """Return the decoded bytes, what is known of each entity included, over the rows' bytes."""
    known = 5 * 8 * tiles.entity_count
    return (tiles.size + known) / sum(map(len, load.payloads))


def main() -> None:
    """Measure, print a table, and the goals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entities", type=int, default=2_000)
    entities = parser.parse_args().entities
    found = loaded()
    if found.core is None:
        raise SystemExit(found.why_not)
    figures = measure(found.core, entities)
    sparse = Compiled.of(found.core, load(entities // 4, 100, 1, filled=0.2))
    warm = Compiled.of(found.core, load(entities, 25, 4))
    np.testing.assert_array_equal(sparse.add(sparse.decode()), by_numpy(sparse.load))
    tiles = warm.decode()
    np.testing.assert_array_equal(warm.add(tiles), by_numpy(warm.load))
    warm_ms = 1_000 * cpu_s(lambda: warm.add(tiles))
    bare_ms = import_cpu_ms("import numpy")
    core_ms = import_cpu_ms(
        "import feature_platform.serving; t = time.process_time();"
        "from feature_platform.serving.compiled import loaded; assert loaded().core"
    )
    print(f"library: {library_path().stat().st_size:,} bytes; numpy itself {bare_ms:.0f} ms")
    for name in ("compiled", "whole", "numpy", "protobuf"):
        print(f"{name:9} {figures[name]:7.3f} us per row of 100 counters")
    print(f"sparse: {_ratio(sparse.decode(), sparse.load):.2f} decoded bytes per byte of rows")
    goals = [
        _most("decode and add a row of 100 counters, us", figures["compiled"], ROW_US_GOAL),
        _most("add up 2,000 x 25 x 4 windows of 20 decoded tiles, ms", warm_ms, WARM_MS_GOAL),
        _most("decoded bytes per byte of rows, dense", figures["dense"], BYTES_GOAL),
        _most(
            "decoded bytes per byte of rows, 20 of 100 filled",
            _ratio(sparse.decode(), sparse.load),
            BYTES_GOAL,
        ),
        _most("import of the core, ms", core_ms, IMPORT_MS_GOAL),
    ]
    print(json.dumps({"goals": goals}))


def _most(name: str, value: float, most: float) -> dict[str, Any]:
    return goal(name, value, most, at_most=True, digits=3)


if __name__ == "__main__":
    main()
