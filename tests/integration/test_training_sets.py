"""Training sets equal the naive oracle: random definitions, spines and orders, both modes."""

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from feature_platform.clock import SystemClock
from feature_platform.definition.feature_list import FeatureList, ListedFeature
from feature_platform.engines.spark import SparkAnswerer
from feature_platform.engines.spark_request import AsOf
from feature_platform.errors import CallerError, SparkFailedError
from feature_platform.settings import Settings, load_settings
from feature_platform.testing import Mix
from feature_platform.training.asked import asked_list
from feature_platform.training.build import BuildRequest, build
from feature_platform.training.rows import SpineColumns
from feature_platform.training.spine import open_spine
from feature_platform.training.training_set import TrainingSet
from tests.integration.everything import EVERYTHING, LARGE
from tests.integration.training_case import END_MS, HOUR_MS, Case, InProcess, case, spine

WINDOWS = ("1m", "2m", "5m", "7m", "30m", "45m", "2h", "1d", "2d")
CALLS = {
    "COUNT(*)": "w",
    "COUNT(*) FILTER (WHERE action = 'view')": "w",
    "SUM(watch_ms)": "w",
    "SUM(user_id)": "w",
    "AVG(score)": "s",
    "SUM(price)": "s",
    "MIN(watch_ms)": "w",
    "MAX(watch_ms)": "w",
    "MIN(score)": "w",
    "MAX(seen_at)": "w",
    "FIRST_VALUE(action)": "l",
    "LAST_VALUE(muted)": "l",
    "LAST_VALUE(score) FILTER (WHERE watch_ms > 10)": "l",
    "LAST_N(user_id, 7)": "l",
    "LAST_N(action, 3)": "l",
}
"""Aggregates, and how they are served: over windows, over windows with a scale, as latest."""


def made(
    spark: SparkSession,
    each: Case,
    table: pa.Table,
    out: Path,
    as_of: AsOf = "event",
    *,
    lag_ms: int = 0,
    edge_ms: int = 0,
) -> TrainingSet:
    """Build a training set of all that a feature set serves."""
    request = request_of(each, each.everything, out, as_of, lag_ms, edge_ms)
    engine = InProcess(spark, each.log)
    return build(settings(out.parent), request, open_spine(table), engine, SystemClock())


def request_of(
    each: Case, wanted: FeatureList, out: Path, as_of: AsOf, lag_ms: int = 0, edge_ms: int = 0
) -> BuildRequest:
    """Return what `made` builds."""
    return BuildRequest(
        asked=asked_list(wanted, [each.snapshot], edge_ms),
        columns=SpineColumns(keys={"post_id": "post"}, instant="at"),
        out=out,
        as_of=as_of,
        serving_lag_ms=lag_ms,
        edge_ms=edge_ms,
    )


def settings(folder: Path) -> Settings:
    """Return those of a project in a folder."""
    return load_settings(folder, {})


def wrong(
    each: Case, found: TrainingSet, table: pa.Table, as_of: AsOf, lag_ms: int, edge_ms: int
) -> list[tuple[Mapping[str, Any], str, object, object]]:
    """Return the rows, features and values that differ from the oracle's."""
    begins, ends = log_span(each, as_of)
    differing: list[tuple[Mapping[str, Any], str, object, object]] = []
    training = each.training
    for asked, row in zip(table.to_pylist(), found.to_table().to_pylist(), strict=True):
        assert {name: row[name] for name in asked} == asked
        status, values = "key_null" if asked["post"] is None else "instant_null", {}
        if asked["at"] is not None and asked["post"] is not None:
            instant = instant_ms(asked["at"])
            known = training.events(asked["post"], instant, as_of, lag_ms)
            status = "ok" if known else "no_data"
            status = "before_log" if instant - lag_ms < begins else status
            status = "after_log" if instant - lag_ms > ends else status
            if status in {"ok", "no_data"}:
                values = training.served(
                    asked["post"], instant, as_of, lag_ms=lag_ms, edge_ms=edge_ms
                )
        if row["_status"] != status:
            differing.append((asked, "_status", status, row["_status"]))
        for feature in found.manifest.features:
            expected, actual = values.get(feature.column), row[feature.column]
            if expected != actual:
                differing.append((asked, feature.column, expected, actual))
    return differing


