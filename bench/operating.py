"""What it costs to look after the platform: status, the sensor's tick, a rollback, a check.

Three questions, on servers that stay up. How long does it take to see how everything is doing,
with 20 feature sets, 2 GB of dead letters, and a server that does not answer? Is a rollback as
quick as the upgrade that it undoes? What does a check of 1.66 million events cost, in this build
and in others (`--build NAME=CHECKOUT`), run in turns? Writes a table to
`bench/results/<date>-operating.md`; the last line printed is one JSON object with the goals.
"""

import argparse
import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psutil

from bench.rig import HERE, NAME, TOPIC, goal, say, with_new_column
from bench.timed import CHECKOUT, Figure, Project, middle, project
from bench.workload import Workload, producer, send, send_batch
from feature_platform.clock import SystemClock
from feature_platform.orchestration.resources import Platform
from feature_platform.plan.job import dead_letter_topic
from feature_platform.settings import Settings

THIS = "this build"
FEATURE_SETS = 20
LETTERS, LETTER_BYTES = 100_000, 20_000
CHECKED_EVENTS, CHECKED_ENTITIES = 1_660_000, 4_000
SPAN_MS = 2 * 86_400_000
ROUNDS = 5
CHECKS = 3
STATUS_S_AIM, FROZEN_S_AIM, TICK_S_AIM = 1.5, 3.0, 1.0
FLINK = """[flink]
slots = 24
task_manager_memory = "6g"
"""
CONDITIONS = """
{cores} cores for all servers, {memory} GiB. Medians.
Status and tick: {sets} feature sets with a running job each, {letters:,} dead letters of \
{letter_bytes:,} bytes in one topic. `fp status` is timed as a process of its own, its start \
included; a frozen server was sent SIGSTOP. The tick is what the sensor `jobs` asks for.
Rollback: `fp apply` of a version with one more column, then `fp rollback`, as processes.
Check: {events:,} events of {entities:,} entities over two days, archived, all entities compared; \
builds in turns.
"""


def looking() -> list[Figure]:
    """Time `fp status` and the tick with many feature sets, and with a server that is frozen."""
    with project(CHECKOUT, FLINK) as made:
        _many_feature_sets(made)
        _send_letters(made.settings)
        figures = [middle("fp status", [made.fp("status") for _ in range(ROUNDS)])]
        figures += [_frozen(made, server) for server in ("cassandra", "kafka", "flink")]
        platform = Platform(project=str(made.settings.project))
        ticks = [_timed("tick", lambda: _tick(platform)) for _ in range(ROUNDS)]
        return [*figures, middle("tick of the sensor jobs", ticks)]


def _many_feature_sets(made: Project) -> None:
    """Deploy the feature set, and as many under other names as are wanted in all."""
    folder = made.settings.featuresets
    text = (folder / f"{NAME}.yaml").read_text()
    for number in range(1, FEATURE_SETS):
        name = f"{NAME}_{number:02}"
        (folder / f"{name}.yaml").write_text(
            text.replace(f"featureset: {NAME}", f"featureset: {name}")
        )
    say(f"deploying {FEATURE_SETS} feature sets")
    made.fp("apply", "--yes")
    _send(made.settings, Workload(1, entities=1_000), 20_000)
    made.fp("wait", NAME)


def _send(settings: Settings, workload: Workload, count: int) -> None:
    client = producer(settings.kafka.bootstrap)
    now_ms = SystemClock().now_ms()
    times = np.linspace(now_ms - SPAN_MS, now_ms, count).astype(np.int64)
    send_batch(client, TOPIC, workload.draw(count), times)


def _send_letters(settings: Settings) -> None:
    say(f"{LETTERS:,} dead letters of {LETTER_BYTES:,} bytes")
    client = producer(settings.kafka.bootstrap)
    noise = np.random.default_rng(3).bytes(LETTER_BYTES)
    send(client, dead_letter_topic(TOPIC), [noise] * LETTERS)
    client.flush()


def _frozen(made: Project, server: str) -> Figure:
    """Time `fp status` while a server's process is stopped."""
    pids = _pids(made, server)
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        return middle(
            f"fp status, {server} frozen", [made.fp("status", codes=(1,)) for _ in range(ROUNDS)]
        )
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        _until_healthy(made)


def _pids(made: Project, server: str) -> list[int]:
    """Return the processes of a server, by the folder that their command lines name."""
    folder = str(made.settings.data / server)
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if any(folder in word for word in process.info["cmdline"] or ())
        and "java" in (process.info["cmdline"] or [""])[0]
    ]


def _until_healthy(made: Project) -> None:
    for _ in range(60):
        try:
            made.fp("status")
        except SystemExit:
            time.sleep(2)
        else:
            return
    made.fp("status")


def _tick(platform: Platform) -> None:
    healths = platform.observe(lambda _: None)
    states = {health.state for health in healths}
    if len(healths) != FEATURE_SETS or states != {"running"}:
        msg = f"the tick saw {len(healths)} feature sets, {sorted(states)}: no figure counts"
        raise SystemExit(msg)


