"""Training sets equal the naive oracle: every aggregate, both readings, statuses, arrays."""

from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from feature_platform.clock import SystemClock
from feature_platform.definition.feature_list import FeatureList, ListedFeature
from feature_platform.engines.spark import SparkAnswerer
from feature_platform.engines.spark_request import AsOf
from feature_platform.errors import CallerError, SparkFailedError
from feature_platform.testing import Mix
from feature_platform.training.build import build
from feature_platform.training.spine import open_spine
from tests.integration.everything import EVERYTHING, LARGE
from tests.integration.training_case import END_MS, HOUR_MS, Case, InProcess, case, spine
from tests.integration.training_judge import instant_ms, made, request_of, settings, wrong


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
