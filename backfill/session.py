"""Opens Spark: local jars alone, UTC, and nothing on the console."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pyspark.sql import SparkSession

SET = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "8",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
}


def open_session(
    *, master: str, jars: Sequence[Path], options: Mapping[str, str], driver_memory: str = "2g"
) -> SparkSession:
    """Start Spark, in this process's own JVM.

    Args:
        master: Where it runs.
        jars: Files that every executor gets; Spark never resolves packages.
        options: Spark's own options, over what is set here.
        driver_memory: Heap of the JVM; with a local master that of everything.
    """
    builder = SparkSession.builder.master(master).appName("feature-platform")
    local = SET if master.startswith("local") else {}
    given = {
        **local,
        "spark.sql.session.timeZone": "UTC",
        "spark.driver.memory": driver_memory,
        "spark.jars": ",".join(str(jar) for jar in jars),
        **options,
    }
    for name, value in given.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()
