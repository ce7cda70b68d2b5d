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
from bench.serving_rig import Service, fp_serve, list_name, ranker
from feature_platform.service_settings import ServiceSettings

SHAPES = ((1, 250), (50, 25), (500, 50), (2_000, 100))
"""Entities and features of a request."""
HITS = (0.0, 0.80, 0.95, 0.99, 1.0)
PROCESSES = (1, 2)
ENTITIES = 5_000
"""Of all, those that are asked for here: a cache is filled again for each line."""
REQUESTS = {1: 4_000, 50: 2_000, 500: 400, 2_000: 200}
"""How many are drawn, by size; after the last one a cache is filled again."""

TILES = {
    "FP_SERVICE__MAX_STALENESS_MS": "3600000",
    "FP_SERVICE__TILES_CACHE_BYTES": str(CACHE_BYTES),
}
"""Environment of an `fp serve` that reads nothing twice while it is timed."""
KEEPS_BYTES = "bytes_cache_bytes" in ServiceSettings.model_fields
"""Whether this build's service keeps parts of answers as they are sent."""
KEPT = TILES | ({"FP_SERVICE__BYTES_CACHE_BYTES": str(CACHE_BYTES)} if KEEPS_BYTES else {})
ANEW = TILES | ({"FP_SERVICE__BYTES_CACHE_BYTES": "0"} if KEEPS_BYTES else {})

KEPT_RATE = "gRPC requests a CPU second of fp serve, kept bytes"
ANEW_RATE = "gRPC requests a CPU second of fp serve, anew"
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
                    timed = at_once(rankers[:count], [path] * count, setting.seconds)
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
        timed = at_once([running], [path], setting.seconds)
    return [_row("one query", SHAPES[0], 0.0, 1, timed)]


def service(setting: Setting) -> Part:
    """Time `fp serve` by both doors, with one worker and with two; compare kept bytes with anew."""
    rows = [
        _cell(setting, door, shape, hits, workers)
        for workers in PROCESSES
        for door in ("grpc", "http")
        for shape in SHAPES
        for hits in setting.service_hits
    ]
    kept, anew = (_requests_a_cpu_second(setting, each) for each in (KEPT, ANEW))
    said = "joined from kept bytes" if KEEPS_BYTES else "this service keeps tiles, and no bytes"
    size, features = SHAPES[-1]
    return Part(
        title="Latencies through `fp serve`",
        head=HEAD,
        rows=rows,
        figures={KEPT_RATE: kept, ANEW_RATE: anew},
        note="A service of its own for each line; as many clients as workers, and none asks for "
        f"another's entities. gRPC, {size:,} x {features}, all cached: {kept:.1f} requests for "
        f"each second of CPU of a worker ({said}), {anew:.1f} encoded anew.",
    )


def _cell(
    setting: Setting, door: str, shape: tuple[int, int], hits: float, workers: int
) -> tuple[str, ...]:
    """Time one line, with a service that nobody has asked before."""
    size, features = shape
    load = setting.load if features <= len(setting.load.names) else setting.wide
    drawn = requests(load.entities // workers, size, hits, REQUESTS[size], SEED + 4)
    paths = [
        setting.rig.save(f"{door}-{size}-{hits}-{each}", drawn.of_client(each, workers))
        for each in range(workers)
    ]
    with fp_serve(setting.rig, workers, KEPT) as running, ExitStack() as exits:
        spec = _spec(running, door, load, features)
        rankers = [
            exits.enter_context(ranker(setting.rig, f"{door} {each}", "serving_doors", spec))
            for each in range(workers)
        ]
        for asking, path in zip(rankers, paths, strict=True):
            check(setting, load, features, asking, {"requests": path})
        timed = at_once(rankers, paths, setting.seconds, one_part=True)
    return _row(door, shape, hits, workers, timed)


def _spec(running: Service, door: str, load: Load, features: int) -> dict[str, Any]:
    return {
        "door": door,
        "service_port": running.http_port if door == "http" else running.port,
        "list": list_name(features),
        "kind": load.featureset.entity,
    }


def _requests_a_cpu_second(setting: Setting, environment: Mapping[str, str]) -> float:
    """Return how many requests of cached entities a worker answers with a second of CPU."""
    size, features = SHAPES[-1]
    load = _load(setting, features)
    path = _drawn(setting, load, size, 1.0)
    with fp_serve(setting.rig, 1, environment) as running:
        spec = _spec(running, "grpc", load, features)
        with ranker(setting.rig, "grpc warm", "serving_doors", spec) as asking:
            check(setting, load, features, asking, {"requests": path})
            before = running.used()
            walls, _ = at_once([asking], [path], setting.seconds)
            after = running.used()
    setting.versions["peak memory of fp serve"] = f"{after.peak_bytes / 2**20:,.0f} MiB"
    return (len(walls) + 1) / (after.cpu_s - before.cpu_s)  # one was before those that are timed
