"""Entry of the client: `flink run -py streaming/main.py -- --deployer SOCKET` serves a deployer.

Requests and answers are those of `feature_platform.engines.flink_frames`.

Python's collector works only between requests: it informs Java of every object that is gone, and in
the midst of a call it would do so over a second connection, which another thread of Java serves and
later calls may use. Calcite keeps by thread what its planner needs, and fails on another
(`metadataHandlerProvider`, FLINK-23020).
"""

import argparse
import gc
import socket
import sys
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from feature_platform.engines.flink_frames import Answer, Channel, Request
from feature_platform.errors import FeaturePlatformError
from streaming.job import serve


def main() -> None:
    """Answer requests until the deployer hangs up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deployer", required=True, help="the Unix socket it listens on")
    gc.disable()
    with socket.socket(socket.AF_UNIX) as deployer:
        deployer.connect(parser.parse_args().deployer)
        channel = Channel(deployer)
        while True:
            try:
                request = channel.receive(Request)
            except EOFError:
                return
            channel.send(_answer(request))
            gc.collect()


def _answer(request: Request) -> Answer:
    try:
        job_id = serve(request.spec, request.job_id, request.restore_path)
    except FeaturePlatformError as error:
        return Answer(error=str(error), kind=type(error).__name__)
    except Exception as error:  # noqa: BLE001 - whatever it is, the deployer reports it
        return Answer(error=traceback.format_exc(), kind=type(error).__name__)
    return Answer(job_id=job_id)


if __name__ == "__main__":
    main()
