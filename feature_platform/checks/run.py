"""Runs the checks of one feature set while its job runs, as of a cut: no false alarms.

1. Take the newest cut: rows as of it are what the events up to its positions make of them.
   How fresh it is, is judged then, not when the check is through.
2. Spark recomputes those events, entity by entity; each is compared with what is in the store.
3. Entities that the store alone knows are looked at, too.
4. Of what differs, Spark names the events.
"""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import TypeVar

from feature_platform.checks.counts import bucket_ms
from feature_platform.checks.events import Named, named
from feature_platform.checks.freshness import freshness
from feature_platform.checks.judge import AsOf, Judge
from feature_platform.checks.result import CHECKS, CheckReport, CheckResult, Findings
from feature_platform.checks.scope import Scope, Span
from feature_platform.checks.tiles import describe
from feature_platform.clock import to_iso
from feature_platform.deploy.control import deployed_snapshot
from feature_platform.deploy.repair import check_log
from feature_platform.deploy.start import age_limit_ms, unfinished_repair
from feature_platform.engines.reads import Reads
from feature_platform.engines.spark_facts import Counted, EntityRows, RecountFact, Sampled, log_of
from feature_platform.engines.spark_request import SLICES, RecountTask, TileSelection, recount_spec
from feature_platform.lineage.attempts import dirty_since_ms, newest_cut
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.base import Attempt, Cut
from feature_platform.registry.history import GENESIS, history
from feature_platform.report import Report, silent
from feature_platform.rows.undo import RowKey
from feature_platform.words import counted

ENTITIES_MAX = 20_000
"""How many entities are compared at about, unless a share is asked for."""
STRANGERS_MAX = 100_000
"""How many entities that the log does not know are read."""
BATCH = 256

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRequest:
    """What is to be checked."""

    span: Span | None = None
    """Tiles of these days alone; None: all."""
    share: float | None = None
    """Share of the entities; None: as many as are compared in a short time."""
    whole_log: bool = False
    """A repair is to follow, which reads all files of the event log: look at all of them, and
    refuse at once what a repair would refuse in the end."""
    entities_max: int = ENTITIES_MAX
    """About how many entities are compared if no share is asked for."""

    def wanted(self, snapshot: Snapshot) -> TileSelection:
        """Return what a recounter is asked for."""
        lengths_ms = {bucket_ms(length) for length in snapshot.layout.grid.levels_ms}
        return TileSelection(
            days=self.days or None,
            whole_log=self.whole_log,
            span=(self.span.start_ms, self.span.end_ms) if self.span else None,
            slices=None if self.share is None else max(1, round(self.share * SLICES)),
            entities_max=self.entities_max,
            buckets_ms=tuple(sorted(lengths_ms)),
        )

    @property
    def days(self) -> tuple[str, ...]:
        """The days as ISO dates; none if all are meant."""
        return self.span.days if self.span else ()

    def command(self, name: str) -> str:
        """Return the command that checks the same."""
        edges = sorted({*self.days[:1], *self.days[-1:]})
        return f"fp check {name}" + "".join(f" --day {day}" for day in edges)


@dataclass(slots=True, kw_only=True)
class Recounted:
    """What a recomputation said beside entities (mutable)."""

    damage: tuple[str, ...]
    """What is wrong with the event log itself."""
    logged: dict[int, dict[int, int]] = field(default_factory=dict)
    """Events by bucket length and bucket start."""
    slices: int = SLICES

    @property
    def share(self) -> str:
        """The share of the entities that are recomputed, in words; empty for all."""
        return "" if self.slices == SLICES else f" ({self.slices / SLICES:.2%} of all)"

    def entities(
        self, facts: Iterator[RecountFact]
    ) -> Iterator[tuple[str, Mapping[RowKey, bytes]]]:
        """Yield entities with their rows; take in everything else."""
        for fact in facts:
            match fact:
                case Sampled():
                    self.slices = fact.slices
                case Counted():
                    counts = self.logged.setdefault(fact.bucket_ms, {})
                    counts[fact.start_ms] = fact.events
                case EntityRows():
                    yield fact.entity, fact.rows


