"""Smaller parts of the serving benchmark: refreshes, reads of the registry, decoding."""

from contextlib import ExitStack
from typing import Any

import numpy as np

from bench.row_decode import measure
from bench.serving_load import FLUSH, Load, requests, store
from bench.serving_rig import Process, ranker
from bench.serving_run import CACHE_BYTES, SEED, Part, Setting, check, p99, quantiles
from feature_platform.registry.memory import MemoryRegistry
from feature_platform.serving import CacheSettings, CacheStats, FeatureClient
from feature_platform.serving.compiled import loaded
from feature_platform.store.base import TileKey
from feature_platform.store.cql import CqlTiles
from feature_platform.testing.clock import ManualClock
from feature_platform.tiles.grid import MINUTE_MS

DECODED_ENTITIES, ASKED = 500, 200
DEADLINE_MS = 60_000
REFRESHED_ROWS = "rows read per refresh of a warm entity"
DECODED_US = "decode and add a row of 100 counters, us"
REGISTRY_TIMES = "p99 over a registry refresh, times"
COUNTED_FROM = 2
"""The first flushes fill the cache, and bring entities that had no event for days to the present;
a minute of them is counted, so that tiles leave heads and windows move on."""
REFRESH_MS, NEVER_MS = 200, 10**9
"""How often the registry is read where it is felt, and where it is not."""


def refreshes(setting: Setting, part: Part) -> None:
    """Count the rows that are read of a warm entity after one more flush, a flush a second."""
    scale, clock = setting.scale, ManualClock(setting.now_ms)
    flushed = Load.draw(
        setting.load.featureset, scale.flushed_entities, setting.now_ms, seed=SEED + 1
    )
    first, everyone = setting.load.entities, np.arange(flushed.entities)
    registry = MemoryRegistry(clock)
    registry.save(flushed.snapshot)
    tiles = CqlTiles(setting.rig.admin)
    client = FeatureClient(tiles, registry, clock=clock, cache=CacheSettings(bytes_max=CACHE_BYTES))
    prepared = client.prepare(flushed.names)
    stored: list[dict[TileKey, bytes]] = [{} for _ in everyone]
    chance = np.random.default_rng(SEED)
    counts, written = [], frozenset(setting.written)
    for flush in range(FLUSH, FLUSH + scale.flushes):
        for place in everyone.tolist():
            rows = flushed.rows(place, written)
            changed = {k: row for k, row in rows.items() if stored[place].get(k) != row}
            store(tiles, flushed.snapshot.table, first + place, changed, flush)
            stored[place] = rows
        answer = prepared.get((first + everyone).tolist(), deadline_ms=DEADLINE_MS)
        right = flushed.recount(everyone, clock.now_ms())
        if not np.array_equal(np.asarray(answer.values), right):
            msg = f"flush {flush}: an answer differs from the recount: no figure counts"
            raise SystemExit(msg)
        counts.append(_counts(client.cache_stats()))
        clock.advance(1_001)  # what is kept is too old now
        minute_ms = clock.now_ms() - clock.now_ms() % MINUTE_MS
        more = chance.integers(1, 5, flushed.counts[:, 0].shape, dtype=np.int32)
        flushed = flushed.with_events(minute_ms, more)
    read, refreshed = (counts[-1] - counts[COUNTED_FROM - 1]).tolist()
    part.head = ("", "figure")
    part.rows += [
        ("refreshes", f"{refreshed:,}"),
        ("rows read", f"{read:,}"),
        ("rows a refresh", f"{read / refreshed:.3f}"),
    ]
    part.figures[REFRESHED_ROWS] = read / refreshed
    part.note = (
        f"{flushed.entities} entities, {scale.flushes} flushes of each, a second apart, of which "
        f"{COUNTED_FROM} are not counted; each answer equals the recount."
    )


def _counts(stats: CacheStats | None) -> "np.ndarray[Any, Any]":
    """Return the rows that were read, and the refreshes."""
    if stats is None:
        msg = "a client with a cache says nothing of it"
        raise SystemExit(msg)
    return np.array([stats.rows_read, stats.refreshes])


def rows_decoded(setting: Setting, part: Part) -> None:  # noqa: ARG001 - as all parts
    """Measure the compiled core as `row_decode` does."""
    found = loaded()
    if found.core is None:
        raise SystemExit(found.why_not)
    figures = measure(found.core, DECODED_ENTITIES)
    part.head = ("", "us")
    part.rows += [
        ("compiled core", f"{figures['compiled']:.3f}"),
        ("numpy", f"{figures['numpy']:.3f}"),
        ("protobuf, a message a row", f"{figures['protobuf']:.3f}"),
    ]
    part.figures[DECODED_US] = figures["compiled"]


def registry(setting: Setting, part: Part) -> None:
    """Time warm requests while the registry is read five times a second, and while it is not."""
    scale, load = setting.scale, setting.load
    features = len(load.names)
    drawn = requests(load.entities, scale.size, 1.0, ASKED, SEED + 2)
    path = setting.rig.save("registry", drawn)
    took: dict[int, list[float]] = {REFRESH_MS: [], NEVER_MS: []}
    with ExitStack() as exits:
        rankers: dict[int, Process] = {}
        for refresh_ms in took:
            spec = setting.spec(load, features, cache_bytes=CACHE_BYTES, refresh_ms=refresh_ms)
            name = f"registry every {refresh_ms} ms"
            running = exits.enter_context(ranker(setting.rig, name, "serving_build", spec))
            check(setting, load, features, running, {"requests": path})
            rankers[refresh_ms] = running
        for _ in range(scale.blocks):
            for refresh_ms, running in rankers.items():
                answer = running.run(requests=path, seconds=scale.seconds)
                took[refresh_ms] += [1e3 * wall_s for _, wall_s in answer["spent"]]
    named = {REFRESH_MS: f"read every {REFRESH_MS} ms", NEVER_MS: "not read"}
    part.head = ("registry", "p50 ms", "p99 ms", "requests")
    part.rows += [
        (named[each], *quantiles(walls), f"{len(walls):,}") for each, walls in took.items()
    ]
    part.figures[REGISTRY_TIMES] = p99(took[REFRESH_MS]) / p99(took[NEVER_MS])
    part.note = (
        f"{scale.size:,} x {features}, in turns, {scale.blocks} times. Clients read the registry "
        f"every 5 seconds; here it is read so often that many requests meet it."
    )
