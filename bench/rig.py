"""What the benchmarks share: servers of their own, a deployment, the check against the recount."""

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from bench.workload import Workload
from feature_platform.cli.reading import open_store
from feature_platform.definition.loading import load_project
from feature_platform.deploy.apply import apply, make_plans
from feature_platform.engines.world import World
from feature_platform.local.jars import build_kernel
from feature_platform.local.java import find_java_home
from feature_platform.local.ports import with_free_ports
from feature_platform.local.stack import Stack
from feature_platform.plan.snapshot import Snapshot
from feature_platform.serving import FeatureClient
from feature_platform.settings import Settings, load_settings

HERE = Path(__file__).parent
NAME = "post_engagement"
TOPIC = "post_events"
SAMPLE = 5_000
PATIENCE_S = 7_200.0
_NEW_COLUMN = "         SUM(watch_ms) FILTER (WHERE action = 'view') AS viewed_ms,\n"
_NEW_FEATURE = "  viewed_ms: {windows: [30m], lifetime: true}\n"

_Phase = TypeVar("_Phase")


@contextmanager
def stack() -> Iterator[Settings]:
    """Start the servers in a folder of their own, with free ports."""
    with tempfile.TemporaryDirectory(prefix="fp-bench-") as folder:
        shutil.copytree(HERE / "project", folder, dirs_exist_ok=True)
        settings = with_free_ports(load_settings(Path(folder), {}))
        build_kernel(settings, find_java_home())
        say("starting Kafka, Cassandra and Flink")
        with Stack(settings, servers=("kafka", "cassandra", "flink")):
            yield settings


def deploy(settings: Settings, world: World) -> Snapshot:
    """Bring the feature set to its definition, or start it again."""
    project = load_project(settings.featuresets).checked()
    (outcome,) = apply(world, make_plans(world, project, [NAME]))
    if outcome.error or outcome.snapshot is None:
        raise SystemExit(str(outcome.error))
    return outcome.snapshot


def with_new_column(text: str) -> str:
    """Return the feature set's definition with one more column, and a feature of it."""
    text = text.replace("features:\n", f"features:\n{_NEW_FEATURE}")
    return text.replace("         SUM(watch_ms)  ", f"{_NEW_COLUMN}         SUM(watch_ms)  ")


def wrong(settings: Settings, workload: Workload) -> int:
    """Compare lifetime values of a sample of entities, the most frequent ones included.

    Returns:
        How many of them differ from the recount.
    """
    expected = workload.recount()
    seen = np.flatnonzero(expected["longest_watch_ms"] >= 0)
    rest = np.random.default_rng(2).choice(seen, size=min(SAMPLE, len(seen)), replace=False)
    posts = sorted({*seen[:100].tolist(), *rest.tolist()})
    names = [f"{name}_lifetime" for name in expected]
    with open_store(settings) as (registry, tiles):
        client = FeatureClient(tiles, registry)
        matrix = client.prepare(names, featureset=NAME).get([str(post) for post in posts])
    wanted = np.stack([expected[name][posts] for name in expected], axis=1)
    differ = int((matrix.values != wanted).any(axis=1).sum())
    say(f"{len(posts):,} entities compared with the recount, {differ} differ")
    return differ


def check(settings: Settings, workload: Workload) -> None:
    """Make sure that what is going to be timed is right.

    Raises:
        SystemExit: An entity differs from the recount.
    """
    if differ := wrong(settings, workload):
        msg = f"{differ} entities differ from the recount: no figure counts"
        raise SystemExit(msg)


def goal(
    name: str, value: float, aim: float, *, at_most: bool = False, digits: int | None = None
) -> dict[str, Any]:
    """Return a goal as the last line of a benchmark tells it."""
    value = round(value, digits)
    return {
        "name": name,
        "value": value,
        "goal": aim,
        "met": value <= aim if at_most else value >= aim,
    }


def markdown(
    phases: Mapping[str, _Phase], figures: Mapping[str, Callable[[_Phase], str]]
) -> list[str]:
    """Write a table: a line per figure, a column per phase."""
    return [
        f"| | {' | '.join(phases)} |",
        f"|---|{'---|' * len(phases)}",
        *(
            f"| {name} | {' | '.join(figure(phase) for phase in phases.values())} |"
            for name, figure in figures.items()
        ),
    ]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table."""
    lines = [f"| {' | '.join(row)} |" for row in (head, *rows)]
    return [lines[0], f"|{'---|' * len(head)}", *lines[1:]]


def say(text: str) -> None:
    """Tell the person who waits."""
    print(text, file=sys.stderr, flush=True)