def check(reads: Reads, name: str, ask: CheckRequest, report: Report = silent) -> CheckReport:
    """Check one feature set.

    Args:
        reads: Whose rows; nothing is changed.
        name: The feature set.
        ask: Which tiles of which entities.
        report: Called with the progress.

    Returns:
        A result for each of `CHECKS`.

    Raises:
        UnknownFeatureError: It is not deployed.
        PlanRefusedError: A repair is to follow, and none is possible.
        EventLogError: The log is damaged, or misses offsets.
        SparkFailedError: Spark failed.
        WorldError: A server did not answer.
    """
    snapshot = deployed_snapshot(reads, name)
    begun = unfinished_repair(reads, snapshot)
    repairing = ask.whole_log
    if begun:
        report("a repair was interrupted and its list of rows is lost: comparing everything")
        ask = CheckRequest(share=1.0, whole_log=True)
    rows = rows_as_of_newest_cut(reads, snapshot, begun)
    if rows is None:
        skipped = "no cut yet: nothing can be compared"
        return CheckReport(
            results=tuple(
                CheckResult(featureset=name, check=each, status="skipped", summary=skipped)
                for each in CHECKS
            )
        )
    cut, fresh = rows.cut, freshness(reads, snapshot, rows.cut)
    report(f"as of cut {cut.attempt}/{cut.checkpoint_id} of {to_iso(cut.recorded_ms)}")
    spec = recount_spec(snapshot, reads.settings)
    wanted = ask.wanted(snapshot)
    facts = reads.recounter.recount(RecountTask(job=spec, until=cut.positions, wanted=wanted))
    log = log_of(facts)
    if repairing:
        check_log(name, log.damage)
    recounted = Recounted(damage=log.damage)
    scope = Scope.of(snapshot, reads.clock.now_ms(), ask.span, log.complete_ms)
    judge = Judge(rows, scope)
    for _ in judge.judge(entity_batches(recounted.entities(facts))):
        report(f"{counted(len(judge.seen), 'entity')}, {counted(judge.tiles, 'tile')} compared")
    known = len(judge.seen)
    strangers = _strangers(reads, snapshot, judge.seen, recounted.slices)
    for _ in judge.judge(entity_batches((key, dict[RowKey, bytes]()) for key in strangers)):
        report(f"{counted(len(judge.seen) - known, 'entity')} that the events do not name")
    events = named(reads, spec, cut, snapshot, judge.differences)
    of = f"{counted(len(judge.seen), 'entity')}{recounted.share}"
    if len(judge.seen) - known == STRANGERS_MAX:
        of += f", only the first {STRANGERS_MAX:,} of those that are not in the event log"
    of += _too_old(judge, cut)
    next_step = _next_step(name, ask, recounted)
    sums = f"{counted(judge.sums, 'sum')} of {of}{judge.scope.left_out}"
    conserved = judge.unconserved.result(name, "conservation", sums, next_step)
    rows_read = f"{counted(judge.rows, 'tile')} of {of}"
    readable = judge.unreadable.result(name, "decode", rows_read, next_step)
    results = (
        _count(judge, recounted, of, next_step),
        _skipped_if_nothing(judge, judge.sums, conserved),
        _parity(judge, of, events, next_step),
        _skipped_if_nothing(judge, judge.rows, readable),
        fresh,
    )
    return CheckReport(
        results=results,
        wrong=tuple(judge.wrong),
        damage=recounted.damage,
    )


