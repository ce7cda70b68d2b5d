"""What the log of commands costs a Flink job: builds, and ways of logging, in turns.

Each contestant has servers of its own, started by its build's `fp up`, so that its task manager
holds one job and nothing else. All jobs start, and each counts some events until little is left to
compile. Then they have short turns: the same events for all, at a fixed rate, in another order in
each round. After some rounds the jobs start again, because one start compiles otherwise than the
next, and is faster or slower until its end. What is measured is the CPU of the task manager.
"""

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import NoReturn

import numpy as np
import psutil

from bench.inside_rows import Found, as_bytes, as_values
from bench.measure import (
    COLLECTOR,
    COMPILER,
    KERNEL,
    PRODUCER,
    STORE,
    difference,
    thread_cpu_s,
    usage,
)
from bench.rig import NAME, TOPIC, say
from bench.timed import CHECKOUT, Project, project
from bench.workload import ENTITIES, Workload, producer, send
from feature_platform.broker.sender import ensure_topic
from feature_platform.clock import SystemClock
from feature_platform.settings import Settings

BEFORE = "the build before the log"
OFF, WATCHED, ALL = "this build, off", "this build, 100 watched", "this build, all logged"
WATCHED_ENTITIES = 100
CHECKED_ENTITIES = 1_000
SERVERS = ("kafka", "cassandra", "flink")
FLINK = '[flink]\nslots = 2\ntask_manager_memory = "1800m"\n'
TICK_S = 0.1
TOUCHED = (KERNEL, STORE, PRODUCER, COLLECTOR)
"""Threads in which the log has code, or whose work it makes more. All others run what they run
without it, and the compiler takes more of a job's CPU than they do, another part at each start."""
AGAIN = 0.1
"""Of the entities, whose rows are compared at the end; at the beginning it is all of them."""
PATIENCE_S = "900"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much is counted."""

    starts: int
    """Of each job."""
    rounds: int
    """In each of which all have a turn, after a start."""
    events: int
    """That are measured, in a turn."""
    warm: int
    """Counted after each start; also once before the first one, when all rows are compared."""
    rate: int
    """Events a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What the task manager used in one turn."""

    cpu_s: float
    threads: Mapping[str, float]
    """By what they are for."""

    @property
    def touched_s(self) -> float:
        """Of the threads that the log can touch."""
        return sum(self.threads.get(group, 0.0) for group in TOUCHED)

    @property
    def compiled_s(self) -> float:
        """Without the compiler, which has nothing left to do in a job that runs for hours."""
        return self.cpu_s - self.threads.get(COMPILER, 0.0)


@dataclass(slots=True, kw_only=True)
class Contestant:
    """A build with its servers, and what was measured of it. Mutable: turns are added."""

    name: str
    made: Project
    is_alike: bool
    """Its rows have the same bytes as this build's."""
    starts: list[list[Turn]] = field(default_factory=list)
    """The turns after each start."""
    peak_bytes: int = 0

    @property
    def settings(self) -> Settings:
        """Of its project."""
        return self.made.settings

    def count(self, lines: Sequence[bytes], rate: int) -> None:
        """Send events at a rate, and wait until they are in the rows."""
        client = producer(self.settings.kafka.bootstrap)
        size, started = max(1, int(rate * TICK_S)), time.perf_counter()
        for tick, start in enumerate(range(0, len(lines), size), start=1):
            send(client, TOPIC, list(lines[start : start + size]))
            time.sleep(max(0.0, started + tick * TICK_S - time.perf_counter()))
        client.flush()
        self.made.fp("wait", NAME, "--timeout", PATIENCE_S)

    def start(self, warm: Sequence[bytes], rate: int) -> None:
        """Start the job, and let it get warm."""
        self.made.fp("apply", "--yes")
        self.count(warm, rate)
        self.starts.append([])

    def turn(self, lines: Sequence[bytes], rate: int) -> None:
        """Let the job count, and add what its task manager used."""
        java = self._java()
        before, threads = usage(java).cpu_s, thread_cpu_s(java)
        self.count(lines, rate)
        after = usage(java)
        used = difference(thread_cpu_s(java), threads, least_s=0.0)
        self.starts[-1].append(Turn(cpu_s=after.cpu_s - before, threads=used))
        self.peak_bytes = max(self.peak_bytes, after.peak_bytes)

    def stop(self) -> None:
        """Stop the job; the next start continues where it was."""
        self.made.fp("stop", NAME)

    def _java(self) -> int:
        """Return the task manager behind its start script; each build writes its pid there."""
        record = json.loads((self.settings.data / "run" / "flink-taskmanager.json").read_text())
        process = psutil.Process(record["pid"])
        family = [process, *process.children(recursive=True)]
        return next(member.pid for member in family if member.name() == "java")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCost:
    """What was found."""

    contestants: Sequence[Contestant]
    rows: int
    """That were equal before anything was timed."""
    checked: str
    """What the check of the log says at the end."""


