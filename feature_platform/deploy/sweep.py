"""The sweep of a rollback: every row that an abandoned attempt touched is written as it was before.

Its rows are decided by `swept`, from undo rows alone: also rows that look absent or unchanged are
written, because an abandoned write may still be on its way to a replica. It may be repeated, and a
job that started from it may run beside it: its writes are older than the job's.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from math import ceil

from feature_platform.clock import to_iso
from feature_platform.deploy.start import age_limit_ms
from feature_platform.engines.reads import Reads
from feature_platform.engines.world import World
from feature_platform.errors import CorruptRowError, PlanRefusedError
from feature_platform.lineage.as_of import Before, Past, Undo
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.base import Attempt, Cut
from feature_platform.registry.claim import FIRST_CHECKPOINT_ID
from feature_platform.registry.history import history
from feature_platform.rows.undo import RowKey, decode_undo, undo_key
from feature_platform.store.base import (
    LAST_EXPIRY_S,
    UNDO_LEVEL,
    RowWrite,
    StoredRow,
    StoredUndo,
    write_timestamp,
    written_by,
)
from feature_platform.tiles.grid import format_duration
from feature_platform.tiles.layout import Layout
from feature_platform.words import counted

BATCH_BYTES_MAX = 1 << 20
"""Of the rows that are written at once; an entity with more has several batches."""
ENTITIES_AT_ONCE = 8
"""Entities whose rows are read and written at the same time."""
REPORT_EVERY = 0.1
"""How much of the table is walked between two reports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What a sweep judges rows by."""

    attempts: tuple[Attempt, ...]
    sweep: Attempt
    kept: Past
    """The history of the sweep's restore point: all epochs off it are abandoned."""

    @classmethod
    def of(cls, attempts: Sequence[Attempt], sweep: Attempt) -> "Line":
        """Work it out once for all entities."""
        kept = Past(attempts, history(attempts, *sweep.restore_point))
        return cls(attempts=tuple(attempts), sweep=sweep, kept=kept)


def sweep(
    world: World,
    deployed: Snapshot,
    line: Line,
    report: Callable[[str], None],
    *,
    accept_age: bool = False,
) -> int:
    """Walk all undo rows of a table and write back what they name.

    Undo rows that have expired name nothing, and a younger one would be taken for the oldest: so it
    ends before the first may be gone.

    Args:
        world: Whose rows.
        deployed: Its table, and how long tiles are kept.
        line: The sweep's attempt and those before it.
        report: Called with the progress.
        accept_age: Continue although some undo rows may be gone.

    Returns:
        How many rows were written or deleted.

    Raises:
        CorruptRowError: An abandoned attempt's row has no undo row: it cannot be put right.
        PlanRefusedError: It is too late; only a person can decide that rows may stay wrong.
        StoreUnavailableError: The store did not answer; begin again.
    """
    written, reported = 0, 0.0
    with ThreadPoolExecutor(ENTITIES_AT_ONCE) as pool:
        for page in world.tiles.undo_pages(deployed.table):
            if not accept_age:
                check_sweep_age(world, deployed, line)
            entities = groupby(page.rows, key=lambda row: row.entity)
            swept_of = partial(_sweep_entity, world, deployed, line)
            written += sum(pool.map(swept_of, [(key, _decoded(undo)) for key, undo in entities]))
            if page.done - reported >= REPORT_EVERY or page.done == 1.0:
                reported = page.done
                report(
                    f"{reported:.0%} of {deployed.table} processed, {counted(written, 'row')} "
                    "written back"
                )
    return written


