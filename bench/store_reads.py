"""What it costs to read the rows of many entities from the store, by how many share a query.

Two thousand entities of twenty rows each on an embedded Cassandra, read with the driver's own
`execute_concurrent_with_args`, a query each, as builds before 2026-12 did, and by the platform with
batches of several sizes; interleaved, and compared row by row first. Writes a table to
`bench/results/<date>-store-reads.md`; the last line printed is one JSON object with the goals.
"""

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
from cassandra.concurrent import execute_concurrent_with_args

from bench.rig import HERE, goal, say
from feature_platform.clock import SystemClock
from feature_platform.local.ports import with_free_ports
from feature_platform.local.stack import Stack
from feature_platform.registry.cql import open_registry
from feature_platform.settings import load_settings, password
from feature_platform.store.base import RowWrite, StoredRow, TileKey, write_timestamp
from feature_platform.store.batches import ENTITIES_PER_READ
from feature_platform.store.connect import Connection, connect
from feature_platform.store.cql import CqlTiles

ENTITIES, ROWS, KEYS, ROW_BYTES = 2_000, 20, 36, 200
TABLE = "tiles_bench_g1"
SIZES = (1, 4, ENTITIES_PER_READ, 64)
BEFORE = "driver, a query each"
CPU_GOAL = 4.0
"""Times less CPU of this process than before."""

Requests = Sequence[tuple[str, Sequence[TileKey]]]
Read = Callable[[Requests], Sequence[object]]
Seconds = tuple[float, float]
"""Of CPU, and on the clock."""


def before(connection: Connection, requests: Requests) -> list[list[StoredRow]]:
    """Read as before: a query for each entity, by the driver's own helper."""
    session = connection._here()  # noqa: SLF001 - what the platform did
    statement = connection._prepare(  # noqa: SLF001
        f"SELECT level, start, payload, WRITETIME(payload) FROM {connection.keyspace}.{TABLE} "
        f"WHERE entity = ? AND (level, start) IN ?"
    )
    answers = execute_concurrent_with_args(session, statement, requests, concurrency=512)
    return [
        [
            StoredRow(level=level, start_ms=start_ms, payload=payload, written=written)
            for level, start_ms, payload, written in rows
        ]
        for _, rows in answers
    ]


def batched(connection: Connection, size: int, requests: Requests) -> Sequence[object]:
    """Read with `size` entities to a query."""
    return CqlTiles(connection, entities_per_read=size).read_tiles(TABLE, requests)


def fill(tiles: CqlTiles, seed: int) -> Requests:
    """Write the rows, and return what is asked for: some keys of each entity have no row."""
    chance = random.Random(seed)  # noqa: S311
    keys = [(0, number * 60_000) for number in range(KEYS)]
    tiles.create_table(TABLE)
    for number in range(ENTITIES):
        rows = [
            RowWrite(level=level, start_ms=start_ms, payload=chance.randbytes(ROW_BYTES))
            for level, start_ms in sorted(chance.sample(keys, ROWS))
        ]
        tiles.write(TABLE, f"entity{number}", rows, written=write_timestamp(1, 1))
    return [(f"entity{number}", keys) for number in range(ENTITIES)]


def timed(ways: Mapping[str, Read], requests: Requests, rounds: int) -> dict[str, Seconds]:
    """Return for each way its median CPU and wall seconds of a read."""
    spent: dict[str, list[Seconds]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, read in ways.items():
            cpu_s, wall_s = time.process_time(), time.monotonic()
            read(requests)
            spent[name].append((time.process_time() - cpu_s, time.monotonic() - wall_s))
    middle = {name: np.median(each, axis=0) for name, each in spent.items()}
    return {name: (float(cpu_s), float(wall_s)) for name, (cpu_s, wall_s) in middle.items()}


def main() -> None:
    """Fill the store, compare, time, write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="fp-bench-") as folder:
        settings = with_free_ports(load_settings(Path(folder), {}))
        say("starting Cassandra")
        with (
            Stack(settings, servers=("cassandra",)),
            connect(settings.store, "fp_admin", password(settings, "admin")) as connection,
        ):
            open_registry(connection, SystemClock())
            tiles = CqlTiles(connection)
            requests = fill(tiles, seed=1)
            ways: dict[str, Read] = {BEFORE: partial(before, connection)}
            ways |= {f"{size} to a query": partial(batched, connection, size) for size in SIZES}
            expected = before(connection, requests)
            for name, read in ways.items():
                if list(read(requests)) != expected:
                    msg = f"{name}: other rows than before; no figure counts"
                    raise SystemExit(msg)
            say("all ways read the same rows")
            took = timed(ways, requests, rounds)
    lines = ["| way | CPU of the client, ms | us an entity | wall, ms |", "|---|---|---|---|"]
    lines += [
        f"| {name} | {cpu * 1e3:.1f} | {cpu * 1e6 / ENTITIES:.1f} | {wall * 1e3:.1f} |"
        for name, (cpu, wall) in took.items()
    ]
    text = (
        f"# Reading {ENTITIES:,} entities of {ROWS} rows from the store\n\nMedian of {rounds} "
        f"reads each, interleaved, one Cassandra beside the client on the same two cores; "
        f"{KEYS} keys are asked for.\n\n" + "\n".join(lines) + "\n"
    )
    (HERE / "results" / f"{datetime.now(tz=UTC):%Y-%m-%d}-store-reads.md").write_text(text)
    say(text)
    gain = took[BEFORE][0] / took[f"{ENTITIES_PER_READ} to a query"][0]
    print(json.dumps({"goals": [goal("cpu_times_less_than_before", gain, CPU_GOAL, digits=2)]}))


if __name__ == "__main__":
    main()
