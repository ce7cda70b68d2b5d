"""Waits until rows hold nothing of abandoned attempts, and until no dead task can still write.

What a new version of a feature set never touches would keep an abandoned attempt's counts.
"""

from collections.abc import Callable

from feature_platform.deploy.checkpoint_requests import CheckpointRequests
from feature_platform.engines.reads import Reads
from feature_platform.errors import JobFailedError
from feature_platform.lineage.attempts import last_unclean_end_ms, left_to_recover, newest
from feature_platform.plan.snapshot import Snapshot
from feature_platform.words import counted

TIMEOUT_S = 3600.0
"""A job that gets no further for so long needs a person; after a backfill it may need longer."""
REPORT_EVERY_S = 10.0


def await_recovered(reads: Reads, running: Snapshot, report: Callable[[str], None]) -> None:
    """Return when the running job has counted again all that any attempt before it has counted.

    Args:
        reads: Asked for attempts and cuts; the job is asked for checkpoints.
        running: What is deployed; its job lives.
        report: Called with what is waited for, now and then.

    Raises:
        JobFailedError: The job does not run, or gets no further.
        WorldError: A server did not answer.
    """
    name, generation = running.featureset, running.generation
    requests = CheckpointRequests(reads, running.job_id)

    def left() -> str:
        last = newest(reads.registry.attempts(name, generation))
        cut = reads.registry.last_cut(name, generation)
        events = left_to_recover(last, [cut] if cut else []) if last else 0
        if not events:
            return ""
        _check_job(reads, running)
        requests.look(cut.epoch if cut else None, events)
        return f"{counted(events, 'event')} read before the last failure must be counted again"

    _await(reads, name, left, report)


def await_grace(reads: Reads, deployed: Snapshot, report: Callable[[str], None]) -> None:
    """Return when no task of a job that ended uncleanly can be writing any more.

    Raises:
        WorldError: A server did not answer.
    """
    name, generation = deployed.featureset, deployed.generation

    def left() -> str:
        ended_ms = last_unclean_end_ms(reads.registry.attempts(name, generation))
        over_ms = ended_ms + reads.settings.store.zombie_grace_ms
        left_ms = over_ms - reads.clock.now_ms() if ended_ms else 0
        return (
            f"{left_ms / 1000:.0f} s until no failed task can still be writing"
            if left_ms > 0
            else ""
        )

    _await(reads, name, left, report)


def _await(
    reads: Reads,
    name: str,
    left: Callable[[], str],
    report: Callable[[str], None],
) -> None:
    """Return when nothing is left; what is left unchanged for too long ends it."""
    changed_s = reported_s = float("-inf")
    before = ""
    while words := left():
        now_s = reads.clock.monotonic_s()
        if words != before:
            before, changed_s = words, now_s
        if now_s - changed_s > TIMEOUT_S:
            msg = f"{name}: still {words} after {TIMEOUT_S:.0f} s; see `fp status`, then try again"
            raise JobFailedError(msg)
        if now_s - reported_s > REPORT_EVERY_S:
            reported_s = now_s
            report(f"waiting: {words}")
        reads.clock.sleep_s(reads.poll_s)


def _check_job(reads: Reads, running: Snapshot) -> None:
    job = reads.cluster.job(running.job_id)
    if job is None or not job.lives:
        state = job.state if job else "unknown to Flink"
        msg = (
            f"{running.featureset}: job {running.job_id} is {state} and has not caught up; restart "
            f"it first: fp recover {running.featureset}"
        )
        raise JobFailedError(msg)