def check_sweep_age(reads: Reads, deployed: Snapshot, line: Line) -> None:
    """Make sure that no undo row of an abandoned attempt can have expired."""
    target = line.sweep.restore_point[0]
    later = [item.claimed_ms for item in line.attempts if item.attempt > target]
    began_ms = min([line.sweep.dirty_since_ms, *later])
    undo_ttl_ms = reads.settings.store.undo_ttl_ms
    if reads.clock.now_ms() - began_ms > age_limit_ms(undo_ttl_ms):
        name = deployed.featureset
        msg = (
            f"{name}: too late to write back all rows that the undone version wrote since "
            f"{to_iso(began_ms)}: undo rows are kept for {format_duration(undo_ttl_ms)} only. To "
            f"write back the rows that still have them: fp rollback {name} --accept-age (if its "
            f"job does not start: fp recover {name} --accept-age); then correct the rest from the "
            f"events: fp check {name} --repair"
        )
        raise PlanRefusedError(msg)


def cut_of(line: Line, target: Cut, now_ms: int) -> Cut:
    """Return the cut that a finished sweep is: the rows of its target under a number of its own."""
    return Cut(
        attempt=line.sweep.attempt,
        checkpoint_id=FIRST_CHECKPOINT_ID,
        positions=target.positions,
        recorded_ms=now_ms,
        letters=target.letters,
    )


def swept(
    line: Line, before: Before, rows: Mapping[RowKey, StoredRow], layout: Layout, now_ms: int
) -> list[RowWrite]:
    """Return what is to be written of one entity, ascending.

    Args:
        line: The sweep's attempt and those before it.
        before: What its undo rows say of flushes off the history; see `Past.before`.
        rows: Its rows as they are in the store.
        layout: How long tiles are kept.
        now_ms: The present.

    Raises:
        CorruptRowError: A row was written by an abandoned attempt and no undo row says what it was.
    """
    writes = []
    for key in sorted(before):
        row = rows.get(key)
        if row is None:
            writes.append(RowWrite(level=key.level, start_ms=key.start_ms, payload=None))
        elif written_by(row.written)[0] < line.sweep.attempt:
            value = line.kept.value(before, key, row)
            writes.append(kept_write(key, value, layout, now_ms))
    return writes


def kept_write(key: RowKey, payload: bytes | None, layout: Layout, now_ms: int) -> RowWrite:
    """Give a closed tile the time that it has left; one that has none is deleted."""
    ttl_s = 0
    if key.level >= 0:
        end_ms = key.start_ms + layout.grid.levels_ms[key.level]
        ttl_s = ceil((end_ms + layout.retention_ms[key.level] - now_ms) / 1000)
    kept = payload if key.level < 0 or ttl_s > 0 else None
    expires = kept is not None and now_ms // 1000 + ttl_s <= LAST_EXPIRY_S
    return RowWrite(
        level=key.level, start_ms=key.start_ms, payload=kept, ttl_s=ttl_s if expires else 0
    )


def _sweep_entity(world: World, deployed: Snapshot, line: Line, of: tuple[str, Undo]) -> int:
    entity, undo = of
    before = line.kept.before(undo)
    if not before:
        return 0  # nobody off the line has written it: most entities, so their rows are not read
    found = {
        RowKey(row.level, row.start_ms): row
        for row in world.tiles.read_entity(deployed.table, entity)
        if row.level > UNDO_LEVEL
    }
    try:
        writes = swept(line, before, found, deployed.layout, world.clock.now_ms())
    except CorruptRowError as error:
        msg = f"{deployed.table}, entity {entity!r}: {error}"
        raise CorruptRowError(msg) from error
    stamp = write_timestamp(line.sweep.attempt, FIRST_CHECKPOINT_ID)
    for batch in batches(writes):
        world.tiles.write(deployed.table, entity, batch, written=stamp)
    return len(writes)


def _decoded(rows: Iterable[StoredUndo]) -> Undo:
    return {undo_key(row.start): decode_undo(row.payload) for row in rows}


def batches(writes: Sequence[RowWrite]) -> Iterator[list[RowWrite]]:
    """Split an entity's writes into batches of bounded size."""
    batch: list[RowWrite] = []
    size = 0
    for write in writes:
        if batch and size + len(write.payload or b"") > BATCH_BYTES_MAX:
            yield batch
            batch, size = [], 0
        batch.append(write)
        size += len(write.payload or b"")
    if batch:
        yield batch
