"""The parts of the serving benchmark: each asks something, checks the answers, and counts."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench.rig import say
from bench.row_decode import measure
from bench.serving_load import FLUSH, Load, Read, requests, store
from bench.serving_rig import Answer, Process, Rig, ranker
from feature_platform.clock import SystemClock
from feature_platform.registry.memory import MemoryRegistry
from feature_platform.serving import CacheSettings, FeatureClient
from feature_platform.serving.compiled import loaded
from feature_platform.store.cql import CqlTiles
from feature_platform.testing.clock import ManualClock
from feature_platform.tiles.grid import MINUTE_MS

THIS, FEAST = "this build", "feast"
CACHED = {1.0: "all cached", 0.95: "95 % cached", 0.80: "80 % cached", 0.0: "nothing cached"}
CACHE_BYTES = 2 * 1024**3
SIZE = 2_000
"""Entities of the requests that the goals are about."""
SEED = 11
DECODED_ENTITIES = 500
FLUSHED_ENTITIES, COUNTED_FROM, FLUSHES = 100, 2, 62
"""A flush a second. A minute of them is counted, so that tiles leave heads and windows move on;
the first ones fill the cache, and bring entities that had no event for days to the present."""
REFRESH_MS, NEVER_MS = 200, 10**9
"""How often the registry is read where it is felt, and where it is not."""
BLOCKS = 6

Figures = dict[str, float]
Table = list[tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What all parts are handed."""

    rig: Rig
    now_ms: int
    load: Load
    """25 counters over 4 windows."""
    wide: Load
    """63 counters over 4 windows, for requests of 250 features."""
    rounds: int
    seconds: float
    """Of each latency."""
    service_hits: Sequence[float]
    """Shares of cached entities in requests to `fp serve`, which is started for each."""
    builds: Mapping[str, Path]
    """Other builds, by name: their checkouts."""
    feast: str = ""
    """The interpreter of Feast's environment; empty: it is left out."""
    redis_port: int = 0
    versions: dict[str, Any] = field(default_factory=dict)
    """Mutable: filled in by whoever knows one."""

    def spec(self, load: Load, features: int, **more: Any) -> dict[str, Any]:  # noqa: ANN401
        """Return what rankers are made of."""
        return {
            "port": self.rig.settings.store.port,
            "definitions": str(self.rig.definitions),
            "featureset": load.featureset.name,
            "features": load.names[:features],
            "table": load.snapshot.table,
            "keys": [(-1, 0), *load.keys(self.now_ms)],
            "now_ms": self.now_ms,
            **more,
        }


@dataclass(frozen=True, kw_only=True)
class Part:
    """What came of a part."""

    title: str
    head: tuple[str, ...]
    rows: Table
    figures: Figures = field(default_factory=dict)
    """What the goals are made of."""
    note: str = ""


def check(setting: Setting, load: Load, features: int, running: Process, task: Answer) -> None:
    """Make sure that a ranker answers what the recount says, before it is timed.

    Raises:
        SystemExit: It does not.
    """
    path = setting.rig.folder / "answers.npz"
    clock = SystemClock()
    instants = [setting.now_ms, clock.now_ms()]
    running.run(**task, count=1, answers=str(path))
    instants.append(clock.now_ms())
    with np.load(path) as file:
        entities, values = file["entities"], file["values"]
    right = [load.recount(entities, now_ms)[:, :features] for now_ms in instants]
    if not any(np.array_equal(values, each) for each in right):
        differ = int((values != right[0]).sum()) if values.shape == right[0].shape else -1
        msg = f"{running.name}: {differ} values differ from the recount: no figure counts"
        raise SystemExit(msg)
    say(f"{running.name}: {values.shape[0]:,} x {values.shape[1]} values equal the recount")


