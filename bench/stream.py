"""How fast is the whole job: a backlog drained, then a live load, on real servers on this machine.

Results are checked against a recount before any figure is printed. Writes a table to
`bench/results/<date>-stream.md`; the last line printed is one JSON object with the goals.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from measure import Usage, difference, thread_cpu_s, usage
from workload import Workload, producer, send_backlog, send_live

from feature_platform.broker.sender import ensure_topic
from feature_platform.cli.reading import open_store
from feature_platform.clock import SystemClock
from feature_platform.definition.loading import load_project
from feature_platform.deploy.apply import apply, make_plans
from feature_platform.deploy.wait import wait
from feature_platform.deploy.world import World, open_world
from feature_platform.local.jars import build_kernel
from feature_platform.local.java import find_java_home
from feature_platform.local.ports import with_free_ports
from feature_platform.local.process import Processes
from feature_platform.local.stack import Stack
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.base import Cut
from feature_platform.serving import FeatureClient
from feature_platform.settings import Settings, load_settings

HERE = Path(__file__).parent
NAME = "post_engagement"
TOPIC = "post_events"
SERVERS = ("kafka", "cassandra", "flink-jobmanager", "flink-taskmanager")
BACKLOG_GOAL = 100_000
LIVE_GOAL = 40_000
SAMPLE = 5_000
PATIENCE_S = 900.0
THREADS_SHOWN = 12
METRICS_LAG_S = 11.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """What one phase took."""

    events: int
    seconds: float
    rows: int
    row_bytes: int
    used: Mapping[str, Usage]
    threads: Mapping[str, float]

    @property
    def cpu_s(self) -> float:
        """CPU seconds of all servers together."""
        return sum(server.cpu_s for server in self.used.values())


class Meter:
    """Reads what the servers use; the figures of a phase are differences of two readings."""

    def __init__(self, settings: Settings, world: World) -> None:
        """Find the servers' processes, and begin the first phase."""
        processes = Processes(settings.data)
        found = {name: processes.find(name) for name in SERVERS}
        self._pids = {name: process.pid for name, process in found.items() if process}
        self._world = world
        self._rows = self._bytes = 0
        self.restart()

    def restart(self) -> None:
        """Begin a phase now."""
        self._before = self._read()

    def phase(self, events: int, start_ms: int, cut: Cut, job: str) -> Phase:
        """Return what was used since the phase began; its last write is in the cut."""
        used, threads = self._read()
        before, threads_before = self._before
        self._written(job, "rows")
        time.sleep(METRICS_LAG_S)  # The question makes Flink fetch what the next answer tells.
        rows, row_bytes = self._written(job, "rows"), self._written(job, "bytes")
        phase = Phase(
            events=events,
            seconds=(cut.recorded_ms - start_ms) / 1000,
            rows=rows - self._rows,
            row_bytes=row_bytes - self._bytes,
            used={
                name: Usage(cpu_s=item.cpu_s - before[name].cpu_s, peak_bytes=item.peak_bytes)
                for name, item in used.items()
            },
            threads=difference(threads, threads_before),
        )
        self._rows, self._bytes = rows, row_bytes
        return phase

    def _read(self) -> tuple[dict[str, Usage], dict[str, float]]:
        used = {name: usage(pid) for name, pid in self._pids.items()}
        return used, thread_cpu_s(_java(self._pids["flink-taskmanager"]))

    def _written(self, job: str, what: str) -> int:
        return self._world.cluster.counter(job, "kernel", f"kernel.written_{what}")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backlog", type=int, default=6_000_000, help="events of the backlog")
    parser.add_argument("--live-seconds", type=int, default=60, help="length of the live phase")
    options = parser.parse_args()
    with _stack() as settings, open_world(settings) as world:
        backlog, live, reached = _run(settings, world, options.backlog, options.live_seconds)
    _report(backlog, live, reached)


def _run(
    settings: Settings, world: World, events: int, live_seconds: int
) -> tuple[Phase, Phase, float]:
    workload, client = Workload(seed=1), producer(settings.kafka.bootstrap)
    ensure_topic(settings.kafka, TOPIC)
    _say(f"producing a backlog of {events:,} events")
    now_ms = SystemClock().now_ms()
    send_backlog(client, TOPIC, workload, events, rate=LIVE_GOAL, now_ms=now_ms)
    _say("draining it")
    meter = Meter(settings, world)
    snapshot = _deploy(settings, world)
    cut = wait(world, NAME, timeout_s=PATIENCE_S)
    started_ms = world.registry.attempts(NAME, snapshot.generation)[-1].claimed_ms
    backlog = meter.phase(events, started_ms, cut, snapshot.job_id)
    _check(settings, workload)
    _say(f"drained in {backlog.seconds:.1f} s; now {LIVE_GOAL:,} events/s for {live_seconds} s")
    meter.restart()
    started_ms = SystemClock().now_ms()
    reached = send_live(client, TOPIC, workload, LIVE_GOAL, live_seconds)
    cut = wait(world, NAME, timeout_s=PATIENCE_S)
    live = meter.phase(LIVE_GOAL * live_seconds, started_ms, cut, snapshot.job_id)
    _check(settings, workload)
    return backlog, live, reached


