"""The goals of the serving benchmark, and where to look if a figure misses one."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from bench.rig import goal, table
from bench.serving_builds import CACHED, KEPT_BYTES, ROW_BYTES
from bench.serving_latency import BARE_MS, SINGLE_MS, STEADY_MS
from bench.serving_parts import DECODED_US, REFRESHED_ROWS, REGISTRY_TIMES
from bench.serving_run import FEAST, OLD, THIS, Figures
from bench.serving_service import AGAIN_MS, KEPT_MS

WARM = f"{THIS}, all cached"
IN_TURNS_MS = "CPU ms, all cached, in turns"
EACH_ENTITY = (
    "Python's work on each entity and column beside the adding up: keys, look-ups, gathering what "
    "is kept, 100 columns and their states, the matrix"
)
EACH_READ = "the driver, which makes Python objects of each row, and the decoding of what is read"


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What a figure should be."""

    name: str
    part: str
    """That measures it."""
    aim: float
    figure: Callable[[Figures], float]
    limit: str
    """Where to look for what limits the figure: nothing that is measured here."""
    at_most: bool = False


def _less(share: str) -> Callable[[Figures], float]:
    """Return how many times less CPU this build takes than the old one."""
    return lambda figures: figures[OLD] / figures[f"{THIS}, {share}"]


def _lesser(hits: float, aim: float, limit: str) -> Goal:
    share = CACHED[hits]
    name = f"times less CPU than old, {share}"
    return Goal(name=name, part="builds", aim=aim, figure=_less(share), limit=limit)


GOALS = (
    _lesser(1.0, 75.0, EACH_ENTITY),
    Goal(
        name=STEADY_MS,
        part="library",
        aim=4.0,
        at_most=True,
        figure=lambda figures: figures[STEADY_MS],
        limit=EACH_ENTITY,
    ),
    Goal(
        name=IN_TURNS_MS,
        part="builds",
        aim=4.0,
        at_most=True,
        figure=lambda figures: figures[WARM],
        limit=f"cold caches of the processor; then {EACH_ENTITY}",
    ),
    Goal(
        name="values a CPU second, times Feast's",
        part="builds",
        aim=100.0,
        figure=lambda figures: figures[FEAST] / figures[WARM],
        limit=EACH_ENTITY,
    ),
    _lesser(0.95, 15.0, f"{EACH_ENTITY}; then {EACH_READ}"),
    _lesser(0.80, 6.0, EACH_READ),
    _lesser(0.0, 4.0, EACH_READ),
    Goal(
        name=DECODED_US,
        part="rows",
        aim=0.35,
        at_most=True,
        figure=lambda figures: figures[DECODED_US],
        limit="the decoding of varints, one after the other",
    ),
    Goal(
        name=REFRESHED_ROWS,
        part="refreshes",
        aim=1.05,
        at_most=True,
        figure=lambda figures: figures[REFRESHED_ROWS],
        limit="tiles that have left heads: each is a row",
    ),
    Goal(
        name=REGISTRY_TIMES,
        part="registry",
        aim=1.2,
        at_most=True,
        figure=lambda figures: figures[REGISTRY_TIMES],
        limit="the driver's work on an answer of the registry, which holds the interpreter",
    ),
    Goal(
        name="cached bytes per byte of rows",
        part="builds",
        aim=2.0,
        at_most=True,
        figure=lambda figures: figures[KEPT_BYTES] / figures[ROW_BYTES],
        limit="the objects of an entry, beside small rows",
    ),
    Goal(
        name="gRPC from kept bytes, times decoding and encoding",
        part="answers",
        aim=5.0,
        figure=lambda figures: figures[AGAIN_MS] / figures[KEPT_MS],
        limit="gRPC itself, and the joining of 2,000 pieces",
    ),
    Goal(
        name=SINGLE_MS,
        part="library",
        aim=1.7,
        at_most=True,
        figure=lambda figures: figures[SINGLE_MS],
        limit="the store and the driver, and the client's work on each of 250 columns",
    ),
)


def reached(figures: Figures, parts: Collection[str]) -> list[dict[str, Any]]:
    """Return the goals of some parts; one whose figures are missing has no value."""
    said: list[dict[str, Any]] = []
    for each in GOALS:
        if each.part not in parts:
            continue
        try:
            value = each.figure(figures)
        except KeyError:
            said.append({"name": each.name, "value": None, "goal": each.aim, "met": False})
        else:
            said.append(goal(each.name, value, each.aim, at_most=each.at_most, digits=3))
    return said


def goal_lines(goals: Sequence[dict[str, Any]], figures: Figures) -> list[str]:
    """Return a table of goals, and a hint for each that is missed."""
    limits = {each.name: each.limit for each in GOALS}
    rows = [
        (each["name"], _said(each["value"]), f"{each['goal']:,}", "yes" if each["met"] else "no")
        for each in goals
    ]
    missed = [each["name"] for each in goals if not each["met"] and each["value"] is not None]
    lines = [f"* {name}: {limits[name]}." for name in missed]
    if lines:
        lines = ["Where to look for what limits them, not measured by this run:", "", *lines]
    if SINGLE_MS in missed:
        spent = f"{figures[BARE_MS]:,.2f} of {figures[SINGLE_MS]:,.2f} ms"
        lines.append(f"* The query of 1 x 250 by the driver alone has a p99 of {spent}.")
    if all(each["met"] for each in goals):
        lines = ["All goals are met."]
    return [*table(("goal", "figure", "aim", "met"), rows), "", *lines, ""]


def _said(value: float | None) -> str:
    return "not measured" if value is None else f"{value:,}"
