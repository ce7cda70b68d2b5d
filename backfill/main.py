"""Entry of a backfill: `python -m backfill.main --spec FILE`, run by `deploy/spark.py`.

Tells how far it is on standard output, one JSON object a line; Spark's own log goes to standard
error.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from backfill.kafka import kafka_records
from backfill.session import open_session
from backfill.tiles import Limits, Written, events, tile_rows, write_rows


def main() -> None:
    """Compute and write all rows of a generation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spec", type=Path, required=True, help="what to do, JSON")
    run(json.loads(parser.parse_args().spec.read_text()))


def run(spec: dict[str, Any]) -> None:
    """Do what a spec says; see `deploy/spark.py`, which writes it."""
    job, spark = spec["job"], spec["spark"]
    session = open_session(
        master=spark["master"],
        jars=[Path(jar) for jar in spec["jars"]],
        options=spark["options"],
        driver_memory=spark["driver_memory"],
    )
    try:
        records = kafka_records(
            session,
            job["source"]["topic"],
            spec["until"],
            bootstrap=job["kafka"]["bootstrap"],
            properties=job["kafka"]["properties"],
        )
        rows = tile_rows(session, events(session, records, job), job)
        limits = Limits(rows_per_second_max=spark["rows_per_second_max"])
        written = write_rows(session, rows, job, spec["attempt"], limits=limits, report=_tell)
        _tell(written, done=True)
    finally:
        session.stop()


def _tell(written: Written, *, done: bool = False) -> None:
    facts = {
        "rows": written.rows,
        "bytes": written.payload_bytes,
        "expired": written.expired,
        "done": done,
    }
    print(json.dumps(facts), flush=True)  # noqa: T201 - how the parent is told


if __name__ == "__main__":
    main()
