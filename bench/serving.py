"""How fast features are served: by this build, an older one, a straightforward client, and Feast.

Rows of 25 counters over 4 windows are written into a Cassandra of the benchmark's own, as a job
would have written them; requests of 2,000 entities x 100 features are drawn by Zipf's law. Each
contestant is a process of its own, and does one request in turns with the others; its answers are
compared with a recount first. Further parts: latencies by size, hits, processes and door; rows that
a refresh reads; reads of the registry beside requests; decoding. `--build old=CHECKOUT` adds a
build with an environment of its own; `--feast VENV` adds Feast, which is installed there, with
Debian's redis-server. Writes a table to `bench/results/<date>-serving.md`; the last line printed is
one JSON object with the goals.
"""

import argparse
import json
import platform
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from bench.rig import HERE, goal, say
from bench.serving_latency import (
    ANEW_RATE,
    HITS,
    KEEPS_BYTES,
    KEPT_RATE,
    SHAPES,
    library,
    service,
)
from bench.serving_load import Load, check_rows, define
from bench.serving_parts import (
    FEAST,
    SIZE,
    THIS,
    Figures,
    Part,
    Setting,
    builds,
    feast_spec,
    refreshes,
    registry,
    rows_decoded,
)
from bench.serving_rig import make_feast, redis, redis_version, rig, run_feast
from feature_platform.clock import SystemClock

PARTS: Mapping[str, Callable[[Setting], Part]] = {
    "builds": builds,
    "refreshes": refreshes,
    "registry": registry,
    "rows": rows_decoded,
    "library": library,
    "service": service,
}
OLD = "old"
"""The build that goals compare with, if it is among those of `--build`."""
WIDE_ENTITIES = 2_000
RUN_MINUTES = 120
"""Tiles that are asked for within this number of minutes are written."""
SEED = 7
TERMINATED = 143
"""The exit code of who was ended by SIGTERM."""
ENTITIES_MIN = 6 * SIZE
EACH_ENTITY = (
    "Python's work on each entity and column beside the adding up: keys, look-ups, gathering what "
    "is kept, 100 columns and their states, the matrix"
)
EACH_READ = "the driver, which makes Python objects of each row, and the decoding of what is read"
LIMITS = {
    "times less CPU than old, all cached": EACH_ENTITY,
    "CPU ms, all cached": EACH_ENTITY,
    "values a CPU second, times Feast's": EACH_ENTITY,
    "times less CPU than old, 95 % cached": f"{EACH_ENTITY}; then {EACH_READ}",
    "times less CPU than old, 80 % cached": EACH_READ,
    "times less CPU than old, nothing cached": EACH_READ,
    "decode and add a row of 100 counters, us": "the decoding of varints, one after the other",
    "rows read per refresh of a warm entity": "tiles that have left heads: each is a row",
    "p99 over a registry refresh, times": "the parsing of snapshots, which holds the interpreter",
    "cached bytes per byte of rows": "the objects of an entry, beside small rows",
    "gRPC from kept bytes, times anew": "gRPC itself, and the joining of 2,000 pieces"
    if KEEPS_BYTES
    else "this service, which keeps no bytes yet: both figures are of encoding anew",
    "1 x 250 from the store, p99 ms": "the client's work on each of 250 columns, also where all is "
    "cached; the line `one query` is the store's and the driver's part",
}
"""What limits a figure whose goal is missed."""


