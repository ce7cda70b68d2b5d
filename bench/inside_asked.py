"""How long `fp debug` and `fp preview` take on servers that run: whole commands, as processes.

A day's events are archived but for the newest, and one entity has a hundred thousand of them. What
`fp debug` says is compared with what was sent before anything is timed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bench.rig import NAME, TOPIC, say
from bench.timed import CHECKOUT, Figure, Project, middle, project
from bench.workload import Batch, Workload, producer, send_batch
from feature_platform.clock import SystemClock

SERVERS = ("kafka", "cassandra", "flink")
FLINK = "[flink]\nslots = 2\n"
BUSY, ORDINARY = "1", "1000"
SPAN_MS = 2 * 86_400_000
PREVIEWED = 10_000
DEBUG_BUSY, DEBUG_ORDINARY, PREVIEW = "fp debug, busy", "fp debug, ordinary", "fp preview"
LOGGED = ", its commands logged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much there is to look at."""

    events: int
    newest: int
    """Events that come after the rest is archived."""
    rounds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was found."""

    figures: tuple[Figure, ...]
    events: Mapping[str, int]
    """Of the entities that were asked about."""


def measure(scale: Scale) -> Asked:
    """Time the commands, with and without logged commands."""
    workload = Workload(seed=1)
    with project(CHECKOUT, FLINK, SERVERS) as made:
        made.fp("changelog", "all", NAME)
        made.fp("apply", "--yes")
        say(f"{scale.events:,} events, and {scale.newest:,} that are not archived")
        _send(made, workload, scale.events)
        made.fp("wait", NAME, "--timeout", "3000")
        made.fp("archive", TOPIC)
        _send(made, workload, scale.newest)
        made.fp("wait", NAME, "--timeout", "3000")
        events = {each: _events(workload, each) for each in (BUSY, ORDINARY)}
        asked = {DEBUG_BUSY: BUSY, DEBUG_ORDINARY: ORDINARY}
        for entity, count in events.items():
            _check_debug(made, entity, count)
        _check_preview(made)
        figures = [
            _timed(made, f"{name}{LOGGED}", scale, "debug", NAME, entity)
            for name, entity in asked.items()
        ]
        made.fp("changelog", "off", NAME)
        figures += [
            _timed(made, name, scale, "debug", NAME, entity) for name, entity in asked.items()
        ]
        figures.append(_timed(made, PREVIEW, scale, "preview", NAME))
    return Asked(figures=tuple(figures), events=events)


def _send(made: Project, workload: Workload, count: int) -> None:
    client, now_ms = producer(made.settings.kafka.bootstrap), SystemClock().now_ms()
    times = np.linspace(now_ms - SPAN_MS, now_ms, count).astype(np.int64)
    send_batch(client, TOPIC, workload.draw(count), times)


def _events(workload: Workload, entity: str) -> int:
    return sum(_of(batch, int(entity)) for batch in workload.drawn)


def _of(batch: Batch, post: int) -> int:
    return int((batch.posts == post).sum())


def _check_debug(made: Project, entity: str, count: int) -> None:
    """Make sure that what will be timed is right.

    Raises:
        SystemExit: It found other events, or something wrong.
    """
    found = made.facts("debug", NAME, entity)
    states = {each["place"]: each["state"] for each in found["links"]}
    fine = {"events", "reading", "commands", "rows", "served"}
    wrong = {place: states.get(place) for place in fine if states.get(place) != "fine"}
    if wrong or found["events_total"] != count:
        msg = f"fp debug {NAME} {entity}: {wrong}, {found['events_total']} events, not {count}"
        raise SystemExit(msg)


def _check_preview(made: Project) -> None:
    """Make sure that as many events were read as will be.

    Raises:
        SystemExit: They were not.
    """
    if (read := made.facts("preview", NAME)["read"]) != PREVIEWED:
        msg = f"fp preview read {read:,} events, not {PREVIEWED:,}"
        raise SystemExit(msg)


def _timed(made: Project, name: str, scale: Scale, *command: str) -> Figure:
    return middle(name, [made.fp(*command) for _ in range(scale.rounds)])
