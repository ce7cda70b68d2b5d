"""What looking inside costs: the log of commands, questions about it, `fp debug`, `fp preview`.

Four questions. What does the log cost a job, off, of some entities, of all? How fast is it loaded
and asked? How long does `fp debug` take of an entity with a hundred thousand events, and of an
ordinary one? How long does `fp preview`? The job's CPU is compared with that of the build before
the log (`--before CHECKOUT`), and of others (`--build NAME=CHECKOUT`), run in turns. Writes tables
to `bench/results/<date>-inside.md`; the last line printed is one JSON object with the goals.
"""

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil

from bench import inside_asked, inside_changelog, inside_job
from bench.inside_job import ALL, BEFORE, OFF, WATCHED, Contestant
from bench.rig import HERE, goal, table
from bench.workload import ENTITIES

SAME, WATCHED_AIM, ALL_AIM = 0.02, 1.02, 1.3
BUSY_S_AIM, ORDINARY_S_AIM, PREVIEW_S_AIM = 10.0, 3.0, 5.0
DRAWS, LOW, HIGH = 10_000, 2.5, 97.5
THREADS_SHOWN = 8
CONDITIONS = """
{cores} cores for all servers and the producers, {memory} GiB; load average {load:.1f} at the start.
Flink {flink}, Kafka 4.1.0, Cassandra 5.0.6, chdb {chdb}.
"""
ABOUT_JOB = """
{rounds} rounds, in each of which all have a turn, in another order. In a turn the job starts \
again from its savepoint, counts {warm:,} events, and then {events:,} at {rate:,}/s, which are \
measured. The events are the same for all: Zipf 1.1 over {entities:,} entities, 5 counters, \
4 windows and lifetime. The 100 watched entities are spread over all of them, the most frequent \
one included. Each has servers of its own; CPU seconds are those of its task manager.
Before anything was timed, {rows:,} rows were equal in all, byte for byte (of a build with another \
layout: every value of every tile); a tenth of the entities were compared again at the end, when \
{checked}.
"""
ABOUT_ASKED = """
Whole commands, as processes, their start included; medians of {rounds}. \
{events:,} events over two days are archived, {newest:,} more are only in Kafka. \
The busy entity has {busy:,} events, the ordinary one {ordinary:,}.
"""


@dataclass(slots=True, kw_only=True)
class Page:
    """What is written and told. Mutable: each part adds to it."""

    lines: list[str] = field(default_factory=list)
    goals: list[dict[str, Any]] = field(default_factory=list)


def job(page: Page, options: argparse.Namespace) -> None:
    """Measure what the log costs a job."""
    scale = inside_job.Scale(
        rounds=options.rounds, events=options.events, warm=options.warm, rate=options.rate
    )
    others = dict(text.split("=", 1) for text in options.build)
    if options.before:
        others[BEFORE] = options.before
    found = inside_job.measure(scale, {name: Path(at).resolve() for name, at in others.items()})
    about = ABOUT_JOB.format(
        rounds=scale.rounds,
        warm=scale.warm,
        events=scale.events,
        rate=scale.rate,
        entities=ENTITIES,
        rows=found.rows,
        checked=found.checked,
    )
    by_name = {each.name: each for each in found.contestants}
    against = by_name[BEFORE if options.before else OFF]
    page.lines += ["## A job's CPU", about, *_costs(found.contestants, against), ""]
    page.lines += ["CPU seconds of a turn by what threads do, means:", ""]
    page.lines += [*_threads(found.contestants), ""]
    page.goals += _job_goals(by_name, against)


def _ratios(each: Contestant, against: Contestant) -> list[float]:
    return [own.cpu_s / other.cpu_s for own, other in zip(each.turns, against.turns, strict=True)]


def _costs(contestants: Sequence[Contestant], against: Contestant) -> list[str]:
    rows = []
    for each in contestants:
        ratios = _ratios(each, against)
        low, high = likely(ratios)
        rows.append(
            (
                each.name,
                f"{median(turn.cpu_s for turn in each.turns):.2f}",
                f"{median(ratios):.3f}",
                f"{low:.3f} - {high:.3f}",
                f"{min(ratios):.3f} - {max(ratios):.3f}",
                f"{each.peak_bytes / 2**20:,.0f}",
            )
        )
    head = (
        "",
        "CPU s of a turn, median",
        f"of that of {against.name}, median of pairs",
        "where that median is, 95 %",
        "lowest and highest pair",
        "peak MiB",
    )
    return table(head, rows)


def likely(values: Sequence[float]) -> tuple[float, float]:
    """Return between what 95 % of the medians are, of draws from the values with replacement."""
    drawn = np.random.default_rng(1).choice(values, (DRAWS, len(values)))
    low, high = np.percentile(np.median(drawn, axis=1), [LOW, HIGH])
    return float(low), float(high)


def _threads(contestants: Sequence[Contestant]) -> list[str]:
    means = {
        each.name: {
            group: sum(turn.threads.get(group, 0.0) for turn in each.turns) / len(each.turns)
            for group in {group for turn in each.turns for group in turn.threads}
        }
        for each in contestants
    }
    groups = {group for found in means.values() for group in found}
    largest = sorted(groups, key=lambda group: -max(one.get(group, 0.0) for one in means.values()))
    rows = [
        (group, *(f"{found.get(group, 0.0):.2f}" for found in means.values()))
        for group in largest[:THREADS_SHOWN]
    ]
    return table(("", *means), rows)


