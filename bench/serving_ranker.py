"""A ranker's process in the serving benchmark: answers what it is asked, and counts its own CPU.

`python -m bench.serving_ranker MODULE SPEC` imports `MODULE`, whose `ranker` makes a `Ranker` of
the JSON object in `SPEC`. Then each line of standard input is a task as JSON, and each line of
standard output what came of it. Other interpreters run it too (an older build's, Feast's), so it
and the modules that it imports use nothing of the project but what all of them have.
"""

import importlib
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

WARM_UP = 2_000
"""Entities of a request that only fills a cache."""

Floats = NDArray[np.float64]
Spec = Mapping[str, Any]


class Ranker(Protocol):
    """A way to get features of entities."""

    def begin(self) -> None:
        """Forget everything that was kept."""
        ...

    def ask(self, entities: Sequence[int]) -> Any:  # noqa: ANN401 - each has an answer of its own
        """Return the features of entities as its users get them; this is what is timed."""
        ...

    def values(self, answer: Any) -> Floats:  # noqa: ANN401
        """Return an answer as a matrix, a row per entity that was asked for."""
        ...

    def about(self) -> dict[str, Any]:
        """Return the versions of its libraries, and the figures of its cache."""
        ...


class OfMatrices:
    """What the platform's library and the client of its service have alike: both answer matrices.

    A subclass sets `_prepared`, and what its requests wish for in `_wishes`.
    """

    _prepared: Any
    _wishes: Mapping[str, Any]

    def ask(self, entities: Sequence[int]) -> Any:  # noqa: ANN401 - see `Ranker`
        """Return a matrix, whose numpy form is made."""
        matrix = self._prepared.get(entities, **self._wishes)
        matrix.values  # noqa: B018 - made when it is asked for, and kept
        return matrix

    def values(self, answer: Any) -> Floats:  # noqa: ANN401 - see `Ranker`
        """Return the matrix; nothing may have failed."""
        if set(answer.status) != {"ok"}:
            msg = f"some entities were not answered: {sorted(set(answer.status))}"
            raise SystemExit(msg)
        return np.asarray(answer.values, dtype=np.float64)


class Series:
    """Requests from a file, in order. Mutable: knows which is next."""

    def __init__(self, path: str) -> None:
        """Begin before the first one."""
        with np.load(path) as file:
            self._kept: list[int] = file["kept"].tolist()
            self._asked: list[list[int]] = file["asked"].tolist()
            self._starts = frozenset(file["starts"].tolist())
            self._repeats = bool(file["repeats"])
        self.path = path
        self._next = 0

    @property
    def at_start(self) -> bool:
        """Whether a part begins with the next request."""
        if self._repeats:
            return self._next == 0
        return self._next % len(self._asked) in self._starts

    def next_for(self, ranker: Ranker) -> list[int]:
        """Return the next request; bring a cache to what it should hold where a part begins."""
        place = self._next % len(self._asked)
        starts = self.at_start
        self._next += 1
        if starts:
            ranker.begin()
            for first in range(0, len(self._kept), WARM_UP):
                ranker.ask(self._kept[first : first + WARM_UP])
        return self._asked[place]


def carry_out(ranker: Ranker, series: Series, task: Mapping[str, Any]) -> dict[str, Any]:
    """Do a number of requests, or as many as take some seconds; return what each took.

    Args:
        ranker: Who is asked.
        series: What it is asked.
        task: `count` or `seconds`; `one_part`: none of the next part, for who cannot forget;
            `answers`: where to write the last answer's values.
    """
    spent: list[tuple[float, float]] = []
    left_s = task.get("seconds", 0.0)
    while len(spent) < task.get("count", 0) or left_s > 0:
        if task.get("one_part") and series.at_start:
            break
        entities = series.next_for(ranker)
        cpu_s, wall_s = time.process_time(), time.perf_counter()
        answer = ranker.ask(entities)
        spent.append((time.process_time() - cpu_s, time.perf_counter() - wall_s))
        left_s -= spent[-1][1]
    if spent and "answers" in task:
        np.savez(task["answers"], entities=entities, values=ranker.values(answer))
    return {"spent": spent, "peak_bytes": peak_bytes()}


def peak_bytes() -> int:
    """Return this process's peak memory; `ru_maxrss` would count what its parent had."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(peak) * 1024


def main() -> None:
    """Answer tasks until standard input ends."""
    module, spec = sys.argv[1:]
    ranker: Ranker = importlib.import_module(module).ranker(json.loads(Path(spec).read_text()))
    series: Series | None = None
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        task = json.loads(line)
        if task.get("about"):
            print(json.dumps(ranker.about()), flush=True)
            continue
        if series is None or series.path != task["requests"]:
            series = Series(task["requests"])
        print(json.dumps(carry_out(ranker, series, task)), flush=True)


if __name__ == "__main__":
    main()
