"""The job that writes, and whether anybody else does or did: by jobs, attempts and ids. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from feature_platform.clock import to_iso
from feature_platform.debug.report import Link
from feature_platform.engines.flink import FlinkJob
from feature_platform.errors import CorruptRowError
from feature_platform.lineage.attempts import line_of, newest
from feature_platform.monitor.health import RESTARTS, RUNNING
from feature_platform.plan.ids import FeatureId
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.base import Attempt
from feature_platform.rows.codec import decode_rows, split_heads
from feature_platform.rows.wire import join
from feature_platform.store.base import HEAD_LEVEL, UNDO_LEVEL, StoredRow, written_by
from feature_platform.tiles.layout import EVENTS_COLUMN, EVENTS_ID
from feature_platform.words import counted

IDS_NAMED = 3
WRITERS_NAMED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Writers:
    """Who may write a generation, and who was given an attempt to do so."""

    attempts: Sequence[Attempt]
    owner: str
    """The deployment that may claim attempts."""
    deploying: bool = False
    """A deployment is under way: the newest attempt may be of what is not recorded yet."""

    def fence(self, deployment: str) -> str:
        """Say whether a deployment's job can still write."""
        own = [each.attempt for each in self.attempts if each.deployment == deployment]
        last = newest(self.attempts)
        if last is not None and last.deployment == deployment:
            return (
                f"its attempt {last.attempt} is the newest: it is not fenced off, and its rows go "
                "before those of all others"
            )
        if self.owner == deployment:
            return "it owns the generation: it is not fenced off, and may claim the next attempt"
        had = f"attempt {own[-1]} was its last; " if own else "it has no attempt; "
        return f"{had}it is fenced off: deployment {self.owner or 'none'} owns the generation"


def job_link(
    snapshot: Snapshot,
    jobs: Sequence[FlinkJob] | str,
    writers: Writers,
    ids: Sequence[FeatureId],
    stored: Sequence[StoredRow],
    restarts: int = 0,
) -> Link:
    """Say who writes, and whether anybody else has written.

    Args:
        snapshot: What is deployed.
        jobs: Those that Flink knows; a text: why that is not known.
        writers: Of the generation.
        ids: That the registry has allocated.
        stored: All rows of the entity.
        restarts: How often Flink has restarted the deployed job by itself.
    """
    name = snapshot.featureset
    wrong = [
        *_usurped(snapshot, writers),
        *_strange_writers(writers, stored),
        *_mixed_ids(snapshot, ids),
        *_unknown_ids(ids, stored),
    ]
    told = _by_attempt(writers, stored)
    if isinstance(jobs, str):
        if wrong:
            return _wrong_job(wrong, told, _next_step(snapshot, writers))
        summary = f"Flink cannot be asked: {jobs}"
        return Link(place="job", state="unknown", summary=summary, details=told)
    own = f"{name}_g{snapshot.generation}"
    named = [job for job in jobs if job.name == own]
    living = [job for job in named if job.lives]
    others = [job for job in living if job.id != snapshot.job_id]
    if others:
        known = "; ".join(f"{job.id} ({writers.fence(job.id)})" for job in others)
        wrong.insert(
            0, f"{counted(len(living), 'job')} named {own} run; not the deployed one: {known}"
        )
    if wrong:
        return _wrong_job(wrong, told, _next_step(snapshot, writers, others))
    mine = next((job for job in named if job.id == snapshot.job_id), None)
    if not living:
        state = mine.state if mine else "unknown to Flink"
        return Link(
            place="job",
            state="wrong" if snapshot.state == "running" else "note",
            summary=f"job {snapshot.job_id} is {state}: no new events are counted",
            details=told,
            next_step=f"fp recover {name} starts it again",
        )
    told = (*_restarted(restarts), *told)
    if mine and (mine.state != RUNNING or mine.tasks_waiting):
        return _not_running(name, mine, told, restarts)
    latest = newest(writers.attempts)
    refused = _refused(named, mine, writers)
    return Link(
        place="job",
        state="note" if refused else "fine",
        summary=f"job {snapshot.job_id} runs, attempt {latest.attempt if latest else 0}",
        details=(*refused, *told),
    )


def _restarted(restarts: int) -> tuple[str, ...]:
    return (f"Flink has restarted it {counted(restarts, 'time')} by itself",) if restarts else ()


def _not_running(name: str, job: FlinkJob, told: Sequence[str], restarts: int) -> Link:
    """Say of a job that counts nothing now whether it begins, or has failed and begins again."""
    waits = f", {counted(job.tasks_waiting, 'task')} not running yet" if job.tasks_waiting else ""
    again = restarts > 0 or job.state in RESTARTS
    return Link(
        place="job",
        state="wrong" if again else "note",
        summary=f"job {job.id} is {job.state}{waits}: no new events are counted",
        details=tuple(told),
        next_step=f"fp status {name} says why its job failed last"
        if again
        else f"fp status {name}",
    )


def _wrong_job(wrong: Sequence[str], told: Sequence[str], next_step: str) -> Link:
    return Link(
        place="job",
        state="wrong",
        summary=wrong[0],
        details=(*wrong[1:], *told),
        next_step=next_step,
    )


