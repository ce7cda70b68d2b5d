"""Builds training sets of drawn feature sets, and says where they differ from the oracle."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql import SparkSession

from feature_platform.clock import SystemClock
from feature_platform.definition.feature_list import FeatureList
from feature_platform.engines.spark_request import AsOf
from feature_platform.settings import Settings, load_settings
from feature_platform.training.asked import asked_list
from feature_platform.training.build import BuildRequest, build
from feature_platform.training.rows import SpineColumns
from feature_platform.training.spine import open_spine
from feature_platform.training.training_set import TrainingSet
from tests.integration.training_case import COLUMNS, Case, InProcess, event_times, everything

Difference = tuple[Mapping[str, Any], str, object, object]
"""A row of the spine, a column, what must be in it, and what is."""


def made(
    spark: SparkSession,
    of: Case | Sequence[Case],
    table: pa.Table,
    out: Path,
    as_of: AsOf = "event",
    *,
    lag_ms: int = 0,
    edge_ms: int = 0,
) -> TrainingSet:
    """Build a training set of all that feature sets serve."""
    every = [of] if isinstance(of, Case) else list(of)
    request = request_of(every, everything(every), out, as_of, lag_ms, edge_ms)
    engine = InProcess(spark, every[0].log)
    return build(settings(out.parent), request, open_spine(table), engine, SystemClock())


def request_of(
    of: Case | Sequence[Case],
    wanted: FeatureList,
    out: Path,
    as_of: AsOf,
    lag_ms: int = 0,
    edge_ms: int = 0,
) -> BuildRequest:
    """Return what `made` builds."""
    every = [of] if isinstance(of, Case) else list(of)
    kinds = {each.featureset.entity for each in every}
    return BuildRequest(
        asked=asked_list(wanted, [each.snapshot for each in every], edge_ms),
        columns=SpineColumns(keys={kind: COLUMNS[kind] for kind in kinds}, instant="at"),
        out=out,
        as_of=as_of,
        serving_lag_ms=lag_ms,
        edge_ms=edge_ms,
    )


def settings(folder: Path) -> Settings:
    """Return those of a project in a folder."""
    return load_settings(folder, {})


def wrong(
    of: Case | Sequence[Case],
    found: TrainingSet,
    table: pa.Table,
    as_of: AsOf,
    lag_ms: int = 0,
    edge_ms: int = 0,
) -> list[Difference]:
    """Return the rows, columns and values that differ from the oracle's."""
    every = [of] if isinstance(of, Case) else list(of)
    spans = [log_span(each, every, as_of) for each in every]
    differing: list[Difference] = []
    for asked, row in zip(table.to_pylist(), found.to_table().to_pylist(), strict=True):
        assert {name: row[name] for name in asked} == asked
        status = status_of(every, spans, asked, as_of, lag_ms)
        if row["_status"] != status:
            differing.append((asked, "_status", status, row["_status"]))
        values: dict[str, Any] = {}
        if status in {"ok", "no_data"}:
            instant = instant_ms(asked["at"])
            for each in every:
                key, prefix = asked[COLUMNS[each.featureset.entity]], prefix_of(each, every)
                served = each.training.served(key, instant, as_of, lag_ms=lag_ms, edge_ms=edge_ms)
                values |= {f"{prefix}{name}": value for name, value in served.items()}
        for feature in found.manifest.features:
            expected, actual = values.get(feature.column), row[feature.column]
            if expected != actual:
                differing.append((asked, feature.column, expected, actual))
    return differing


def prefix_of(each: Case, every: Sequence[Case]) -> str:
    """Return what is before the names of a feature set's columns."""
    return "" if len(every) == 1 else f"{each.snapshot.featureset}_"


def status_of(
    every: Sequence[Case],
    spans: Sequence[tuple[int, int]],
    asked: Mapping[str, Any],
    as_of: AsOf,
    lag_ms: int,
) -> str:
    """Return what a row must say of itself."""
    if asked["at"] is None:
        return "instant_null"
    keys = [asked[COLUMNS[each.featureset.entity]] for each in every]
    if None in keys:
        return "key_null"
    instant = instant_ms(asked["at"])
    if any(instant - lag_ms < begins for begins, _ in spans):
        return "before_log"
    if any(instant - lag_ms > ends for _, ends in spans):
        return "after_log"
    known = [
        each.training.events(key, instant, as_of, lag_ms)
        for each, key in zip(every, keys, strict=True)
    ]
    return "ok" if any(known) else "no_data"


def instant_ms(moment: Any) -> int:  # noqa: ANN401 - a naive datetime
    """Return epoch milliseconds."""
    return int((moment - type(moment)(1970, 1, 1)).total_seconds() * 1000 + 0.5)


def log_span(each: Case, every: Sequence[Case], as_of: AsOf) -> tuple[int, int]:
    """Return the first and last instant of the log of a feature set's source."""
    of_source = [one for one in every if one.snapshot.source == each.snapshot.source]
    times = list(event_times(of_source).values())
    if as_of == "known":
        times = [event.timestamp_ms for event in each.raw]
    return min(times), max(times)