def instant_ms(moment: Any) -> int:  # noqa: ANN401 - a naive datetime
    """Return epoch milliseconds."""
    return int((moment - type(moment)(1970, 1, 1)).total_seconds() * 1000 + 0.5)


def log_span(each: Case, as_of: AsOf) -> tuple[int, int]:
    """Return the first and last instant of the log."""
    times = [row.time_ms for rows in each.oracle.rows.values() for row in rows]
    if as_of == "known":
        times = [event.timestamp_ms for event in each.raw]
    return min(times), max(times)


def drawn(seed: int) -> str:
    """Draw a definition."""
    chance = random.Random(seed)  # noqa: S311
    grid = chance.choice(("[1m, 5m, 30m, 3h, 1d, 5d]", "[1m, 30m, 1d]", "[30s, 1m, 10m, 1h]"))
    columns, features = [], []
    for number, (call, form) in enumerate(chance.sample(sorted(CALLS.items()), 9)):
        columns.append(f"         {call} AS f{number}")
        windows = chance.sample(WINDOWS, chance.randint(1, 3))
        served = f"windows: [{', '.join(windows)}], lifetime: {chance.choice(('true', 'false'))}"
        scale = ", scale: 3" if form == "s" else ""
        features.append(
            f"  f{number}: latest" if form == "l" else f"  f{number}: {{{{{served}{scale}}}}}"
        )
    columns_read = "post_id, user_id, action, watch_ms, score, price, muted, seen_at"
    inner = f"SELECT {columns_read} FROM {{name}} WHERE action IS NULL OR action <> '`__offset`'"
    source = chance.choice(("{name}", f"({inner})"))
    return "\n".join(
        [
            "featureset: {name}",
            "entity: post_id",
            "source: {name}",
            f"grid: {grid}",
            "sql: |",
            "  SELECT post_id,",
            ",\n".join(columns),
            f"  FROM {source}",
            "  GROUP BY post_id",
            "features:",
            *features,
        ]
    )


