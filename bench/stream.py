"""How fast is the whole job: a backlog drained, then a live load, on real servers on this machine.

Results are checked against a recount before any figure is printed. Writes a table to
`bench/results/<date>-stream.md`; the last line printed is one JSON object with the goals.
"""

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from bench.measure import Usage, difference, thread_cpu_s, usage
from bench.rig import NAME, PATIENCE_S, TOPIC, check, deploy, goal, markdown, say, stack
from bench.workload import Workload, producer, send_backlog, send_live
from feature_platform.broker.sender import ensure_topic
from feature_platform.clock import SystemClock
from feature_platform.deploy.control import deployed_snapshot, stop
from feature_platform.deploy.wait import wait
from feature_platform.engines.flink_metrics import How
from feature_platform.engines.world import World, open_world
from feature_platform.local.process import Processes
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.base import Cut
from feature_platform.settings import Settings

HERE = Path(__file__).parent
SERVERS = ("kafka", "cassandra", "flink-jobmanager", "flink-taskmanager")
BACKLOG_GOAL = 100_000
LIVE_GOAL = 40_000
THREADS_SHOWN = 12
METRICS_LAG_S = 11.0
WRITTEN: Mapping[str, How] = {"written_rows": "sum", "written_bytes": "sum"}
KEPT_UP_S = 6.0
"""A checkpoint that is asked for, and its flush."""
CONDITIONS = f"""
{psutil.cpu_count()} cores for all servers and the producer, \
{psutil.virtual_memory().total / 2**30:.0f} GiB; \
Flink {version("apache-flink")}, Kafka 4.1.0, Cassandra 5.0.6.
One slot, Zipf 1.1 over 200,000 entities, 5 counters, 4 windows and lifetime, \
events of about 85 bytes, flush every second, checkpoint every 30 s.
A backlog is what an outage at the live rate leaves behind, \
timed from the job's claim of its attempt to the cut that holds all of it.
Cold start: fresh servers, no entity known.
Live: at a fixed rate.
Backlog: the job was stopped with a savepoint, events went on, and it starts again.
"""


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
        self._written_before = Counter[str]()
        self.restart()

    def restart(self) -> None:
        """Begin a phase now."""
        self._before = self._read()

    def phase(self, events: int, started_ms: int, cut: Cut, snapshot: Snapshot) -> Phase:
        """Return what was used since the phase began; its last write is in the cut."""
        used, threads = self._read()
        before, threads_before = self._before
        rows, row_bytes = self._written(snapshot.job_id)
        return Phase(
            events=events,
            seconds=(cut.recorded_ms - started_ms) / 1000,
            rows=rows,
            row_bytes=row_bytes,
            used={
                name: Usage(cpu_s=item.cpu_s - before[name].cpu_s, peak_bytes=item.peak_bytes)
                for name, item in used.items()
            },
            threads=difference(threads, threads_before),
        )

    def _read(self) -> tuple[dict[str, Usage], dict[str, float]]:
        used = {name: usage(pid) for name, pid in self._pids.items()}
        return used, thread_cpu_s(_java(self._pids["flink-taskmanager"]))

    def _written(self, job: str) -> tuple[int, int]:
        """Return rows and bytes that a job has written since it was last asked."""
        self._world.cluster.metrics(job, "kernel", WRITTEN)
        time.sleep(METRICS_LAG_S)  # The question makes Flink fetch what the next answer tells.
        found = self._world.cluster.metrics(job, "kernel", WRITTEN)
        now = Counter({f"{job} {name}": int(value) for name, value in found.items()})
        rows, row_bytes = (
            now[f"{job} {name}"] - self._written_before[f"{job} {name}"] for name in WRITTEN
        )
        self._written_before |= now
        return rows, row_bytes


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backlog", type=int, default=6_000_000, help="events of a backlog")
    parser.add_argument("--live-seconds", type=int, default=60, help="length of the live phase")
    options = parser.parse_args()
    with stack() as settings, open_world(settings) as world:
        bench = Bench(settings, world)
        cold = bench.backlog(options.backlog // 2)
        live, reached = bench.live(options.live_seconds)
        stop(world, NAME)
        warm = bench.backlog(options.backlog)
    _report({"cold start": cold, "live": live, "backlog": warm}, reached)


class Bench:
    """The phases, on servers that stay up; every phase ends with a check against the recount."""

    def __init__(self, settings: Settings, world: World) -> None:
        """Create the topic."""
        self._settings, self._world = settings, world
        self._workload, self._client = Workload(seed=1), producer(settings.kafka.bootstrap)
        self._meter = Meter(settings, world)
        ensure_topic(settings.kafka, TOPIC)

    def backlog(self, events: int) -> Phase:
        """Send what an outage leaves behind, then start the job and drain it."""
        say(f"producing a backlog of {events:,} events, then draining it")
        now_ms = SystemClock().now_ms()
        send_backlog(self._client, TOPIC, self._workload, events, rate=LIVE_GOAL, now_ms=now_ms)
        self._meter.restart()
        snapshot = deploy(self._settings, self._world)
        cut = wait(self._world, NAME, timeout_s=PATIENCE_S)
        attempts = self._world.registry.attempts(NAME, snapshot.generation)
        return self._checked(events, attempts[-1].claimed_ms, cut, snapshot)

    def live(self, seconds: int) -> tuple[Phase, float]:
        """Send events of the present at a fixed rate; also return the rate reached."""
        say(f"sending {LIVE_GOAL:,} events/s for {seconds} s")
        snapshot = deployed_snapshot(self._world, NAME)
        self._meter.restart()
        started_ms = SystemClock().now_ms()
        reached = send_live(self._client, TOPIC, self._workload, LIVE_GOAL, seconds)
        cut = wait(self._world, NAME, timeout_s=PATIENCE_S)
        return self._checked(LIVE_GOAL * seconds, started_ms, cut, snapshot), reached

    def _checked(self, events: int, started_ms: int, cut: Cut, snapshot: Snapshot) -> Phase:
        phase = self._meter.phase(events, started_ms, cut, snapshot)
        say(f"took {phase.seconds:.1f} s")
        check(self._settings, self._workload)
        return phase


def _java(pid: int) -> int:
    """Return the Java process behind a start script."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return next(member.pid for member in family if member.name() == "java")


def _report(phases: Mapping[str, Phase], reached: float) -> None:
    date = f"{datetime.now(UTC):%Y-%m-%d}"
    lines = [f"# Stream benchmark, {date}", CONDITIONS, *_table(phases), ""]
    lines += ["CPU seconds of the task manager by what its threads do:", "", *_threads(phases), ""]
    text = "\n".join(lines)
    (HERE / "results" / f"{date}-stream.md").write_text(text)
    print(text)
    backlog, live = phases["backlog"], phases["live"]
    goals: list[dict[str, Any]] = [
        goal("backlog events/s", backlog.events / backlog.seconds, BACKLOG_GOAL),
        goal("live events/s sent and kept up with", _kept_up(live, reached), LIVE_GOAL),
    ]
    print(json.dumps({"goals": goals}))


def _kept_up(live: Phase, reached: float) -> float:
    """Return the rate sent if the last event was in a cut soon after, else the rate counted."""
    late_s = live.seconds - live.events / reached
    return reached if late_s < KEPT_UP_S else live.events / live.seconds


def _table(phases: Mapping[str, Phase]) -> list[str]:
    figures: dict[str, Callable[[Phase], str]] = {
        "events": lambda phase: f"{phase.events:,}",
        "seconds": lambda phase: f"{phase.seconds:.1f}",
        "events/s": lambda phase: f"{phase.events / phase.seconds:,.0f}",
        "events per CPU second, all servers": lambda phase: f"{phase.events / phase.cpu_s:,.0f}",
        "cores busy with it": lambda phase: f"{phase.cpu_s / phase.seconds:.2f}",
        "rows written/s": lambda phase: f"{phase.rows / phase.seconds:,.0f}",
        "rows per event": lambda phase: f"{phase.rows / phase.events:.3f}",
        "bytes per row": lambda phase: f"{phase.row_bytes / max(1, phase.rows):.0f}",
    }
    for name in SERVERS:
        figures[f"CPU s {name}"] = partial(_cpu, name)
        figures[f"peak MiB {name}"] = partial(_peak, name)
    return markdown(phases, figures)


def _cpu(server: str, phase: Phase) -> str:
    return f"{phase.used[server].cpu_s:.1f}"


def _peak(server: str, phase: Phase) -> str:
    return f"{phase.used[server].peak_bytes / 2**20:,.0f}"


def _threads(phases: Mapping[str, Phase]) -> list[str]:
    threads = phases["backlog"].threads
    largest = sorted(threads, key=lambda item: -threads[item])[:THREADS_SHOWN]
    return markdown(phases, {name: partial(_thread_cpu, name) for name in largest})


def _thread_cpu(group: str, phase: Phase) -> str:
    return f"{phase.threads.get(group, 0.0):.1f}"


if __name__ == "__main__":
    main()
