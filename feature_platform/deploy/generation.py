"""Generations that come and go: the one before is kept for its grace time, abandoned ones go.

A new generation begins beside the old one and readers switch when its job has a first checkpoint.
So there are three kinds of others: *replaced* by the deployed one and kept, so that one can go
back; *abandoned*, begun by a change that was interrupted; and those whose time is over.
"""

from collections.abc import Sequence
from dataclasses import replace

from feature_platform.deploy.begun import BegunDeployment, digest
from feature_platform.deploy.halt import halt
from feature_platform.deploy.lease import HeldLease
from feature_platform.deploy.start import stopped_at
from feature_platform.engines.reads import Reads
from feature_platform.engines.world import World
from feature_platform.errors import WorldError
from feature_platform.lineage.attempts import BACKFILL
from feature_platform.plan.planner import Plan
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.base import Generation
from feature_platform.report import Report, silent

GRACE_MS = 7 * 86_400_000
"""How long the table of a deleted feature set or of a replaced generation is kept."""

DROPPED_MS = -1
"""Value of a generation's `drop_after_ms` once its table is gone."""

NOBODY = "replaced"
"""Owns a generation that no job may write any more."""


def replaced(reads: Reads, deployed: Snapshot) -> Snapshot | None:
    """Return what was deployed as the generation before; None once its table may go.

    It is stopped, unless the change that replaced it was interrupted.
    """
    before = deployed.older
    kept = [
        item
        for item in _replaced(reads, before)
        if item.drop_after_ms == 0 or item.drop_after_ms > reads.clock.now_ms()
    ]
    return before if kept else None


def lingering(deployed: Snapshot, known: Sequence[Generation]) -> Snapshot | None:
    """Return the replaced snapshot if nobody has retired its generation yet: a crash in between."""
    before = deployed.older
    if before is None:
        return None
    alive = {item.generation for item in known if item.drop_after_ms == 0}
    return before if before.generation in alive else None


def abandoned(deployed: Snapshot | None, known: Sequence[Generation]) -> tuple[int, ...]:
    """Return the generations that were begun after the deployed one and never deployed."""
    newest = deployed.generation if deployed else 0
    before = deployed.older if deployed else None
    left = before.generation if before else 0  # by a rollback; newer, and was deployed
    return tuple(
        item.generation
        for item in known
        if item.generation > newest and item.generation != left and item.drop_after_ms == 0
    )


def next_generation(reads: Reads, name: str, deployed: Snapshot | None) -> int:
    """Return the number of the next generation; one is used again only if nobody wrote it.

    A generation that was begun and not deployed is begun again if no job has claimed it, or if
    that job still runs and may be adopted. Any other number is never used again: a late write of
    the earlier job would be taken for one of the new. See `may_be_begun`, too.
    """
    known = reads.registry.generations(name)
    begun = abandoned(deployed, known)
    if begun and begun[-1] == known[-1].generation and _is_fit(reads, name, begun[-1]):
        return begun[-1]
    return known[-1].generation + 1 if known else 1


def may_be_begun(reads: Reads, plan: Plan) -> bool:
    """Return whether a plan's new generation was written only by a backfill for the same."""
    target = plan.target
    if target is None or plan.change.kind not in ("new", "rebuild"):
        return True
    name, generation = target.featureset, target.generation
    if not reads.registry.attempts(name, generation) or _lives(reads, name, generation):
        return True
    begun = BegunDeployment.of(reads, name)
    return begun is not None and begun.digest == digest(target)


def _is_fit(reads: Reads, name: str, generation: int) -> bool:
    attempts = reads.registry.attempts(name, generation)
    return _lives(reads, name, generation) or all(item.kind == BACKFILL for item in attempts)


def _lives(reads: Reads, name: str, generation: int) -> bool:
    owner = reads.cluster.job(reads.registry.owner(name, generation))
    return owner is not None and owner.lives


def retire_replaced(world: World, deployed: Snapshot) -> Snapshot:
    """Stop the job of the generation before, which readers have left; its table goes later.

    May be repeated; does nothing once it is done.

    1. The job is stopped with a savepoint, or cancelled if it does not run; what one can continue
       from is noted.
    2. Nobody may write it.
    3. Its time begins to run: that is how a repeated call knows that all is done.

    Args:
        world: Where it is.
        deployed: What has replaced it.

    Returns:
        The deployed snapshot, which knows the savepoint.
    """
    name = deployed.featureset
    before = lingering(deployed, world.registry.generations(name))
    if before is None:
        return deployed
    path, clean = halt(world, before.job_id)
    stop = stopped_at(world, before, path, clean=clean) if path else before.stop
    stopped = replace(before, state="stopped", savepoint=path or before.savepoint, stop=stop)
    noted = replace(deployed, older=stopped)
    world.registry.save(noted)
    world.registry.set_owner(name, before.generation, NOBODY)
    drop_after_ms = world.clock.now_ms() + GRACE_MS
    world.registry.expire_generation(name, before.generation, drop_after_ms)
    return noted


def drop_abandoned(world: World, name: str, deployed: Snapshot | None, *, keep: int = 0) -> None:
    """Drop the tables of generations that were never deployed; their jobs are cancelled already."""
    known = world.registry.generations(name)
    gone = {number for number in abandoned(deployed, known) if number != keep}
    for item in known:
        if item.generation in gone:
            world.registry.set_owner(name, item.generation, NOBODY)
            world.tables.drop_table(item.table)
            world.registry.expire_generation(name, item.generation, DROPPED_MS)


def drop_expired(world: World, name: str, report: Report = silent) -> None:
    """Drop the tables of a feature set's old generations whose grace time is over.

    One that cannot be dropped is reported, and nothing else: whoever holds the lease gives it back.
    Kept for its whole time and taken again, it would hide a dead job from who starts it.
    """
    try:
        for generation in _expired(world, name):
            world.tables.drop_table(generation.table)
            world.registry.expire_generation(name, generation.generation, DROPPED_MS)
            report(f"dropped {generation.table}: its grace time is over")
    except WorldError as error:
        report(_not_dropped(error))


def drop_all_expired(world: World, report: Report) -> None:
    """Do so for all that was ever deployed; what fails is reported, and tried again the next time.

    Raises:
        StoreUnavailableError: The registry did not answer.
    """
    for name in world.registry.names():
        try:
            _drop_alone(world, name, report)
        except WorldError as error:
            report(f"{name}: {_not_dropped(error)}")


def _drop_alone(world: World, name: str, report: Report) -> None:
    """Drop what is expired under the lease: a rollback may just be taking a table back."""
    is_being_changed = world.registry.lease(name) is not None  # and dropped by who changes it
    if _expired(world, name) and not is_being_changed:
        with HeldLease(world.registry, world.clock, name, world.holder):
            drop_expired(world, name, lambda text: report(f"{name}: {text}"))


def _not_dropped(error: WorldError) -> str:
    return f"tables past their grace time were not dropped: {error}"


def _expired(reads: Reads, name: str) -> list[Generation]:
    now_ms = reads.clock.now_ms()
    known = reads.registry.generations(name)
    return [item for item in known if 0 < item.drop_after_ms <= now_ms]


def _replaced(reads: Reads, before: Snapshot | None) -> list[Generation]:
    if before is None:
        return []
    known = reads.registry.generations(before.featureset)
    return [item for item in known if item.generation == before.generation]
