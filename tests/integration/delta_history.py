"""Imports histories from Delta tables: run as a child, for its Spark has what others must not have.

Its last argument is a folder; what it prints at the end is JSON.
"""

import base64
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql import functions as f

from backfill.files import HadoopFiles
from backfill.history import ImportedHistory, import_history
from backfill.session import close_session, open_session
from feature_platform.definition.loading import load_project
from feature_platform.engines.delta import delta_options
from feature_platform.errors import EventLogError
from feature_platform.local.jars import build_kernel, fetch_jars
from feature_platform.local.java import find_java_home
from feature_platform.settings import load_settings
from feature_platform.testing.deployed import snapshot_of

SOURCE = """
source: sales
topic: sales
format: json
event_time: at
columns: {{id: STRING, at: TIMESTAMP, price: "DECIMAL(10,2)", more: BIGINT}}
history:
  files: {files}
  format: {format}
  version: {version}
  until: 2013-07-01T00:00:00Z
  columns: {{id: the id, at: at, price: price, more: more}}
"""
FEATURES = """
featureset: sold
entity: id
source: sales
sql: SELECT id, COUNT(*) AS sales, SUM(price) AS price, SUM(more) AS more FROM sales GROUP BY id
features: {sales: {lifetime: true}, price: {lifetime: true, scale: 2}, more: {lifetime: true}}
"""


def told(spark: SparkSession, folder: Path, files: str, kind: str, version: int) -> Any:  # noqa: ANN401
    """Import a history; return what became of its rows and its records, or the error."""
    (folder / "featuresets/sources").mkdir(parents=True, exist_ok=True)
    text = SOURCE.format(files=files, format=kind, version=version)
    (folder / "featuresets/sources/sales.yaml").write_text(text)
    (folder / "featuresets/sold.yaml").write_text(FEATURES)
    featureset = load_project(folder / "featuresets").checked().featuresets["sold"]
    source, log = snapshot_of(featureset).job.source, str(folder / "log")
    try:
        done = import_history(spark, log, folder.as_uri(), source, lambda _: None)
    except EventLogError as error:
        return str(error)
    assert done is not None
    rows = ImportedHistory(spark, log, source).records(None, source).orderBy("offset").collect()
    records = [
        [value.isoformat() if hasattr(value, "isoformat")
         else base64.b64encode(value).decode() if isinstance(value, bytes | bytearray)
         else value for value in row]
        for row in rows
    ]  # fmt: skip
    return {"totals": done.totals, "records": records, "files": len(done.read)}


def _rows_by(spark: SparkSession, folder: Path) -> dict[str, Any]:
    """Write the same rows as Parquet, and partitioned; import both, the latter between crashes."""
    odd = "CASE WHEN id = 3 THEN NULL ELSE id % 2 END"
    rows = spark.range(0, 12, 1, 1).selectExpr(
        "concat('k/ =%', id % 3) AS `the id`",
        "date_add(DATE '2013-01-01', CAST(id % 4 AS INT)) AS at",
        "CAST(id * 1.25 AS DECIMAL(10,2)) AS price", f"CAST({odd} AS BIGINT) AS more",
    )  # fmt: skip
    rows.write.parquet(str(folder / "flat"))
    mapped = rows.write.format("delta").option("delta.columnMapping.mode", "name")
    mapped.partitionBy("the id", "more", "at").save(str(folder / "parts"))
    return {
        "flat": told(spark, folder, "flat", "parquet", 1),
        "crashes": _crashes(spark, folder),
        "partitioned": told(spark, folder, "parts", "delta", 0),
    }


class CrashError(Exception):
    """The import ends here."""


def _crashes(spark: SparkSession, folder: Path) -> list[str]:
    """Import until it is complete; each run ends before one more of the steps that others see."""
    kept = {name: getattr(HadoopFiles, name) for name in ("move", "publish")}
    seen: list[str] = []
    while True:
        done: list[str] = []
        allowed = len(seen)

        def step(name: str, done: list[str] = done, allowed: int = allowed) -> Any:  # noqa: ANN401
            def acted(files: HadoopFiles, *arguments: Any) -> Any:  # noqa: ANN401
                if len(done) == allowed:
                    seen.append(name)
                    raise CrashError
                done.append(name)
                return kept[name](files, *arguments)

            return acted

        try:
            for name in kept:
                setattr(HadoopFiles, name, step(name))
            told(spark, folder, "parts", "delta", 0)
        except CrashError:
            continue
        finally:
            for name, original in kept.items():
                setattr(HadoopFiles, name, original)
        return seen


