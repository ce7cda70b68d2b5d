"""A table's rows become the events that the topic would have had, whatever types the table has."""

import json
import math
import os
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import csv, parquet
from pyspark.sql import SparkSession

from backfill.archived_log import ArchivedLog
from backfill.history import ImportedHistory, import_history
from backfill.tiles import events
from feature_platform.clock import from_iso
from feature_platform.definition.loading import load_project
from feature_platform.definition.model import FeatureSet
from feature_platform.errors import EventLogError
from feature_platform.event_log.history import Import
from feature_platform.plan.job import JobDefinition
from feature_platform.plan.job_history import HISTORY_PARTITION
from feature_platform.testing.deployed import snapshot_of

UNTIL = "2013-07-01T00:00:00Z"
UNTIL_MS = from_iso(UNTIL)
SOURCE = """
source: sales
topic: sales
format: json
event_time: at
columns:
  id: STRING
  at: TIMESTAMP
  big: BIGINT
  small: INT
  ratio: DOUBLE
  price: "DECIMAL(10,2)"
  good: BOOLEAN
  seen: TIMESTAMP
history:
  files: {files}
  format: {format}
  until: {until}
  columns:
    id: the id
    at: at
    big: big
    small: small
    ratio: ratio
    price: price
    good: good
    seen: seen
"""
FEATURES = """
featureset: sold
entity: id
source: sales
sql: |
  SELECT id, COUNT(*) AS sales, SUM(big) AS big, SUM(small) AS small, MAX(ratio) AS ratio,
         SUM(price) AS price, LAST_VALUE(good) AS good, MAX(seen) AS seen
  FROM sales GROUP BY id
features:
  sales: {lifetime: true}
  big: {lifetime: true}
  small: {lifetime: true}
  ratio: {lifetime: true}
  price: {lifetime: true, scale: 2}
  good: latest
  seen: {lifetime: true}
"""
COLUMNS = ("id", "at", "big", "small", "ratio", "price", "good", "seen")


def defined(folder: Path, files: str, kind: str = "parquet", until: str = UNTIL) -> FeatureSet:
    """Write the definitions, and return the feature set."""
    (folder / "featuresets/sources").mkdir(parents=True, exist_ok=True)
    source = SOURCE.format(files=files, format=kind, until=until)
    (folder / "featuresets/sources/sales.yaml").write_text(source)
    (folder / "featuresets/sold.yaml").write_text(FEATURES)
    return load_project(folder / "featuresets").checked().featuresets["sold"]


def job_of(featureset: FeatureSet) -> JobDefinition:
    """Return what its job computes."""
    return snapshot_of(featureset).job


def imported(
    spark: SparkSession, folder: Path, job: JobDefinition, *, accept: bool = False
) -> Import:
    """Import the history of a project in a folder."""
    done = import_history(
        spark,
        str(folder / "log"),
        folder.as_uri(),
        job.source,
        lambda _: None,
        accept_unreadable=accept,
    )
    assert done is not None
    return done


def held(spark: SparkSession, folder: Path, job: JobDefinition) -> list[dict[str, Any]]:
    """Return the history's events as a backfill reads them, in the order of the table."""
    log = ArchivedLog(spark, str(folder / "log"), job.source)
    assert log.damage() == []
    rows = events(spark, log.records({}), job).orderBy("__offset").collect()
    assert {row["__partition"] for row in rows} <= {HISTORY_PARTITION}
    return [row.asDict() for row in rows]