def main() -> None:
    """Run the parts, write the table, print the goals."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))  # so that servers are stopped
    now_ms = SystemClock().now_ms()
    others = dict(text.split("=", 1) for text in options.build)
    with rig() as made, ExitStack() as exits:
        narrow = define(made.definitions, "bench", 25)
        broad = define(made.definitions, "bench_wide", 63)
        for each in (narrow, broad):
            check_rows(each, now_ms)
        say("rows and recount are what the oracle expects")
        setting = Setting(
            rig=made,
            now_ms=now_ms,
            load=Load.draw(narrow, options.entities, now_ms, SEED),
            wide=Load.draw(broad, min(WIDE_ENTITIES, options.entities), now_ms, SEED),
            rounds=options.rounds,
            seconds=options.seconds,
            service_hits=options.service_hits,
            builds={name: Path(path).resolve() for name, path in others.items()},
            feast=make_feast(options.feast.resolve()) if options.feast else "",
            redis_port=exits.enter_context(redis(made)) if options.feast else 0,
        )
        _write(setting, options.only)
        parts = [PARTS[name](setting) for name in PARTS if name in options.only]
    _report(setting, parts)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entities", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=15, help="requests of each contestant")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each latency")
    parser.add_argument(
        "--service-hits",
        type=float,
        nargs="+",
        choices=HITS,
        default=[0.0, 0.95, 1.0],
        help="shares of cached entities in requests to fp serve: it is started for each",
    )
    parser.add_argument("--only", choices=tuple(PARTS), action="append")
    parser.add_argument("--build", action="append", default=[], metavar="NAME=CHECKOUT")
    parser.add_argument("--feast", type=Path, metavar="VENV")
    options = parser.parse_args()
    if options.entities < ENTITIES_MIN:
        parser.error(f"--entities must be {ENTITIES_MIN} or more: requests are of {SIZE:,}")
    options.only = options.only or list(PARTS)
    return options


def _write(setting: Setting, only: Sequence[str]) -> None:
    """Write what the chosen parts ask for."""
    keys = setting.load.keys(setting.now_ms, RUN_MINUTES)
    sizes = [features for _, features in SHAPES]
    most = len(setting.load.names)
    setting.rig.deploy(setting.load, keys, [each for each in sizes if each <= most])
    if {"library", "service"} & set(only):
        setting.rig.deploy(setting.wide, keys, [each for each in sizes if each > most])
    if "builds" not in only:
        return
    setting.rig.write_plain(setting.load, keys)
    if setting.feast:
        say("writing the values into Feast")
        entities = np.arange(setting.load.entities)
        values = setting.load.recount(entities, setting.now_ms)
        filled = {"entities": entities, "values": values}
        run_feast(setting.rig, setting.feast, feast_spec(setting), filled)
        setting.versions["redis-server"] = redis_version()


def _report(setting: Setting, parts: Sequence[Part]) -> None:
    date = f"{datetime.now(UTC):%Y-%m-%d}"
    figures: Figures = {}
    for part in parts:
        figures |= part.figures
    goals = _goals(figures)
    text = [
        f"# Serving benchmark, {date}",
        "",
        _conditions(setting),
        "",
        *_goal_lines(goals),
    ]
    for part in parts:
        text += [f"## {part.title}", "", *_table(part.head, part.rows), ""]
        text += [part.note, ""] if part.note else []
    (HERE / "results" / f"{date}-serving.md").write_text("\n".join(text))
    print("\n".join(text))
    print(json.dumps({"goals": goals}))


def _conditions(setting: Setting) -> str:
    versions = setting.versions | {"Python": platform.python_version()}
    said = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    return (
        f"{psutil.cpu_count()} cores for all servers and rankers, "
        f"{psutil.virtual_memory().total // 2**30} GiB; Cassandra beside them. All answers were "
        f"compared with a recount first. {said}."
    )


def _goals(figures: Figures) -> list[dict[str, Any]]:
    """Return the goals whose figures there are."""
    goals: list[dict[str, Any]] = []

    def add(name: str, value: float, aim: float, *, at_most: bool = False) -> None:
        goals.append(goal(name, value, aim, at_most=at_most, digits=3))

    for said, aim in (("all", 75.0), ("95 %", 15.0), ("80 %", 6.0), ("nothing", 4.0)):
        mine, theirs = figures.get(f"{THIS}, {said} cached"), figures.get(OLD)
        if mine and theirs:
            add(f"times less CPU than old, {said} cached", theirs / mine, aim)
    if warm := figures.get(f"{THIS}, all cached"):
        add("CPU ms, all cached", warm, 4.0, at_most=True)
        if feast := figures.get(FEAST):
            add("values a CPU second, times Feast's", feast / warm, 100.0)
    for name, aim in (
        ("decode and add a row of 100 counters, us", 0.35),
        ("rows read per refresh of a warm entity", 1.05),
        ("p99 over a registry refresh, times", 1.2),
        ("cached bytes per byte of rows", 2.0),
        ("1 x 250 from the store, p99 ms", 1.7),
    ):
        if name in figures:
            add(name, figures[name], aim, at_most=True)
    if anew := figures.get(ANEW_RATE):
        add("gRPC from kept bytes, times anew", figures[KEPT_RATE] / anew, 5.0)
    return goals


def _goal_lines(goals: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a table of the goals, and a sentence on each that is missed."""
    rows = [
        (each["name"], f"{each['value']:,}", f"{each['goal']:,}", "yes" if each["met"] else "no")
        for each in goals
    ]
    missed = [each["name"] for each in goals if not each["met"]]
    return [
        *_table(("goal", "figure", "aim", "met"), rows),
        "",
        *(f"* {name}: limited by {LIMITS[name]}." for name in missed),
        "" if missed else "All goals are met.",
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(row)} |" for row in (head, *rows)]
    return [lines[0], f"|{'---|' * len(head)}", *lines[1:]]


if __name__ == "__main__":
    main()