def measure(scale: Scale, builds: Mapping[str, Path]) -> JobCost:
    """Compare all rows first, then let all have their turns, and compare again.

    Args:
        scale: How much is counted.
        builds: Other builds than this one, by name, set up. Only of `BEFORE` rows must have the
            same bytes; of the others the values.
    """
    workload = Workload(seed=1)
    with contextlib.ExitStack() as exits:
        contestants = [
            exits.enter_context(_started(name, checkout))
            for name, checkout in {
                **builds,
                OFF: CHECKOUT,
                WATCHED: CHECKOUT,
                ALL: CHECKOUT,
            }.items()
        ]
        say(f"{scale.warm:,} events for everyone, to compare all rows")
        _warm(contestants, workload, scale)
        rows = _compared(contestants, 1.0)
        _checked(contestants)
        for number in range(scale.starts):
            if number:
                _warm(contestants, workload, scale)
            for turn in range(scale.rounds):
                lines = _drawn(workload, scale.rate, scale.events)
                for each in _order(contestants, turn + number):
                    each.turn(lines, scale.rate)
            for each in contestants:
                each.stop()
            _tell(contestants, number)
        _compared(contestants, AGAIN)
        return JobCost(contestants=contestants, rows=rows, checked=_checked(contestants))


@contextlib.contextmanager
def _started(name: str, checkout: Path) -> Iterator[Contestant]:
    """Start a contestant's servers, and say what it logs."""
    with project(checkout, FLINK, SERVERS) as made:
        ensure_topic(made.settings.kafka, TOPIC)
        if name == ALL:
            made.fp("changelog", "all", NAME)
        elif name == WATCHED:
            chosen = made.settings.project / "watched.txt"
            step = ENTITIES // WATCHED_ENTITIES
            chosen.write_text("\n".join(str(1 + step * at) for at in range(WATCHED_ENTITIES)))
            made.fp("changelog", "watch", NAME, "--entities", str(chosen))
        is_alike = name in {BEFORE, OFF, WATCHED, ALL}
        yield Contestant(name=name, made=made, is_alike=is_alike)


def _warm(contestants: Sequence[Contestant], workload: Workload, scale: Scale) -> None:
    lines = _drawn(workload, scale.rate, scale.warm)
    for each in contestants:
        each.start(lines, scale.rate)


def _drawn(workload: Workload, rate: int, count: int) -> list[bytes]:
    """Draw events of the time before now, as many a second as are sent later."""
    now_ms = SystemClock().now_ms()
    times = np.linspace(now_ms - count * 1_000 // rate, now_ms, count).astype(np.int64)
    lines = workload.draw(count).lines(times)
    workload.drawn.clear()  # nothing is recounted: stores are compared with each other
    return lines


def _order(contestants: Sequence[Contestant], number: int) -> list[Contestant]:
    """Let another one begin in each round, and go through them backwards in every other."""
    first = number // 2 % len(contestants)
    turned = [*contestants[first:], *contestants[:first]]
    return turned[::-1] if number % 2 else turned


def _tell(contestants: Sequence[Contestant], number: int) -> None:
    used = ", ".join(
        f"{each.name} {median(turn.cpu_s for turn in each.starts[-1]):.2f} s"
        for each in contestants
    )
    say(f"start {number + 1}, a turn: {used}")


def _compared(contestants: Sequence[Contestant], share: float) -> int:
    """Compare the rows of all, and return how many each has.

    Raises:
        SystemExit: They differ.
    """
    ours = [each for each in contestants if each.is_alike]
    others = [each for each in contestants if not each.is_alike]
    found = _alike(ours, as_bytes, share)
    if others:
        _alike([ours[0], *others], as_values, share)
    rows = sum(number for number, _ in found.values())
    say(f"{rows:,} rows of {len(found):,} entities are equal in all")
    return rows


def _alike(
    contestants: Sequence[Contestant], read: Callable[[Settings, float], Found], share: float
) -> Found:
    first = read(contestants[0].settings, share)
    for each in contestants[1:]:
        found = read(each.settings, share)
        if found != first:
            _refuse(contestants[0], each, first, found)
    return first


def _refuse(one: Contestant, other: Contestant, first: Found, found: Found) -> NoReturn:
    differ = [key for key in first | found if first.get(key) != found.get(key)]
    msg = (
        f"{one.name} and {other.name} differ in {len(differ):,} of {len(first):,} entities, "
        f"such as {differ[0]}: no figure counts"
    )
    raise SystemExit(msg)


def _checked(contestants: Sequence[Contestant]) -> str:
    """Let the log of all commands be added up, and compared with the rows.

    Raises:
        SystemExit: They differ, or not all could be judged.
    """
    (made,) = (each.made for each in contestants if each.name == ALL)
    found = made.facts("changelog", "check", NAME, "--most", str(CHECKED_ENTITIES))
    entities = found["entities"]
    states = {each["state"] for each in entities}
    if states != {"equal"} or found["lost"]:
        msg = f"the log, {found['lost']} rows lost, is not the rows: {states}: no figure counts"
        raise SystemExit(msg)
    tiles = sum(each["tiles"] for each in entities)
    text = f"the log adds up to {tiles:,} tiles of {len(entities):,} entities"
    say(text)
    return text