def builds(setting: Setting) -> Part:
    """Time requests of 2,000 x 100 by all contestants in turns."""
    load, features = setting.load, len(setting.load.names)
    paths = {
        hits: setting.rig.save(
            f"builds-{hits}", requests(load.entities, SIZE, hits, setting.rounds + 1, SEED)
        )
        for hits in CACHED
    }
    chosen = _contestants(setting)
    with ExitStack() as exits:
        running: dict[str, Process] = {}
        for each in chosen:
            say(f"starting {each.name}")
            process = ranker(setting.rig, each.name, each.module, each.spec, each.python)
            running[each.name] = exits.enter_context(process)
            task = {"requests": paths[each.hits]}
            check(setting, load, features, running[each.name], task)
        paths_of = {each.name: paths[each.hits] for each in chosen}
        answers = in_turns(running, paths_of, setting.rounds)
        about = {name: process.run(about=True) for name, process in running.items()}
    for name, told in about.items():
        of = f" of {name}" if name in setting.builds else ""
        setting.versions.update({k + of: v for k, v in told.items() if isinstance(v, str)})
    rows, figures = _spent(answers, SIZE * features)
    kept, read = about[f"{THIS}, all cached"], Read.of(load, setting.now_ms)
    kept_bytes = kept["bytes"] / kept["entries"]
    figures["cached bytes per byte of rows"] = kept_bytes / read.bytes
    return Part(
        title=f"A request of {SIZE:,} entities x {features} features",
        head=("", "CPU ms", "from", "to", "wall ms", "values a CPU second", "peak memory MiB"),
        rows=rows,
        figures=figures,
        note=f"Medians of {setting.rounds} requests each, in turns; CPU of the ranker's process. "
        f"{load.entities:,} entities; a read finds {read.tiles:.1f} tiles of each, in "
        f"{read.rows:.1f} rows of {read.bytes:,.0f} bytes together; the cache keeps "
        f"{kept_bytes:,.0f} bytes.",
    )


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """A ranker that takes part."""

    name: str
    module: str
    spec: dict[str, Any]
    hits: float
    """Share of the entities of its requests that its cache holds, if it has one."""
    python: str = sys.executable


def _contestants(setting: Setting) -> list[Contestant]:
    load, names = setting.load, setting.load.names
    direct = setting.spec(load, len(names))
    cached = direct | {"cache_bytes": CACHE_BYTES}
    plain = direct | {
        "keys": load.keys(setting.now_ms),
        "windows": load.windows(setting.now_ms),
        "counters": [feature.name for feature in load.featureset.features],
        "cache_entities": load.entities,
    }
    ours, theirs = "serving_build", "serving_plain"
    chosen = [
        *(
            Contestant(name=f"{THIS}, {said}", module=ours, spec=cached, hits=hits)
            for hits, said in CACHED.items()
        ),
        Contestant(name=f"{THIS}, no cache", module=ours, spec=direct, hits=0.0),
        *(
            Contestant(name=name, module=ours, spec=direct, hits=0.0, python=_python(path))
            for name, path in setting.builds.items()
        ),
        *(
            Contestant(name=f"straightforward, {said}", module=theirs, spec=plain, hits=hits)
            for hits, said in CACHED.items()
        ),
    ]
    if setting.feast:
        chosen += [
            Contestant(
                name=name,
                module="serving_feast",
                spec=feast_spec(setting) | {"precomputed": name != FEAST},
                hits=0.0,
                python=setting.feast,
            )
            for name in (FEAST, f"{FEAST}, precomputed")
        ]
    return chosen


def feast_spec(setting: Setting) -> dict[str, Any]:
    """Return what Feast's rankers are made of; its features have no feature set in their names."""
    return {
        "redis_port": setting.redis_port,
        "folder": str(setting.rig.folder),
        "features": [name.partition(".")[2] for name in setting.load.names],
    }


def _python(checkout: Path) -> str:
    """Return a checkout's own interpreter."""
    return str(checkout / ".venv" / "bin" / "python")


