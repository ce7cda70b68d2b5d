"""What a notebook or a pipeline calls: from a table, or what was served, to a training set."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from feature_platform.clock import SystemClock
from feature_platform.definition.model import Source
from feature_platform.engines.spark import SparkAnswerer
from feature_platform.engines.spark_request import AsOf
from feature_platform.errors import CallerError
from feature_platform.feature_log.read import ALWAYS, Period
from feature_platform.feature_log.tables import REQUEST_ID
from feature_platform.registry.base import RegistryReader
from feature_platform.serving.lists import chosen_list
from feature_platform.settings import Settings
from feature_platform.tiles.grid import parse_duration_ms
from feature_platform.training.asked import asked_list
from feature_platform.training.build import Answerer, BuildRequest, build
from feature_platform.training.labels import Labeller, LabelRequest, label_rows
from feature_platform.training.rows import UTC_NAME, SpineColumns
from feature_platform.training.served import ServedRequest, build_served
from feature_platform.training.spine import SpineLike, open_spine
from feature_platform.training.training_set import TrainingSet


class Engine(Answerer, Labeller, Protocol):
    """Reads event logs, for features and for labels."""


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
    labels: Source | None = None,
    within: str = "",
    request_id: str = REQUEST_ID,
    leave_out_open: bool = False,
    answerer: Engine | None = None,
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
        labels: A source that declares labels, which are joined to the spine; None: it has its own.
        within: How long after a row its events count, such as `30m`; empty: as the source says.
        request_id: The spine's column with the id of the answer, if labels are joined by it.
        leave_out_open: Leave out rows whose labels may still change.
        answerer: Who reads the event logs; None: children with Spark.
        report: Called with what is being done.

    Raises:
        CallerError: The spine does not fit the list, or the folder exists; UnknownFeatureError if
            there is no such list.
        EventLogError: An event log is empty or damaged: run `fp archive SOURCE` first.
        SparkFailedError: Spark failed; the same call continues.
    """
    edge_ms = _duration_ms("edge", edge)
    wanted = chosen_list(registry.feature_lists(), name, version)
    asked = asked_list(wanted, registry.snapshots(), edge_ms)
    named = {kind.entity: kind.entity for kind in asked.kinds} | dict(keys or {})
    columns = SpineColumns(keys=named, instant=instant, time_zone=time_zone)
    request = BuildRequest(
        asked=asked,
        columns=columns,
        out=Path(out),
        as_of=as_of,
        serving_lag_ms=serving_lag_ms,
        edge_ms=edge_ms,
    )
    engine, clock = answerer or SparkAnswerer(settings), SystemClock()
    texts = [named[kind.entity] for kind in asked.kinds if kind.entity_type == "STRING"]
    opened = open_spine(spine, [*texts, request_id] if labels else texts)
    if labels is None:
        return build(settings, request, opened, engine, clock, report)
    wished = LabelRequest.of(
        labels, _duration_ms("within", within), request_id, leave_out_open=leave_out_open
    )
    request.check(pa.schema([*opened.schema, *wished.columns]))
    labelled = label_rows(
        opened,
        columns,
        asked.kinds,
        wished,
        folder=request.work / "labels",
        labeller=engine,
        name=name,
        report=report,
    )
    return build(settings, request, labelled, engine, clock, report)


def build_served_set(  # noqa: PLR0913 - what a training set depends on, each by its name
    settings: Settings,
    registry: RegistryReader,
    name: str,
    out: str | Path,
    *,
    version: int | None = None,
    start_ms: int = ALWAYS.start_ms,
    end_ms: int = ALWAYS.end_ms,
    labels: Source | None = None,
    within: str = "",
    leave_out_open: bool = False,
    labeller: Labeller | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> TrainingSet:
    """Return what was served from a list, and what happened next, as a folder of Parquet files.

    Args:
        settings: Where the logs are, and how Spark runs.
        registry: What is deployed, and the stored lists.
        name: The feature list, whose feature log is archived.
        out: The folder to make.
        version: Rows that were served by this version of the list; None: by any.
        start_ms: Rows of this instant and later, epoch milliseconds.
        end_ms: Rows of earlier instants.
        labels: A source that declares labels; None: rows get none.
        within: How long after a row its events count, such as `30m`; empty: as the source says.
        leave_out_open: Leave out rows whose labels may still change.
        labeller: Who reads the event log; None: a child with Spark.
        report: Called with what is being done.

    Raises:
        CallerError: The labels do not fit the list, nothing was served then, or the folder exists;
            UnknownFeatureError if there is no such list.
        EventLogError: A log is empty or damaged: run `fp archive feature_log/LIST` and `fp archive
            SOURCE` first.
        SparkFailedError: Spark failed; the same call continues.
    """
    wished = None
    if labels is not None:
        wished = LabelRequest.of(
            labels, _duration_ms("within", within), REQUEST_ID, leave_out_open=leave_out_open
        )
    lists = registry.feature_lists()
    request = ServedRequest(
        asked=asked_list(chosen_list(lists, name, version), registry.snapshots()),
        out=Path(out),
        labels=wished,
        period=Period(start_ms=start_ms, end_ms=end_ms),
        version=version,
        versions=next(each.versions for each in lists if each.name == name),
    )
    engine = labeller or SparkAnswerer(settings)
    return build_served(settings, request, engine, SystemClock(), report)


def _duration_ms(name: str, text: str) -> int:
    """Return a duration; 0 for none.

    Raises:
        CallerError: It is none.
    """
    try:
        return parse_duration_ms(text) if text else 0
    except ValueError as error:
        msg = f"{name} {text!r}: {error}"
        raise CallerError(msg) from error
