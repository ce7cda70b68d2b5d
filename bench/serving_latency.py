"""Latencies of the serving benchmark through the library: by size, by hits, by processes."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

import numpy as np

from bench.serving_build import READ_MS, REQUEST_MS
from bench.serving_load import Load, requests
from bench.serving_rig import Process, ranker
from bench.serving_run import (
    CACHE_BYTES,
    SEED,
    Part,
    Setting,
    Shape,
    Table,
    at_once,
    check,
    p99,
    quantiles,
)

ENTITIES = 5_000
"""Of all, those that are asked for here: a cache is filled again for each line."""
REQUESTS_MIN, REQUESTS_MAX, ASKED = 200, 2_000, 200_000
"""How many are drawn of a size, and how many entities they name together."""
SHAPE_S = 150.0
"""How long the lines of a shape may take."""
HEAD = (
    *("", "entities x features", "cached", "processes", "p50 ms", "p99 ms"),
    *("requests/s", "timed"),
)
SINGLE_MS, BARE_MS = "1 x 250 from the store, p99 ms", "one query, p99 ms"
STEADY_MS = "ms, all cached, asked again and again"


def drawn_of(size: int) -> int:
    """Return how many requests of a size are drawn."""
    return min(REQUESTS_MAX, max(REQUESTS_MIN, ASKED // size))


def library(setting: Setting, part: Part) -> None:
    """Time the library in one process and in several."""
    part.head = HEAD
    for shape in setting.scale.shapes:

        def lines(shape: Shape = shape) -> None:
            _shape(setting, part, shape)

        setting.attempts.of(f"library, {shape[0]:,} x {shape[1]}", SHAPE_S, lines)
    setting.attempts.of("1 x 250 from the store", SHAPE_S, lambda: _single(setting, part))
    part.note = (
        "Each process asks again as soon as it has an answer. `from the store` is 1 x 250 without "
        "a cache, in turns with `one query`: the read of that entity by the driver alone, nothing "
        "decoded."
    )
    if STEADY_MS in part.figures:
        part.note += (
            " Here a process does nothing else; in turns with a dozen others, as above, each "
            "request finds the processor's caches cold."
        )
    if READ_MS in part.figures:
        part.note += (
            f" On average `from the store` took {part.figures[REQUEST_MS]:.2f} ms, of which "
            f"{part.figures[READ_MS]:.2f} are the read, and the rest is what is made of it."
        )


def _some(setting: Setting, features: int) -> Load:
    """Return who is asked for: those of the feature set that serves this number of features."""
    whole = setting.load_of(features)
    some = slice(min(ENTITIES, whole.entities))
    return replace(whole, minutes_ms=whole.minutes_ms[some], counts=whole.counts[some])


def _drawn(setting: Setting, load: Load, size: int, hits: float) -> str:
    """Save requests; return where."""
    drawn = requests(load.entities, size, hits, drawn_of(size), SEED + 3)
    return setting.rig.save(f"{load.featureset.name}-{size}-{hits}", drawn)


def _shape(setting: Setting, part: Part, shape: Shape) -> None:
    size, features = shape
    load = _some(setting, features)
    spec = setting.spec(load, features, cache_bytes=CACHE_BYTES)
    with ExitStack() as exits:
        rankers = [
            exits.enter_context(ranker(setting.rig, f"library {each}", "serving_build", spec))
            for each in range(max(setting.scale.processes))
        ]
        for hits in setting.scale.hits:
            path = _drawn(setting, load, size, hits)
            check(setting, load, features, rankers[0], {"requests": path})
            for running in rankers[1:]:
                running.run(requests=path, count=1)  # so that its cache is filled
            for count in setting.scale.processes:
                timed = at_once(rankers[:count], [path] * count, setting.scale.seconds)
                part.rows.append(line("library", shape, hits, count, timed))
                if (shape, hits, count) == (setting.scale.shapes[-1], 1.0, 1):
                    part.figures[STEADY_MS] = float(np.median(timed[0]))


def _single(setting: Setting, part: Part) -> None:
    """Time 1 x 250 from the store, and the query behind it without the platform, in turns."""
    size, features = shape = setting.scale.shapes[0]
    load = _some(setting, features)
    path = _drawn(setting, load, size, 0.0)
    with ExitStack() as exits:

        def started(name: str, **more: bool) -> Process:
            spec = setting.spec(load, features, **more)
            running = exits.enter_context(ranker(setting.rig, name, "serving_build", spec))
            running.run(requests=path, count=10)
            return running

        rankers = {"from the store": started("from the store")}
        check(setting, load, features, rankers["from the store"], {"requests": path})
        rankers["one query"] = started("one query", bare=True)
        walls: dict[str, list[float]] = {name: [] for name in rankers}
        for _ in range(setting.scale.blocks):
            for name, running in rankers.items():
                walls[name] += at_once([running], [path], setting.scale.seconds)[0]
        told = rankers["from the store"].run(about=True)
    lines: Table = [
        line(name, shape, 0.0, 1, (each, 1e3 * len(each) / sum(each)))
        for name, each in walls.items()
    ]
    part.rows += lines
    part.figures |= {SINGLE_MS: p99(walls["from the store"]), BARE_MS: p99(walls["one query"])}
    part.figures |= {name: told[name] for name in (REQUEST_MS, READ_MS)}


def line(
    way: str, shape: Shape, hits: float, processes: int, timed: tuple[Sequence[float], float]
) -> tuple[str, ...]:
    """Return a line of the table.

    Args:
        way: How features were asked for.
        shape: Of the requests.
        hits: Share of cached entities.
        processes: That asked at once.
        timed: What requests took in milliseconds, and how many there were a second.
    """
    walls, rate = timed
    asked = f"{shape[0]:,} x {shape[1]}"
    counted = (f"{rate:,.1f}", f"{len(walls):,}")
    return (way, asked, f"{hits:.0%}", str(processes), *quantiles(walls), *counted)