def _job_goals(by_name: Mapping[str, Contestant], against: Contestant) -> list[dict[str, Any]]:
    aims = {WATCHED: WATCHED_AIM, ALL: ALL_AIM}
    goals = [
        goal(
            f"CPU of a job, {name}, of {against.name}",
            median(_ratios(by_name[name], against)),
            aim,
            at_most=True,
            digits=3,
        )
        for name, aim in aims.items()
    ]
    if against.name == BEFORE:
        ratio = round(median(_ratios(by_name[OFF], against)), 3)
        name = f"CPU of a job, {OFF}, of {against.name}, +-{SAME:.0%}"
        goals.insert(
            0, {"name": name, "value": ratio, "goal": 1.0, "met": abs(ratio - 1.0) <= SAME}
        )
    return goals


def commands(page: Page, options: argparse.Namespace) -> None:
    """Measure loading commands, and questions about them."""
    found = inside_changelog.goals(options.commands)
    rows = [(each["name"], f"{each['value']:,}", f"{each['goal']:,}") for each in found]
    about = f"{options.commands:,} commands, made beforehand, into chdb; sums compared with numpy."
    page.lines += ["## Commands", "", about, "", *table(("", "measured", "goal"), rows), ""]
    page.goals += found


def asked(page: Page, options: argparse.Namespace) -> None:
    """Measure `fp debug` and `fp preview`."""
    scale = inside_asked.Scale(events=options.archived, newest=options.newest, rounds=options.times)
    found = inside_asked.measure(scale)
    busy, ordinary = (found.events[each] for each in (inside_asked.BUSY, inside_asked.ORDINARY))
    about = ABOUT_ASKED.format(
        rounds=scale.rounds,
        events=scale.events,
        newest=scale.newest,
        busy=busy,
        ordinary=ordinary,
    )
    rows = [
        (
            each.name,
            f"{each.seconds:.2f} s",
            f"{each.cpu_s or 0.0:.2f} s",
            f"{(each.peak_bytes or 0) / 2**20:,.0f} MiB",
        )
        for each in found.figures
    ]
    head = ("", "time", "CPU of the process", "its peak memory")
    page.lines += ["## `fp debug` and `fp preview`", about, *table(head, rows), ""]
    aims = {
        inside_asked.DEBUG_BUSY: BUSY_S_AIM,
        inside_asked.DEBUG_ORDINARY: ORDINARY_S_AIM,
        inside_asked.PREVIEW: PREVIEW_S_AIM,
    }
    page.goals += [
        goal(
            f"{each.name}, seconds",
            each.seconds,
            aims[each.name.removesuffix(inside_asked.LOGGED)],
            at_most=True,
            digits=2,
        )
        for each in found.figures
    ]


PARTS: Mapping[str, Callable[[Page, argparse.Namespace], None]] = {
    "job": job,
    "commands": commands,
    "asked": asked,
}
QUICK = {
    "rounds": 2,
    "events": 60_000,
    "warm": 60_000,
    "commands": 500_000,
    "archived": 100_000,
    "newest": 10_000,
    "times": 2,
}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=tuple(PARTS), action="append")
    parser.add_argument("--quick", action="store_true", help="everything small, to try it out")
    parser.add_argument(
        "--before", metavar="CHECKOUT", help="the build before the log of commands, set up"
    )
    parser.add_argument(
        "--build",
        action="append",
        default=[],
        metavar="NAME=CHECKOUT",
        help="also measure a job of another build, set up in its checkout",
    )
    parser.add_argument("--rounds", type=int, default=10, help="paired turns of the jobs")
    parser.add_argument("--events", type=int, default=600_000, help="measured in a turn")
    parser.add_argument("--warm", type=int, default=300_000, help="counted before, in a turn")
    parser.add_argument("--rate", type=int, default=20_000, help="events a second, in a turn")
    parser.add_argument("--commands", type=int, default=10_000_000)
    parser.add_argument("--archived", type=int, default=800_000, help="events that are archived")
    parser.add_argument("--newest", type=int, default=50_000, help="that are only in Kafka")
    parser.add_argument("--times", type=int, default=7, help="that a command is timed")
    options = parser.parse_args()
    if options.quick:
        vars(options).update(QUICK)
    return options


def main() -> None:
    """Run the benchmark."""
    options = _options()
    page, text = Page(), ""
    conditions = CONDITIONS.format(
        cores=psutil.cpu_count(),
        memory=psutil.virtual_memory().total // 2**30,
        load=psutil.getloadavg()[0],
        flink=version("apache-flink"),
        chdb=version("chdb"),
    )
    for name, part in PARTS.items():
        if not options.only or name in options.only:
            started = time.monotonic()
            part(page, options)
            page.lines += [f"It took {(time.monotonic() - started) / 60:.1f} minutes.", ""]
            # After each part: a later one that fails takes nothing with it.
            text = _write(page, conditions, is_quick=options.quick)
    print(text)
    print(json.dumps({"goals": page.goals}))


def _write(page: Page, conditions: str, *, is_quick: bool) -> str:
    date = f"{datetime.now(UTC):%Y-%m-%d}"
    text = "\n".join([f"# Looking inside, {date}", conditions, *page.lines])
    if not is_quick:
        (HERE / "results" / f"{date}-inside.md").write_text(text)
    return text


if __name__ == "__main__":
    main()
