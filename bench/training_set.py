"""Training sets of a hundred features, beside DuckDB's SQL for the same answer, and beside Feast.

Ours and DuckDB read the same raw events and the same spine, and write a Parquet file each; all
values are compared first. Feast joins values that were finished before. Writes
`bench/results/<date>-training-set.md`; the last line printed is one JSON object with the goals.

By default a trial that takes a minute. The figures are of
`--events 20000000 --rows 1000000 10000000 --feast ~/.cache/fp-bench/feast`.
"""

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bench.measure import ITSELF, Watch, Watched
from bench.rig import HERE, goal, say, table
from bench.serving_rig import make_feast
from bench.training_contestants import DUCKDB_MEMORY_GB
from bench.training_data import END_MS, NAMES, START_MS, Data, differing, make
from feature_platform.local.jars import build_kernel, fetch_jars
from feature_platform.local.java import find_java_home
from feature_platform.settings import load_settings

OURS, DUCKDB = "ours", "duckdb"
HEAP = "2g"
DUCKDB_AIM = 2
FEAST_AIM = 10
MEMORY_AIM_GIB = 2.5
FLAT_AIM = 1.25
SLOPE_AIM = 1.1
FEAST_FINISHED = 20_000
FEAST_ASKED = 5_000
"""Feast's join holds every pair of an asked and a finished row of a key, a hundred columns wide."""
CONDITIONS = """
{cores} cores, {memory} GiB; two threads each; DuckDB may take {duckdb_gb} GiB, our Spark has a heap
of {heap}.
{events:,} JSON events of about 90 bytes in Parquet, of 10 days, 200,000 entities by a Zipf law:
one has an eighth of all events, and of the rows of the spine.
100 features: 20 sums and counts over 30 minutes, 2 hours, 1 day, 5 days and all events before the
instant. Every value was compared at {compared:,} rows: all are equal.
Seconds are from files to files, in a process of its own; ours with the start of Spark.
DuckDB's SQL adds events up once and joins each edge of a window as of its instant, the quickest way
that we know; it can do so for sums and counts alone, and writes the rows in no order.
Feast counts no windows: it joined {finished:,} finished rows of a hundred values to {asked:,} asked
rows, in the seconds of its call alone: it holds every pair of rows of a key.{dropped}
Python {python}, Spark {spark}, DuckDB {duckdb}{feast}.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one run of a contestant took."""

    rows: int
    seconds: float
    steps: Mapping[str, float]
    used: Watched

    @property
    def rate(self) -> float:
        """Rows a second."""
        return self.rows / self.seconds

    @property
    def largest_bytes(self) -> int:
        """The peak of the process that took most."""
        return max(self.used.peaks.values())


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--rows", type=int, nargs="+", default=[20_000, 100_000])
    parser.add_argument("--duckdb-rows", type=int, nargs="+", help="fewer of them for DuckDB")
    parser.add_argument("--heap", default=HEAP, help="of our Spark, as Java writes it")
    parser.add_argument("--feast", type=Path, help="an environment with Feast; made if missing")
    parser.add_argument("--folder", type=Path, help="keep events and spines here for other runs")
    options = parser.parse_args()
    sizes = {OURS: sorted(options.rows), DUCKDB: sorted(options.duckdb_rows or options.rows)}
    with _folder(options.folder) as folder:
        _prepare(folder)
        data = make(folder, options.events)
        shutil.rmtree(folder / "out", ignore_errors=True)
        runs = {
            name: [_run(name, data, rows, options.heap) for rows in sizes[name]]
            for name in (OURS, DUCKDB)
        }
        _compare(data, sizes[DUCKDB][0])
        feast = _feast(data, sizes[OURS][0], make_feast(options.feast)) if options.feast else None
    _publish(runs, feast, options.events, options.heap)


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="fp-bench-") as folder:
        yield Path(folder)


