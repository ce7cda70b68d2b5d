"""A repair: rows of some entities are written as the events up to a stop make them.

It writes while no job does and leaves no undo rows, so from its first write on the only way is its
end: begun again, it keeps its number, and the job starts from the store at its cut.
"""

from collections.abc import Mapping, Sequence

from feature_platform.deploy.corrections import corrections, unreadable
from feature_platform.deploy.start import epoch_of, unfinished_repair
from feature_platform.deploy.sweep import batches
from feature_platform.engines.reads import Reads
from feature_platform.engines.spark_facts import EntityRows, log_of
from feature_platform.engines.spark_request import RecountTask, TileSelection, recount_spec
from feature_platform.engines.world import World
from feature_platform.errors import (
    CorruptRowError,
    EventLogError,
    JobFailedError,
    PlanRefusedError,
    SparkFailedError,
)
from feature_platform.lineage.as_of import Past, decoded_undo
from feature_platform.lineage.attempts import dirty_since_ms
from feature_platform.plan.expected import Expected
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.base import Attempt, Cut
from feature_platform.registry.claim import FIRST_CHECKPOINT_ID
from feature_platform.registry.history import history
from feature_platform.report import Report
from feature_platform.rows.undo import RowKey
from feature_platform.store.base import UNDO_LEVEL, StoredRow, write_timestamp
from feature_platform.words import counted, verb

ENTITIES_MAX = 10_000
"""With more, a new generation is the better way."""


def check_log(name: str, damage: Sequence[str]) -> None:
    """Refuse to repair from a log that is damaged.

    Args:
        name: The feature set.
        damage: What is wrong with the files of the event log.

    Raises:
        PlanRefusedError: Something is.
    """
    if damage:
        msg = (
            f"{name}: the event log is damaged, so a repair would drop the missing events: "
            f"{'; '.join(damage)}. Restore the log from a copy, then fp check {name} --repair"
        )
        raise PlanRefusedError(msg)


def check_repairable(name: str, entities: Sequence[str], damage: Sequence[str] = ()) -> None:
    """Refuse what a repair would make worse.

    Args:
        name: The feature set.
        entities: Whose rows are to be corrected.
        damage: What is wrong with the files of the event log.

    Raises:
        PlanRefusedError: Too many are wrong, or the log is damaged.
    """
    check_log(name, damage)
    if len(entities) > ENTITIES_MAX:
        msg = (
            f"{name}: rows of {len(entities):,} entities are wrong; a repair corrects at most "
            f"{ENTITIES_MAX:,}. To recompute all rows, set on_change: rebuild in its settings and "
            f"change the definition: fp apply {name}"
        )
        raise PlanRefusedError(msg)


def repair(world: World, deployed: Snapshot, entities: Sequence[str], report: Report) -> None:
    """Correct rows, and record the cut to restart the job from.

    Args:
        world: Whose rows.
        deployed: What is deployed; its job is stopped, and the caller's deployment owns the rows.
        entities: Whose rows.
        report: Called with what was done.

    Raises:
        JobFailedError: Nobody knows at which offsets the job has stopped, or the events could not
            be recomputed; nothing was written.
        StoreUnavailableError: The store did not answer; begin again.
    """
    registry, name, generation = world.registry, deployed.featureset, deployed.generation
    request = unfinished_repair(world, deployed) or _request(world, deployed)
    try:
        expected, recomputed = _recomputed(world, deployed, entities, request.end_offsets)
    except (EventLogError, SparkFailedError) as error:
        msg = f"nothing was corrected: {error}"
        raise JobFailedError(msg) from error
    claimed = registry.claim_attempt(name, generation, request)
    attempts = registry.attempts(name, generation)
    past = Past(attempts, history(attempts, claimed.attempt))
    stamp = write_timestamp(claimed.attempt, FIRST_CHECKPOINT_ID)
    written = 0
    for entity in entities:
        stored = world.tiles.read_entity(deployed.table, entity)
        held = _held(past, stored)
        now_ms = world.clock.now_ms()
        writes = corrections(held, recomputed.get(entity, {}), expected, now_ms)
        for batch in batches(writes):
            world.tiles.write(deployed.table, entity, batch, written=stamp)
        written += len(writes)
    report(
        f"{counted(written, 'row')} of {counted(len(entities), 'entity')} "
        f"{verb(written, 'was', 'were')} corrected"
    )
    now_ms = world.clock.now_ms()
    done = Cut(
        attempt=claimed.attempt,
        checkpoint_id=FIRST_CHECKPOINT_ID,
        positions=request.end_offsets,
        recorded_ms=now_ms,
    )
    registry.record_cut(name, generation, done)


