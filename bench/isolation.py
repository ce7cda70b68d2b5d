"""What a job that reads hard does to the rankers: latency of the serving library, job by job.

A job that forgets its state at once must read back every entity that it meets, as after a start
from the store. It drains a backlog while the serving library reads in a steady loop, with its reads
bounded by latency and without. Writes a table to `bench/results/<date>-isolation.md`; the last line
printed is one JSON object with the goals.
"""

import argparse
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Self

import numpy as np
import psutil

from bench.rig import HERE, NAME, PATIENCE_S, TOPIC, check, deploy, goal, markdown, say, stack
from bench.workload import ENTITIES, Workload, producer, send_backlog
from feature_platform.broker.sender import ensure_topic
from feature_platform.clock import SystemClock
from feature_platform.deploy.control import stop
from feature_platform.deploy.wait import wait
from feature_platform.engines.flink_metrics import job_metrics
from feature_platform.engines.job_spec import JobSpec
from feature_platform.engines.world import World, open_world
from feature_platform.serving.client import FeatureClient
from feature_platform.serving.opened import open_client
from feature_platform.settings import Settings
from feature_platform.testing.submitter import EditedSubmitter

ENTITIES_A_REQUEST = 50
PERIOD_S = 0.05
BACKLOG_RATE = 40_000
QUIET_S = 20.0
METRICS_LAG_S = 11.0
"""The question makes Flink fetch what the next answer tells."""
P99_GOAL = 100
"""With the bound, in percent of without: not worse."""
RATE_GOAL = 80
"""Of the job, with the bound, in percent of without."""


@dataclass(slots=True)
class Phase:
    """What was measured under one condition. Mutable: rounds are added to it."""

    requests_ms: list[float] = field(default_factory=list)
    seconds: float = 0.0
    events: int = 0
    reads: int = 0
    limits: list[int] = field(default_factory=list)
    latencies_ms: list[float] = field(default_factory=list)

    def percentile(self, rank: float) -> float:
        """Return a percentile of the requests."""
        return float(np.percentile(self.requests_ms, rank))


def forgetting(spec: JobSpec) -> JobSpec:
    """Let state end at once: what was not touched since the last barrier is read back."""
    settings = replace(spec.job.settings, state_ttl_ms=1)
    return replace(spec, job=replace(spec.job, settings=settings))


class Ranker:
    """Reads features in a steady loop, in a thread of its own. Mutable."""

    def __init__(self, client: FeatureClient, posts: int) -> None:
        """Ask for all features of random posts."""
        self._prepared = client.prepare(featureset=NAME)
        self._random = np.random.default_rng(3)
        self._posts = posts
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._loop)
        self.requests: list[tuple[int, float]] = []
        """When each began, and how many milliseconds it took."""

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._ended.set()
        self._thread.join()

    def between(self, start_ms: int, end_ms: int) -> list[float]:
        """Return how long requests of a time took."""
        return [took for began, took in self.requests if start_ms <= began < end_ms]

    def _loop(self) -> None:
        clock = SystemClock()
        while not self._ended.is_set():
            posts = self._random.integers(1, self._posts, ENTITIES_A_REQUEST)
            began_ms, began = clock.now_ms(), time.perf_counter()
            self._prepared.get(posts.tolist())
            took = time.perf_counter() - began
            self.requests.append((began_ms, took * 1000))
            self._ended.wait(max(0.0, PERIOD_S - took))


