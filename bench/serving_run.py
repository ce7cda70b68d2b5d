"""How the serving benchmark runs: its scale, its parts, how long each may take, and what failed."""

import signal
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from bench.rig import say
from bench.serving_load import Load
from bench.serving_rig import Answer, Process, Rig
from feature_platform.clock import SystemClock
from feature_platform.store.base import TileKey

THIS, OLD, FEAST = "this build", "old", "feast"
"""`old` is the build that goals compare with, if it is among those of `--build`."""
CACHE_BYTES = 2 * 1024**3
SEED = 11
LEAST_S = 0.001
RUN_MINUTES = 120
"""Tiles that are asked for within this number of minutes are written."""

Figures = dict[str, float]
Table = list[tuple[str, ...]]
Shape = tuple[int, int]
"""Entities and features of a request."""
T = TypeVar("T")


class LateError(Exception):
    """Some work took longer than it may."""


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """End work of the main thread that takes too long; bounds inside bounds are shorter ones.

    Raises:
        LateError: It has taken this long.
    """
    started, (outer_s, _) = time.monotonic(), signal.getitimer(signal.ITIMER_REAL)

    def late(*_: object) -> None:
        msg = f"out of time after {time.monotonic() - started:,.0f} s"
        raise LateError(msg)

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, min(seconds, outer_s) if outer_s else seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if outer_s:
            left_s = outer_s - (time.monotonic() - started)
            signal.setitimer(signal.ITIMER_REAL, max(left_s, LEAST_S))


def left_s() -> float:
    """Return how long the innermost bound still lasts."""
    return signal.getitimer(signal.ITIMER_REAL)[0] or float("inf")


@dataclass(frozen=True, kw_only=True)
class Attempts:
    """Work that may fail without ending the run. Mutable: knows what failed."""

    failures: list[str] = field(default_factory=list)

    def fail(self, name: str, reason: str) -> None:
        """Say that something was not measured, and why."""
        self.failures.append(f"{name}: {reason}")
        say(f"FAILED {self.failures[-1]}")

    def of(self, name: str, seconds: float, work: Callable[[], T]) -> T | None:
        """Do work for at most some seconds; return nothing if it failed."""
        try:
            with bounded(seconds):
                return work()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it was, others follow
            if not isinstance(error, SystemExit | LateError):
                traceback.print_exception(error)
            self.fail(name, str(error) or type(error).__name__)
            return None


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How much is measured."""

    size: int
    """Entities of the requests that the goals are about."""
    entities: int
    """25 counters over 4 windows."""
    wide_entities: int
    """63 counters over 4 windows, for requests of 250 features."""
    shapes: tuple[Shape, ...]
    hits: tuple[float, ...]
    """Shares of cached entities."""
    processes: tuple[int, ...]
    rounds: int
    """Requests of each contestant."""
    seconds: float
    """Of each latency."""
    flushed_entities: int
    flushes: int
    """Of each of them, a second apart."""
    blocks: int
    """How often those who take turns have one."""


WHOLE = Scale(
    size=2_000,
    entities=20_000,
    wide_entities=2_000,
    shapes=((1, 250), (50, 25), (500, 50), (2_000, 100)),
    hits=(0.0, 0.80, 0.95, 0.99, 1.0),
    processes=(1, 2),
    rounds=15,
    seconds=2.0,
    flushed_entities=100,
    flushes=62,
    blocks=6,
)
QUICK = Scale(
    size=200,
    entities=1_600,
    wide_entities=400,
    shapes=((1, 250), (200, 100)),
    hits=(0.0, 0.95, 1.0),
    processes=(1, 2),
    rounds=2,
    seconds=0.2,
    flushed_entities=10,
    flushes=8,
    blocks=2,
)
"""Everything runs, and no figure means anything."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What all parts are handed."""

    rig: Rig
    now_ms: int
    scale: Scale
    load: Load
    wide: Load
    builds: Mapping[str, Path]
    """Other builds, by name: their checkouts."""
    feast: str = ""
    """The interpreter of Feast's environment; empty: it is left out."""
    redis_port: int = 0
    attempts: Attempts = field(default_factory=Attempts)
    versions: dict[str, Any] = field(default_factory=dict)
    """Mutable: filled in by whoever knows one."""

    @property
    def written(self) -> list[TileKey]:
        """The closed tiles that are written: those that the run asks for."""
        return self.load.keys(self.now_ms, RUN_MINUTES)

    def load_of(self, features: int) -> Load:
        """Return who is asked for this number of features."""
        return self.load if features <= len(self.load.names) else self.wide

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


@dataclass(kw_only=True)
class Part:
    """What comes of a part. Mutable: filled as it runs, so what there is outlives a failure."""

    title: str
    head: tuple[str, ...] = ()
    rows: Table = field(default_factory=list)
    figures: Figures = field(default_factory=dict)
    """What the goals are made of."""
    note: str = ""


def check(setting: Setting, load: Load, features: int, running: Process, task: Answer) -> None:
    """Make sure that a ranker answers what the recount says, before it is timed.

    Raises:
        SystemExit: It does not.
    """
    path = setting.rig.folder / "checked.npz"
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
    for running, path in zip(rankers, paths, strict=True):
        running.begin(requests=path, seconds=seconds, one_part=one_part)
    walls = [[wall_s for _, wall_s in running.end()["spent"]] for running in rankers]
    if not all(walls):
        msg = "too few entities: those that were to be misses have all been asked for"
        raise SystemExit(msg)
    rate = sum(len(each) / sum(each) for each in walls)
    return [1e3 * wall_s for each in walls for wall_s in each], rate
