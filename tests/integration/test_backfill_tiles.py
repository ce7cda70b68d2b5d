"""A backfill's rows equal the oracle's, as a job's do (test_exactness): so both are equal."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from py4j.protocol import Py4JJavaError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.functions import lit, rand

from backfill.tiles import events as parse
from backfill.tiles import partials, register_functions, tile_rows
from feature_platform.definition.loading import load_project
from feature_platform.definition.model import FeatureSet
from feature_platform.plan.job import JobDefinition, job_definition
from feature_platform.rows.partials import Item
from feature_platform.store.base import HEAD_LEVEL
from feature_platform.testing import Mix, Oracle, RawEvent, generate_events
from feature_platform.testing.deployed import snapshot_of
from feature_platform.testing.reference_rows import encode_items
from feature_platform.tiles.layout import Carrier
from tests.integration.everything import EVERYTHING, LARGE, SOURCE
from tests.integration.records import write_records

NAME = "everything"
EVENTS = 20_000
FILES = 3
HOUR_MS = 3_600_000
END_MS = 1_772_366_400_000
"""2026-03-01T12:00Z"""
MIX = Mix(count=EVENTS, entities=150, end_ms=END_MS, span_ms=60 * HOUR_MS, partitions=4)
SEED = 20_261
Place = tuple[str, int, int]


@pytest.fixture(scope="module", name="featureset")
def _featureset(tmp_path_factory: pytest.TempPathFactory) -> FeatureSet:
    folder = tmp_path_factory.mktemp("featuresets")
    (folder / "sources").mkdir()
    (folder / "sources" / f"{NAME}.yaml").write_text(SOURCE.format(name=NAME))
    (folder / f"{NAME}.yaml").write_text(EVERYTHING.format(name=NAME))
    return load_project(folder).checked().featuresets[NAME]


@pytest.fixture(scope="module", name="raw")
def _raw(featureset: FeatureSet) -> list[RawEvent]:
    return list(generate_events(featureset.source, featureset.entity, MIX, seed=SEED))


@pytest.fixture(scope="module", name="records")
def _records(
    spark: SparkSession, raw: list[RawEvent], tmp_path_factory: pytest.TempPathFactory
) -> DataFrame:
    """The records in files, as an event log holds them."""
    folder = tmp_path_factory.mktemp("records")
    for number in range(FILES):
        write_records(folder / f"{number}.parquet", raw[number::FILES])
    return spark.read.parquet(str(folder))


@pytest.fixture(scope="module", name="job")
def _job(featureset: FeatureSet) -> JobDefinition:
    return job_definition(featureset, snapshot_of(featureset).layout)


@pytest.fixture(scope="module", name="rows")
def _rows(spark: SparkSession, records: DataFrame, job: JobDefinition) -> dict[Place, bytes]:
    return collected(tile_rows(spark, partials(spark, parse(spark, records, job), job), job))


@pytest.fixture(name="functions")
def _functions(spark: SparkSession) -> SparkSession:
    register_functions(spark)
    return spark


def collected(rows: DataFrame) -> dict[Place, bytes]:
    """Return payloads by entity, level and start, no two of which are the same."""
    found = [((row[0], row[1], row[2]), bytes(row[3])) for row in rows.toLocalIterator()]
    assert len(dict(found)) == len(found)
    return dict(found)


def shuffles(frame: DataFrame) -> int:
    """Count the shuffles among what a frame is computed from."""
    lineage: str = frame._jdf.queryExecution().toRdd().toDebugString()
    return lineage.count("ShuffledRowRDD")


def expected_rows(oracle: Oracle) -> Iterator[tuple[Place, bytes]]:
    """Return what the oracle says of all entities."""
    for key in oracle.entities:
        entity = oracle.entity(key)
        assert entity is not None
        yield (key, HEAD_LEVEL, 0), entity.head
        for tile in entity.closed:
            yield (key, tile.level, tile.start_ms), tile.payload


def test_every_row_equals_the_oracle(
    featureset: FeatureSet, raw: list[RawEvent], rows: Mapping[Place, bytes]
) -> None:
    """All aggregates over late, repeated, odd and unreadable events: every byte of every row."""
    oracle = Oracle(featureset, snapshot_of(featureset).layout, raw)
    expected = dict(expected_rows(oracle))

    assert len(oracle.dead_letters) > EVENTS / 200
    wrong = [
        place for place in rows.keys() | expected.keys() if rows.get(place) != expected.get(place)
    ]
    assert sorted(wrong)[:10] == [], f"{len(wrong)} of {len(expected)} rows differ"


def test_sums_beyond_int64_equal_the_oracle(spark: SparkSession, tmp_path: Path) -> None:
    """Halves of large sums, values that no sum holds, and those that are counted instead."""
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "large.yaml").write_text(SOURCE.format(name="large"))
    (tmp_path / "large.yaml").write_text(LARGE.format(name="large"))
    featureset = load_project(tmp_path).checked().featuresets["large"]
    layout = snapshot_of(featureset).layout
    job = job_definition(featureset, layout)
    mix = replace(MIX, count=4_000, entities=40, extreme=0.2)
    raw = list(generate_events(featureset.source, featureset.entity, mix, seed=SEED))
    write_records(tmp_path / "large.parquet", raw)
    records = spark.read.parquet(str(tmp_path / "large.parquet"))

    rows = collected(tile_rows(spark, partials(spark, parse(spark, records, job), job), job))

    oracle = Oracle(featureset, layout, raw)
    beyond = {
        (letter.partition, letter.offset)
        for letter in oracle.dead_letters
        if letter.reason == "beyond_sum"
    }
    assert len(beyond) > 50
    assert rows == dict(expected_rows(oracle))
    served = [oracle.served(entity, END_MS) for entity in oracle.entities]
    totals = [values["users_lifetime"] for values in served]
    assert any(isinstance(total, int) and abs(total) > 2**63 for total in totals)
    assert any(values["product_lifetime"] is None for values in served)
    # What was readable when it was archived is so still: this reason is of the feature set.
    write_records(
        tmp_path / "beyond.parquet", [e for e in raw if (e.partition, e.offset) in beyond]
    )
    refused = spark.read.parquet(str(tmp_path / "beyond.parquet"))
    assert parse(spark, refused, job, strict=True).count() == 0


@pytest.mark.parametrize(("files", "shuffles", "groups"), [(1, 3, 2), (7, 1, 10_000_000)])
def test_how_the_input_is_split_changes_nothing(
    spark: SparkSession,
    records: DataFrame,
    job: JobDefinition,
    rows: Mapping[Place, bytes],
    *,
    files: int,
    shuffles: int,
    groups: int,
) -> None:
    """Other partitions, another order and sorted or hashed groups give the same rows."""
    settings = {
        "spark.sql.shuffle.partitions": str(shuffles),
        "spark.sql.objectHashAggregate.sortBased.fallbackThreshold": str(groups),
    }
    before = {key: str(spark.conf.get(key)) for key in settings}
    for key, value in settings.items():
        spark.conf.set(key, value)
    mixed = records.orderBy(rand(seed=1)).repartition(files)
    other = collected(tile_rows(spark, partials(spark, parse(spark, mixed, job), job), job))
    for key, value in before.items():
        spark.conf.set(key, value)

    assert dict(rows) == other


def test_events_are_grouped_where_they_are(
    spark: SparkSession, records: DataFrame, job: JobDefinition
) -> None:
    """Grouping shuffles nothing, rolling up shuffles once: Spark plans our queries as we expect."""
    grouped = partials(spark, parse(spark, records, job), job)

    assert [shuffles(grouped), shuffles(tile_rows(spark, grouped, job))] == [0, 1]


def test_what_cannot_be_read_any_more_is_told(
    spark: SparkSession, raw: list[RawEvent], job: JobDefinition, tmp_path: Path
) -> None:
    """An event that was good when it was archived, and whose column has another type by now."""
    good = next(event for event in raw if b'"watch_ms":' in (event.value or b""))
    write_records(tmp_path / "one.parquet", [good])
    records = spark.read.parquet(str(tmp_path))
    columns = tuple(
        replace(each, type="BOOLEAN") if each.name == "watch_ms" else each
        for each in job.source.columns
    )
    changed = replace(job, source=replace(job.source, columns=columns))

    assert parse(spark, records, job, strict=True).count() == 1
    assert parse(spark, records, changed).count() == 0
    place = f"offset {good.offset} of partition {good.partition}"
    with pytest.raises(Py4JJavaError, match=f"{place} was readable .*wrong_type"):
        parse(spark, records, changed, strict=True).count()
    unseen = records.withColumn("readable", lit(False))
    assert parse(spark, unseen, changed, strict=True).count() == 0


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("FP_FIXED(0.145D, 2)", 14),
        ("FP_FIXED(-0.125D, 2)", -13),
        ("FP_FIXED(CAST('0.125' AS DECIMAL(10, 3)), 2)", 13),
        ("FP_FIXED(1e17D, 2)", None),
        ("FP_FIXED(CAST(NULL AS DOUBLE), 2)", None),
        ("FP_SORTABLE(-0.0D)", 0),
        ("FP_SORTABLE(-1.5D) < FP_SORTABLE(-1.25D)", True),
        ("FP_SORTABLE(CAST(NULL AS DOUBLE))", None),
        ("CAST(FP_FINITE(-0.0D) AS STRING)", "0.0"),
        ("FP_FINITE(1e308D * 10)", None),
        ("FP_ADD(9223372036854775807, CAST(x AS BIGINT))", None),
        ("FP_SUBTRACT(CAST(-9223372036854775808 AS BIGINT), x)", None),
        ("FP_MULTIPLY(4611686018427387904, -2 * x)", -9223372036854775808),
        ("FP_NEGATE(x)", -1),
        ("FP_ABS(-x)", 1),
        ("FP_HIGH(9223372036854775807)", 2147483648),
        ("FP_HIGH(-2147483648L)", 0),
        ("FP_ADD(CAST(NULL AS BIGINT), x)", None),
        ("FP_UPPER('straße')", "STRAßE"),
        ("FP_COMPARE('\U0001f389', '\uffff') > 0", True),
        ("FP_LOWER(CAST(NULL AS STRING))", None),
    ],
)
def test_functions_of_a_row(functions: SparkSession, sql: str, value: object) -> None:
    """The SQL functions of a row give what Flink's give, through Spark's own conversions."""
    assert functions.sql(f"SELECT {sql} FROM VALUES (1) AS t(x)").head() == (value,)


@pytest.mark.parametrize(
    ("sql", "carrier", "items"),
    [
        ("FP_LAST_INT(v, t, p, o)", "int", [Item(3, 1, 0, 3)]),
        ("FP_FIRST_INT(v, t, p, o)", "int", [Item(1, 0, 0, 1)]),
        ("FP_LAST_INT(v, t, p, o) FILTER (WHERE v < 3)", "int", [Item(2, 0, 1, 2)]),
        ("FP_LAST_INT(v, t, p, o) FILTER (WHERE v > 100)", "int", []),
        ("FP_FIRST_REAL(-0.0D * v, t, p, o)", "real", [Item(1, 0, 0, 0.0)]),
        ("FP_LAST_TEXT('Größe', t, p, o)", "text", [Item(4, 0, 2, "Größe")]),
        ("FP_LAST_N_INT(v, 2, t, p, o)", "int", [Item(3, 1, 0, 3), Item(2, 0, 1, 2)]),
    ],
)
def test_aggregates_of_items(
    functions: SparkSession, sql: str, carrier: Carrier, items: list[Item]
) -> None:
    """FIRST, LAST and LAST_N go by event time, ignore NULL and take a FILTER."""
    head = functions.sql(
        f"SELECT {sql} FROM VALUES (CAST(1 AS BIGINT), 1L, 0, 0L), (3L, 3L, 1, 0L), "
        "(2L, 2L, 0, 1L), (CAST(NULL AS BIGINT), 4L, 0, 2L) AS t(v, t, p, o)"
    ).head()
    assert head is not None
    assert head[0] == (encode_items(carrier, items) if items else None)