def _prepare(folder: Path) -> None:
    """Build the kernel, and fetch Spark's jars: neither is timed."""
    settings, home = load_settings(folder, {}), find_java_home()
    build_kernel(settings, home)
    fetch_jars(settings, "spark", home)


def _out(name: str, data: Data, rows: int) -> Path:
    return data.folder / "out" / f"{name}-{rows}"


def _run(name: str, data: Data, rows: int, heap: str) -> Run:
    """Run a contestant in a process of its own, and watch what it uses."""
    spine, out = data.spine(rows), _out(name, data, rows)
    out.parent.mkdir(exist_ok=True)
    task = [name, str(data.folder), str(spine), str(out), heap]
    with (data.folder / f"{name}.log").open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "bench.training_contestants", *task],
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=HERE.parent,
            env=dict(os.environ),
        )
        watch = Watch(child.pid)
        told, _ = child.communicate()
    used = watch.end()
    if child.returncode:
        tail = Path(log.name).read_text(errors="replace")[-2000:]
        msg = f"{name} ended with exit code {child.returncode}:\n{tail}"
        raise SystemExit(msg)
    found = json.loads(told.decode().strip().splitlines()[-1])
    run = Run(rows=rows, seconds=found["seconds"], steps=found["steps"], used=used)
    peaks = {each: size >> 20 for each, size in used.peaks.items()}
    say(f"{name}, {rows:,} rows: {run.seconds:.1f} s, CPU {used.cpu_s:.1f} s, {run.steps}, {peaks}")
    return run


def _compare(data: Data, rows: int) -> None:
    """Make sure that every value is the same.

    Raises:
        SystemExit: One is not, so no figure counts.
    """
    ours = _out(OURS, data, rows)
    files = json.loads((ours / "manifest.json").read_text())["files"]
    if wrong := differing(ours, files, _out(DUCKDB, data, rows)):
        msg = f"they do not agree, so no figure counts: {len(wrong)} columns, {wrong[:5]}"
        raise SystemExit(msg)
    say(f"all {len(NAMES)} values of {rows:,} rows agree")


def _feast(data: Data, rows: int, python: str) -> dict[str, Any]:
    """Let Feast join finished values: those of the training set's first rows.

    Raises:
        SystemExit: It has other values than pandas.
    """
    folder = data.folder / "feast"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    ours = _out(OURS, data, rows)
    part = pq.ParquetFile(ours / "part-00000.parquet")
    finished = next(part.iter_batches(FEAST_FINISHED, columns=["post_id", "at", *NAMES]))
    known = _with_times(pa.Table.from_batches([finished]))
    times = known.group_by(["post_id", "event_timestamp"], use_threads=False)
    firsts = times.aggregate([(name, "first") for name in NAMES])
    pq.write_table(firsts.rename_columns(known.schema.names), folder / "finished.parquet")
    random = np.random.default_rng(3)
    asked = pa.table(
        {
            "row": pa.array(np.arange(FEAST_ASKED)),
            "post_id": known["post_id"].take(random.integers(0, len(known), FEAST_ASKED)),
            "at": random.integers(START_MS, END_MS, FEAST_ASKED),
        }
    )
    pq.write_table(_with_times(asked), folder / "asked.parquet")
    say(f"Feast: {len(firsts):,} finished rows, {FEAST_ASKED:,} asked")
    child = subprocess.run(
        [python, "-m", "bench.training_feast", str(folder)],
        check=True,
        stdout=subprocess.PIPE,
        cwd=HERE.parent,
    )
    found: dict[str, Any] = json.loads(child.stdout.decode().strip().splitlines()[-1])
    if not found["equal"]:
        msg = "Feast's values are not those of pandas, so its figure does not count"
        raise SystemExit(msg)
    return found


def _with_times(rows: pa.Table) -> pa.Table:
    """Name the instants as Feast wants them."""
    place = rows.schema.get_field_index("at")
    instants = pc.cast(rows["at"], pa.timestamp("ms")).cast(pa.timestamp("us", "UTC"))
    return rows.set_column(place, "event_timestamp", instants)