def ms(moment: datetime) -> int:
    """Return epoch milliseconds, what is finer cut off."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def moments(draw: random.Random, count: int) -> list[datetime]:
    """Draw instants before the seam, to the microsecond."""
    start = datetime(1999, 12, 31, tzinfo=UTC)
    span = (datetime(2013, 7, 1, tzinfo=UTC) - start) // timedelta(microseconds=1)
    return [start + timedelta(microseconds=draw.randrange(span)) for _ in range(count)]


def some(draw: random.Random, values: Sequence[Any]) -> list[Any]:
    """Replace one in ten by nothing."""
    return [None if draw.random() < 0.1 else value for value in values]


def drawn(draw: random.Random, count: int) -> dict[str, list[Any]]:
    """Draw rows of values that every type of a table can hold exactly."""
    letters = "aZ0 \"\\/\n\t\u00e9\u4e2d\U0001f600'{},"
    return {
        "the id": ["".join(draw.choices(letters, k=draw.randint(1, 8))) for _ in range(count)],
        "at": moments(draw, count),
        "big": some(
            draw, [draw.choice((0, -1, 2**53 + 1, 2**63 - 1, -(2**63))) for _ in range(count)]
        ),
        "small": some(draw, [draw.randint(-(2**31), 2**31 - 1) for _ in range(count)]),
        "ratio": some(draw, [draw.choice((0.1, -0.0, 1e300, 5e-324, 1 / 3)) for _ in range(count)]),
        "price": some(
            draw, [Decimal(draw.randint(-(10**9), 10**9)).scaleb(-2) for _ in range(count)]
        ),
        "good": some(draw, [draw.random() < 0.5 for _ in range(count)]),
        "seen": some(draw, moments(draw, count)),
    }


def expected(rows: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    """Return what events of the rows hold, in the types of the source."""
    found = []
    for values in zip(*rows.values(), strict=True):
        event = dict(zip(COLUMNS, values, strict=True))
        event["__ts"] = event["at"] = ms(event["at"])
        event["seen"] = ms(event["seen"]) if event["seen"] else None
        event["ratio"] = (
            None if event["ratio"] is None else event["ratio"] + 0.0
        )  # no negative zero
        found.append(event)
    return found


def seen_as(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event in a form that equals itself, without where it was."""
    return {
        name: math.copysign(1, value) if name == "ratio" and value == 0 else value
        for name, value in event.items()
        if not name.startswith("__") or name == "__ts"
    }


DATES = 20
"""Of the rows of damaged files: each date of a table is a file of the event log."""
DRAWS = int(os.environ.get("HISTORY_DRAWS", "1"))
"""How many tables of each kind are drawn: more take half a minute each."""
TYPES = {
    "plain": {
        "at": pa.timestamp("us", "UTC"),
        "big": pa.int64(),
        "small": pa.int32(),
        "price": pa.decimal128(12, 4),
        "seen": pa.timestamp("ms"),
    },
    "pandas": {
        "at": pa.timestamp("ns"),
        "big": pa.int64(),
        "small": pa.int64(),
        "price": pa.decimal128(38, 18),
        "seen": pa.timestamp("ns", "Europe/Berlin"),
    },
    "wide": {
        "at": pa.timestamp("ms"),
        "big": pa.decimal128(38, 0),
        "small": pa.decimal128(20, 0),
        "price": pa.decimal128(10, 2),
        "seen": pa.timestamp("us", "UTC"),
    },
}


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("seed", range(DRAWS))
def test_values_of_every_type_are_the_events(
    spark: SparkSession, tmp_path: Path, kind: str, seed: int
) -> None:
    """Parquet in the types that warehouses and pandas write: drawn values, nothing among them."""
    rows = drawn(random.Random(seed), 200)  # noqa: S311
    folder = tmp_path / "a [b] c\u00e4 %20"
    folder.mkdir()
    made = {name: pa.array(rows[name], TYPES[kind].get(name)) for name in rows}
    parquet.write_table(pa.table(made), folder / "sales 1.parquet")
    job = job_of(defined(tmp_path, f'"{folder}"'))

    done = imported(spark, tmp_path, job)

    assert [seen_as(each) for each in held(spark, tmp_path, job)] == [
        seen_as(each) for each in expected(rows)
    ]
    (read,) = done.read.values()
    assert (read.rows, read.imported, read.rejected) == (200, 200, {})


