"""The state of a running job as of now: it is asked for a checkpoint, which stops nothing.

The job makes checkpoints by itself; this one is only sooner.
"""

from dataclasses import dataclass

from feature_platform.engines.reads import Reads
from feature_platform.errors import JobFailedError
from feature_platform.plan.snapshot import Snapshot

TIMEOUT_S = 120.0
LOOK_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Fresh:
    """A checkpoint that was complete only after it was asked for."""

    path: str
    took_ms: int


def fresh_checkpoint(reads: Reads, snapshot: Snapshot) -> Fresh:
    """Ask the deployed job for a checkpoint and wait for it. Blocks.

    One that the job had begun by itself just before may be the one that is returned.

    Raises:
        JobFailedError: It does not run, or made none in time.
        ServerError: Flink does not answer.
    """
    job_id, clock, cluster = snapshot.job_id, reads.clock, reads.cluster
    before = cluster.last_checkpoint(job_id)
    began_s, asked = clock.monotonic_s(), False
    refusal = "none was complete"
    while clock.monotonic_s() < began_s + TIMEOUT_S:
        job = cluster.job(job_id)
        if job is None or not job.lives:
            msg = (
                f"job {job_id} is {job.state if job else 'unknown to Flink'}: only a running job "
                "makes a checkpoint; without --live its newest one is read"
            )
            raise JobFailedError(msg)
        try:
            if not asked:
                cluster.trigger_checkpoint(job_id)
                asked = True
        except JobFailedError as error:
            refusal = str(error)  # not all of its tasks run yet, or it is restarting
        found = cluster.last_checkpoint(job_id)
        if found and not found.is_savepoint and (before is None or found.id > before.id):
            return Fresh(path=found.path, took_ms=round((clock.monotonic_s() - began_s) * 1_000))
        clock.sleep_s(LOOK_S)
    msg = f"job {job_id} made no checkpoint within {TIMEOUT_S:.0f} s: {refusal}"
    raise JobFailedError(msg)
