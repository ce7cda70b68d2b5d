"""Ways to a training set of a hundred features from raw events: ours, and SQL in DuckDB.

Each runs in a process of its own: `python -m bench.training_contestants NAME FOLDER SPINE OUT HEAP`
prints one JSON object: the seconds from files to files, and of each step.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.training_data import COLUMNS, WINDOWS, Data

THREADS = 2
DUCKDB_MEMORY_GB = 8
MINUTE_MS = 60_000
EVENT = '{"post_id": "BIGINT", "action": "VARCHAR", "watch_ms": "BIGINT", "ts": "BIGINT"}'

Steps = Mapping[str, float]


def run_ours(data: Data, spine: Path, out: Path, heap: str) -> Steps:
    """Do what `fp training-set` does once it knows what is deployed."""
    from feature_platform.clock import SystemClock
    from feature_platform.engines.spark import SparkAnswerer
    from feature_platform.settings import load_settings
    from feature_platform.training.asked import asked_list
    from feature_platform.training.build import BuildRequest, build
    from feature_platform.training.rows import SpineColumns
    from feature_platform.training.spine import open_spine

    settings = load_settings(data.folder, {"FP_SPARK__DRIVER_MEMORY": heap})
    request = BuildRequest(
        asked=asked_list(data.wanted, [data.snapshot]),
        columns=SpineColumns(keys={"post_id": "post_id"}, instant="at"),
        out=out,
        as_of="event",
    )
    clock = SystemClock()
    made = build(settings, request, open_spine(spine), SparkAnswerer(settings), clock)
    return made.manifest.seconds


def run_duckdb(data: Data, spine: Path, out: Path, _heap: str) -> Steps:
    """Add events up once, and subtract what was before a window from what was before the instant.

    Prefix sums and as-of joins: nothing is read or added twice, whatever the windows.
    """
    import duckdb

    connection = duckdb.connect(
        str(out.with_suffix(".duckdb")),
        config={
            "threads": THREADS,
            "memory_limit": f"{DUCKDB_MEMORY_GB}GB",
            "temp_directory": str(out.parent),
            "preserve_insertion_order": False,
        },
    )
    steps: dict[str, float] = {}
    for name, sql in duckdb_sql(data.events, spine, out).items():
        began = time.monotonic()
        connection.execute(sql)
        steps[name] = round(time.monotonic() - began, 3)
    return steps


def duckdb_sql(events: Sequence[str], spine: Path, out: Path) -> dict[str, str]:
    """Return the statements by name, in their order."""
    files = ", ".join(f"'{file}'" for file in events)
    groups = [
        f"{call.replace('watch_ms', 'e.watch_ms')} FILTER (WHERE {_of(condition)}) AS {name}"
        for name, (call, condition) in COLUMNS.items()
    ]
    sums = [f"CAST(SUM({name}) OVER past AS BIGINT) AS {name}" for name in COLUMNS]
    edges = [
        f'"at" - {length} - ("at" - {length}) % {MINUTE_MS} AS since_{window}'
        for window, length in WINDOWS.items()
    ]
    joins = [
        f"ASOF LEFT JOIN sums AS w_{window} "
        f"ON asked.post_id = w_{window}.post_id AND asked.since_{window} > w_{window}.ts"
        for window in WINDOWS
    ]
    features = [
        feature
        for name in COLUMNS
        for feature in (
            *(
                f"coalesce(n.{name}, 0) - coalesce(w_{window}.{name}, 0) AS {name}_{window}"
                for window in WINDOWS
            ),
            f"coalesce(n.{name}, 0) AS {name}_lifetime",
        )
    ]
    return {
        "sums": f"""
            CREATE TABLE sums AS
            WITH parsed AS (
              SELECT from_json(decode(value), '{EVENT}') AS e FROM read_parquet([{files}])
            ), grouped AS (
              SELECT e.post_id AS post_id, e.ts AS ts, {", ".join(groups)}
              FROM parsed GROUP BY ALL
            )
            SELECT post_id, ts, {", ".join(sums)} FROM grouped
            WINDOW past AS (PARTITION BY post_id ORDER BY ts ROWS UNBOUNDED PRECEDING)""",
        "joins": f"""
            COPY (
              WITH asked AS (SELECT "row", post_id, "at", {", ".join(edges)} FROM '{spine}')
              SELECT asked."row", asked.post_id, asked."at", {", ".join(features)}
              FROM asked
              ASOF LEFT JOIN sums AS n ON asked.post_id = n.post_id AND asked."at" > n.ts
              {" ".join(joins)}
            ) TO '{out}' (FORMAT parquet, COMPRESSION zstd)""",
    }


def _of(condition: str) -> str:
    return condition.replace("watch_ms", "e.watch_ms").replace("action", "e.action")


CONTESTANTS: Mapping[str, Callable[[Data, Path, Path, str], Steps]] = {
    "ours": run_ours,
    "duckdb": run_duckdb,
}

if __name__ == "__main__":
    task, *paths, given = sys.argv[1:]
    folder, spine_path, out_path = map(Path, paths)
    started = time.monotonic()
    taken: Any = CONTESTANTS[task](Data(folder=folder), spine_path, out_path, given)
    print(json.dumps({"seconds": time.monotonic() - started, "steps": dict(taken)}))