def test_csv_is_the_same(spark: SparkSession, tmp_path: Path) -> None:
    """Texts with quotes, separators and line breaks; columns in another order in each file."""
    rows = drawn(random.Random(9), 300)  # noqa: S311
    (tmp_path / "sales").mkdir()
    text = pa.table(
        {
            name: [
                None if value is None
                else value.isoformat() if isinstance(value, datetime)
                else "NA" if value == "NA" else str(value)
                for value in values
            ]
            for name, values in rows.items()
        }
    )  # fmt: skip
    options = csv.WriteOptions(delimiter=";", quoting_style="needed")
    csv.write_csv(text.slice(0, 200), tmp_path / "sales/1.csv", options)
    turned = text.select([*reversed(text.column_names)])
    csv.write_csv(turned.slice(200), tmp_path / "sales/2.csv", options)
    definition = defined(tmp_path, "sales/*.csv", 'csv\n  delimiter: ";"')
    job = job_of(definition)

    done = imported(spark, tmp_path, job)

    assert done.totals["rejected"] == 0
    assert [seen_as(each) for each in held(spark, tmp_path, job)] == [
        seen_as(each) for each in expected(rows)
    ]


def test_a_file_of_many_parts_keeps_its_order(spark: SparkSession, tmp_path: Path) -> None:
    """Of events of one instant, the later row is newer; a date is a midnight in UTC."""
    count = 5_000
    table = pa.table(
        {
            "the id": ["a"] * count,
            "at": pa.array([date(2013, 6, 30)] * count),
            "big": [*range(count)],
            **{name: pa.nulls(count) for name in ("small", "ratio", "price", "good", "seen")},
        }
    )
    job = job_of(defined(tmp_path, "x.parquet"))
    typed = {
        name: pa.nulls(count, kind)
        for name, kind in {
            "small": pa.int32(), "ratio": pa.float32(), "price": pa.float64(),
            "good": pa.bool_(), "seen": pa.timestamp("s"),
        }.items()
    }  # fmt: skip
    for name, values in typed.items():
        table = table.set_column(table.column_names.index(name), name, values)
    parquet.write_table(table, tmp_path / "x.parquet", row_group_size=100)

    imported(spark, tmp_path, job)

    found = held(spark, tmp_path, job)
    assert [each["big"] for each in found] == [*range(count)]
    assert {each["__ts"] for each in found} == {from_iso("2013-06-30")}


def test_what_cannot_be_read_is_counted_by_file(spark: SparkSession, tmp_path: Path) -> None:
    """By reason, with the first rows; what is from the seam on is the topic's."""
    header = "the id,at,big,small,ratio,price,good,seen,more"
    good = "a,2013-01-01T00:00:00Z,1,2,0.5,1.25,true,,x"
    lines = [
        header,
        good,
        good.replace("2013-01-01T00", "2013-07-01T00"),
        good.replace("2013-01-01T00:00:00", "2013-06-30T23:59:59.999"),
        good.replace("2013-01-01T00:00:00Z", "yesterday"),
        good.replace(",2,", ",99999999999,"),
        good.replace("true", "perhaps"),
        good + ",too,many",
        "a,b",
        good.replace("2013-01-01T00:00:00Z", ""),
    ]
    (tmp_path / "1.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "2.csv").write_bytes(
        f"{header}\n{good}\n".encode() + good.replace("a", "\u00e9", 1).encode("latin-1")
    )
    job = job_of(defined(tmp_path, "'*.csv'", "csv"))

    done = imported(spark, tmp_path, job)

    first, second = (done.read[path] for path in sorted(done.read))
    assert (first.rows, first.imported, first.after_until) == (9, 2, 1)
    assert first.rejected == {
        "bad_event_time": 1, "bad_row": 2, "missing_event_time": 1, "out_of_range": 1,
        "wrong_type": 1,
    }  # fmt: skip
    assert [(each.row, each.reason) for each in first.examples] == [
        (4, "bad_event_time"), (5, "out_of_range"), (6, "wrong_type"), (7, "bad_row"),
        (8, "bad_row"), (9, "missing_event_time"),
    ]  # fmt: skip
    assert "more or fewer fields than the header" in first.examples[3].detail
    assert (second.rows, second.imported, second.rejected) == (2, 1, {"bad_row": 1})
    assert second.examples[0].detail == "column the id is not UTF-8"
    # The rows that one column spoils count for a feature set that does not read it.
    text = (tmp_path / "featuresets/sold.yaml").read_text()
    less = text.replace("SUM(small) AS small, ", "").replace("  small: {lifetime: true}\n", "")
    (tmp_path / "featuresets/sold.yaml").write_text(less)
    other = job_of(load_project(tmp_path / "featuresets").checked().featuresets["sold"])
    assert len(held(spark, tmp_path, job)) == 3
    assert len(held(spark, tmp_path, other)) == 4


