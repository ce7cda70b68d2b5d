"""What a job restarts from: which savepoint, checkpoint or cut, and whether that is still possible.

Everything that makes a start impossible, or that a person must decide, is found here, before a job
that runs is touched.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from feature_platform.clock import to_iso
from feature_platform.deploy.topic_checks import check_not_truncated, check_offsets, check_topic
from feature_platform.engines.flink_savepoint import checkpoint_id
from feature_platform.engines.job_spec import StartFields
from feature_platform.engines.reads import Reads
from feature_platform.errors import JobFailedError, PlanRefusedError, RestoreFailedError
from feature_platform.lineage.attempts import (
    behind,
    dirty_since_ms,
    ends_with,
    line_of,
    may_have_left,
    newest,
    newest_cut,
    passed_by,
)
from feature_platform.plan.snapshot import Snapshot, Stop
from feature_platform.plan.stages import Start
from feature_platform.registry.base import Attempt, Cut, Epoch
from feature_platform.registry.claim import FIRST_CHECKPOINT_ID
from feature_platform.registry.history import GENESIS, holds, last_rewrite
from feature_platform.tiles.grid import format_duration

MARGIN_SHARE = 12
"""One such part of the undo time is kept in reserve: clocks differ, reading takes time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """A start that was found possible."""

    fields: StartFields
    path: str = ""
    """Of a savepoint or checkpoint that Flink restores."""


def begin(reads: Reads, deployed: Snapshot, start: Start, *, accept_age: bool = False) -> Begin:
    """Return what a job of a feature set restarts from.

    Args:
        reads: Asked for attempts, cuts and offsets.
        deployed: What is deployed, or was last.
        start: Where from.
        accept_age: Whether a person has accepted that rows may be wrong.

    Raises:
        RestoreFailedError: There is no checkpoint, or Kafka no longer holds what came after it, or
            after the savepoint.
        JobFailedError: There is no savepoint or cut.
        PlanRefusedError: It is dead, or too old, or Kafka no longer holds what came after the cut.
        WorldError: A server did not answer.
    """
    refuse_unfinished_repair(reads, deployed)
    ends = reads.topics.end_offsets(deployed.topic)
    match start:
        case "earliest":
            return Begin(fields=StartFields(start="earliest", end_offsets=ends, clean=True))
        case "checkpoint":
            path = retained(reads, deployed)
            left = stopped_at(reads, deployed, path, clean=False)
            _check_restorable(reads, deployed, left.positions, "its newest checkpoint")
            accepted_ms = _accepted_ms(reads, accept_age=accept_age)
            fields = StartFields(start="savepoint", end_offsets=ends, accepted_ms=accepted_ms)
            return Begin(fields=fields, path=path)
        case "savepoint":
            return _savepoint(reads, deployed, ends, accept_age=accept_age)
        case "store":
            return Begin(fields=_store(reads, deployed, accept_age=accept_age))


def _accepted_ms(reads: Reads, *, accept_age: bool) -> int:
    return reads.clock.now_ms() if accept_age else 0


def refuse_unfinished_repair(reads: Reads, deployed: Snapshot) -> None:
    """Make sure that no repair was interrupted.

    Raises:
        PlanRefusedError: One was.
    """
    if unfinished_repair(reads, deployed):
        msg = (
            f"{deployed.featureset}: a repair of its rows was interrupted and must be finished "
            f"first: fp check {deployed.featureset} --repair"
        )
        raise PlanRefusedError(msg)


def unfinished_repair(reads: Reads, deployed: Snapshot) -> Attempt | None:
    """Return an interrupted repair: whatever started beside it would miss what it wrote."""
    name, generation = deployed.featureset, deployed.generation
    last = newest(reads.registry.attempts(name, generation))
    if last is None or last.kind != "repair":
        return None
    return None if reads.registry.cut(name, generation, last.attempt, FIRST_CHECKPOINT_ID) else last


def restore_path(reads: Reads, deployed: Snapshot) -> str:
    """Return the savepoint that a feature set restarts from, or what replaces it.

    Raises:
        JobFailedError: There is none.
    """
    path = deployed.savepoint or (deployed.stop.path if deployed.stop else "")
    return path or retained(reads, deployed)


