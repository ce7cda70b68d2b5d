"""Entry of the client: `flink run -py streaming/main.py -- --deployer SOCKET` serves a deployer.

A request is `{"spec", "job_id", "restore_path"}`: build the graph of this job spec, and submit it
under this id, if one is given. The answer is `{"job_id", "error"}`: the id that the cluster has
accepted, and why there is none.

Python's collector works between requests alone: it tells Java of every object that is gone, and in
the midst of a call it would do so over a second connection, which another thread of Java serves and
later calls may use. Calcite keeps by thread what its planner needs, and fails on another
(`metadataHandlerProvider`, FLINK-23020).
"""

import argparse
import gc
import sys
import traceback
from multiprocessing.connection import Client
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from streaming.job import serve


def main() -> None:
    """Answer requests until the deployer hangs up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deployer", required=True, help="the Unix socket it listens on")
    gc.disable()
    with Client(parser.parse_args().deployer, "AF_UNIX") as deployer:
        while True:
            try:
                request = deployer.recv()
            except EOFError:
                return
            try:
                answer = {"job_id": serve(**request), "error": ""}
            except Exception:  # noqa: BLE001 - whatever it is, the deployer tells it
                answer = {"job_id": "", "error": traceback.format_exc()}
            deployer.send(answer)
            gc.collect()


if __name__ == "__main__":
    main()
