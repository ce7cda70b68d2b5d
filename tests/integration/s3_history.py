"""Imports a history from local files and the same from S3: run as a child, for its Spark has S3.

Its arguments are a folder, the endpoint, the folder of Hadoop's S3 client, and what is imported:
`{local path: address}`. What it prints at the end is JSON.
"""

import json
import sys
from pathlib import Path

from backfill.session import close_session, open_session
from feature_platform.local.jars import build_kernel, fetch_jars
from feature_platform.local.java import find_java_home
from feature_platform.settings import load_settings
from tests.integration.delta_history import told


def main(folder: Path, endpoint: str, client: str, addresses: dict[str, str]) -> None:
    """Import each pair with the options that docs/operating.md names."""
    settings, home = load_settings(folder, {}), find_java_home()
    spark = open_session(
        master="local[2]",
        jars=[build_kernel(settings, home), *fetch_jars(settings, "spark", home).glob("*.jar")],
        options={
            "spark.sql.shuffle.partitions": "2",
            "spark.sql.warehouse.dir": f"{folder}/warehouse",
            "spark.driver.extraClassPath": f"{client}/*",
            "spark.executor.extraClassPath": f"{client}/*",
            "spark.hadoop.fs.s3a.endpoint.region": "eu-central-1",
            "spark.hadoop.fs.s3a.endpoint": endpoint,
            "spark.hadoop.fs.s3a.path.style.access": "true",
        },
        driver_memory="1g",
    )
    try:
        found = {}
        for path, address in addresses.items():
            kind = "csv" if "csv" in path else "parquet"
            found[path] = [told(spark, folder, each, kind, 1) for each in (path, address)]
        found["none"] = [told(spark, folder, "s3a://lake/nothing", "parquet", 1)]
        print(json.dumps(found))  # noqa: T201
    finally:
        close_session(spark)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], json.loads(sys.argv[4]))