@contextmanager
def _stack() -> Iterator[Settings]:
    """Start the servers in a folder of their own, with free ports."""
    with tempfile.TemporaryDirectory(prefix="fp-bench-") as folder:
        shutil.copytree(HERE / "project", folder, dirs_exist_ok=True)
        settings = with_free_ports(load_settings(Path(folder), {}))
        build_kernel(settings, find_java_home())
        _say("starting Kafka, Cassandra and Flink")
        with Stack(settings, servers=("kafka", "cassandra", "flink")):
            yield settings


def _deploy(settings: Settings, world: World) -> Snapshot:
    project = load_project(settings.featuresets).checked()
    (outcome,) = apply(world, make_plans(world, project, [NAME]))
    if outcome.error or outcome.snapshot is None:
        raise SystemExit(str(outcome.error))
    return outcome.snapshot


def _check(settings: Settings, workload: Workload) -> None:
    """Compare lifetime values of a sample of entities, the most frequent ones included."""
    expected = workload.recount()
    seen = np.flatnonzero(expected["longest_watch_ms"] >= 0)
    rest = np.random.default_rng(2).choice(seen, size=min(SAMPLE, len(seen)), replace=False)
    posts = sorted({*seen[:100].tolist(), *rest.tolist()})
    names = [f"{name}_lifetime" for name in expected]
    with open_store(settings) as (registry, tiles):
        client = FeatureClient(tiles, registry)
        matrix = client.prepare(names, featureset=NAME).get([str(post) for post in posts])
    wanted = np.stack([expected[name][posts] for name in expected], axis=1)
    if not np.array_equal(matrix.values, wanted):
        wrong = int((matrix.values != wanted).any(axis=1).sum())
        msg = f"{wrong} of {len(posts)} entities differ from the recount: no figure counts"
        raise SystemExit(msg)
    _say(f"{len(posts):,} entities equal the recount")


def _java(pid: int) -> int:
    """Return the Java process behind a start script."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return next(member.pid for member in family if member.name() == "java")


def _report(backlog: Phase, live: Phase, reached: float) -> None:
    rate = backlog.events / backlog.seconds
    text = "\n".join(
        [
            f"# Stream benchmark, {datetime.now(UTC):%Y-%m-%d}",
            "",
            _conditions(),
            "",
            *_table(backlog, live),
            "",
            "CPU seconds of the task manager by what its threads do:",
            "",
            *_threads(backlog, live),
            "",
        ]
    )
    path = HERE / "results" / f"{datetime.now(UTC):%Y-%m-%d}-stream.md"
    path.write_text(text)
    print(text)
    goals: list[dict[str, Any]] = [
        _goal("backlog events/s", rate, BACKLOG_GOAL),
        _goal("live events/s", min(reached, live.events / live.seconds), LIVE_GOAL * 0.95),
    ]
    print(json.dumps({"goals": goals}))


def _conditions() -> str:
    return (
        f"{psutil.cpu_count()} cores for all servers and the producer; "
        f"{psutil.virtual_memory().total / 2**30:.0f} GiB. "
        f"Flink {version('apache-flink')}, Kafka 4.1.0, Cassandra 5.0.6. "
        "One slot, Zipf 1.1 over 200,000 entities, 5 counters, 4 windows and lifetime, "
        "events of about 85 bytes, flush every second, checkpoint every 30 s. "
        "The backlog is what an outage at the live rate leaves behind; it is timed from the claim "
        "of the attempt to the cut that holds all of it, from a cold start of the job."
    )


def _goal(name: str, value: float, goal: float) -> dict[str, Any]:
    return {"name": name, "value": round(value), "goal": round(goal), "met": value >= goal}


def _table(backlog: Phase, live: Phase) -> list[str]:
    phases = (backlog, live)
    rows: list[tuple[str, list[str]]] = [
        ("events", [f"{phase.events:,}" for phase in phases]),
        ("seconds", [f"{phase.seconds:.1f}" for phase in phases]),
        ("events/s", [f"{phase.events / phase.seconds:,.0f}" for phase in phases]),
        ("events per CPU second, all servers", [f"{p.events / p.cpu_s:,.0f}" for p in phases]),
        ("rows written/s", [f"{phase.rows / phase.seconds:,.0f}" for phase in phases]),
        ("rows per event", [f"{phase.rows / phase.events:.3f}" for phase in phases]),
        ("bytes per row", [f"{phase.row_bytes / max(1, phase.rows):.0f}" for phase in phases]),
    ]
    rows += [
        (f"CPU s {name}", [f"{phase.used[name].cpu_s:.1f}" for phase in phases]) for name in SERVERS
    ]
    rows += [
        (f"peak MiB {name}", [f"{phase.used[name].peak_bytes / 2**20:,.0f}" for phase in phases])
        for name in SERVERS
    ]
    lines = ["| | backlog | live |", "|---|---|---|"]
    return lines + [f"| {name} | {cells[0]} | {cells[1]} |" for name, cells in rows]


def _threads(backlog: Phase, live: Phase) -> list[str]:
    largest = sorted(backlog.threads, key=lambda item: -backlog.threads[item])[:THREADS_SHOWN]
    return [
        "| threads | backlog | live |",
        "|---|---|---|",
        *(
            f"| {name} | {backlog.threads[name]:.1f} | {live.threads.get(name, 0.0):.1f} |"
            for name in largest
        ),
    ]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
