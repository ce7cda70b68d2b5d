"""Ways to get from raw events in Parquet to groups of (entity, minute): ours, and what others do.

Each runs in a process of its own: `python -m bench.contestants NAME FILE...` prints one JSON
object: groups, events and the sum of watch_ms, so that all can be compared, and the seconds of the
work itself, without the start of the process. Two threads each.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from feature_platform.engines.job_spec import JobSpec

THREADS = 2
MINUTE_MS = 60_000
SMALL_GB = 1
MEMORY_GB = 4
"""What DuckDB and the heap of Spark may take."""

Sums = tuple[int, int, int]
"""Groups, events, sum of watch_ms."""

DUCKDB_SQL = """
WITH events AS (
  SELECT from_json(decode(value),
    '{"post_id": "BIGINT", "action": "VARCHAR", "watch_ms": "BIGINT", "ts": "BIGINT"}') AS event
  FROM read_parquet($files)
), grouped AS (
  SELECT event.post_id, event.ts - event.ts % 60000 AS tile,
         COUNT(*) AS events,
         COUNT(*) FILTER (WHERE event.action = 'view') AS views,
         COUNT(*) FILTER (WHERE event.action = 'like') AS likes,
         COUNT(*) FILTER (WHERE event.action = 'share') AS shares,
         SUM(event.watch_ms) AS watch_ms, MAX(event.watch_ms) AS longest
  FROM events GROUP BY ALL
)
SELECT COUNT(*), SUM(events)::BIGINT, SUM(watch_ms)::BIGINT, SUM(views), SUM(likes), SUM(shares),
       SUM(longest)
FROM grouped
"""


def run_duckdb(files: Sequence[str]) -> tuple[Sums, float]:
    """Group by DuckDB."""
    import duckdb

    connection = duckdb.connect(
        config={"threads": THREADS, "memory_limit": f"{MEMORY_GB}GB", "temp_directory": _folder()}
    )
    began = time.monotonic()
    found = connection.execute(DUCKDB_SQL, {"files": list(files)}).fetchall()[0]
    return (found[0], found[1], found[2]), time.monotonic() - began


def run_polars(files: Sequence[str]) -> tuple[Sums, float]:
    """Group by the streaming engine of Polars."""
    import polars as pl

    event = pl.Struct(
        {"post_id": pl.Int64, "action": pl.String, "watch_ms": pl.Int64, "ts": pl.Int64}
    )
    began = time.monotonic()
    action = pl.col("action")
    grouped = (
        pl.scan_parquet(list(files))
        .select(pl.col("value").cast(pl.String).str.json_decode(event).alias("event"))
        .unnest("event")
        .group_by("post_id", (pl.col("ts") - pl.col("ts") % MINUTE_MS).alias("tile"))
        .agg(
            pl.len().alias("events"),
            *((action == name).sum().alias(name) for name in ("view", "like", "share")),
            pl.col("watch_ms").sum(),
            pl.col("watch_ms").max().alias("longest"),
        )
    )
    sums = grouped.select(
        pl.len().alias("groups"),
        *(
            pl.col(name).sum()
            for name in ("events", "watch_ms", "view", "like", "share", "longest")
        ),
    ).collect(engine="streaming")
    found = sums.row(0)
    return (found[0], found[1], found[2]), time.monotonic() - began


def run_udf(files: Sequence[str]) -> tuple[Sums, float]:
    """Group by Spark, with a Python function that reads an event at a time."""
    from pyspark.sql import functions as f

    session = _session()
    kind = "post_id BIGINT, action STRING, watch_ms BIGINT, ts BIGINT"
    parse = f.udf(json.loads, kind)
    began = time.monotonic()
    events = session.read.parquet(*files).select(parse("value").alias("event")).select("event.*")
    grouped = events.groupBy("post_id", (f.col("ts") - f.col("ts") % MINUTE_MS).alias("tile")).agg(
        f.count("*").alias("events"),
        *(
            f.count(f.when(f.col("action") == name, 1)).alias(name)
            for name in ("view", "like", "share")
        ),
        f.sum("watch_ms").alias("watch_ms"),
        f.max("watch_ms").alias("longest"),
    )
    found = grouped.agg(
        f.count("*"), f.sum("events"), f.sum("watch_ms"), f.sum("longest"), f.sum("view")
    ).collect()[0]
    return (found[0], found[1], found[2]), time.monotonic() - began


def run_ours(files: Sequence[str]) -> tuple[Sums, float]:
    """Parse, group, roll up to every level, encode; rows are thrown away, not written."""
    return _timed(_session(), files)


def run_ours_small(files: Sequence[str]) -> tuple[Sums, float]:
    """Do the same in a heap that is smaller than the events."""
    return _timed(_session(SMALL_GB), files)


def _timed(session: Any, files: Sequence[str]) -> tuple[Sums, float]:  # noqa: ANN401
    began = time.monotonic()
    rows = ours(session, files)
    rows.write.format("noop").mode("overwrite").save()
    return (0, 0, 0), time.monotonic() - began


def run_ours_groups(files: Sequence[str]) -> tuple[Sums, float]:
    """Parse and group only, as the others do: to be compared with their sums."""
    from pyspark.sql import functions as f

    from backfill.tiles import events, partials

    session = _session()
    job = _spec().job
    began = time.monotonic()
    grouped = partials(session, events(session, session.read.parquet(*files), job), job)
    found = grouped.agg(
        f.count_distinct("__entity", "__tile"), f.sum("_events"), f.sum("watch_ms")
    ).collect()[0]
    return (found[0], found[1], found[2]), time.monotonic() - began


def ours(session: Any, files: Sequence[str]) -> Any:  # noqa: ANN401 (Spark is imported by need)
    """Return encoded rows."""
    from backfill.tiles import events, partials, tile_rows

    job = _spec().job
    raw = session.read.parquet(*files)
    return tile_rows(session, partials(session, events(session, raw, job), job), job)


def _spec() -> JobSpec:
    return JobSpec.parse(Path(os.environ["BENCH_SPEC"]).read_text())


def _folder() -> str:
    return os.environ["BENCH_FOLDER"]


def _session(memory_gb: int = MEMORY_GB) -> Any:  # noqa: ANN401
    from backfill.session import open_session

    return open_session(
        master=f"local[{THREADS}]",
        jars=[Path(jar) for jar in os.environ["BENCH_JARS"].split(",")],
        options={"spark.local.dir": _folder(), "spark.sql.warehouse.dir": f"{_folder()}/tables"},
        driver_memory=f"{memory_gb}g",
    )


def write(files: Sequence[str]) -> dict[str, float]:
    """Write encoded rows into the store of the spec; computing them is not timed."""
    from backfill.tiles import write_rows

    session = _session()
    rows = ours(session, files).persist()
    rows.count()
    began = time.monotonic()
    written = write_rows(session, rows, _spec(), 1)
    seconds = time.monotonic() - began
    return {"rows": written.rows, "bytes": written.payload_bytes, "seconds": seconds}


CONTESTANTS: Mapping[str, Callable[[Sequence[str]], tuple[Sums, float]]] = {
    "ours": run_ours,
    "ours, 1 GiB of heap": run_ours_small,
    "ours, groups only": run_ours_groups,
    "duckdb": run_duckdb,
    "polars": run_polars,
    "pyspark, python udf": run_udf,
}

if __name__ == "__main__":
    task, *chosen = sys.argv[1:]
    if task == "write":
        print(json.dumps(write(chosen)))
    else:
        sums, seconds = CONTESTANTS[task](chosen)
        print(json.dumps({"sums": sums, "seconds": seconds}))
