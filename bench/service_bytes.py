"""What a worker of `fp serve` gains by keeping entities' bytes: requests a second, CPU of each.

One worker in a process of its own, over a store in memory, is asked by gRPC for 2,000 entities x
100 columns (25 counters, 4 windows) as float32, always the same ones, by one client with four
requests under way. Three workers, one after the other and in turns: nothing is kept, and rows are
decoded, added up and encoded each time (reading them costs nothing: the store hands out what it has
read once); tiles are kept, which are added up and encoded each time; tiles and entities' bytes are
kept. Their answers are compared first. The clock stands still, so what is kept stays good.

`--rounds 1 --seconds 2` is done in a minute. Writes a table to
`bench/results/<date>-service-bytes.md`; the last line printed is one JSON object with the goals.
"""

import argparse
import asyncio
import json
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp

import grpc
import numpy as np

from bench.measure import usage
from bench.rig import HERE, goal, say
from feature_platform.definition.loading import load_project
from feature_platform.service.features_pb2 import (
    LAYOUT_COLUMNS,
    LAYOUT_PACKED,
    LAYOUT_ROWS,
    NUMBERS_FLOAT32,
    GetFeaturesRequest,
    GetFeaturesResponse,
    Keys,
    Layout,
)
from feature_platform.service.worker import Worker
from feature_platform.service_settings import ServiceSettings
from feature_platform.serving import CacheSettings, FeatureClient
from feature_platform.store.base import (
    READ_TIMEOUT_S,
    Outcome,
    Requests,
    RowWrite,
    StoredRow,
    TileKey,
    TileReader,
)
from feature_platform.testing import RawEvent, deploy_in_memory

METHOD = "/feature_platform.service.Features/GetFeatures"
KEPT = ("rows", "tiles", "bytes")
LAYOUTS: dict[str, Layout] = {
    "packed": LAYOUT_PACKED,
    "columns": LAYOUT_COLUMNS,
    "rows": LAYOUT_ROWS,
}
TIMES_MORE_GOAL = 5.0
"""Requests of kept bytes, for each that is decoded and encoded."""
NOW_MS = 1_700_000_040_000
COUNTERS = 25
WINDOWS = ("30m", "3h", "12h", "1d")
DRAWN = 10
"""Entities whose events are counted; the others have rows of one of these."""
EVENTS = 60
"""Of each of them."""
UNDER_WAY = 4
SEED = 7
SOURCE = """
source: events
topic: events
format: json
event_time: ts
columns: {post: STRING, ts: TIMESTAMP, action: BIGINT, amount: BIGINT}
"""


def featureset() -> str:
    """Return a definition of 25 counters in 4 windows."""
    counters = [
        f"         SUM(amount) FILTER (WHERE action = {number}) AS c{number}"
        for number in range(COUNTERS)
    ]
    served = "\n".join(
        f"  c{number}: {{windows: [{', '.join(WINDOWS)}]}}" for number in range(COUNTERS)
    )
    return (
        "featureset: posts\ndescription: Counters.\nowner: bench\nentity: post\nsource: events\n"
        "sql: |\n  SELECT post,\n"
        + ",\n".join(counters)
        + f"\n  FROM events\n  GROUP BY post\nfeatures:\n{served}\n"
    )


def events() -> Iterator[RawEvent]:
    """Draw events of the last day."""
    draw = random.Random(SEED)  # noqa: S311 (a load)
    for number in range(DRAWN * EVENTS):
        ts = NOW_MS - draw.randrange(24 * 3_600_000)
        said = {
            "post": f"e{number % DRAWN}",
            "ts": ts,
            "action": draw.randrange(COUNTERS),
            "amount": draw.randrange(1, 300),
        }
        yield RawEvent(value=json.dumps(said).encode(), partition=0, offset=number, timestamp_ms=ts)