def going_back() -> list[Figure]:
    """Time an upgrade and the rollback that undoes it."""
    with project(CHECKOUT, FLINK) as made:
        made.fp("apply", "--yes")
        _send(made.settings, Workload(1, entities=1_000), 20_000)
        made.fp("wait", NAME)
        path = made.settings.featuresets / f"{NAME}.yaml"
        before = path.read_text()
        after = with_new_column(before)
        upgrades, rollbacks = list[Figure](), list[Figure]()
        for _ in range(CHECKS):
            path.write_text(after)
            upgrades.append(made.fp("apply", "--yes"))
            made.fp("wait", NAME)
            rollbacks.append(made.fp("rollback", NAME, "--yes"))
            path.write_text(before)
            made.fp("wait", NAME)
        return [middle("upgrade", upgrades), middle("rollback", rollbacks)]


def checking(builds: Mapping[str, Path]) -> list[Figure]:
    """Time a check of the same events in several builds, in turns."""
    with contextlib.ExitStack() as stack:
        projects = {
            name: stack.enter_context(project(checkout, FLINK)) for name, checkout in builds.items()
        }
        for name, made in projects.items():
            say(f"{CHECKED_EVENTS:,} events for {name}")
            made.fp("apply", "--yes")
            _send(made.settings, Workload(1, entities=CHECKED_ENTITIES), CHECKED_EVENTS)
            made.fp("wait", NAME, "--timeout", "3000")
            made.fp("archive", TOPIC)
        found: dict[str, list[Figure]] = {name: [] for name in projects}
        for _ in range(CHECKS):
            for name, made in projects.items():
                say(f"a check with {name}")
                found[name].append(made.fp("check", NAME, "--sample", "100%"))
        return [middle(f"check, {name}", figures) for name, figures in found.items()]


def _timed(name: str, work: Callable[[], None]) -> Figure:
    started, used = time.monotonic(), time.process_time()
    work()
    return Figure(name=name, seconds=time.monotonic() - started, cpu_s=time.process_time() - used)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("looking", "going_back", "checking"), action="append")
    parser.add_argument(
        "--build",
        action="append",
        default=[],
        metavar="NAME=CHECKOUT",
        help="also time the check of another build, set up in its checkout",
    )
    options = parser.parse_args()
    others = dict(text.split("=", 1) for text in options.build)
    builds = {THIS: CHECKOUT} | {name: Path(path).resolve() for name, path in others.items()}
    phases: dict[str, Callable[[], list[Figure]]] = {
        "looking": looking,
        "going_back": going_back,
        "checking": lambda: checking(builds),
    }
    figures = [
        figure
        for name, phase in phases.items()
        if not options.only or name in options.only
        for figure in phase()
    ]
    _report(figures)


def _report(figures: Sequence[Figure]) -> None:
    date = f"{datetime.now(UTC):%Y-%m-%d}"
    conditions = CONDITIONS.format(
        cores=psutil.cpu_count(),
        memory=psutil.virtual_memory().total // 2**30,
        sets=FEATURE_SETS,
        letters=LETTERS,
        letter_bytes=LETTER_BYTES,
        events=CHECKED_EVENTS,
        entities=CHECKED_ENTITIES,
    )
    rows = [
        f"| {item.name} | {item.seconds:,.2f} s | {item.cpu_s:,.2f} s | "
        f"{(item.peak_bytes or 0) / 2**20:,.0f} MiB |"
        for item in figures
    ]
    head = ["| | time | CPU of the process | its peak memory |", "|---|---|---|---|"]
    text = "\n".join([f"# Operating benchmark, {date}", conditions, *head, *rows, ""])
    (HERE / "results" / f"{date}-operating.md").write_text(text)
    print(text)
    print(json.dumps({"goals": _goals({item.name: item.seconds for item in figures})}))


def _goals(seconds: Mapping[str, float]) -> list[Mapping[str, object]]:
    aims = {"fp status": STATUS_S_AIM, "tick of the sensor jobs": TICK_S_AIM}
    goals: list[Mapping[str, object]] = [
        goal(f"{name}, seconds", seconds[name], aim, at_most=True, digits=2)
        for name, aim in aims.items()
        if name in seconds
    ]
    goals += [
        goal(f"{name}, seconds", value, FROZEN_S_AIM, at_most=True, digits=2)
        for name, value in seconds.items()
        if name.endswith(" frozen")
    ]
    if "rollback" in seconds:
        share = seconds["rollback"] / seconds["upgrade"]
        goals.append(goal("rollback of upgrade", share, 1.0, at_most=True, digits=2))
    for name, value in seconds.items():
        if name.startswith("check, ") and name != f"check, {THIS}":
            share = seconds[f"check, {THIS}"] / value
            goals.append(goal(f"check of that in {name[7:]}", share, 0.5, at_most=True, digits=2))
    return goals


if __name__ == "__main__":
    main()