def test_a_damaged_file_stops_or_is_left_out(spark: SparkSession, tmp_path: Path) -> None:
    """Cut off, or with a page that is garbage: it is named."""
    rows = drawn(random.Random(4), 3_000)  # noqa: S311
    rows["at"] = [rows["at"][number % DATES] for number in range(3_000)]  # each date is a file
    whole = pa.table({name: pa.array(rows[name], TYPES["plain"].get(name)) for name in rows})
    for name in ("a", "b", "c"):
        parquet.write_table(whole, tmp_path / f"{name}.parquet", compression="none")
    data = (tmp_path / "b.parquet").read_bytes()
    (tmp_path / "b.parquet").write_bytes(data[: len(data) // 2])
    job = job_of(defined(tmp_path, "'*.parquet'"))
    with pytest.raises(EventLogError, match=r"1 file of its history cannot be read: .*b.parquet"):
        imported(spark, tmp_path, job)
    (tmp_path / "b.parquet").write_bytes(data[:4] + bytes(2_000) + data[2_004:])
    with pytest.raises(EventLogError, match=r"1 file of its history cannot be read: .*b.parquet"):
        imported(spark, tmp_path, job)

    done = imported(spark, tmp_path, job, accept=True)

    assert done.totals["imported"] == 6_000
    assert [path[-9:] for path, each in done.read.items() if each.unreadable] == ["b.parquet"]
    assert len(held(spark, tmp_path, job)) == 6_000
    # What was imported is checked like what is archived.
    history = ImportedHistory(spark, str(tmp_path / "log"), job.source)
    path = Path(history.files.root) / next(iter(history.log.files))
    path.unlink()
    with pytest.raises(EventLogError, match="of the event log is missing"):
        ArchivedLog(spark, str(tmp_path / "log"), job.source).damage()


def test_a_table_that_changes_is_noticed(spark: SparkSession, tmp_path: Path) -> None:
    """And a pattern that matches nothing."""
    rows = drawn(random.Random(5), 10)  # noqa: S311
    table = pa.table({name: pa.array(rows[name], TYPES["plain"].get(name)) for name in rows})
    (tmp_path / "t/_hidden").mkdir(parents=True)
    parquet.write_table(table, tmp_path / "t/a.parquet")
    (tmp_path / "t/_SUCCESS").write_text("")
    (tmp_path / "t/_hidden/x").write_text("")
    job = job_of(defined(tmp_path, "t"))
    with pytest.raises(EventLogError, match="nothing of it is imported: fp archive sales"):
        ArchivedLog(spark, str(tmp_path / "log"), job.source)
    imported(spark, tmp_path, job)
    parquet.write_table(table.slice(1), tmp_path / "t/a.parquet")
    with pytest.raises(EventLogError, match=r"t/a.parquet is .* bytes of .*, and was"):
        imported(spark, tmp_path, job)
    with pytest.raises(EventLogError, match=r"nowhere/\* of its history matches no file"):
        imported(spark, tmp_path, job_of(defined(tmp_path, "'nowhere/*'")))
    assert json.dumps(job.source.to_json())
