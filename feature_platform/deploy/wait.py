"""Waiting until everything sent so far is counted and written: `fp wait`."""

from collections.abc import Mapping

from feature_platform.deploy.checkpoint_requests import CheckpointRequests
from feature_platform.deploy.control import deployed_snapshot
from feature_platform.engines.reads import Reads
from feature_platform.errors import JobFailedError
from feature_platform.lineage.attempts import behind
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.base import Cut
from feature_platform.words import counted

DEFAULT_TIMEOUT_S = 300.0


def wait(reads: Reads, name: str, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> Cut:
    """Return when the job has read to the topic's end offsets of now and written every row.

    It asks the job for checkpoints: a cut of the present attempt with positions at or past the ends
    is the proof, because a cut is recorded only after all writes before it were acknowledged.

    Raises:
        UnknownFeatureError: It is not deployed.
        JobFailedError: The job does not run, or the time is over; the message says how far it is.
        WorldError: A server did not answer.
    """
    return wait_for(reads, deployed_snapshot(reads, name), timeout_s=timeout_s)


def wait_for(reads: Reads, deployed: Snapshot, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> Cut:
    """Do what `wait` does for a job that the registry need not know as deployed.

    Raises:
        JobFailedError: The job does not run, or the time is over; the message says how far it is.
        WorldError: A server did not answer.
    """
    ends = reads.topics.event_ends(deployed.topic)
    if not ends:
        msg = (
            f"{deployed.featureset}: topic {deployed.topic} does not exist in Kafka; fp apply "
            f"{deployed.featureset} creates it"
        )
        raise JobFailedError(msg)
    deadline = reads.clock.monotonic_s() + timeout_s
    requests = CheckpointRequests(reads, deployed.job_id)
    while True:
        cut = _present_cut(reads, deployed)
        left = behind(cut.positions if cut else {}, ends)
        if cut is not None and not left:
            return cut
        _check_job(reads, deployed)
        if reads.clock.monotonic_s() > deadline:
            raise JobFailedError(_too_late(deployed, cut, ends, timeout_s))
        requests.look(cut.epoch if cut else None, left)
        reads.clock.sleep_s(reads.poll_s)


def _present_cut(reads: Reads, deployed: Snapshot) -> Cut | None:
    attempts = reads.registry.attempts(deployed.featureset, deployed.generation)
    cut = reads.registry.last_cut(deployed.featureset, deployed.generation)
    return cut if cut and attempts and cut.attempt == attempts[-1].attempt else None


def _check_job(reads: Reads, deployed: Snapshot) -> None:
    job = reads.cluster.job(deployed.job_id)
    if job is None or not job.lives:
        state = job.state if job else "unknown to Flink"
        cause = reads.cluster.root_exception(deployed.job_id)
        msg = (
            f"{deployed.featureset}: job {deployed.job_id} is {state} {cause and f'({cause})'}; "
            f"fp apply {deployed.featureset} starts it"
        )
        raise JobFailedError(msg)


def _too_late(
    deployed: Snapshot, cut: Cut | None, ends: Mapping[str, int], timeout_s: float
) -> str:
    where = f"{counted(behind(cut.positions, ends), 'event')} behind" if cut else "without a cut"
    return (
        f"{deployed.featureset} is still {where} after {timeout_s:.0f} s; "
        f"see `fp status` for its rate and wait again with a larger --timeout"
    )
