"""Looks whether the files of an event log are as their commits say, by Spark."""

from collections.abc import Sequence
from dataclasses import replace

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as f

from backfill.event_log import read_files
from backfill.files import HadoopFiles
from feature_platform.event_log.commits import DATA, Log
from feature_platform.event_log.damage import RANGES_MAX, Altered, Damage, Lacking, Range


def damage(
    session: SparkSession, files: HadoopFiles, log: Log, paths: Sequence[str] | None = None
) -> Damage:
    """Return which live files, of these paths or all, are not as their commits say.

    Only then all files are read, for the offsets that none of them holds.
    """
    found = _records(files, list(log.files) if paths is None else paths)
    damaged = Damage(
        missing=tuple(path for path, records in found.items() if records is None),
        altered=tuple(
            Altered(path=path, committed=log.files[path].records, found=records)
            for path, records in found.items()
            if records not in (None, log.files[path].records)
        ),
    )
    if not damaged:
        return damaged
    return replace(damaged, lacking=_lacking(session, files, log))


def _records(files: HadoopFiles, paths: Sequence[str]) -> dict[str, int | None]:
    """Return how many records live files hold; None for those that are gone or cut off."""
    present = {path for path, _ in files.sizes(DATA)}
    return {path: files.try_parquet_records(path) if path in present else None for path in paths}


def _lacking(session: SparkSession, files: HadoopFiles, log: Log) -> Lacking:
    """Return what no file holds; of its ranges, however many, only the longest are collected."""
    found = _records(files, list(log.files))
    whole = [path for path, records in found.items() if records is not None]
    gaps = _gaps(session, log, read_files(session, files, whole)).persist(StorageLevel.DISK_ONLY)
    ranges, offsets = gaps.agg(f.count("*"), f.sum(f.expr("stop - start"))).first() or (0, 0)
    longest = gaps.orderBy(f.expr("start - stop"), "partition", "start").limit(RANGES_MAX).collect()
    gaps.unpersist()
    return Lacking(
        records=sum(
            max(log.files[path].records - (records or 0), 0) for path, records in found.items()
        ),
        offsets=offsets or 0,
        ranges=ranges,
        longest=tuple(
            Range(partition=row["partition"], start=row["start"], end=row["stop"])
            for row in longest
        ),
    )


def _gaps(session: SparkSession, log: Log, rows: DataFrame) -> DataFrame:
    """Return the archived offsets `[start, stop)` of each partition that are not among rows.

    What a person has accepted to be gone is no gap; the end of what is archived bounds the last.
    """
    lost = [(part, *span) for part, spans in log.lost.items() for span in spans]
    ends = [(part, end, end) for part, end in log.positions.items()]
    fixed = session.createDataFrame([*lost, *ends], "partition INT, start BIGINT, stop BIGINT")
    held = rows.selectExpr("partition", "offset AS start", "offset + 1 AS stop")
    before = Window.partitionBy("partition").orderBy("start", "stop")
    reached = f.max("stop").over(before.rowsBetween(Window.unboundedPreceding, -1))
    known = held.unionByName(fixed).withColumn("at", f.coalesce(reached, f.lit(0)))
    limits = session.createDataFrame(sorted(log.positions.items()), "partition INT, until BIGINT")
    gaps = known.where("at < start").join(f.broadcast(limits), "partition").where("start <= until")
    return gaps.selectExpr("partition", "at AS start", "start AS stop")
