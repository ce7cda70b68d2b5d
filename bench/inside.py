"""What looking inside costs: the log of commands, questions about it, `fp debug`, `fp preview`.

Four questions. What does the log cost a job, off, of some entities, of all? How fast is it loaded
and asked? How long does `fp debug` take of an entity with a hundred thousand events, and of an
ordinary one? How long does `fp preview`? The job's CPU is compared with that of the build before
the log (`--before CHECKOUT`), and of others (`--build NAME=CHECKOUT`), run in turns. Writes tables
to `bench/results/<date>-inside.md`; the last line printed is one JSON object with the goals.
"""

import argparse
import itertools
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
from bench.inside_job import ALL, BEFORE, OFF, TOUCHED, WATCHED, Contestant, Turn
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
{starts} starts of each job from its savepoint, each with {warm:,} events to get warm and {rounds} \
rounds, in each of which all have a turn, in another order: {events:,} events at {rate:,}/s. \
The events are the same for all: Zipf 1.1 over {entities:,} entities, 5 counters, \
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
        starts=options.starts,
        rounds=options.rounds,
        events=options.events,
        warm=options.warm,
        rate=options.rate,
    )
    others = dict(text.split("=", 1) for text in options.build)
    if options.before:
        others[BEFORE] = options.before
    found = inside_job.measure(scale, {name: Path(at).resolve() for name, at in others.items()})
    about = ABOUT_JOB.format(
        starts=scale.starts,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """What a job used of another one's CPU, in turns with the same events."""

    middle: float
    low: float
    high: float
    """Between the two is the median, with 95 %."""

    def __str__(self) -> str:
        """Write it for a table."""
        return f"{self.middle:.3f} ({self.low:.3f} - {self.high:.3f})"


def whole(each: Contestant, against: Contestant) -> Ratio:
    """Compare all CPU of the task managers."""
    return _ratio(each, against, lambda own, other: own.cpu_s / other.cpu_s)


def touched(each: Contestant, against: Contestant) -> Ratio:
    """Compare what is compiled, as if all threads that the log cannot touch had used the same."""
    return _ratio(
        each, against, lambda own, other: 1 + (own.touched_s - other.touched_s) / other.compiled_s
    )


def _ratio(each: Contestant, against: Contestant, compare: Callable[[Turn, Turn], float]) -> Ratio:
    found = [
        [compare(own, other) for own, other in zip(mine, others, strict=True)]
        for mine, others in zip(each.starts, against.starts, strict=True)
    ]
    low, high = likely(found)
    return Ratio(middle=median(itertools.chain(*found)), low=low, high=high)


def _costs(contestants: Sequence[Contestant], against: Contestant) -> list[str]:
    rows = [
        (
            each.name,
            f"{median(turn.cpu_s for turn in itertools.chain(*each.starts)):.2f}",
            str(whole(each, against)),
            str(touched(each, against)),
            f"{each.peak_bytes / 2**20:,.0f}",
        )
        for each in contestants
    ]
    head = (
        "",
        "CPU s of a turn, median",
        f"of that of {against.name}, median of pairs and where it is with 95 %",
        f"without the compiler, if only {', '.join(TOUCHED)} differed",
        "peak MiB",
    )
    return table(head, rows)


def likely(starts: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Return between what 95 % of the medians are, of starts and their turns drawn anew.

    A cluster bootstrap: turns after one start are alike, so starts are drawn first, with
    replacement, and then as many turns of each.
    """
    draw = np.random.default_rng(1)
    medians = [
        np.median(
            np.concatenate(
                [
                    draw.choice(starts[at], len(starts[at]))
                    for at in draw.integers(0, len(starts), len(starts))
                ]
            )
        )
        for _ in range(DRAWS)
    ]
    low, high = np.percentile(medians, [LOW, HIGH])
    return float(low), float(high)


def _threads(contestants: Sequence[Contestant]) -> list[str]:
    means = {}
    for each in contestants:
        turns = [turn.threads for turn in itertools.chain(*each.starts)]
        found = sorted({group for threads in turns for group in threads})
        means[each.name] = {
            group: sum(threads.get(group, 0.0) for threads in turns) / len(turns) for group in found
        }
    groups = {group for found in means.values() for group in found}
    largest = sorted(groups, key=lambda group: -max(one.get(group, 0.0) for one in means.values()))
    rows = [
        (group, *(f"{found.get(group, 0.0):.2f}" for found in means.values()))
        for group in largest[:THREADS_SHOWN]
    ]
    return table(("", *means), rows)


def _job_goals(by_name: Mapping[str, Contestant], against: Contestant) -> list[dict[str, Any]]:
    """Judge by the threads that the log can touch; what all threads used is told beside it."""
    aims = {WATCHED: WATCHED_AIM, ALL: ALL_AIM}
    goals = []
    if against.name == BEFORE:
        found = touched(by_name[OFF], against)
        is_met = max(abs(found.low - 1.0), abs(found.high - 1.0)) <= SAME
        goals.append(
            {
                "name": f"CPU of a job, {OFF}, of {against.name}, +-{SAME:.0%} with 95 %",
                "value": round(found.middle, 3),
                "low": round(found.low, 3),
                "high": round(found.high, 3),
                "all_threads": str(whole(by_name[OFF], against)),
                "goal": 1.0,
                "met": is_met,
            }
        )
    for name, aim in aims.items():
        found = touched(by_name[name], against)
        made = goal(
            f"CPU of a job, {name}, of {against.name}", found.middle, aim, at_most=True, digits=3
        )
        goals.append({**made, "all_threads": str(whole(by_name[name], against))})
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
    "starts": 2,
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
    parser.add_argument("--starts", type=int, default=10, help="of each job")
    parser.add_argument("--rounds", type=int, default=2, help="after a start, a turn for each job")
    parser.add_argument("--events", type=int, default=200_000, help="measured in a turn")
    parser.add_argument("--warm", type=int, default=400_000, help="counted after a start")
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