def retained(reads: Reads, deployed: Snapshot) -> str:
    """Return the newest checkpoint that the job has left.

    Raises:
        RestoreFailedError: It left none.
    """
    path = reads.cluster.retained_checkpoint(deployed.job_id)
    if not path:
        msg = (
            f"{deployed.featureset}: job {deployed.job_id} has no checkpoint to restore. To "
            f"restart from the store: fp recover {deployed.featureset}"
        )
        raise RestoreFailedError(msg)
    return path


def stopped_at(reads: Reads, deployed: Snapshot, path: str, *, clean: bool) -> Stop:
    """Return what is known of a savepoint, or checkpoint, that a job has just left."""
    known = reads.cluster.last_checkpoint(deployed.job_id)
    stopped_id = known.id if known and known.path == path else checkpoint_id(path)
    attempt = attempt_of(reads, deployed, stopped_id)
    name, generation = deployed.featureset, deployed.generation
    cut = reads.registry.cut(name, generation, attempt, stopped_id) if attempt else None
    return Stop(
        path=path,
        attempt=attempt,
        checkpoint_id=stopped_id,
        positions=dict(cut.positions) if cut else {},
        taken_ms=known.completed_ms if known and known.path == path else reads.clock.now_ms(),
        clean=clean,
    )


def attempt_of(reads: Reads, deployed: Snapshot, checkpoint_id: int) -> int:
    """Return the attempt of the deployed job that made a checkpoint; 0 if that is not known.

    It is the newest of its deployment that had begun before it: a restart begins from the newest
    checkpoint that was complete.
    """
    attempts = reads.registry.attempts(deployed.featureset, deployed.generation)
    own = [
        item.attempt
        for item in attempts
        if item.deployment == deployed.deployment and item.base_checkpoint_id < checkpoint_id
    ]
    return max(own, default=0)


def age_limit_ms(undo_ttl_ms: int) -> int:
    """Return how old the oldest dirty row may be when a start, or a way back, relies on undo."""
    return undo_ttl_ms - undo_ttl_ms // MARGIN_SHARE


def epoch_of(stop: Stop | None) -> Epoch:
    """Return the epoch of a stop; the empty table's if it is not known."""
    return (stop.attempt, stop.checkpoint_id) if stop and stop.attempt else GENESIS


def known_positions(reads: Reads, deployed: Snapshot) -> Mapping[str, int]:
    """Return the offsets of the last stop; nothing if they are not known any more."""
    stop, epoch = deployed.stop, epoch_of(deployed.stop)
    if stop is None or stop.positions or epoch == GENESIS:
        return stop.positions if stop else {}
    cut = reads.registry.cut(deployed.featureset, deployed.generation, *epoch)
    return cut.positions if cut else {}


def check_alive(name: str, attempts: Sequence[Attempt], epoch: Epoch, what: str) -> None:
    """Make sure that no later start has passed an epoch by.

    Raises:
        PlanRefusedError: One has; restarting from it would lose or repeat events.
    """
    line = line_of(attempts)
    rewrite = last_rewrite(attempts, line)
    if rewrite > epoch[0]:
        msg = (
            f"{name}: {what} belongs to attempt {epoch[0]}, and attempt {rewrite} has rewritten "
            "rows since; a start from before that is no longer possible"
        )
        raise PlanRefusedError(msg)
    if not holds(line, epoch):
        last = newest(attempts)
        msg = (
            f"{name}: {what} belongs to attempt {epoch[0]}, checkpoint {epoch[1]}, but attempt "
            f"{last.attempt if last else 0} was started from an earlier point, so it is no longer "
            f"valid. To restart from the store: fp recover {name} --from store"
        )
        raise PlanRefusedError(msg)