class HandsOut:
    """A store that hands out what it has read before, at no cost. Mutable: remembers."""

    def __init__(self, store: TileReader) -> None:
        """Remember nothing yet."""
        self._store = store
        self._known: dict[tuple[str, TileKey], Outcome] = {}

    def read_tiles(
        self, table: str, requests: Requests, *, timeout_s: float = READ_TIMEOUT_S
    ) -> list[Outcome]:
        """Return what it knows, or read it; an entity is asked for the same keys each time."""
        asked = [(entity, keys[0]) for entity, keys in requests]
        known = [self._known.get(each) for each in asked]
        if None in known:
            known = list(self._store.read_tiles(table, requests, timeout_s=timeout_s))
            self._known |= dict(zip(asked, known, strict=True))  # type: ignore[arg-type]
        return known  # type: ignore[return-value]  # there is no None

    async def aread_tiles(
        self, table: str, requests: Requests, *, timeout_s: float = READ_TIMEOUT_S
    ) -> list[Outcome]:
        """Do what `read_tiles` does."""
        return self.read_tiles(table, requests, timeout_s=timeout_s)

    def read_entity(self, table: str, entity: str) -> list[StoredRow]:
        """Read every row of an entity."""
        return self._store.read_entity(table, entity)


def client(kept: str, entities: int) -> FeatureClient:
    """Serve from memory."""
    folder = Path(mkdtemp()) / "featuresets"
    (folder / "sources").mkdir(parents=True)
    (folder / "sources" / "events.yaml").write_text(SOURCE)
    (folder / "posts.yaml").write_text(featureset())
    world = deploy_in_memory(
        load_project(folder).checked().featuresets["posts"], list(events()), NOW_MS
    )
    table = world.snapshot.table
    for number in range(DRAWN, entities):
        rows = world.tiles.read_entity(table, f"e{number % DRAWN}")
        copied = [
            RowWrite(level=row.level, start_ms=row.start_ms, payload=row.payload) for row in rows
        ]
        world.tiles.write(table, f"e{number}", copied, written=rows[0].written)
    cache = None if kept == "rows" else CacheSettings(bytes_max=1 << 30)
    return FeatureClient(HandsOut(world.tiles), world.registry, clock=world.clock, cache=cache)


def serve(kept: str, port: int, entities: int) -> None:
    """Run a worker until standard input ends."""
    settings = ServiceSettings(
        port=port,
        http_port=0,
        notice_ms=0,
        deadline_ms=60_000,
        deadline_max_ms=60_000,
        bytes_cache_bytes=(1 << 30) if kept == "bytes" else 0,
    )

    async def run() -> None:
        worker = Worker(client(kept, entities), settings)
        await worker.start()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)
        await worker.drain()

    asyncio.run(run())


class Asker:
    """Asks one worker. Mutable: counts."""

    def __init__(self, process: subprocess.Popen[str], port: int, entities: int) -> None:
        """Connect."""
        self.process = process
        self._posts = [f"e{number}" for number in range(entities)]
        options = [("grpc.max_receive_message_length", -1)]
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}", options)
        self._call = self._channel.unary_unary(METHOD)

    def request(self, layout: str) -> bytes:
        """Return a request as it is sent."""
        names = [f"posts.c{number}_{window}" for number in range(COUNTERS) for window in WINDOWS]
        message = GetFeaturesRequest(
            features=names,
            entities={"post": Keys(texts=self._posts)},
            numbers=NUMBERS_FLOAT32,
            layout=LAYOUTS[layout],
            states=True,
        )
        return message.SerializeToString()

    def ask(self, request: bytes) -> bytes:
        """Return one answer."""
        answer: bytes = self._call(request, timeout=60)
        return answer

    def run(self, layout: str, seconds: float) -> tuple[float, float]:
        """Keep some requests under way; return requests a second and CPU ms of the worker."""
        request = self.request(layout)
        self.ask(request)
        before, begun, done = usage(self.process.pid).cpu_s, time.monotonic(), 0
        futures = [self._call.future(request, timeout=60) for _ in range(UNDER_WAY)]
        while time.monotonic() - begun < seconds:
            futures.pop(0).result()
            done += 1
            futures.append(self._call.future(request, timeout=60))
        took = time.monotonic() - begun
        for future in futures:
            future.result()
        cpu_s = usage(self.process.pid).cpu_s - before
        return done / took, 1000 * cpu_s / (done + UNDER_WAY)


