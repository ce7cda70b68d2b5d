"""Latencies of the serving benchmark through `fp serve`, and what kept bytes save it."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from bench.service_bytes import measure
from bench.serving_latency import HEAD, drawn_of, line
from bench.serving_load import Load, requests
from bench.serving_rig import Service, fp_serve, list_name, ranker
from bench.serving_run import CACHE_BYTES, SEED, Part, Setting, Shape, at_once, check, left_s

DOORS = ("grpc", "http")
ENTITIES = 5_000
"""Of a client, at most: its part of a cache is filled before it is timed."""
SERVICE_S, LINE_S, ENOUGH_S = 180.0, 60.0, 30.0
"""How long a service and a line may take; with less than the last one left, none is started."""
TILES = {
    "FP_SERVICE__MAX_STALENESS_MS": "3600000",
    "FP_SERVICE__TILES_CACHE_BYTES": str(CACHE_BYTES),
}
"""Environment of an `fp serve` that reads nothing twice while it is timed."""
BYTES = "FP_SERVICE__BYTES_CACHE_BYTES"
KEPT = TILES | {BYTES: str(CACHE_BYTES)}
ENCODING = TILES | {BYTES: "0"}
NOTHING = {"FP_SERVICE__TILES_CACHE_BYTES": "0", BYTES: "0"}

NUMBERS = "float32"
"""As a model takes them, where kept bytes are the question."""
KEPT_RATE = "gRPC requests a CPU second of fp serve, kept bytes"
ENCODING_RATE = "gRPC requests a CPU second of fp serve, encoding kept tiles"
READING_RATE = "gRPC requests a CPU second of fp serve, reading"
KEPT_MS = "gRPC, CPU ms of a worker that joins kept bytes"
AGAIN_MS = "gRPC, CPU ms of a worker that decodes and encodes rows"


@dataclass(frozen=True, kw_only=True)
class Run:
    """A service, and what it is asked: shapes by both doors."""

    workers: int
    hits: float
    shapes: tuple[Shape, ...]

    @property
    def name(self) -> str:
        """For people."""
        return f"fp serve, {self.workers} workers, {self.hits:.0%} cached"

    @property
    def environment(self) -> Mapping[str, str]:
        """Of the service."""
        return KEPT if self.hits else NOTHING

    @property
    def clients(self) -> int:
        """Who ask for entities of their own, so that nobody's misses are another's hits."""
        return len(DOORS) * self.workers


def _runs(setting: Setting) -> Iterator[Run]:
    """Services forget nothing: where some requests miss, each shape has one of its own."""
    for workers in setting.scale.processes:
        for hits in setting.scale.hits:
            if hits in (0.0, 1.0):
                yield Run(workers=workers, hits=hits, shapes=setting.scale.shapes)
            else:
                for shape in setting.scale.shapes:
                    yield Run(workers=workers, hits=hits, shapes=(shape,))


def service(setting: Setting, part: Part) -> None:
    """Time `fp serve` by both doors, with one worker and with several."""
    part.head = HEAD
    for run in _runs(setting):
        if left_s() < ENOUGH_S:
            setting.attempts.fail("service", f"no time for {run.name} and what follows")
            break

        def lines(run: Run = run) -> None:
            _service(setting, part, run)

        setting.attempts.of(run.name, SERVICE_S, lines)
    part.rows.sort(key=lambda row: (row[3], row[0]))
    part.note = (
        "As many clients as workers; the kernel gives each connection to a worker, which may be "
        "the same one. Where nothing is cached, the service has no cache. A client of gRPC is the "
        "platform's, one of HTTP reads JSON by columns."
    )


def _service(setting: Setting, part: Part, run: Run) -> None:
    with fp_serve(setting.rig, run.workers, run.environment) as running:
        for shape in run.shapes:
            for door in DOORS:

                def timed(door: str = door, shape: Shape = shape) -> None:
                    part.rows.append(_line(setting, running, run, door, shape))

                setting.attempts.of(f"{run.name}, {door}, {shape[0]} x {shape[1]}", LINE_S, timed)


def _line(setting: Setting, running: Service, run: Run, door: str, shape: Shape) -> tuple[str, ...]:
    """Time one line: clients that start, are checked, and ask at once."""
    size, features = shape
    load = setting.load_of(features)
    entities = min(ENTITIES, load.entities // run.clients)
    drawn = requests(entities, size, run.hits, drawn_of(size), SEED + 4)
    first = DOORS.index(door) * run.workers
    paths = [
        setting.rig.save(f"{door}-{each}", drawn.of_client(first + each, run.clients))
        for each in range(run.workers)
    ]
    spec = _spec(running, door, load, features)
    with ExitStack() as exits:
        rankers = [
            exits.enter_context(ranker(setting.rig, f"{door} {each}", "serving_doors", spec))
            for each in range(run.workers)
        ]
        for asking, path in zip(rankers, paths, strict=True):
            check(setting, load, features, asking, {"requests": path})
        misses_some = 0.0 < run.hits < 1.0
        timed = at_once(rankers, paths, setting.scale.seconds, one_part=misses_some)
    return line(door, shape, run.hits, run.workers, timed)


def _spec(running: Service, door: str, load: Load, features: int) -> dict[str, Any]:
    return {
        "door": door,
        "service_port": running.http_port if door == "http" else running.port,
        "list": list_name(features),
        "kind": load.featureset.entity,
    }


def answers(setting: Setting, part: Part) -> None:
    """Ask services in turns for the same entities: of kept bytes, of kept tiles, of the store."""
    size, features = setting.scale.shapes[-1]
    load = setting.load_of(features)
    entities = min(ENTITIES, load.entities)
    drawn = requests(entities, size, 1.0, drawn_of(size), SEED + 5)
    path = setting.rig.save("kept-bytes", drawn)
    environments = {KEPT_RATE: KEPT, ENCODING_RATE: ENCODING, READING_RATE: NOTHING}
    walls: dict[str, list[float]] = {name: [] for name in environments}
    cpu_s: dict[str, float] = dict.fromkeys(environments, 0.0)
    peaks: dict[str, int] = {}
    with ExitStack() as exits:
        pairs = {}
        for name, environment in environments.items():
            running = exits.enter_context(fp_serve(setting.rig, 1, environment))
            spec = _spec(running, "grpc", load, features) | {"numbers": NUMBERS}
            asking = exits.enter_context(ranker(setting.rig, "grpc warm", "serving_doors", spec))
            check(setting, load, features, asking, {"requests": path})
            pairs[name] = (running, asking)
        for _ in range(setting.scale.blocks):
            for name, (running, asking) in pairs.items():
                before_s = running.used().cpu_s
                walls[name] += at_once([asking], [path], setting.scale.seconds)[0]
                after = running.used()
                cpu_s[name] += after.cpu_s - before_s
                peaks[name] = after.peak_bytes
    _say_answers(part, f"{size:,} x {features}", walls, cpu_s, peaks)
    _say_again(part, measure(setting.scale.blocks, 1.0, size, ["packed"]))


def _say_answers(
    part: Part,
    asked: str,
    walls: Mapping[str, list[float]],
    cpu_s: Mapping[str, float],
    peaks: Mapping[str, int],
) -> None:
    part.head = ("`fp serve`", "CPU ms a request", "p50 ms of the client", "peak memory MiB")
    said = {
        KEPT_RATE: "joins kept bytes",
        ENCODING_RATE: "adds up and encodes kept tiles",
        READING_RATE: "keeps nothing: reads, decodes, adds up, encodes",
    }
    for name, took in walls.items():
        part.figures[name] = len(took) / cpu_s[name]
        middle = f"{sorted(took)[len(took) // 2]:,.2f}"
        cpu_ms = f"{1e3 / part.figures[name]:,.2f}"
        part.rows.append((said[name], cpu_ms, middle, f"{peaks[name] / 2**20:,.0f}"))
    part.note = (
        f"gRPC, {asked} as {NUMBERS}, one client and one worker of each, in turns; CPU of the "
        "service's processes."
    )


def _say_again(part: Part, found: Mapping[tuple[str, str], tuple[float, float]]) -> None:
    """Add what decoding and encoding cost without any reading; see `service_bytes`."""
    said = {
        "bytes": ("joins kept bytes, store in memory", KEPT_MS),
        "rows": ("decodes, adds up and encodes rows, store in memory", AGAIN_MS),
    }
    for kept, (words, name) in said.items():
        part.figures[name] = found["packed", kept][1]
        part.rows.append((words, f"{part.figures[name]:,.2f}", "", ""))
    part.note += (
        " The goal is about decoding and encoding again: the last two lines, workers whose store "
        "hands out rows at no cost. Of the first three lines kept bytes answer "
        f"{part.figures[KEPT_RATE] / part.figures[ENCODING_RATE]:,.1f} times the requests of the "
        f"second and {part.figures[KEPT_RATE] / part.figures[READING_RATE]:,.1f} times those of "
        "the third."
    )