def _check_restorable(
    reads: Reads, deployed: Snapshot, positions: Mapping[str, int], what: str
) -> None:
    """Make sure that Kafka holds what came after a checkpoint, as far as its offsets are known.

    Flink would find out only while the job runs, and fail again and again.

    Raises:
        RestoreFailedError: It does not; the store is left, whose newest cut may be younger. No cut
            helps if the topic was recreated or truncated.
    """
    name, bounds = deployed.featureset, reads.topics.bounds(deployed.topic)
    try:
        check_topic(reads, deployed)
        check_not_truncated(name, positions, bounds)
    except PlanRefusedError as error:
        msg = f"cannot restore {what}: {error}"
        raise RestoreFailedError(msg) from error
    try:
        if positions:
            check_offsets(name, positions, bounds)
    except PlanRefusedError as error:
        msg = (
            f"cannot restore {what}: {error}. If the store has a newer cut: fp recover {name} "
            "--from store"
        )
        raise RestoreFailedError(msg) from error


def _savepoint(
    reads: Reads, deployed: Snapshot, ends: Mapping[str, int], *, accept_age: bool
) -> Begin:
    attempts = reads.registry.attempts(deployed.featureset, deployed.generation)
    epoch = epoch_of(deployed.stop)
    _check_restorable(reads, deployed, known_positions(reads, deployed), "its last savepoint")
    sweep = next(
        (item for item in attempts if item.kind == "sweep" and item.restore_point == epoch), None
    )
    swept = sweep is not None and epoch != GENESIS
    point = (sweep.attempt, 1) if sweep and swept else GENESIS
    check_alive(deployed.featureset, attempts, point if swept else epoch, "the last savepoint")
    clean = bool(deployed.stop and deployed.stop.clean) or swept
    fields = StartFields(
        start="savepoint",
        end_offsets=ends,
        restore_point=point,
        restored=epoch if swept else GENESIS,
        clean=clean and not passed_by(attempts, point if swept else epoch),
        accepted_ms=_accepted_ms(reads, accept_age=accept_age),
    )
    return Begin(fields=fields, path=restore_path(reads, deployed))


def _store(reads: Reads, deployed: Snapshot, *, accept_age: bool) -> StartFields:
    registry, name, generation = reads.registry, deployed.featureset, deployed.generation
    attempts = registry.attempts(name, generation)
    bounds = reads.topics.bounds(deployed.topic)
    cut = newest_cut(registry.cuts(name, generation), attempts)
    is_last = cut is not None and ends_with(attempts, cut)
    now_ms = reads.clock.now_ms()
    # Nobody has begun rows since then that a start would have to take back: no undo is relied on.
    since_ms = now_ms if is_last else dirty_since_ms(cut, attempts) if cut else 0
    is_old = now_ms - since_ms > age_limit_ms(reads.settings.store.undo_ttl_ms)
    if cut is None or (is_old and cut.epoch == GENESIS):
        msg = (
            f"{name}: the store has no complete cut to restart from. To count again from the "
            f"beginning of its topic: fp delete {name}, then fp apply {name}"
        )
        raise JobFailedError(msg)
    check_topic(reads, deployed)
    check_offsets(name, cut.positions, bounds)
    ends = {part: end for part, (_, end) in bounds.items()}
    if is_old and not accept_age:
        raise PlanRefusedError(
            _too_old(reads, deployed, cut, attempts, behind(cut.positions, ends))
        )
    return StartFields(
        start="store",
        end_offsets=ends,
        offsets=cut.positions,
        letters=cut.letters,
        restore_point=cut.epoch,
        dirty_since_ms=since_ms,
        clean=is_last,
        accepted_ms=_accepted_ms(reads, accept_age=accept_age),
    )


def _too_old(
    reads: Reads, deployed: Snapshot, cut: Cut, attempts: Sequence[Attempt], events: int
) -> str:
    name = deployed.featureset
    numbers = ", ".join(str(number) for number in may_have_left(attempts, cut)) or "none known"
    keeps = format_duration(reads.settings.store.undo_ttl_ms)
    return (
        f"{name}: its rows may be wrong. Since {to_iso(dirty_since_ms(cut, attempts))} abandoned "
        f"attempts ({numbers}) may have written rows that must be undone, but undo rows are kept "
        f"for {keeps} only. Features of the entities they wrote may count some of the {events} "
        f"events after cut {cut.attempt}/{cut.checkpoint_id} twice; all others stay exact. "
        f"To accept that: fp recover {name} --from store --accept-age. "
        f"To start over instead: fp delete {name}, then fp apply {name}"
    )
