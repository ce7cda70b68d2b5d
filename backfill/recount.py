"""Recomputes tiles from the events for a check, and names the events of a tile.

What is reported goes to the parent as JSON lines, an entity at a time: memory stays bounded.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace

from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as f

from backfill.archived_log import ArchivedLog
from backfill.kafka import KafkaTopic
from backfill.tiles import events, packed_rows, partials, register_functions
from feature_platform.engines.job_spec import JobSpec
from feature_platform.engines.spark_facts import (
    Counted,
    EntityRows,
    EventsFound,
    LogRead,
    RecountFact,
    Sampled,
)
from feature_platform.engines.spark_request import EventsTask, RecountTask, TileSelection
from feature_platform.plan.job_history import HISTORY_PARTITION

OFFSET_MAX = 2**63 - 1
OFFSETS_MAX = 100
"""Events that are named of one tile; all are counted."""

Tell = Callable[[RecountFact | EventsFound], None]


def recount(session: SparkSession, log_folder: str, task: RecountTask, tell: Tell) -> None:
    """Report the log, the sample, counts and entities; see `engines.ports.Recounter`.

    Raises:
        EventLogError: The log is damaged so that it cannot be read, or misses offsets.
    """
    wanted, job = task.wanted, task.job.job
    source = _Events(session, log_folder, task)
    words = source.archived.damage(wanted.days, whole_log=wanted.whole_log)
    tell(LogRead(complete_ms=source.archived.log.complete_ms, damage=tuple(words)))
    counted = source.read(wanted.days)
    if wanted.span:
        start_ms, end_ms = wanted.span
        counted = counted.where(f.col("__ts").between(start_ms, end_ms - 1))
    parts = partials(session, counted, job)
    if wanted.entities is not None:
        named = session.createDataFrame([(each,) for each in wanted.entities], "__entity STRING")
        parts = parts.join(f.broadcast(named), "__entity", "leftsemi")
    slices = wanted.slices or _fitting(parts, wanted)
    tell(Sampled(slices=slices))
    if slices < wanted.slices_of:
        slice_of = f.crc32(f.col("__entity").cast("binary")) % wanted.slices_of
        parts = parts.where(slice_of < slices)
    parts = parts.persist(StorageLevel.DISK_ONLY)
    for bucket_ms in wanted.buckets_ms:
        for start_ms, number in _counted(parts, bucket_ms):
            tell(Counted(bucket_ms=bucket_ms, start_ms=start_ms, events=number))
    for row in packed_rows(session, parts, job).toLocalIterator(prefetchPartitions=True):
        tell(EntityRows.of_packed(row["entity"], bytes(row["rows"])))


def events_of(session: SparkSession, log_folder: str, task: EventsTask, tell: Tell) -> None:
    """Report which events count for entities in event times, where any do.

    Raises:
        EventLogError: The log is damaged so that it cannot be read, or misses offsets.
    """
    job = task.job.job
    source = _Events(session, log_folder, task)
    source.archived.damage()
    register_functions(session)
    source.read(None).createOrReplaceTempView(job.source.name)
    counted = session.sql(counting_query(job.spark_sql))
    schema = "__entity STRING, start_ms BIGINT, end_ms BIGINT"
    places = session.createDataFrame([*task.places], schema)
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
            EventsFound(
                entity=row["__entity"],
                start_ms=row["start_ms"],
                end_ms=row["end_ms"],
                events=row["events"],
                offsets=tuple((each["__partition"], each["__offset"]) for each in row["offsets"]),
            )
        )


def counting_query(sql: str) -> str:
    """Return the query that names, instead of counting, the events that a rendered query counts.

    The rendered query (`definition.render`) has its outer SELECT, FROM and GROUP BY at the
    beginning of lines, all that is inside them indented.
    """
    outer = sql[sql.index("\nFROM ") : sql.rindex("\nGROUP BY ")]
    entity = next(line for line in sql.splitlines() if line.endswith(" AS `__entity`,"))
    return f"SELECT\n{entity}\n  `__ts`, `__partition`, `__offset`{outer}"


class _Events:
    """The events that a task is about: in the event log, and the rest in Kafka."""

    def __init__(
        self, session: SparkSession, log_folder: str, task: RecountTask | EventsTask
    ) -> None:
        self._session, self._spec, self._until = session, task.job, task.until
        self._archived_only = isinstance(task, RecountTask) and task.archived_only
        self.archived = ArchivedLog(session, log_folder, task.job.job.source)

    def read(self, dates: Collection[str] | None) -> DataFrame:
        """Return the events, each read by the source that the job had then."""
        kafka, topic = self._spec.kafka.settings, self._spec.job.source.topic
        rest = None if self._archived_only else KafkaTopic(self._session, topic, kafka)
        raw = self.archived.records(self._until, rest, dates)
        return as_read(self._session, raw, self._spec)


def as_read(session: SparkSession, raw: DataFrame, spec: JobSpec) -> DataFrame:
    """Parse raw records as the job did: those of before by the sources that it had then.

    Returns:
        The columns of the present source; one that an earlier source lacked is NULL.
    """
    job, earlier = spec.job, spec.earlier_sources
    bounds = [{}, *(_by_partition(each.until) for each in earlier)]
    parsed = events(session, raw.where(_between(bounds[-1], None)), job)
    for each, lower, upper in zip(earlier, bounds, bounds[1:], strict=False):
        before = replace(job, source=each.source)
        old = events(session, raw.where(_between(lower, upper)), before)
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
    """Return offsets by partition; the history was read before any event of the topic."""
    ends = {int(name.rpartition("/")[2]): offset for name, offset in positions.items()}
    return {**ends, HISTORY_PARTITION: OFFSET_MAX}


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


def _fitting(parts: DataFrame, wanted: TileSelection) -> int:
    """Return how many slices hold about as many entities as a check takes."""
    (number,) = parts.agg(f.approx_count_distinct("__entity")).first() or (0,)
    whole, most = wanted.slices_of, wanted.entities_max
    return whole if number <= most else max(1, whole * most // number)


def _counted(parts: DataFrame, bucket_ms: int) -> Iterator[tuple[int, int]]:
    start = f.col("__tile") - f.pmod(f.col("__tile"), f.lit(bucket_ms))
    for row in parts.groupBy(start.alias("start")).agg(f.sum("_events").alias("events")).collect():
        yield row["start"], row["events"]