def _publish(
    runs: Mapping[str, Sequence[Run]],
    feast: Mapping[str, Any] | None,
    events: int,
    heap: str,
) -> None:
    head = ["", "rows", "rows/s", "seconds", "CPU s", "peak MiB", "of its processes", "steps"]
    lines = table(head, [_line(name, run) for name, found in runs.items() for run in found])
    if feast is not None:
        rate = f"{feast['rows'] / feast['seconds']:,.0f}"
        lines.append(
            f"| Feast, finished values | {feast['rows']:,} | {rate} | {feast['seconds']:.1f} |"
            " | | | |"
        )
    goals = _goals(runs, feast)
    conditions = CONDITIONS.format(
        cores=psutil.cpu_count(),
        memory=round(psutil.virtual_memory().total / 2**30),
        duckdb_gb=DUCKDB_MEMORY_GB,
        heap=heap,
        events=events,
        compared=runs[DUCKDB][0].rows,
        finished=FEAST_FINISHED,
        asked=FEAST_ASKED,
        dropped=f" It dropped {feast['dropped']:,} of them, which had no value yet."
        if feast
        else "",
        python=sys.version.split()[0],
        spark=version("pyspark"),
        duckdb=version("duckdb"),
        feast=f", Feast {feast['feast']} (dask {feast['dask']})" if feast else "; without Feast",
    )
    met = [
        f"* {each['name']}: {each['value']}, goal {each['goal']}: "
        f"{'met' if each['met'] else 'missed'}"
        for each in goals
    ]
    today = datetime.now(UTC).date().isoformat()
    text = "\n".join([f"# Training sets, {today}", conditions, *lines, "", *met, ""])
    (HERE / "results" / f"{today}-training-set.md").write_text(text)
    say(text)
    print(json.dumps({"goals": goals}))


def _line(name: str, run: Run) -> list[str]:
    peaks = sorted(run.used.peaks.items(), key=lambda item: -item[1])
    return [
        name,
        f"{run.rows:,}",
        f"{run.rate:,.0f}",
        f"{run.seconds:.1f}",
        f"{run.used.cpu_s:.0f}",
        f"{run.used.peak_bytes / 2**20:,.0f}",
        ", ".join(
            f"{'the build' if each == ITSELF and len(peaks) > 1 else each} {size / 2**20:,.0f}"
            for each, size in peaks
        ),
        ", ".join(f"{step} {seconds:.1f}" for step, seconds in run.steps.items()),
    ]


def _goals(
    runs: Mapping[str, Sequence[Run]], feast: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    first, last = runs[OURS][0], runs[OURS][-1]
    beside = runs[DUCKDB][-1]
    same = next(run for run in runs[OURS] if run.rows == beside.rows)
    times = same.seconds / beside.seconds
    goals = [
        goal(f"times DuckDB's at {same.rows:,} rows", times, DUCKDB_AIM, at_most=True, digits=2),
        goal(
            "GiB of the largest process",
            last.largest_bytes / 2**30,
            MEMORY_AIM_GIB,
            at_most=True,
            digits=2,
        ),
    ]
    if last.rows > first.rows:
        longer = math.log(last.rows / first.rows)
        flat = last.largest_bytes / first.largest_bytes
        slope = math.log(last.seconds / first.seconds) / longer
        named = f"{last.rows:,} rows over {first.rows:,}"
        goals += [
            goal(f"memory, {named}", flat, FLAT_AIM, at_most=True, digits=2),
            goal(f"slope of time, {named}", slope, SLOPE_AIM, at_most=True, digits=2),
        ]
    if feast is not None:
        faster = last.rate / (feast["rows"] / feast["seconds"])
        goals.append(goal("times Feast's rows/s", faster, FEAST_AIM, digits=1))
    return goals


if __name__ == "__main__":
    main()
