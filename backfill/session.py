"""Opens the Spark session of a backfill: results equal to Flink's, nothing open to the network.

A process has one session at a time; whoever opens it stops it.
"""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from pyspark import SparkConf, SparkContext
from pyspark.sql import SparkSession

from feature_platform.errors import SettingsError
from feature_platform.local.java import find_java_home

LOOPBACK = "127.0.0.1"
DEFAULTS: Mapping[str, str] = {
    "spark.app.name": "fp-backfill",
    "spark.sql.shuffle.partitions": "8",
    "spark.ui.showConsoleProgress": "false",
    # Nobody waits for a pause: the collector that takes the least of the cores.
    "spark.driver.extraJavaOptions": "-XX:+UseParallelGC",
    "spark.executor.extraJavaOptions": "-XX:+UseParallelGC",
    # Groups are (entity, minute): at the default of 128 nearly all would be sorted and spilled.
    "spark.sql.objectHashAggregate.sortBased.fallbackThreshold": "100000",
}
"""What `options` may change."""
AT_START = re.compile(r"spark\.(driver\.|submit\.|jars|files|archives|yarn\.|kubernetes\.)")
"""Names of settings that Java is started with, so that its command line shows them to everybody."""
SECRET = re.compile(r"(?i)secret|password|token|credential|access[.]?key|[._]key\b")
"""Names of settings that nobody else may see, wherever they are."""
FIXED: Mapping[str, str] = {
    "spark.ui.enabled": "false",
    "spark.sql.catalogImplementation": "in-memory",
    # As Flink: an overflow wraps, names are case-sensitive, there is no other time zone.
    "spark.sql.ansi.enabled": "false",
    "spark.sql.caseSensitive": "true",
    "spark.sql.session.timeZone": "UTC",
    # A text constant is the characters that are in it: nothing is put in for `${...}`, and
    # backslashes and backticks mean what `definition.render` writes them for.
    "spark.sql.variable.substitute": "false",
    "spark.sql.parser.escapedStringLiterals": "false",
    "spark.sql.parser.quotedRegexColumnNames": "false",
    "spark.sql.parser.doubleQuotedIdentifiers": "false",
}
"""What rows and safety rest on: no option may say otherwise."""
MEANINGS = tuple(
    f"spark.sql.{family}"
    for family in ("ansi.", "decimalOperations.", "legacy.", "parser.", "session.", "variable.")
)
"""Families of options that say what SQL means."""


def open_session(
    *,
    master: str,
    jars: Sequence[Path],
    options: Mapping[str, str],
    driver_memory: str = "2g",
    secrets: Mapping[str, str] | None = None,
) -> SparkSession:
    """Start Spark.

    Args:
        master: Spark's address of the cluster, such as `local[2]`, which stays on loopback.
        jars: Local files for driver and executors: the kernel's, and those of connectors.
        options: Spark's settings, which win over the defaults here; one that is fixed may only
            repeat its value.
        driver_memory: Heap of the driver, which of a local master does all the work.
        secrets: Environment of the executors beside what a cluster gives them.

    Raises:
        SettingsError: An option would change what is fixed.
    """
    _refuse_fixed(options)
    os.environ.setdefault("JAVA_HOME", str(find_java_home()))
    settings = {
        **DEFAULTS,
        "spark.driver.memory": driver_memory,
        "spark.jars": ",".join(jar.resolve().as_uri() for jar in jars),
        **_addresses(master),
        **options,
        **FIXED,
        **{f"spark.executorEnv.{name}": value for name, value in (secrets or {}).items()},
    }
    _start_java(master, settings)
    builder = SparkSession.builder.master(master)
    for key, value in settings.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def close_session(session: SparkSession) -> None:
    """Stop Spark, and wait until its JVM has ended: nothing of it outlives this process."""
    gateway = session.sparkContext._gateway  # noqa: SLF001 - PySpark has no public way
    assert gateway is not None  # noqa: S101 (`open_session` made it)
    if gateway.proc.poll() is None:
        session.stop()
        gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait()


def _refuse_fixed(options: Mapping[str, str]) -> None:
    for name, value in options.items():
        fixed = FIXED.get(name)
        if fixed is None and name.startswith(MEANINGS):
            msg = (
                f"[spark.options] sets {name}, which may change what SQL means compared with the "
                "stream; remove this option"
            )
            raise SettingsError(msg)
        if fixed is not None and value.strip().lower() != fixed.lower():
            msg = (
                f"[spark.options] sets {name} = {value!r}, but rows equal the stream's only with "
                f"{fixed!r}; remove this option"
            )
            raise SettingsError(msg)


def _start_java(master: str, settings: Mapping[str, str]) -> None:
    """Start Spark's JVM with what it must be started with; all the rest is handed over later."""
    conf = SparkConf().setMaster(master).setAll(shown(settings))
    SparkContext._ensure_initialized(conf=conf)  # noqa: SLF001 - else everything would be there


def shown(settings: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the settings that are on the command line: no others are seen by other logins."""
    return [
        (name, value)
        for name, value in settings.items()
        if AT_START.match(name) and not SECRET.search(name)
    ]


def _addresses(master: str) -> dict[str, str]:
    """Return where the driver listens: executors of a cluster must reach it, others nobody."""
    if not master.startswith("local"):
        return {}
    os.environ.setdefault("SPARK_LOCAL_IP", LOOPBACK)
    return {"spark.driver.host": LOOPBACK, "spark.driver.bindAddress": LOOPBACK}
