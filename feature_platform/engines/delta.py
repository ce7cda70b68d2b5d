"""What a child needs to read a Delta table, given to those alone that import a history from one."""

from collections.abc import Mapping
from pathlib import Path

from feature_platform.engines.spark_request import ArchiveTask, Task, TilesTask
from feature_platform.local.jars import fetch_jars
from feature_platform.settings import Settings

EXTENSIONS = "spark.sql.extensions"
EXTENSION = "io.delta.sql.DeltaSparkSessionExtension"
CATALOG = {"spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog"}


def reads_delta(task: Task) -> bool:
    """Return whether a task may import a Delta table."""
    match task:
        case ArchiveTask():
            history = task.source.history
        case TilesTask():
            history = task.job.job.source.history
        case _:
            return False
    return history is not None and history.format == "delta"


def delta_jars(settings: Settings, task: Task, java_home: Path) -> list[Path]:
    """Return Delta's jars, fetched at the first task that needs them; none for another.

    Raises:
        ServerError: Maven is missing or failed.
    """
    if not reads_delta(task):
        return []
    return sorted(fetch_jars(settings, "delta", java_home).glob("*.jar"))


def delta_options(given: Mapping[str, str]) -> dict[str, str]:
    """Return Spark's settings with Delta beside the extensions that it is given."""
    extensions = [each for each in (given.get(EXTENSIONS, ""), EXTENSION) if each]
    return {**CATALOG, **given, EXTENSIONS: ",".join(extensions)}
