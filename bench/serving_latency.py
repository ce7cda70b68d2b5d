"""Latencies of the serving benchmark: by size of the request, by hits, by processes, by door."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from bench.serving_load import Load, requests
from bench.serving_parts import (
    CACHE_BYTES,
    SEED,
    Figures,
    Part,
    Setting,
    Table,
    at_once,
    check,
    p99,
    quantiles,
)
from bench.serving_rig import Process, Service, fp_serve, list_name, ranker

SHAPES = ((1, 250), (50, 25), (500, 50), (2_000, 100))
"""Entities and features of a request."""
HITS = (0.0, 0.80, 0.95, 0.99, 1.0)
PROCESSES = (1, 2)
ENTITIES = 5_000
"""Of all, those that are asked for here: a cache is filled again for each line."""
REQUESTS = {1: 4_000, 50: 2_000, 500: 400, 2_000: 200}
"""How many are drawn, by size; after the last one a cache is filled again."""

ANEW: Mapping[str, str] = {}
"""Environment of an `fp serve` that decodes and encodes for each request."""
KEPT: Mapping[str, str] = {}
"""Environment of one that keeps what it has encoded; as long as this is empty, none does."""
SERVICE_HITS = HITS if KEPT else (0.0,)
"""Without a cache in the service it does not matter what was asked before."""

HEAD = (
    *("", "entities x features", "cached", "processes", "p50 ms", "p99 ms"),
    *("requests/s", "timed"),
)


def _load(setting: Setting, features: int) -> Load:
    """Return who is asked for: those of the feature set that serves this number of features."""
    whole = setting.load if features <= len(setting.load.names) else setting.wide
    some = slice(min(ENTITIES, whole.entities))
    return replace(whole, minutes_ms=whole.minutes_ms[some], counts=whole.counts[some])


def _drawn(setting: Setting, load: Load, size: int, hits: float) -> str:
    """Save requests; return where."""
    drawn = requests(load.entities, size, hits, REQUESTS[size], SEED + 3)
    return setting.rig.save(f"{load.featureset.name}-{size}-{hits}", drawn)


def library(setting: Setting) -> Part:
    """Time the library in one and in two processes."""
    rows: Table = []
    figures: Figures = {}
    for size, features in SHAPES:
        load = _load(setting, features)
        spec = setting.spec(load, features, cache_bytes=CACHE_BYTES)
        with ExitStack() as exits:
            rankers = [
                exits.enter_context(ranker(setting.rig, f"library {each}", "serving_build", spec))
                for each in PROCESSES
            ]
            for hits in HITS:
                path = _drawn(setting, load, size, hits)
                check(setting, load, features, rankers[0], {"requests": path})
                for count in PROCESSES:
                    timed = at_once(rankers[:count], path, setting.seconds)
                    rows.append(_row("library", (size, features), hits, count, timed))
                    if (size, hits, count) == (1, 0.0, 1):
                        figures["1 x 250 from the store, p99 ms"] = p99(timed[0])
    rows += _bare(setting)
    return Part(
        title="Latencies through the library",
        head=HEAD,
        rows=rows,
        figures=figures,
        note="Each process asks again as soon as it has an answer. `one query` is the read of one "
        "entity of 1 x 250 by the driver alone, nothing decoded.",
    )


def _row(
    way: str,
    shape: tuple[int, int],
    hits: float,
    processes: int,
    timed: tuple[Sequence[float], float],
) -> tuple[str, ...]:
    walls, rate = timed
    asked = f"{shape[0]:,} x {shape[1]}"
    counted = (f"{rate:,.1f}", f"{len(walls):,}")
    return (way, asked, f"{hits:.0%}", str(processes), *quantiles(walls), *counted)


def _bare(setting: Setting) -> Table:
    """Time the query behind 1 x 250 without the platform."""
    size, features = SHAPES[0]
    load = _load(setting, features)
    path = _drawn(setting, load, size, 0.0)
    spec = setting.spec(load, features, bare=True)
    with ranker(setting.rig, "one query", "serving_build", spec) as running:
        running.run(requests=path, count=10)
        timed = at_once([running], path, setting.seconds)
    return [_row("one query", SHAPES[0], 0.0, 1, timed)]


def service(setting: Setting) -> Part:
    """Time `fp serve` by both doors, with one worker and two; compare kept bytes with encoding."""
    rows: Table = []
    figures: Figures = {}
    for workers in PROCESSES:
        with fp_serve(setting.rig, workers, KEPT or ANEW) as running:
            for door in ("grpc", "http"):
                rows += _door(setting, running, door, workers)
            kept = _requests_a_cpu_second(setting, running)
        if workers == 1:
            figures["gRPC requests a CPU second of fp serve, kept bytes"] = kept
    encoding = figures["gRPC requests a CPU second of fp serve, kept bytes"]
    if KEPT:
        with fp_serve(setting.rig, 1, ANEW) as running:
            encoding = _requests_a_cpu_second(setting, running)
    figures["gRPC requests a CPU second of fp serve, encoding"] = encoding
    size, features = SHAPES[-1]
    is_kept = "from kept bytes" if KEPT else "this service keeps nothing: read, decoded, encoded"
    return Part(
        title="Latencies through `fp serve`",
        head=HEAD,
        rows=rows,
        figures=figures,
        note=f"As many clients as workers. gRPC, {size:,} x {features}, one worker: "
        f"{figures['gRPC requests a CPU second of fp serve, kept bytes']:.1f} requests for each "
        f"second of CPU of the service ({is_kept}); {encoding:.1f} decoded and encoded each time.",
    )


def _door(setting: Setting, running: Service, door: str, workers: int) -> Table:
    rows: Table = []
    for size, features in SHAPES:
        load = _load(setting, features)
        with ExitStack() as exits:
            spec = _spec(running, door, load, features)
            rankers: list[Process] = [
                exits.enter_context(ranker(setting.rig, f"{door} {each}", "serving_doors", spec))
                for each in range(workers)
            ]
            for hits in SERVICE_HITS:
                path = _drawn(setting, load, size, hits)
                check(setting, load, features, rankers[0], {"requests": path})
                timed = at_once(rankers, path, setting.seconds)
                rows.append(_row(door, (size, features), hits, workers, timed))
    return rows


def _spec(running: Service, door: str, load: Load, features: int) -> dict[str, Any]:
    return {
        "door": door,
        "service_port": running.http_port if door == "http" else running.port,
        "list": list_name(features),
        "kind": load.featureset.entity,
    }


def _requests_a_cpu_second(setting: Setting, running: Service) -> float:
    """Return how many requests of all cached entities the service answers with a second of CPU."""
    size, features = SHAPES[-1]
    load = _load(setting, features)
    path = _drawn(setting, load, size, 1.0)
    spec = _spec(running, "grpc", load, features)
    with ranker(setting.rig, "grpc warm", "serving_doors", spec) as asking:
        check(setting, load, features, asking, {"requests": path})
        before = running.used()
        walls, _ = at_once([asking], path, setting.seconds)
        after = running.used()
    setting.versions["peak memory of fp serve"] = f"{after.peak_bytes / 2**20:,.0f} MiB"
    return (len(walls) + 1) / (after.cpu_s - before.cpu_s)  # one was before those that are timed
