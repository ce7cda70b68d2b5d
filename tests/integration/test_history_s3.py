"""A history in an object store: what is imported is, byte for byte, what local files give.

Hadoop's S3 client is 660 MB, which Maven fetches once: too much for each run of `make test`.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import boto3
import pyarrow as pa
import pytest
from moto.server import ThreadedMotoServer
from pyarrow import csv, parquet

from feature_platform.local.java import find_java_home, java_environment

CHILD = Path(__file__).with_name("s3_history.py")
POM = Path(__file__).with_name("s3_pom.xml")
MAVEN = shutil.which("mvn") or "mvn"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@pytest.fixture(name="endpoint")
def _endpoint() -> Iterator[str]:
    """Run an S3 server on a free port of loopback."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(name="client")
def _client(tmp_path: Path) -> Path:
    """Return a folder with the jars of Hadoop's S3 client."""
    folder = tmp_path / "client"
    arguments = ("-q", "-B", "-f", str(POM), "dependency:copy-dependencies")
    scope = ("-DincludeScope=runtime", f"-DoutputDirectory={folder}")
    environment = java_environment(find_java_home())
    subprocess.run([MAVEN, *arguments, *scope], check=True, env=environment)
    return folder


@pytest.mark.slow
@pytest.mark.long
def test_a_history_in_s3_is_that_of_local_files(
    tmp_path: Path, endpoint: str, client: Path
) -> None:
    """Parquet and CSV, below a prefix, with names that must be encoded; nothing there is told."""
    _write(tmp_path)
    _upload(tmp_path, endpoint)
    addresses = {"sales": "s3a://lake/a b/sales", "csv/*.csv": "s3a://lake/a b/csv/*.csv"}
    run = subprocess.run(
        [sys.executable, str(CHILD), str(tmp_path), endpoint, str(client), json.dumps(addresses)],
        capture_output=True, text=True, check=False, cwd=CHILD.parents[2],
        env={"PATH": os.environ["PATH"], "HOME": str(Path.home()),
             "PYTHONPATH": str(CHILD.parents[2]), **KEYS},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-3_000:]
    told = json.loads(run.stdout.splitlines()[-1])

    for path in addresses:
        local, stored = told[path]
        assert stored["records"] == local["records"]
        assert stored["totals"] == local["totals"]
        assert (stored["files"], stored["totals"]["imported"]) == (2, 40)
        assert len(stored["records"]) == 40
    assert told["none"][0].startswith("source sales: s3a://lake/nothing of its history")


def _write(folder: Path) -> None:
    """Write two Parquet files and two of CSV."""
    start = datetime(2013, 1, 1, tzinfo=UTC)
    rows = pa.table({
        "the id": [f"k{number % 3}" for number in range(40)],
        "at": pa.array([start + timedelta(days=number % 5) for number in range(40)],
                       pa.timestamp("us", "UTC")),
        "price": [Decimal(number).scaleb(-2) for number in range(40)],
        "more": [None if number % 7 == 0 else number for number in range(40)],
    })  # fmt: skip
    for name in ("sales", "csv"):
        (folder / name).mkdir()
    for number, name in enumerate(("1 \u00e4%20", "2+=")):
        part = rows.slice(number * 20, 20)
        parquet.write_table(part, folder / f"sales/{name}.parquet")
        csv.write_csv(part, folder / f"csv/{name}.csv")


def _upload(folder: Path, endpoint: str) -> None:
    store = boto3.client(
        "s3", endpoint_url=endpoint, region_name="us-east-1",
        aws_access_key_id="test", aws_secret_access_key="test",
    )  # fmt: skip
    store.create_bucket(Bucket="lake")
    for path in (*folder.glob("sales/*"), *folder.glob("csv/*")):
        store.upload_file(str(path), "lake", f"a b/{path.relative_to(folder)}")