def main(folder: Path) -> None:
    """Write a table of three versions, and import each."""
    settings, home = load_settings(folder, {}), find_java_home()
    jars = [
        path
        for each in ("spark", "delta")
        for path in fetch_jars(settings, each, home).glob("*.jar")
    ]
    spark = open_session(
        master="local[2]",
        jars=[build_kernel(settings, home), *jars],
        options=delta_options({
            "spark.sql.shuffle.partitions": "2",
            "spark.databricks.delta.snapshotPartitions": "1",
            "spark.sql.warehouse.dir": f"{folder}/warehouse",
        }),
        driver_memory="1g",
    )  # fmt: skip
    try:
        print(json.dumps(_told(spark, folder)))  # noqa: T201
    finally:
        close_session(spark)


def _told(spark: SparkSession, folder: Path) -> dict[str, Any]:
    table = folder / "a table"
    first = spark.range(0, 6, 1, 1).select(
        f.concat(f.lit("k"), (f.col("id") % 2).cast("string")).alias("the id"),
        f.expr("timestamp_seconds(1356998400 + id * 86400)").alias("at"),
        f.expr("CAST(id * 1.25 AS DECIMAL(10,2))").alias("price"),
    )
    first.write.format("delta").option("delta.columnMapping.mode", "name").option(
        "delta.enableDeletionVectors", "true"
    ).save(str(table))
    spark.sql(f"DELETE FROM delta.`{table}` WHERE price IN (0, 2.5)")
    second = spark.range(1).selectExpr(
        "'k9' AS `the id`", "TIMESTAMP '2013-05-01 00:00:00' AS at",
        "CAST(9 AS DECIMAL(10,2)) AS price", "7L AS more",
    )  # fmt: skip
    second.write.format("delta").mode("append").option("mergeSchema", "true").save(str(table))
    # Two names for nothing new: the mapping needs the column `more` in every version.
    plain = folder / "plain"
    grown = first.withColumn("more", f.lit(None).cast("bigint"))
    grown.coalesce(1).write.parquet(str(plain))
    grown.coalesce(1).write.format("delta").option("delta.columnMapping.mode", "name").save(
        str(folder / "same")
    )
    hadoop: Any = spark.sparkContext._jsc.hadoopConfiguration()
    hadoop.setInt("parquet.block.size", 4_000)  # several parts of one file
    many = spark.range(0, 2_000, 1, 1).selectExpr(
        "'k' AS `the id`", "TIMESTAMP '2013-05-01 00:00:00' AS at",
        "CAST(1 AS DECIMAL(10,2)) AS price", "id AS more",
    )  # fmt: skip
    many.write.format("delta").option("delta.columnMapping.mode", "name").save(str(folder / "many"))
    spark.conf.set("spark.sql.files.maxPartitionBytes", "4000")
    spark.conf.set("spark.sql.files.openCostInBytes", "1")
    parts = spark.read.format("delta").load(str(folder / "many"))
    found: dict[str, Any] = {
        "parts": parts.select("_metadata.file_block_start").distinct().count(),
        "many": told(spark, folder, "many", "delta", 0),
    }
    spark.conf.unset("spark.sql.files.maxPartitionBytes")
    found |= {
        "parquet": told(spark, folder, "plain", "parquet", 1),
        "same": told(spark, folder, "same", "delta", 0),
        "newest": told(spark, folder, "a table", "delta", 2),
        "lacks": told(spark, folder, "a table", "delta", 1),
        "later": told(spark, folder, "a table", "delta", 77),
        "none": told(spark, folder, "plain", "delta", 1),
    }
    found |= _rows_by(spark, folder)
    for path in table.glob("**/*.parquet"):
        path.unlink()
    found["again"] = told(spark, folder, "a table", "delta", 2)
    shutil.rmtree(folder / "log")
    found["vacuumed"] = told(spark, folder, "a table", "delta", 2)
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]))
