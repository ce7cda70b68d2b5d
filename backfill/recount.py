"""Recomputes tiles from the events for a check, and names the events of a tile.

What is reported goes to the parent as JSON lines, an entity at a time: memory stays bounded.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from typing import Any

from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as f

from backfill.damage import damage
from backfill.event_log import records, source_files
from backfill.kafka import KafkaTopic, kafka_settings
from backfill.tiles import events, partials, register_functions, tile_rows
from feature_platform.errors import EventLogError
from feature_platform.event_log.archiver import read_log
from feature_platform.event_log.commits import Log
from feature_platform.event_log.dates import of_dates

OFFSETS_MAX = 100
"""Events that are named of one tile; all are counted."""

Tell = Callable[[Mapping[str, Any]], None]


def recount(session: SparkSession, spec: Mapping[str, Any], tell: Tell) -> None:
    """Report the facts `log`, `sampled`, `counted` and `entity`; see `engines.ports.Recounter`.

    Raises:
        EventLogError: The log is damaged so that it cannot be read, or misses offsets.
    """
    ask, job = spec["ask"], spec["job"]
    log, words = _looked_at(session, spec, ask["days"], whole_log=ask["whole_log"])
    tell({"event": "log", "complete_ms": log.complete_ms, "damage": words})
    wanted = _events(session, spec, ask["days"])
    if ask["span"]:
        start_ms, end_ms = ask["span"]
        wanted = wanted.where(f.col("__ts").between(start_ms, end_ms - 1))
    parts = partials(session, wanted, job)
    if ask["entities"] is not None:
        named = session.createDataFrame([(each,) for each in ask["entities"]], "__entity STRING")
        parts = parts.join(f.broadcast(named), "__entity", "leftsemi")
    slices = ask["slices"] or _fitting(parts, ask)
    tell({"event": "sampled", "slices": slices})
    if slices < ask["slices_of"]:
        slice_of = f.crc32(f.col("__entity").cast("binary")) % ask["slices_of"]
        parts = parts.where(slice_of < slices)
    parts = parts.persist(StorageLevel.DISK_ONLY)
    for bucket_ms in ask["buckets_ms"]:
        for start_ms, number in _counted(parts, bucket_ms):
            fact = {"bucket_ms": bucket_ms, "start_ms": start_ms, "events": number}
            tell({"event": "counted", **fact})
    rows = tile_rows(session, parts, job).toLocalIterator(prefetchPartitions=True)
    for entity, found in groupby(rows, key=lambda row: row["entity"]):
        tell({"event": "entity", "entity": entity, "rows": [_row(row) for row in found]})


def events_of(session: SparkSession, spec: Mapping[str, Any], tell: Tell) -> None:
    """Return which events count for entities in event times, where any do.

    Raises:
        EventLogError: The log is damaged so that it cannot be read, or misses offsets.
    """
    job = spec["job"]
    _looked_at(session, spec, None, whole_log=True)
    register_functions(session)
    _events(session, spec, None).createOrReplaceTempView(job["source"]["name"])
    counted = session.sql(counting_query(job["spark_sql"]))
    schema = "__entity STRING, start_ms BIGINT, end_ms BIGINT"
    places = session.createDataFrame([tuple(place) for place in spec["places"]], schema)
    found = (
        counted.join(f.broadcast(places), "__entity")
        .where("__ts >= start_ms AND __ts < end_ms")
        .groupBy("__entity", "start_ms", "end_ms")
        .agg(
            f.count("*").alias("events"),
            f.slice(
                f.array_sort(f.collect_list(f.struct("__partition", "__offset"))), 1, OFFSETS_MAX
            ).alias("offsets"),
        )
    )
    for row in found.toLocalIterator():
        tell(
            {
                "event": "events",
                "entity": row["__entity"],
                "start_ms": row["start_ms"],
                "end_ms": row["end_ms"],
                "events": row["events"],
                "offsets": [[each["__partition"], each["__offset"]] for each in row["offsets"]],
            }
        )


def counting_query(sql: str) -> str:
    """Return the query that names, instead of counting, the events that a rendered query counts.

    The rendered query (`definition.render`) has its outer SELECT, FROM and GROUP BY at the
    beginning of lines, all that is inside them indented.
    """
    outer = sql[sql.index("\nFROM ") : sql.rindex("\nGROUP BY ")]
    entity = next(line for line in sql.splitlines() if line.endswith(" AS `__entity`,"))
    return f"SELECT\n{entity}\n  `__ts`, `__partition`, `__offset`{outer}"


def _looked_at(
    session: SparkSession, spec: Mapping[str, Any], dates: list[str] | None, *, whole_log: bool
) -> tuple[Log, list[str]]:
    """Return the log and what is wrong with it; raise if files of the dates cannot be read."""
    source = spec["job"]["source"]
    files = source_files(session, spec["log"], source)
    log = read_log(files)
    wanted = of_dates(log, source, dates)
    wrong = damage(session, files, log, None if whole_log else wanted)
    words = wrong.words(files.root, source["topic"])
    if not {*wrong.missing}.isdisjoint(wanted):
        msg = f"{'; '.join(words)}: restore the missing files from a copy"
        raise EventLogError(msg)
    return log, words


def _events(session: SparkSession, spec: Mapping[str, Any], dates: list[str] | None) -> DataFrame:
    job = spec["job"]
    files = source_files(session, spec["log"], job["source"])
    topic = KafkaTopic(session, job["source"]["topic"], kafka_settings(job["kafka"]))
    raw = records(session, files, job["source"], spec["until"], topic, dates)
    return as_read(session, raw, job)


def as_read(session: SparkSession, raw: DataFrame, job: Mapping[str, Any]) -> DataFrame:
    """Parse raw records as the job did: those of before by the sources that it had then.

    Returns:
        The columns of the present source; one that an earlier source lacked is NULL.
    """
    job = dict(job)
    earlier = job.pop("earlier_sources", [])
    bounds = [{}, *(_by_partition(each["until"]) for each in earlier)]
    parsed = events(session, raw.where(_between(bounds[-1], None)), job)
    for each, lower, upper in zip(earlier, bounds, bounds[1:], strict=False):
        spec = {**job, "source": each["source"]}
        old = events(session, raw.where(_between(lower, upper)), spec)
        parsed = parsed.unionByName(
            old.select(
                *(
                    f.col(field.name)
                    if field.name in old.columns
                    else f.lit(None).cast(field.dataType).alias(field.name)
                    for field in parsed.schema.fields
                )
            )
        )
    return parsed


def _by_partition(positions: Mapping[str, int]) -> dict[int, int]:
    return {int(name.rpartition("/")[2]): offset for name, offset in positions.items()}


def _between(lower: Mapping[int, int], upper: Mapping[int, int] | None) -> Column:
    """Return which records are from some offsets on and, if there are any, before others."""
    inside = f.lit(upper is None)
    for part in sorted(lower.keys() | (upper or {}).keys()):
        here = f.col("partition") == part
        fits = f.col("offset") >= lower.get(part, 0)
        if upper is not None:
            fits &= f.col("offset") < upper.get(part, 0)
        inside = f.when(here, fits).otherwise(inside)
    return inside


def _fitting(parts: DataFrame, ask: Mapping[str, Any]) -> int:
    """Return how many slices hold about as many entities as a check takes."""
    (number,) = parts.agg(f.approx_count_distinct("__entity")).first() or (0,)
    whole: int = ask["slices_of"]
    return whole if number <= ask["entities_max"] else max(1, whole * ask["entities_max"] // number)


def _counted(parts: DataFrame, bucket_ms: int) -> Iterator[tuple[int, int]]:
    start = f.col("__tile") - f.pmod(f.col("__tile"), f.lit(bucket_ms))
    for row in parts.groupBy(start.alias("start")).agg(f.sum("_events").alias("events")).collect():
        yield row["start"], row["events"]


def _row(row: Row) -> tuple[int, int, str]:
    return row["level"], row["start"], bytes(row["payload"]).hex()