@contextmanager
def worker(kept: str, entities: int) -> Iterator[Asker]:
    """Run a worker in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "bench.service_bytes", "--serve", kept, "--port", str(port)]
    with subprocess.Popen(
        [*command, "--entities", str(entities)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=HERE.parent,
    ) as process:
        if process.stdout is None or process.stdout.readline() != "ready\n":
            msg = f"the worker that keeps {kept} did not start"
            raise SystemExit(msg)
        yield Asker(process, port, entities)
        process.communicate()


def check(askers: Sequence[Asker]) -> None:
    """Compare all workers' answers, which may differ in when they were read alone."""
    for layout in LAYOUTS:
        answers = [
            GetFeaturesResponse.FromString(each.ask(each.request(layout))) for each in askers
        ]
        for answer in answers:
            answer.read_ms = b""
            for block in answer.blocks:
                rows = np.frombuffer(block.rows, dtype=np.uint8).reshape(-1, block.row_bytes).copy()
                rows[:, :8] = 0
                block.rows = rows.tobytes()
        columns = len(answers[0].heads)
        if any(each != answers[0] for each in answers) or columns != COUNTERS * len(WINDOWS):
            msg = f"{layout}: answers of {columns} columns differ: no figure counts"
            raise SystemExit(msg)


def measure(
    rounds: int, seconds: float, entities: int, layouts: Sequence[str] = tuple(LAYOUTS)
) -> dict[tuple[str, str], tuple[float, float]]:
    """Return the best of some rounds by layout and what is kept, in turns.

    Returns:
        Requests a second, and the worker's CPU milliseconds of one.
    """
    best: dict[tuple[str, str], tuple[float, float]] = {}
    with ExitStack() as stack:
        askers = {kept: stack.enter_context(worker(kept, entities)) for kept in KEPT}
        check(list(askers.values()))
        for _ in range(rounds):
            for layout in layouts:
                for kept, asker in askers.items():
                    found = asker.run(layout, seconds)
                    say(f"{layout:8} {kept:8} {found[0]:8.1f} requests/s {found[1]:8.2f} ms CPU")
                    before = best.get((layout, kept), found)
                    best[layout, kept] = (max(before[0], found[0]), min(before[1], found[1]))
    return best


def report(best: dict[tuple[str, str], tuple[float, float]], entities: int) -> str:
    """Return the table."""
    lines = [
        f"# An answer of {entities:,} entities x 100 columns, float32 with states, by gRPC",
        "",
        __doc__.strip() if __doc__ else "",
        "",
        "| layout | kept | requests/s | CPU of the worker, ms | x requests of rows | x its CPU |",
        "|---|---|---|---|---|---|",
    ]
    for (layout, kept), (rate, cpu_ms) in best.items():
        rows_rate, rows_ms = best[layout, "rows"]
        lines.append(
            f"| {layout} | {kept} | {rate:.1f} | {cpu_ms:.2f} | {rate / rows_rate:.1f} | "
            f"{rows_ms / cpu_ms:.1f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entities", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--serve", choices=KEPT, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve, given.port, given.entities)
        return
    best = measure(given.rounds, given.seconds, given.entities)
    today = datetime.now(UTC).date().isoformat()
    path = HERE / "results" / f"{today}-service-bytes.md"
    path.write_text(report(best, given.entities))
    goals = [
        goal(
            "kept_bytes_times_more_requests",
            best["packed", "bytes"][0] / best["packed", "rows"][0],
            TIMES_MORE_GOAL,
            digits=1,
        )
    ]
    print(json.dumps({"goals": goals}))


if __name__ == "__main__":
    main()