@pytest.fixture(scope="module", name="whole")
def _whole(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return case(tmp_path_factory.mktemp("whole"), "everything", EVERYTHING, seed=7)


@pytest.mark.parametrize(
    ("as_of", "lag_ms", "edge_ms"),
    [("event", 0, 0), ("known", 0, 0), ("known", 90_000, 300_000)],
)
def test_every_aggregate_equals_the_oracle(
    spark: SparkSession, whole: Case, tmp_path: Path, as_of: AsOf, lag_ms: int, edge_ms: int
) -> None:
    """Every aggregate and type through an inner select; late, odd and unreadable events."""
    table = spine(whole, 400, seed=3, lag_ms=lag_ms)

    found = made(spark, whole, table, tmp_path / "set", as_of, lag_ms=lag_ms, edge_ms=edge_ms)

    differing = wrong(whole, found, table, as_of, lag_ms, edge_ms)
    assert differing[:5] == [], f"{len(differing)} values differ"
    assert found.manifest.rows == len(table)
    assert found.manifest.status["ok"] > 200
    assert {"no_data", "before_log", "after_log", "instant_null", "key_null"} <= set(
        found.manifest.status
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set"]


@pytest.mark.parametrize("seed", range(4))
def test_random_definitions_equal_the_oracle(
    spark: SparkSession, tmp_path: Path, seed: int
) -> None:
    """Random aggregates, windows, grids, spines; as of events and of what was known."""
    each = case(tmp_path, f"drawn{seed}", drawn(seed), seed=seed)
    as_of: AsOf = ("event", "known")[seed % 2]
    lag_ms = 30_000 if as_of == "known" else 0
    table = spine(each, 150, seed=seed, lag_ms=lag_ms)

    found = made(spark, each, table, tmp_path / "set", as_of, lag_ms=lag_ms)

    differing = wrong(each, found, table, as_of, lag_ms, 0)
    assert differing[:5] == [], f"{len(differing)} values differ"


def test_a_child_answers_the_same(spark: SparkSession, whole: Case, tmp_path: Path) -> None:
    """The process that `fp training-set` starts, which reads the log of the settings."""
    table = spine(whole, 50, seed=17)
    expected = made(spark, whole, table, tmp_path / "here").to_table()
    project = settings(tmp_path)
    log = project.event_log.model_copy(update={"folder": str(whole.log)})
    project = project.model_copy(update={"event_log": log})
    request = request_of(whole, whole.everything, tmp_path / "there", "event")
    said: list[str] = []

    found = build(
        project, request, open_spine(table), SparkAnswerer(project), SystemClock(), said.append
    )

    assert found.to_table() == expected
    assert said[-2:] == ["everything: answered", "writing features"]


def test_sums_beyond_64_bits_are_decimals(spark: SparkSession, tmp_path: Path) -> None:
    """Exact, in a column of decimals; values that no sum holds are null."""
    mix = Mix(
        count=2_000, entities=20, end_ms=END_MS, span_ms=60 * HOUR_MS, partitions=4, extreme=0.2
    )
    each = case(tmp_path, "large", LARGE, seed=5, mix=mix)
    table = spine(each, 100, seed=5)

    found = made(spark, each, table, tmp_path / "set")

    assert found.schema.field("users_lifetime").type == pa.decimal128(38, 0)
    assert wrong(each, found, table, "event", 0, 0) == []


def test_a_broken_build_continues(spark: SparkSession, whole: Case, tmp_path: Path) -> None:
    """What was answered is not asked again; another spine begins from nothing."""
    table, out = spine(whole, 20, seed=9), tmp_path / "set"
    request = request_of(whole, whole.everything, out, "event")
    broken, good = InProcess(spark, whole.log, dies_after=0), InProcess(spark, whole.log)

    with pytest.raises(SparkFailedError):
        build(settings(tmp_path), request, open_spine(table), broken, SystemClock())
    assert not out.exists()
    (tmp_path / "set.part" / "set").mkdir()
    build(settings(tmp_path), request, open_spine(table), good, SystemClock())

    assert (broken.asked, good.asked) == (["everything"], ["everything"])
    with pytest.raises(CallerError, match="exists already"):
        build(settings(tmp_path), request, open_spine(table), good, SystemClock())


def test_defaults_and_ages_are_those_of_serving(
    spark: SparkSession, whole: Case, tmp_path: Path
) -> None:
    """A default where there is no value; a value that was too old at the instant is none."""
    features = (
        ListedFeature(name="everything.span", shown_as="span", default="?", max_age_ms=HOUR_MS),
        ListedFeature(name="everything.span", shown_as="any_age"),
        ListedFeature(name="everything.views_2h", shown_as="views"),
    )
    wanted = FeatureList(name="all", version=1, features=features)
    table = spine(whole, 100, seed=11)
    request = request_of(whole, wanted, tmp_path / "set", "event")
    engine = InProcess(spark, whole.log)

    found = build(settings(tmp_path), request, open_spine(table), engine, SystemClock())

    ages = 0
    for row in found.to_table().to_pylist():
        if row["_status"] not in {"ok", "no_data"}:
            assert (row["span"], row["views"]) == (None, None)
            continue
        instant = instant_ms(row["at"])
        events = whole.training.events(row["post"], instant, "event")
        newest = max((event.time_ms for event in events), default=None)
        old = newest is None or newest < instant - HOUR_MS
        ages += old and newest is not None
        assert row["span"] == ("?" if old else row["any_age"])
    assert ages > 5


def test_arrays_and_splits(spark: SparkSession, whole: Case, tmp_path: Path) -> None:
    """Numbers alone become float32; a split says how many windows reach over its beginning."""
    found = made(spark, whole, spine(whole, 100, seed=13), tmp_path / "set")
    middle = END_MS - 30 * HOUR_MS

    train, test = found.split(middle, embargo_ms=HOUR_MS)

    assert train.rows + test.rows <= found.manifest.status["ok"] + found.manifest.status["no_data"]
    assert (train.overlapping, test.overlapping) == (0, test.rows)  # there are lifetime features
    arrays = test.arrays(["label"])
    assert arrays.features.shape == (test.rows, len(found.numeric))
    assert arrays.features.dtype.name == "float32"
    assert "span" not in arrays.names
    assert arrays.labels["label"].tolist() == test.to_table()["label"].to_pylist()
    assert len(found.to_pandas()) == found.manifest.rows