def _next_step(snapshot: Snapshot, writers: Writers, others: Sequence[FlinkJob] = ()) -> str:
    name = snapshot.featureset
    check = f"fp check {name} --repair corrects rows"
    if _usurped(snapshot, writers):
        return (
            f"cancel every job named {name}_g{snapshot.generation} on Flink's page; fp recover "
            f"{name} starts one that owns the generation; {check}"
        )
    if others:
        ids = ", ".join(job.id for job in others)
        return f"cancel what is not deployed on Flink's page: {ids}; {check}"
    return f"see what else writes to table {snapshot.table}, and end it; {check}"


def _refused(named: Sequence[FlinkJob], mine: FlinkJob | None, writers: Writers) -> tuple[str, ...]:
    """Name jobs that were submitted beside the deployed one, and failed."""
    since_ms = mine.started_ms if mine else 0
    return tuple(
        f"job {job.id} of the same name was submitted {to_iso(job.started_ms)} and has failed: "
        f"{writers.fence(job.id)}"
        for job in named
        if job.state == "FAILED" and job.started_ms > since_ms and mine and job.id != mine.id
    )[:WRITERS_NAMED]


def _usurped(snapshot: Snapshot, writers: Writers) -> list[str]:
    """Say whether another deployment's job has taken the place of the deployed one."""
    last = newest(writers.attempts)
    if writers.deploying or last is None or last.kind != "stream":
        return []
    if last.deployment == snapshot.deployment:
        return []
    text = (
        f"attempt {last.attempt}, the newest, is of deployment {last.deployment}, which is not the "
        f"deployed one: job {snapshot.job_id} can write nothing since {to_iso(last.claimed_ms)}"
    )
    return [text]


def _writers_of(stored: Sequence[StoredRow]) -> Mapping[int, int]:
    """Return how many rows each attempt has written, the newest write of each row alone."""
    return Counter(written_by(row.written)[0] for row in stored if row.level != UNDO_LEVEL)


def _strange_writers(writers: Writers, stored: Sequence[StoredRow]) -> list[str]:
    known = {each.attempt for each in writers.attempts}
    return [
        f"{counted(rows, 'row')} of it were written by attempt {attempt}, which the registry does "
        "not know: somebody else writes to this table"
        for attempt, rows in sorted(_writers_of(stored).items())
        if attempt not in known
    ]


def _by_attempt(writers: Writers, stored: Sequence[StoredRow]) -> tuple[str, ...]:
    """Say which attempt wrote how many rows, where it was not the newest alone."""
    found, known = _writers_of(stored), {each.attempt: each for each in writers.attempts}
    last = newest(writers.attempts)
    if last is None or found.keys() <= {last.attempt}:
        return ()
    try:
        line = line_of(writers.attempts)
    except CorruptRowError as error:
        return (f"which writers are abandoned is not known: {error}",)
    return tuple(
        f"attempt {attempt} ({each.kind}, deployment {each.deployment}, claimed "
        f"{to_iso(each.claimed_ms)}) wrote {counted(found[attempt], 'row')}"
        + _standing(attempt, last.attempt, abandoned=attempt not in line)
        for attempt, each in sorted(known.items(), reverse=True)
        if attempt in found
    )[:WRITERS_NAMED]


def _standing(attempt: int, last: int, *, abandoned: bool) -> str:
    if attempt == last:
        return ", the newest"
    if abandoned:
        return (
            f"; it is abandoned and fenced off: attempt {last} undoes its rows when it meets them"
        )
    return f"; it is fenced off, and attempt {last} builds on its rows"


def _mixed_ids(snapshot: Snapshot, ids: Sequence[FeatureId]) -> list[str]:
    by_id = {each.id: each for each in ids}
    wrong: list[str] = []
    for column in snapshot.layout.columns:
        owner = by_id.get(column.id)
        if column.name == EVENTS_COLUMN:  # it has its id by definition
            continue
        if owner is None:
            wrong.append(f"column {column.name} has id {column.id}, which nobody was given")
        elif owner.column.name != column.name:
            wrong.append(
                f"column {column.name} has id {column.id}, which is that of {owner.column.name}"
            )
    return wrong


def _unknown_ids(ids: Sequence[FeatureId], stored: Sequence[StoredRow]) -> list[str]:
    """Say which ids its rows hold that no column was ever given."""
    strange = sorted(_ids_in(stored) - {EVENTS_ID, *(each.id for each in ids)})
    if not strange:
        return []
    more = f" and {len(strange) - IDS_NAMED:,} more" if len(strange) > IDS_NAMED else ""
    named = ", ".join(map(str, strange[:IDS_NAMED]))
    return [f"its rows hold values under id {named}{more}, which no column was ever given"]


def _ids_in(stored: Sequence[StoredRow]) -> set[int]:
    """Return the ids that rows hold; none if one cannot be read: that is judged with the rows."""
    closed = [row.payload for row in stored if row.level >= 0]
    try:
        heads = split_heads([row.payload for row in stored if row.level == HEAD_LEVEL])
        inside = [payload for tiles in heads for _, _, payload in tiles]
        held = decode_rows(*join([*closed, *inside]))
    except CorruptRowError:
        return set()
    return {*held.counter_ids.tolist(), *held.feature_ids.tolist()}
