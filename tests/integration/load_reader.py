"""A ranker under load: asks at fixed instants, whether it is answered or not, and notes what comes.

Arguments: a file with the task as JSON, where to write what was seen, and a file that ends it.
"""

import json
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from feature_platform.clock import SystemClock
from feature_platform.serving import CacheSettings, FeatureClient, FeatureMatrix

THREADS = 8


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a reader does."""

    address: str
    keyspace: str
    password: str
    features: Sequence[str]
    entities: Sequence[str]
    """Of each request: all of them."""
    pause_s: float
    """Between the beginnings of two requests."""
    seconds_max: float
    deadline_ms: float


@dataclass(frozen=True, kw_only=True)
class Seen:
    """An answer."""

    began_ms: int
    ended_ms: int
    took_s: float
    """From when it was handed over: waiting for a thread of this process counts."""
    ages_ms: Sequence[int]
    values: Sequence[Sequence[int | None]]
    """Of each entity; None: unavailable."""


def main() -> None:
    """Read until there is the file that ends it, or the time is over."""
    task = Task(**json.loads(Path(sys.argv[1]).read_text()))
    seen: list[Seen] = []
    with (
        FeatureClient.connect(
            [task.address],
            user="fp_service",
            password=task.password,
            keyspace=task.keyspace,
            cache=CacheSettings(bytes_max=1 << 26, max_staleness_ms=500),
            deadline_ms=task.deadline_ms,
        ) as client,
        ThreadPoolExecutor(THREADS) as pool,
    ):
        prepared = client.prepare(task.features)
        prepared.get(task.entities, deadline_ms=10_000)
        sys.stdout.write("ready\n")
        sys.stdout.flush()

        def ask(due_s: float) -> None:
            began_ms = SystemClock().now_ms()
            matrix = prepared.get(task.entities)
            took_s = time.monotonic() - due_s
            seen.append(_seen(matrix, began_ms, took_s))

        begin_s = time.monotonic()
        end = Path(sys.argv[3])
        for number in range(int(task.seconds_max / task.pause_s)):
            if end.exists():
                break
            due_s = begin_s + number * task.pause_s
            threading.Event().wait(max(0.0, due_s - time.monotonic()))
            pool.submit(ask, due_s)
        pool.shutdown()
        Path(sys.argv[2]).write_text(json.dumps([asdict(each) for each in seen]))


def _seen(matrix: FeatureMatrix, began_ms: int, took_s: float) -> Seen:
    assert matrix.ages_ms is not None
    return Seen(
        began_ms=began_ms,
        ended_ms=SystemClock().now_ms(),
        took_s=took_s,
        ages_ms=matrix.ages_ms.tolist(),
        values=[
            [int(value) if value is not None else None for value in row["values"].values()]
            for row in matrix.to_dicts()
        ],
    )


if __name__ == "__main__":
    main()
