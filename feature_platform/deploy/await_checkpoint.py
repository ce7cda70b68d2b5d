"""Waiting for a new job's first checkpoint, and giving up in time when it cannot reach one."""

from feature_platform.engines.reads import Reads
from feature_platform.errors import JobFailedError, RestoreFailedError

TIMEOUT_S = 300.0
RESTARTS_MAX = 3
"""Flink would restart it permanently; a new job that failed so often is not going to run."""


def await_checkpoint(reads: Reads, job_id: str, *, timeout_s: float = TIMEOUT_S) -> None:
    """Return when a job has completed a checkpoint; asks for one as soon as the job takes it.

    Raises:
        RestoreFailedError: It cannot read what it was to restart from; at its first failure.
        JobFailedError: It ended, failed again and again, or took too long; says the root cause.
        ServerError: Flink does not answer.
    """
    deadline = reads.clock.monotonic_s() + timeout_s
    asked = False
    while reads.clock.monotonic_s() < deadline:
        if reads.cluster.last_checkpoint(job_id):
            return
        job = reads.cluster.job(job_id)
        restarts = reads.cluster.restarts(job_id)
        lives = job is not None and job.lives
        if (restarts or not lives) and reads.cluster.failed_to_restore(job_id):
            raise RestoreFailedError(_failure(reads, job_id, "cannot restore its checkpoint"))
        if job is None or not lives:
            state = job.state if job else "unknown to Flink"
            raise JobFailedError(_failure(reads, job_id, f"is {state}"))
        if restarts >= RESTARTS_MAX:
            raise JobFailedError(_failure(reads, job_id, f"failed {RESTARTS_MAX} times"))
        asked = asked or (job.state == "RUNNING" and _ask(reads, job_id))
        reads.clock.sleep_s(reads.poll_s)
    raise JobFailedError(
        _failure(reads, job_id, f"completed no checkpoint within {timeout_s:.0f} s")
    )


def _ask(reads: Reads, job_id: str) -> bool:
    """Ask for a checkpoint; False if the job takes none yet because not all its tasks run."""
    try:
        reads.cluster.trigger_checkpoint(job_id)
    except JobFailedError:
        return False
    return True


def _failure(reads: Reads, job_id: str, what: str) -> str:
    cause = reads.cluster.root_exception(job_id)
    return f"the new job {job_id} {what}: {cause or 'Flink reports no cause; see the Flink page'}"