def _recomputed(
    reads: Reads, deployed: Snapshot, entities: Sequence[str], until: Mapping[str, int]
) -> tuple[Expected, dict[str, dict[RowKey, bytes]]]:
    """Return which columns of which tiles are whole, and each entity's recomputed rows.

    Raises:
        EventLogError: The log is damaged, or lacks events of rows that say nothing themselves.
        SparkFailedError: Spark failed.
    """
    if not entities:
        return Expected.of(deployed), {}  # the end of a repair that had written everything
    spec = recount_spec(deployed, reads.settings)
    wanted = TileSelection(entities=tuple(entities))
    facts = reads.recounter.recount(RecountTask(job=spec, until=until, wanted=wanted))
    log = log_of(facts)
    if log.damage:
        msg = f"{'; '.join(log.damage)}: restore the event log from a copy"
        raise EventLogError(msg)
    if log.complete_ms:
        _refuse_unreadable(reads, deployed, entities)
    rows = {fact.entity: fact.rows for fact in facts if isinstance(fact, EntityRows)}
    return Expected.of(deployed, log.complete_ms), rows


def _refuse_unreadable(reads: Reads, deployed: Snapshot, entities: Sequence[str]) -> None:
    """Make sure that nothing would be lost which the log does not have."""
    attempts = reads.registry.attempts(deployed.featureset, deployed.generation)
    past = Past(attempts, history(attempts, attempts[-1].attempt) if attempts else {})
    for entity in entities:
        held = _held(past, reads.tiles.read_entity(deployed.table, entity))
        if unreadable(held):
            msg = (
                f"rows of entity {entity!r} cannot be read, and the event log lacks events because "
                "a gap was accepted. To recompute all rows without these events, set on_change: "
                f"rebuild in the settings of {deployed.featureset} and change the definition"
            )
            raise EventLogError(msg)


def _request(reads: Reads, deployed: Snapshot) -> Attempt:
    registry, name, generation = reads.registry, deployed.featureset, deployed.generation
    epoch = epoch_of(deployed.stop)
    cut = registry.cut(name, generation, *epoch)
    if cut is None:
        msg = (
            f"the cut of its stop, {epoch[0]}/{epoch[1]}, is not in the store: nothing was "
            f"corrected. To stop the job and record the cut again: fp check {name} --repair; if it "
            f"is still missing: fp delete {name}, then fp apply {name}"
        )
        raise JobFailedError(msg)
    return Attempt(
        attempt=0,
        execution=f"repair/{cut.attempt}/{cut.checkpoint_id}",
        deployment=registry.owner(name, generation),
        kind="repair",
        restore_point=cut.epoch,
        end_offsets=cut.positions,
        claimed_ms=reads.clock.now_ms(),
        dirty_since_ms=dirty_since_ms(cut, registry.attempts(name, generation)),
        clean=bool(deployed.stop and deployed.stop.clean),
    )


def _held(past: Past, stored: Sequence[StoredRow]) -> dict[RowKey, bytes | None]:
    """Return rows that are as they should be by their writers; None where that is not so."""
    held: dict[RowKey, bytes | None] = {}
    before = past.before(decoded_undo(stored))
    for row in stored:
        key = RowKey(row.level, row.start_ms)
        if row.level == UNDO_LEVEL:
            continue
        try:
            as_of = past.value(before, key, row)
        except CorruptRowError:
            as_of = None  # an abandoned attempt's, and what was before is not known any more
        held[key] = row.payload if row.payload == as_of else None
    return held
