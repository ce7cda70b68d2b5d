"""Compares a sample of what was served from a list with what the events say that was known then.

1. A sample of the archived feature log.
2. For each feature set, between which offsets the rows were that each answer rests on.
3. Spark answers by the events up to there, and by each event that may have counted, too.
4. Each value is judged; of those that differ the first tile that is wrong is named.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa

from feature_platform.checks.result import Findings
from feature_platform.clock import to_iso
from feature_platform.definition.feature_list import FeatureList
from feature_platform.engines.reads import Reads
from feature_platform.engines.spark import SparkAnswerer
from feature_platform.engines.spark_facts import StatesTold
from feature_platform.errors import EventLogError
from feature_platform.feature_log.read import Period, ServedLog
from feature_platform.match.ask import asked_of_spark
from feature_platform.match.bounds import CLOCKS_MS, Timeline, reaches
from feature_platform.match.judge import EXPLAINED, Judge, Judged, Read
from feature_platform.match.naming import Naming
from feature_platform.match.report import MatchReport, Tally, nothing, reported
from feature_platform.match.sample import Sample, sample
from feature_platform.match.states import Teller, Told
from feature_platform.match.whole import is_whole, of_present
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.base import Attempt, Cut, Epoch
from feature_platform.report import Report, silent
from feature_platform.rows.wire import Ints, Mask
from feature_platform.serving.lists import chosen_list
from feature_platform.tiles.grid import parse_duration_ms
from feature_platform.training.asked import AskedList, AskedPart, asked_list

HOUR_MS = 3_600_000
NAMED_MAX = 20
"""Values that are named, of those that differ and of those that are explained; all are counted."""
EVENTS_NAMED_MAX = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchRequest:
    """What is compared."""

    period: Period | None = None
    """When rows were served; None: `checks.match_hours` up to now."""
    rows_max: int = 0
    """How many rows; 0: `checks.match_answers`."""


@dataclass(slots=True, kw_only=True)
class _Found:
    """What was found so far (mutable)."""

    tally: Tally = field(default_factory=Tally)
    findings: Findings = field(default_factory=Findings)
    explained: list[str] = field(default_factory=list)


def match(
    reads: Reads,
    name: str,
    ask: MatchRequest,
    report: Report = silent,
    teller: Teller | None = None,
) -> MatchReport:
    """Compare what was served from a list with its events.

    Args:
        reads: What is deployed; nothing is changed.
        name: The list.
        ask: Which rows.
        report: Called with the progress.
        teller: Who reads the event log; None: a child with Spark.

    Raises:
        UnknownFeatureError: There is no such list, or a feature of it is not deployed.
        EventLogError: An event log is damaged or empty.
        SparkFailedError: Spark failed.
        WorldError: A server did not answer.
    """
    settings = reads.settings
    wanted = chosen_list(reads.registry.feature_lists(), name, None)
    edge = settings.checks.match_edge
    asked = asked_list(wanted, reads.registry.snapshots(), parse_duration_ms(edge) if edge else 0)
    try:
        log = ServedLog.open(settings, name)
    except EventLogError as error:
        return nothing(name, str(error))
    now_ms = reads.clock.now_ms()
    hours_ms = settings.checks.match_hours * HOUR_MS
    period = ask.period or Period(start_ms=now_ms - hours_ms, end_ms=now_ms + HOUR_MS)
    rows_max = ask.rows_max or settings.checks.match_answers
    taken = sample(log, period, wanted.version, _columns(asked), rows_max)
    found = _Found()
    found.tally.left_out.update(_left_out(taken, wanted))
    if not len(taken.rows):
        return reported(name, 0, found.tally, found.findings, ())
    report(f"{len(taken.rows):,} of {taken.logged:,} rows of the feature log")
    for part in asked.parts:
        _part(reads, asked, part, taken.rows, found, teller or SparkAnswerer(settings), report)
    return reported(name, len(taken.rows), found.tally, found.findings, tuple(found.explained))


def _columns(asked: AskedList) -> list[str]:
    writers = [
        f"fp_{what}_{part.featureset}" for part in asked.parts for what in ("attempt", "flush")
    ]
    placed = ["fp_partition", "fp_offset", "fp_row", "fp_version", "fp_status", "fp_age_ms"]
    features = [feature.column for feature in asked.of.features]
    kinds = [kind.entity for kind in asked.kinds]
    return [*placed, "fp_instant_ms", "fp_request_id", *writers, *kinds, *features]


def _left_out(taken: Sample, wanted: FeatureList) -> dict[str, int]:
    each = len(wanted.features)
    counts = {
        "unavailable when served": taken.unavailable * each,
        "of other versions of the list": taken.other_versions * each,
    }
    return {why: count for why, count in counts.items() if count}


def _part(
    reads: Reads,
    asked: AskedList,
    part: AskedPart,
    rows: pa.Table,
    found: _Found,
    teller: Teller,
    report: Report,
) -> None:
    """Compare the values of one feature set."""
    snapshot, left_out = part.group.snapshot, found.tally.left_out
    instants = _int64(rows, "fp_instant_ms")
    reads_ms = instants - _int64(rows, "fp_age_ms")
    attempts = reads.registry.attempts(snapshot.featureset, snapshot.generation)
    present = of_present(snapshot, attempts, reads_ms)
    each = len(part.group.wanted)
    _leave(
        left_out,
        "served from an earlier generation, or before a rollback",
        each * int((~present).sum()),
    )
    timeline = _timeline(reads, snapshot, attempts, int(reads_ms.min()))
    settled: list[Read] = []
    for read in _reads(snapshot, rows, instants, reads_ms, present, timeline):
        if read is None:
            left_out["no later cut yet"] += each
        else:
            settled.append(read)
    if not settled:
        return
    report(f"{part.featureset}: asking the event log about {len(settled):,} rows")
    by = partial(_asked, reads, part, timeline, teller, asked.of.name)
    fact, told = by(settled)
    archived = [read for read in settled if reaches(fact.archived, read.bounds.upper)]
    _leave(
        left_out,
        "their events are not archived yet: fp archive",
        each * (len(settled) - len(archived)),
    )
    positions = dict(zip(part.group.positions, part.group.wanted, strict=True))
    comparable: dict[int, Mask] = {
        at: is_whole(snapshot, wanted, instants, fact.complete_ms)
        for at, wanted in positions.items()
    }
    for mask in comparable.values():
        kept = sum(bool(mask[read.row]) for read in archived)
        _leave(left_out, "not all of their events are in the log", len(archived) - kept)
    names = {at: asked.of.features[at].column for at in positions}
    judge = Judge(
        told=told,
        topic=snapshot.topic,
        wishes=asked.wishes,
        logged={at: rows[name] for at, name in names.items() if name in rows.column_names},
        comparable=comparable,
    )
    different: list[Judged] = []
    for judged in judge.judge(archived):
        _count(found, judged, names, rows, snapshot, different)
    named = Naming(reads=reads, asked=asked, part=part, rows=rows, judge=judge, told_of=by)
    found.findings.add(named.texts(different))


def _asked(
    reads: Reads,
    part: AskedPart,
    timeline: Timeline,
    teller: Teller,
    name: str,
    rows: Sequence[Read],
) -> tuple[StatesTold, Told]:
    with TemporaryDirectory(prefix="fp-match-", dir=_scratch(reads)) as folder:
        return asked_of_spark(reads.settings, part, rows, timeline, Path(folder), teller, name)


def _leave(left_out: Counter[str], why: str, count: int) -> None:
    if count:
        left_out[why] += count


def _scratch(reads: Reads) -> Path:
    folder = reads.settings.data / "match"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _int64(rows: pa.Table, name: str) -> Ints:
    return np.asarray(rows[name].fill_null(0).to_numpy(), dtype=np.int64)


def _timeline(
    reads: Reads, snapshot: Snapshot, attempts: Sequence[Attempt], first_ms: int
) -> Timeline:
    """Return attempts and cuts, back to the newest cut before the first read."""
    name, generation, registry = snapshot.featureset, snapshot.generation, reads.registry
    cuts: dict[Epoch, Cut] = {}
    for cut in registry.cuts(name, generation):
        cuts[cut.epoch] = cut
        if cut.recorded_ms < first_ms - CLOCKS_MS:
            break
    for each in attempts:
        if each.restore_point not in cuts:
            point = registry.cut(name, generation, *each.restore_point)
            if point is not None:
                cuts[point.epoch] = point
    return Timeline(attempts, list(cuts.values()))


def _reads(
    snapshot: Snapshot,
    rows: pa.Table,
    instants: Ints,
    reads_ms: Ints,
    present: Mask,
    timeline: Timeline,
) -> Iterator[Read | None]:
    """Yield what each row asks, None of one whose bounds nobody knows yet."""
    name = snapshot.featureset
    attempts, flushes = (
        rows[column].to_pylist() if column in rows.column_names else [None] * len(rows)
        for column in (f"fp_attempt_{name}", f"fp_flush_{name}")
    )
    keys = rows[snapshot.entity].to_pylist()
    for row in np.flatnonzero(present).tolist():
        if keys[row] is None:
            continue
        written = None if attempts[row] is None else (attempts[row], flushes[row])
        bounds = timeline.bounds(int(reads_ms[row]), int(instants[row]), written)
        if bounds is None:
            yield None
            continue
        yield Read(
            row=row,
            entity=keys[row],
            instant_ms=int(instants[row]),
            read_ms=int(reads_ms[row]),
            bounds=bounds,
        )


def _count(
    found: _Found,
    judged: Judged,
    names: Mapping[int, str],
    rows: pa.Table,
    snapshot: Snapshot,
    different: list[Judged],
) -> None:
    """Count the values of a row; name some of those that are explained."""
    read = judged.read
    for at, verdict in judged.verdicts.items():
        found.tally.add(names[at], verdict)
    why = {verdict for verdict in judged.verdicts.values() if verdict in EXPLAINED}
    if why and len(found.explained) < NAMED_MAX:
        at = next(at for at, verdict in judged.verdicts.items() if verdict in why)
        events = ", ".join(
            f"{snapshot.topic}/{event.partition}: {event.offset} of {to_iso(event.time_ms)}"
            for event in judged.events[:EVENTS_NAMED_MAX]
        )
        found.explained.append(
            f"{names[at]} of {read.entity!r} at {to_iso(read.instant_ms)}: "
            f"{', '.join(sorted(why))}: served {rows[names[at]][read.row].as_py()!r}, by all that "
            f"was known {judged.expected.get(at)!r}; events: {events}"
        )
    if "different" in judged.verdicts.values():
        different.append(judged)
