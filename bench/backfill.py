"""From raw events in Parquet to encoded rows, beside DuckDB, Polars and a Python UDF; and writing.

What everybody groups is compared first, on a part of the data. Then all run one after the other, in
several rounds. Writes `bench/results/<date>-backfill.md`; the last line printed is one JSON object
with the goals.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from bench.measure import Watch
from bench.rig import HERE, NAME, goal, say
from bench.workload import Workload, record_columns
from feature_platform.clock import SystemClock
from feature_platform.definition.loading import load_project
from feature_platform.engines.job_spec import NOWHERE, job_spec
from feature_platform.engines.world import open_world
from feature_platform.local.jars import build_kernel, fetch_jars
from feature_platform.local.java import find_java_home, java_environment
from feature_platform.local.ports import with_free_ports
from feature_platform.local.stack import Stack
from feature_platform.settings import Settings, load_settings, password, password_variable
from feature_platform.testing.deployed import snapshot_of

DAY_MS = 86_400_000
FILE_EVENTS = 1_000_000
DUCKDB_AIM = 3
UDF_AIM = 5
WRITE_AIM = 20_000
CONDITIONS = """
{cores} cores, {memory} GiB; two threads each.
{events:,} JSON events of about 90 bytes in Parquet, 200,000 entities by a Zipf law, a day of them.
Everybody parses and groups by (entity, minute) with five aggregates; ours then rolls up to six
levels and lifetime and encodes the rows.
Seconds are those of the work, without the start of a process; the median of {rounds} rounds.
The Python UDF had {udf_events:,} events.
Writing: the rows of {write_events:,} events into Cassandra on the same cores.
Python {python}, Spark {spark}, DuckDB {duckdb}, Polars {polars}.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one run of a contestant took."""

    sums: Sequence[int]
    seconds: float
    cpu_s: float
    peak_bytes: int


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--write-events", type=int, default=2_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fp-bench-") as folder:
        settings = load_settings(HERE / "project", {})
        home = find_java_home()
        jars = [build_kernel(settings, home), *fetch_jars(settings, "spark", home).glob("*.jar")]
        environment = _environment(settings, Path(folder), jars)
        say(f"drawing {options.events:,} events")
        files = _write_events(Path(folder), options.events)
        _compare(files[0], environment)
        runs = _rounds(files, options.rounds, environment)
        chosen = files[: max(1, options.write_events // FILE_EVENTS)]
        written = _write(settings, chosen, environment)
    _publish(runs, written, options)


def _environment(settings: Settings, folder: Path, jars: Sequence[Path]) -> dict[str, str]:
    featureset = load_project(settings.featuresets).checked().featuresets[NAME]
    spec = job_spec(snapshot_of(featureset), settings, NOWHERE)
    (folder / "spec.json").write_text(spec.text())
    return {
        **os.environ,
        **java_environment(find_java_home()),
        "BENCH_SPEC": str(folder / "spec.json"),
        "BENCH_JARS": ",".join(map(str, jars)),
        "POLARS_MAX_THREADS": "2",
        "BENCH_FOLDER": str(folder),
    }


def _write_events(folder: Path, count: int) -> list[str]:
    """Write events in the order of their times, as an event log holds them."""
    workload, files = Workload(7), []
    now_ms = SystemClock().now_ms() // DAY_MS * DAY_MS
    for first in range(0, count, FILE_EVENTS):
        size = min(FILE_EVENTS, count - first)
        times = now_ms - DAY_MS + (np.arange(first, first + size) * DAY_MS // count)
        table = pa.table(
            {
                **record_columns(workload, first, times),
                "readable": pa.array(np.ones(size, dtype=np.bool_)),
            }
        )
        path = folder / f"{first // FILE_EVENTS:03d}.parquet"
        pq.write_table(table, path, compression="zstd")
        files.append(str(path))
    return files


def _compare(file: str, environment: Mapping[str, str]) -> None:
    """Make sure that all group alike."""
    names = ("ours, groups only", "duckdb", "polars", "pyspark, python udf")
    sums = {name: tuple(_run(name, [file], environment).sums) for name in names}
    if len(set(sums.values())) != 1:
        msg = f"they do not agree, so no figure counts: {sums}"
        raise SystemExit(msg)
    say(f"all agree: {sums['duckdb'][0]:,} groups of {sums['duckdb'][1]:,} events")


def _rounds(
    files: Sequence[str], rounds: int, environment: Mapping[str, str]
) -> dict[str, list[Run]]:
    runs: dict[str, list[Run]] = {}
    for number in range(rounds):
        for name in ("ours", "ours, 1 GiB of heap", "duckdb", "polars", "pyspark, python udf"):
            chosen = files[:1] if "udf" in name else files
            run = _run(name, chosen, environment)
            say(f"round {number + 1}, {name}: {run.seconds:.1f} s")
            runs.setdefault(name, []).append(run)
    return runs


def _run(name: str, files: Sequence[str], environment: Mapping[str, str]) -> Run:
    """Run a contestant in a process of its own, and watch what it uses."""
    told, cpu_s, peak_bytes = _child(name, files, environment)
    return Run(sums=told["sums"], seconds=told["seconds"], cpu_s=cpu_s, peak_bytes=peak_bytes)


def _child(
    name: str, files: Sequence[str], environment: Mapping[str, str]
) -> tuple[Any, float, int]:
    """Run a task of `contestants.py`; return what it printed, CPU seconds and peak memory.

    As a module: a script's own folder would hide the package `backfill` behind this file.
    """
    command = [sys.executable, "-m", "bench.contestants", name, *files]
    with (Path(environment["BENCH_FOLDER"]) / "contestant.log").open("wb") as log:
        child = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, cwd=HERE.parent, env=dict(environment)
        )
        watch = Watch(child.pid)
        out, _ = child.communicate()
    used = watch.end()
    if child.returncode:
        tail = Path(log.name).read_text(errors="replace")[-2000:]
        msg = f"{name} ended with exit code {child.returncode}:\n{tail}"
        raise SystemExit(msg)
    return json.loads(out.decode().strip().splitlines()[-1]), used.cpu_s, used.peak_bytes


def _write(
    settings: Settings, files: Sequence[str], environment: Mapping[str, str]
) -> dict[str, float]:
    """Write encoded rows into a Cassandra of our own; return rows, bytes and seconds."""
    featureset = load_project(settings.featuresets).checked().featuresets[NAME]
    snapshot = snapshot_of(featureset)
    with tempfile.TemporaryDirectory(prefix="fp-bench-") as folder:
        local = with_free_ports(load_settings(Path(folder), {}))
        say("starting Cassandra")
        with Stack(local, servers=("cassandra",)), open_world(local) as world:
            world.tables.create_table(snapshot.table)
            spec = Path(folder) / "spec.json"
            spec.write_text(job_spec(snapshot, world.settings, NOWHERE).text())
            secret = {password_variable("job"): password(local, "job"), "BENCH_SPEC": str(spec)}
            found, _, peak_bytes = _child("write", files, {**environment, **secret})
            return {**found, "peak_bytes": peak_bytes}


def _publish(
    runs: Mapping[str, Sequence[Run]], written: Mapping[str, float], options: argparse.Namespace
) -> None:
    counts = {name: FILE_EVENTS if "udf" in name else options.events for name in runs}
    rates = {
        name: counts[name] / median(run.seconds for run in found) for name, found in runs.items()
    }
    lines = [
        "| | events/s | seconds | CPU s | peak MiB |",
        "|---|---|---|---|---|",
        *(
            f"| {name} | {rates[name]:,.0f} | {median(run.seconds for run in found):.1f} | "
            f"{median(run.cpu_s for run in found):.0f} | "
            f"{max(run.peak_bytes for run in found) / 2**20:,.0f} |"
            for name, found in runs.items()
        ),
        "",
        _writing(written),
    ]
    slower = rates["duckdb"] / rates["ours"]
    faster = rates["ours"] / rates["pyspark, python udf"]
    goals = [
        {
            **goal("times as long as DuckDB", slower, DUCKDB_AIM, at_most=True),
            "value": round(slower, 2),
        },
        {**goal("times as fast as a Python UDF", faster, UDF_AIM), "value": round(faster, 2)},
        goal("rows written per second", written["rows"] / written["seconds"], WRITE_AIM),
    ]
    conditions = CONDITIONS.format(
        cores=psutil.cpu_count(),
        memory=round(psutil.virtual_memory().total / 2**30),
        events=options.events,
        rounds=options.rounds,
        udf_events=FILE_EVENTS,
        write_events=options.write_events,
        python=sys.version.split()[0],
        spark=version("pyspark"),
        duckdb=version("duckdb"),
        polars=version("polars"),
    )
    today = datetime.now(UTC).date().isoformat()
    text = "\n".join([f"# Backfill, {today}", conditions, *lines, "", _met(goals), ""])
    path = HERE / "results" / f"{today}-backfill.md"
    path.write_text(text)
    say(text)
    print(json.dumps({"goals": goals}))


def _writing(written: Mapping[str, float]) -> str:
    rows, seconds = written["rows"], written["seconds"]
    size, peak = f"{written['bytes'] / 1e6:,.0f} MB", f"{written['peak_bytes'] / 2**20:,.0f} MiB"
    speed = f"{rows / seconds:,.0f} rows/s"
    return f"Writing: {rows:,} rows, {size} in {seconds:.1f} s: {speed}; peak {peak}."


def _met(goals: Sequence[Mapping[str, object]]) -> str:
    return "\n".join(
        f"* {each['name']}: {each['value']}, goal {each['goal']}: "
        f"{'met' if each['met'] else 'missed'}"
        for each in goals
    )


if __name__ == "__main__":
    main()