def in_turns(
    contestants: Mapping[str, Process], paths: Mapping[str, str], rounds: int
) -> dict[str, list[Answer]]:
    """Let each do a request, then each the next one."""
    answers: dict[str, list[Answer]] = {name: [] for name in contestants}
    for number in range(rounds):
        for name, running in contestants.items():
            answers[name].append(running.run(requests=paths[name], count=1))
        say(f"round {number + 1} of {rounds}")
    return answers


def _spent(answers: Mapping[str, Sequence[Answer]], values: int) -> tuple[Table, Figures]:
    """Return a line for each contestant, and its median CPU milliseconds."""
    rows: list[tuple[str, ...]] = []
    figures: Figures = {}
    for name, each in answers.items():
        spent = 1e3 * np.array([answer["spent"][0] for answer in each])
        cpu_ms, wall_ms = np.median(spent, axis=0).tolist()
        peak = max(answer["peak_bytes"] for answer in each) / 2**20
        low, high = spent[:, 0].min(), spent[:, 0].max()
        rate = values / cpu_ms * 1e3
        rows.append(
            (
                name,
                f"{cpu_ms:,.2f}",
                f"{low:,.2f}",
                f"{high:,.2f}",
                f"{wall_ms:,.1f}",
                f"{rate:,.0f}",
                f"{peak:,.0f}",
            )
        )
        figures[name] = cpu_ms
    return rows, figures


def refreshes(setting: Setting) -> Part:
    """Count the rows that are read of a warm entity after one more flush, a flush a second."""
    flushed = Load.draw(setting.load.featureset, FLUSHED_ENTITIES, setting.now_ms, seed=SEED + 1)
    tiles, clock = CqlTiles(setting.rig.admin), ManualClock(setting.now_ms)
    table, first = flushed.snapshot.table, setting.load.entities
    registry = MemoryRegistry(clock)
    registry.save(flushed.snapshot)
    keys = [str(first + place) for place in range(flushed.entities)]
    stored: list[dict[tuple[int, int], bytes]] = [{} for _ in keys]
    chance = np.random.default_rng(SEED)
    shape = (flushed.entities, flushed.counts.shape[2])
    client = FeatureClient(tiles, registry, clock=clock, cache=CacheSettings(bytes_max=CACHE_BYTES))
    prepared = client.prepare(flushed.names)
    for flush in range(FLUSH, FLUSH + FLUSHES):
        for place in range(flushed.entities):
            rows = flushed.rows(place)
            changed = {k: row for k, row in rows.items() if stored[place].get(k) != row}
            store(tiles, table, first + place, changed, flush)
            stored[place] = rows
        now_ms = clock.now_ms()
        answer = np.asarray(prepared.get(keys).values)
        if not np.array_equal(answer, flushed.recount(np.arange(len(keys)), now_ms)):
            msg = f"flush {flush}: an answer differs from the recount: no figure counts"
            raise SystemExit(msg)
        if flush == FLUSH + COUNTED_FROM - 1:
            begun = client.cache_stats()
        clock.advance(1_001)  # what is kept is too old now
        minute_ms = clock.now_ms() - clock.now_ms() % MINUTE_MS
        flushed = flushed.with_events(minute_ms, chance.integers(1, 5, shape, dtype=np.int32))
    stats = client.cache_stats()
    if stats is None or begun is None:
        msg = "a client with a cache says nothing of it"
        raise SystemExit(msg)
    read, refreshed = stats.rows_read - begun.rows_read, stats.refreshes - begun.refreshes
    return Part(
        title="Refreshes of warm entities",
        head=("", "figure"),
        rows=[
            ("refreshes", f"{refreshed:,}"),
            ("rows read", f"{read:,}"),
            ("rows a refresh", f"{read / refreshed:.3f}"),
        ],
        figures={"rows read per refresh of a warm entity": read / refreshed},
        note=f"{FLUSHED_ENTITIES} entities, {FLUSHES} flushes of each, a second apart; each answer "
        "equals the recount.",
    )