class Bench:
    """Rounds on servers that stay up."""

    def __init__(self, settings: Settings, world: World, client: FeatureClient) -> None:
        """Create the topic."""
        self._settings, self._client = settings, client
        self._world = replace(world, submitter=EditedSubmitter(world.submitter, forgetting))
        self._workload = Workload(seed=1, exponent=0)
        self._producer = producer(settings.kafka.bootstrap)
        ensure_topic(settings.kafka, TOPIC)

    def fill(self, events: int) -> None:
        """Make the rows that are read later; the servers are warm afterwards."""
        self._send(events)
        deploy(self._settings, self._world)
        wait(self._world, NAME, timeout_s=PATIENCE_S)
        stop(self._world, NAME)

    def quiet(self) -> Phase:
        """Read while no job runs."""
        say("reading while no job runs")
        with self._ranker() as ranker:
            time.sleep(QUIET_S)
        return Phase(requests_ms=[took for _, took in ranker.requests], seconds=QUIET_S)

    def round(self, phase: Phase, events: int, target_ms: int) -> None:
        """Let a job drain a backlog while rankers read."""
        self._send(events)
        say(f"draining {events:,} events, read_latency_target_ms = {target_ms}")
        store = self._world.settings.store.model_copy(update={"read_latency_target_ms": target_ms})
        settings = self._world.settings.model_copy(update={"store": store})
        world = replace(self._world, settings=settings)
        with self._ranker() as ranker:
            snapshot = deploy(settings, world)
            cut = wait(world, NAME, timeout_s=PATIENCE_S)
        claimed_ms = world.registry.attempts(NAME, snapshot.generation)[-1].claimed_ms
        phase.requests_ms += ranker.between(claimed_ms, cut.recorded_ms)
        phase.seconds += (cut.recorded_ms - claimed_ms) / 1000
        phase.events += events
        job_metrics(world.cluster, snapshot.job_id)
        time.sleep(METRICS_LAG_S)
        told = job_metrics(world.cluster, snapshot.job_id)
        phase.reads += told.whole("state_misses") or 0
        phase.limits.append(told.whole("reads_in_flight_limit") or 0)
        phase.latencies_ms.append(told.values.get("read_latency_ms", 0.0))
        stop(world, NAME)

    def check(self) -> None:
        """Compare with the recount: what was measured must have been right."""
        check(self._settings, self._workload)

    def _send(self, events: int) -> None:
        now_ms = SystemClock().now_ms()
        send_backlog(
            self._producer, TOPIC, self._workload, events, rate=BACKLOG_RATE, now_ms=now_ms
        )

    def _ranker(self) -> Ranker:
        return Ranker(self._client, posts=ENTITIES)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=400_000, help="events of a round")
    parser.add_argument("--rounds", type=int, default=2, help="rounds with and without")
    parser.add_argument("--target-ms", type=int, default=0, help="another target than the default")
    options = parser.parse_args()
    with (
        stack() as settings,
        open_world(settings) as world,
        open_client(settings) as client,
    ):
        target_ms = options.target_ms or settings.store.read_latency_target_ms
        bench = Bench(settings, world, client)
        bench.fill(options.events)
        phases = {"no job": bench.quiet(), "without the bound": Phase(), "with the bound": Phase()}
        for _ in range(options.rounds):
            bench.round(phases["without the bound"], options.events, 0)
            bench.round(phases["with the bound"], options.events, target_ms)
        bench.check()
        _report(phases, settings, target_ms)


def _report(phases: Mapping[str, Phase], settings: Settings, target_ms: int) -> None:
    date = f"{datetime.now(UTC):%Y-%m-%d}"
    lines = [f"# Isolation benchmark, {date}", _conditions(settings, target_ms), *_table(phases)]
    text = "\n".join([*lines, ""])
    (HERE / "results" / f"{date}-isolation.md").write_text(text)
    print(text)
    free, bound = phases["without the bound"], phases["with the bound"]
    p99 = 100 * bound.percentile(99) / free.percentile(99)
    rate = 100 * (bound.events / bound.seconds) / (free.events / free.seconds)
    goals = [
        goal("service p99 with the bound, % of without", p99, P99_GOAL, at_most=True),
        goal("job events/s with the bound, % of without", rate, RATE_GOAL),
    ]
    print(json.dumps({"goals": goals}))


def _conditions(settings: Settings, target_ms: int) -> str:
    store = settings.store
    return f"""
{psutil.cpu_count()} cores for all servers, the job and the ranker; \
load average at the end {psutil.getloadavg()[1]:.1f} (5 minutes).
A ranker asks for all 25 features of {ENTITIES_A_REQUEST} random posts \
every {PERIOD_S * 1000:.0f} ms.
Meanwhile a job without state drains a backlog, spread evenly over {ENTITIES:,} posts, \
and reads back every post that it meets.
Without the bound it has up to {store.reads_in_flight_max} reads in flight; \
with it, {store.reads_in_flight_min} to {store.reads_in_flight_max}, \
stepping back above {target_ms} ms.
Rounds with and without take turns; requests count from the job's claim to the cut that holds all.
"""


def _table(phases: Mapping[str, Phase]) -> list[str]:
    figures: dict[str, Callable[[Phase], str]] = {
        "requests": lambda phase: f"{len(phase.requests_ms):,}",
        "p50 ms": lambda phase: f"{phase.percentile(50):.1f}",
        "p90 ms": lambda phase: f"{phase.percentile(90):.1f}",
        "p99 ms": lambda phase: f"{phase.percentile(99):.1f}",
        "slowest ms": lambda phase: f"{max(phase.requests_ms):.1f}",
        "events/s of the job": lambda phase: f"{phase.events / phase.seconds:,.0f}",
        "entities read back/s": lambda phase: f"{phase.reads / phase.seconds:,.0f}",
        "reads in flight allowed at the end": lambda phase: ", ".join(map(str, phase.limits)),
        "latency of the job's reads at the end, ms": lambda phase: ", ".join(
            f"{latency:.0f}" for latency in phase.latencies_ms
        ),
    }
    return markdown(phases, figures)


if __name__ == "__main__":
    main()
