"""How fast features are served: by this build, an older one, a straightforward client, and Feast.

Rows of 25 counters over 4 windows are written into a Cassandra of the benchmark's own, as a job
would have written them; requests of 2,000 entities x 100 features are drawn by Zipf's law. Each
contestant is a process of its own, and does one request in turns with the others; its answers are
compared with a recount first. Further parts: latencies by size, hits, processes and door; rows that
a refresh reads; reads of the registry beside requests; decoding; kept bytes of the service.
`--build old=CHECKOUT` adds a build with an environment of its own; `--feast VENV` adds Feast, which
is installed there, with Debian's redis-server.

Each part may take a bounded time; one that fails is named, and its goals count as not measured. A
whole run writes its table and figures to `bench/results/<date>-serving.md` and `.json`; `--quick`
and `--only` print them. The last line printed is one JSON object with the goals.
"""

import argparse
import json
import platform
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import psutil

from bench.rig import HERE, say, table
from bench.serving_builds import builds
from bench.serving_goals import goal_lines, reached
from bench.serving_latency import library
from bench.serving_load import Load, check_rows, define
from bench.serving_parts import refreshes, registry, rows_decoded
from bench.serving_rig import make_feast, redis, rig
from bench.serving_run import QUICK, WHOLE, Figures, Part, Setting
from bench.serving_service import answers, service
from feature_platform.clock import SystemClock


class Task(NamedTuple):
    """A part of the benchmark."""

    work: Callable[[Setting, Part], None]
    title: str
    most_s: float


TASKS: Mapping[str, Task] = {
    "rows": Task(rows_decoded, "Decode and add one row of 100 counters", 60),
    "builds": Task(builds, "Requests of {size:,} entities x 100 features", 600),
    "answers": Task(answers, "gRPC from kept bytes", 120),
    "registry": Task(registry, "Warm requests beside reads of the registry", 90),
    "refreshes": Task(refreshes, "Refreshes of warm entities", 120),
    "library": Task(library, "Latencies through the library", 300),
    "service": Task(service, "Latencies through `fp serve`", 630),
}
"""What matters most is first."""
SEED = 7


def main() -> None:
    """Run the parts, write the table, print the goals."""
    options = _options()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that servers are stopped
    started = time.monotonic()
    with rig() as made, ExitStack() as exits:
        now_ms = SystemClock().now_ms()
        scale = QUICK if options.quick else WHOLE
        narrow = define(made.definitions, "bench", 25)
        broad = define(made.definitions, "bench_wide", 63)
        for each in (narrow, broad):
            check_rows(each, now_ms)
        say("rows and recount are what the oracle expects")
        others = dict(text.split("=", 1) for text in options.build)
        setting = Setting(
            rig=made,
            now_ms=now_ms,
            scale=scale,
            load=Load.draw(narrow, scale.entities, now_ms, SEED),
            wide=Load.draw(broad, scale.wide_entities, now_ms, SEED),
            builds={name: Path(path).resolve() for name, path in others.items()},
            feast=make_feast(options.feast.resolve()) if options.feast else "",
            redis_port=exits.enter_context(redis(made)) if options.feast else 0,
        )
        _write(setting)
        parts: dict[str, Part] = {}
        for name in options.only or TASKS:
            task = TASKS[name]
            part = parts[name] = Part(title=task.title.format(**asdict(scale)))
            said = f"{time.monotonic() - started:,.0f} s: {name}, at most {task.most_s:,.0f} s"
            say(said)

            def work(task: Task = task, part: Part = part) -> None:
                task.work(setting, part)

            setting.attempts.of(name, task.most_s, work)
        setting.versions["minutes"] = f"{(time.monotonic() - started) / 60:.1f}"
    _report(setting, parts, is_whole=not (options.only or options.quick))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=tuple(TASKS), action="append", help="this part alone")
    parser.add_argument("--quick", action="store_true", help="all in a small form, to see it work")
    parser.add_argument("--build", action="append", default=[], metavar="NAME=CHECKOUT")
    parser.add_argument("--feast", type=Path, metavar="VENV")
    return parser.parse_args()


def _write(setting: Setting) -> None:
    """Write the rows that the platform's builds read, and a feature list for each shape."""
    for load in (setting.load, setting.wide):
        lists = [each for _, each in setting.scale.shapes if setting.load_of(each) is load]
        setting.rig.deploy(load, setting.written, lists)


def _report(setting: Setting, parts: Mapping[str, Part], *, is_whole: bool) -> None:
    date = f"{datetime.now(UTC):%Y-%m-%d}"
    figures: Figures = {}
    for part in parts.values():
        figures |= part.figures
    goals = reached(figures, parts)
    text = [f"# Serving benchmark, {date}", "", _conditions(setting), ""]
    if setting.scale is QUICK:
        text += ["**A quick run: too few of everything. No figure here means anything.**", ""]
    text += goal_lines(goals, figures)
    if failures := setting.attempts.failures:
        text += ["Not measured:", "", *(f"* {' '.join(each.split())}" for each in failures), ""]
    for part in parts.values():
        text += [f"## {part.title}", "", *table(part.head, part.rows), ""] if part.rows else []
        text += [part.note, ""] if part.rows and part.note else []
    print("\n".join(text))
    if is_whole:
        path = HERE / "results" / f"{date}-serving.md"
        path.write_text("\n".join(text))
        kept = {"date": date, "goals": goals, "figures": figures}
        path.with_suffix(".json").write_text(json.dumps(kept, indent=1) + "\n")
    print(json.dumps({"goals": goals}))


def _conditions(setting: Setting) -> str:
    versions = dict(setting.versions)
    minutes = versions.pop("minutes")
    versions["Python"] = platform.python_version()
    said = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    return (
        f"{psutil.cpu_count()} cores for all servers and rankers, "
        f"{psutil.virtual_memory().total // 2**30} GiB; Cassandra beside them. All answers were "
        f"compared with a recount first. {minutes} minutes. {said}."
    )


if __name__ == "__main__":
    main()
