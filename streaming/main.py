"""Entry of a job: `flink run -py streaming/main.py -- --spec FILE` builds and submits the graph."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from streaming.job import submit


def main() -> None:
    """Read the job spec and submit its job."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spec", type=Path, required=True, help="the job spec, JSON")
    submit(parser.parse_args().spec.read_text())


if __name__ == "__main__":
    main()
