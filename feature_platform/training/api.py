"""What a notebook or a pipeline calls: one function from labels to a training set."""

from collections.abc import Callable, Mapping
from pathlib import Path

from feature_platform.clock import SystemClock
from feature_platform.engines.spark import SparkAnswerer
from feature_platform.engines.spark_request import AsOf
from feature_platform.registry.base import RegistryReader
from feature_platform.serving.lists import chosen_list
from feature_platform.settings import Settings
from feature_platform.tiles.grid import parse_duration_ms
from feature_platform.training.asked import asked_list
from feature_platform.training.build import Answerer, BuildRequest, build
from feature_platform.training.rows import UTC_NAME, SpineColumns
from feature_platform.training.spine import SpineLike, open_spine
from feature_platform.training.training_set import TrainingSet


def build_training_set(  # noqa: PLR0913 - what a training set depends on, each by its name
    settings: Settings,
    registry: RegistryReader,
    name: str,
    spine: SpineLike,
    out: str | Path,
    *,
    version: int | None = None,
    as_of: AsOf = "event",
    serving_lag_ms: int = 0,
    instant: str = "instant",
    keys: Mapping[str, str] | None = None,
    time_zone: str = UTC_NAME,
    edge: str = "",
    answerer: Answerer | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> TrainingSet:
    """Return the features of a list as of the instants of a spine, as a folder of Parquet files.

    Rows keep their order, and none is dropped; `_status` says of each whether it has features.

    Args:
        settings: Where the event log is, and how Spark runs.
        registry: What is deployed, and the stored lists.
        name: The feature list.
        spine: A Parquet or CSV file, a folder of Parquet files, an Arrow table or a DataFrame, with
            keys, an instant, and anything else, which is kept.
        out: The folder to make.
        version: Of the list; None: the newest.
        as_of: `event`: events that happened before the instant. `known`: events that the broker had
            taken by then.
        serving_lag_ms: With `known`: how long an event took from the broker to the rankers.
        instant: The spine's column with the instants.
        keys: By kind of entity, the spine's column with its keys; of others the kind's own name.
        time_zone: Of timestamps that have none.
        edge: The `edge` that rankers prepare the list with, such as `5m`.
        answerer: Who reads the event log; None: a child with Spark.
        report: Called with what is being done.

    Raises:
        CallerError: The spine does not fit the list, or the folder exists; UnknownFeatureError if
            there is no such list.
        EventLogError: An event log is empty or damaged: run `fp archive SOURCE` first.
        SparkFailedError: Spark failed; the same call continues.
    """
    edge_ms = parse_duration_ms(edge) if edge else 0
    wanted = chosen_list(registry.feature_lists(), name, version)
    asked = asked_list(wanted, registry.snapshots(), edge_ms)
    named = {kind.entity: kind.entity for kind in asked.kinds} | dict(keys or {})
    request = BuildRequest(
        asked=asked,
        columns=SpineColumns(keys=named, instant=instant, time_zone=time_zone),
        out=Path(out),
        as_of=as_of,
        serving_lag_ms=serving_lag_ms,
        edge_ms=edge_ms,
    )
    engine = answerer or SparkAnswerer(settings)
    return build(settings, request, open_spine(spine), engine, SystemClock(), report)