def rows_as_of_newest_cut(reads: Reads, snapshot: Snapshot, begun: Attempt | None) -> AsOf | None:
    """Return the rows as of the newest cut; None if there is none.

    Rows that an interrupted repair has written already are taken as they are. The cut that it began
    at may have expired.
    """
    name, generation, registry = snapshot.featureset, snapshot.generation, reads.registry
    attempts = registry.attempts(name, generation)
    if begun:
        began_at = begun.restore_point
        cut: Cut | None = Cut(
            attempt=began_at[0],
            checkpoint_id=began_at[1],
            positions=begun.end_offsets,
            recorded_ms=begun.dirty_since_ms,
        )
        line = history(attempts, begun.attempt)
    else:
        cut = newest_cut(registry.cuts(name, generation), attempts)
        line = history(attempts, *cut.epoch) if cut else {}
    if cut is None or cut.epoch == GENESIS:
        return None
    return AsOf(
        tiles=reads.tiles,
        table=snapshot.table,
        known_attempts=partial(registry.attempts, name, generation),
        attempts=attempts,
        line=line,
        cut=cut,
        clock=reads.clock,
        undo_until_ms=dirty_since_ms(cut, attempts)
        + age_limit_ms(reads.settings.store.undo_ttl_ms),
    )


def entity_batches(entities: Iterator[tuple[str, T]]) -> Iterator[dict[str, T]]:
    """Yield entities with what belongs to them, some at a time."""
    while batch := dict(islice(entities, BATCH)):
        yield batch


def _strangers(reads: Reads, snapshot: Snapshot, seen: set[str], slices: int) -> Iterator[str]:
    """Yield the store's entities of the same slices that were not recomputed."""
    unseen = (
        entity
        for entity in reads.tiles.entities(snapshot.table)
        if entity not in seen and zlib.crc32(entity.encode()) % SLICES < slices
    )
    return islice(unseen, STRANGERS_MAX)


def _too_old(judge: Judge, cut: Cut) -> str:
    """Say how many rows are not judged because the cut is too old; empty if all are."""
    if not judge.left_out:
        return ""
    return (
        f"; left out: {counted(judge.left_out, 'row')} that may have been written after the cut of "
        f"{to_iso(cut.recorded_ms)}, because their undo rows may have expired"
    )


def _next_step(name: str, ask: CheckRequest, recounted: Recounted) -> str:
    """Return what to do about wrong rows: by a damaged log it is unknown which are."""
    if recounted.damage:
        return f"restore the event log from a copy, then {ask.command(name)}"
    return f"{ask.command(name)} --repair"


def _count(judge: Judge, recounted: Recounted, of: str, next_step: str) -> CheckResult:
    numbers, wrong = judge.counts.compare(recounted.logged, judge.scope)
    name, found = judge.scope.snapshot.featureset, Findings()
    found.add([*recounted.damage, *wrong])
    summary = f"{counted(numbers, 'event count')} of {of}{judge.scope.left_out}"
    compared = numbers if judge.tiles else 0  # else the log was compared with itself
    return _skipped_if_nothing(judge, compared, found.result(name, "count", summary, next_step))


def _skipped_if_nothing(judge: Judge, compared: int, result: CheckResult) -> CheckResult:
    """Return a result; skipped where nothing was compared: that is no proof of anything."""
    if compared or result.status == "red":
        return result
    if not judge.seen:
        why = "no event has been counted or stored"
    elif not judge.rows:
        why = "these entities have no rows that are still kept"
    else:
        why = "no tile is still kept and certain to have all its events"
    summary = f"nothing was compared because {why}: {result.summary}"
    return replace(result, status="skipped", summary=summary)


def _parity(judge: Judge, of: str, events: Named, next_step: str) -> CheckResult:
    snapshot, found = judge.scope.snapshot, Findings()
    told = zip(judge.differences, events.texts, strict=True)
    found.add(describe(item, snapshot, text) for item, text in told)
    found.count = judge.different
    summary = f"{counted(judge.tiles, 'tile')} of {of}{judge.scope.left_out}"
    if events.failed:
        summary += f"; the events of tiles that differ cannot be listed: {events.failed}"
    result = found.result(snapshot.featureset, "parity", summary, next_step)
    return _skipped_if_nothing(judge, judge.tiles, result)
