"""A new generation's rows, written from the event log before its job begins.

The backfill is an attempt like a job's: number, end offsets and timestamp stay the same
however often it is restarted, so a Spark task that comes late writes what is there already.
"""

from feature_platform.deploy.topic_checks import check_topic
from feature_platform.engines.job_spec import NOWHERE, job_spec
from feature_platform.engines.reads import Reads
from feature_platform.engines.spark_request import TilesTask
from feature_platform.engines.world import World
from feature_platform.event_log.dates import reading
from feature_platform.lineage.attempts import BACKFILL, newest_cut
from feature_platform.plan.job_source import JobSource
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.base import Attempt, Cut, Positions
from feature_platform.registry.claim import FIRST_CHECKPOINT_ID
from feature_platform.registry.history import GENESIS
from feature_platform.report import Report


def backfill(
    world: World, target: Snapshot, report: Report, *, accept_unreadable: bool = False
) -> None:
    """Write all rows of a generation that nobody else writes yet; does nothing once that is done.

    Args:
        world: Its backfiller does the work.
        target: What is going to be deployed; its deployment owns the generation.
        report: Called with the progress.
        accept_unreadable: Leave out events that what is deployed reads, and the source's columns
            of today do not.

    Raises:
        PlanRefusedError: Another deployment owns the generation, or the topic was recreated.
        OffsetsGoneError: Events are neither in the event log nor in Kafka.
        SparkFailedError: Spark failed; begin again.
        WorldError: A server did not answer; begin again.
    """
    name, generation, registry = target.featureset, target.generation, world.registry
    claimed = _claim(world, target)
    if registry.cut(name, generation, claimed.attempt, FIRST_CHECKPOINT_ID):
        return
    task = TilesTask(
        job=job_spec(target, world.settings, NOWHERE),
        attempt=claimed.attempt,
        until=claimed.end_offsets,
        accept_unreadable=accept_unreadable,
        read_by=_read_by(world, target),
    )
    world.backfiller.backfill(task, report)
    cut = Cut(
        attempt=claimed.attempt,
        checkpoint_id=FIRST_CHECKPOINT_ID,
        positions=claimed.end_offsets,
        recorded_ms=world.clock.now_ms(),
    )
    registry.record_cut(name, generation, cut)


def _until(reads: Reads, target: Snapshot) -> Positions:
    """Return the backfill end offsets: the newest cut that a job may start from.

    Both generations can be compared there.
    Without one, or where the topic is another, the topic's ends.
    """
    deployed = reads.registry.snapshot(target.featureset)
    if deployed and deployed.topic == target.topic:
        name, generation = deployed.featureset, deployed.generation
        attempts = reads.registry.attempts(name, generation)
        cut = newest_cut(reads.registry.cuts(name, generation), attempts)
        if cut and cut.epoch != GENESIS:
            check_topic(reads, deployed)
            return cut.positions
    return reads.topics.end_offsets(target.topic)


def _read_by(reads: Reads, target: Snapshot) -> JobSource | None:
    """Return the source by which the deployed rows' events were read.

    None if no row is of this topic, or if the target reads all these events for certain. A column
    that it reads and the deployed version does not may refuse some; of another entity there is
    nothing that could be missing for that reason.
    """
    deployed = reads.registry.snapshot(target.featureset)
    if not deployed or deployed.topic != target.topic:
        return None
    old, new = deployed.job.source, target.job.source
    if deployed.entity != target.entity:
        old = old.with_columns(each for each in new.columns if old.column(each.name) is None)
    same = all(old.column(column.name) == column for column in new.columns)
    same &= old.sum_scales == new.sum_scales
    return None if same and reading(old) == reading(new) else old


def _claim(world: World, target: Snapshot) -> Attempt:
    """Claim the attempt; begun again, it is the same one with its end offsets."""
    now_ms = world.clock.now_ms()
    request = Attempt(
        attempt=0,
        execution=f"{BACKFILL}/{target.deployment}",
        deployment=target.deployment,
        kind=BACKFILL,
        restore_point=GENESIS,
        end_offsets=_until(world, target),
        claimed_ms=now_ms,
        dirty_since_ms=now_ms,
        clean=True,
    )
    return world.registry.claim_attempt(target.featureset, target.generation, request)