def rows_decoded(setting: Setting) -> Part:  # noqa: ARG001 - as all parts
    """Measure the compiled core as `row_decode` does."""
    found = loaded()
    if found.core is None:
        raise SystemExit(found.why_not)
    figures = measure(found.core, DECODED_ENTITIES)
    return Part(
        title="Decode and add one row of 100 counters",
        head=("", "us"),
        rows=[
            ("compiled core", f"{figures['compiled']:.3f}"),
            ("numpy", f"{figures['numpy']:.3f}"),
            ("protobuf, a message a row", f"{figures['protobuf']:.3f}"),
        ],
        figures={"decode and add a row of 100 counters, us": figures["compiled"]},
    )


def registry(setting: Setting) -> Part:
    """Time warm requests while the registry is read five times a second, and while it is not."""
    load = setting.load
    drawn = requests(load.entities, SIZE, 1.0, setting.rounds + 1, SEED + 2)
    path = setting.rig.save("registry", drawn)
    took: dict[int, list[float]] = {REFRESH_MS: [], NEVER_MS: []}
    with ExitStack() as exits:
        rankers = {}
        for refresh_ms in took:
            spec = setting.spec(
                load, len(load.names), cache_bytes=CACHE_BYTES, refresh_ms=refresh_ms
            )
            name = f"registry every {refresh_ms} ms"
            running = exits.enter_context(ranker(setting.rig, name, "serving_build", spec))
            check(setting, load, len(load.names), running, {"requests": path})
            rankers[refresh_ms] = running
        for _ in range(BLOCKS):
            for refresh_ms, running in rankers.items():
                answer = running.run(requests=path, seconds=setting.seconds)
                took[refresh_ms] += [1e3 * wall_s for _, wall_s in answer["spent"]]
    named = {REFRESH_MS: f"read every {REFRESH_MS} ms", NEVER_MS: "not read"}
    return Part(
        title=f"Warm requests of {SIZE:,} x {len(load.names)} beside reads of the registry",
        head=("registry", "p50 ms", "p99 ms", "requests"),
        rows=[(named[each], *quantiles(walls), f"{len(walls):,}") for each, walls in took.items()],
        figures={"p99 over a registry refresh, times": p99(took[REFRESH_MS]) / p99(took[NEVER_MS])},
        note=f"In turns, {BLOCKS} times. Clients read the registry every 5 seconds; here so often "
        "that many requests meet it.",
    )


def quantiles(walls_ms: Sequence[float]) -> tuple[str, str]:
    """Return p50 and p99 as text."""
    return f"{np.median(walls_ms):,.2f}", f"{p99(walls_ms):,.2f}"


def p99(walls_ms: Sequence[float]) -> float:
    """Return what 99 of 100 requests took at most."""
    return float(np.percentile(walls_ms, 99))


def at_once(
    rankers: Sequence[Process], paths: Sequence[str], seconds: float, *, one_part: bool = False
) -> tuple[list[float], float]:
    """Let rankers ask at the same time; return what requests took, and all requests a second.

    Args:
        rankers: Who asks.
        paths: What each asks.
        seconds: How long.
        one_part: Whether to end before entities are asked for again that were to be misses.
    """
    pairs = list(zip(rankers, paths, strict=True))
    for running, path in pairs:
        running.run(requests=path, count=1)  # so that caches are filled before
    for running, path in pairs:
        running.begin(requests=path, seconds=seconds, one_part=one_part)
    walls = [[wall_s for _, wall_s in running.end()["spent"]] for running in rankers]
    if not all(walls):
        msg = "too few entities: those that were to be misses have all been asked for"
        raise SystemExit(msg)
    rate = sum(len(each) / sum(each) for each in walls)
    return [1e3 * wall_s for each in walls for wall_s in each], rate
