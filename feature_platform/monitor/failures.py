"""Why jobs of a feature set failed last, and which of them the kernel fenced off.

A job that was replaced ends with the task that notices, and its metrics with it: what it counted is
never seen. Flink remembers the failure.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol

from feature_platform.engines.flink import FlinkJob
from feature_platform.plan.snapshot import Snapshot

REFUSALS = ("ClaimRefusedException", "FencedException", "TooOldException")
"""The kernel's: another deployment owns the rows, or a later attempt has written them, or what was
to be restored is abandoned or too old."""
ENDED_WELL = ("RUNNING", "FINISHED", "CANCELED")
JOBS_ASKED_MAX = 5
"""Newest jobs whose failures are asked for; Flink remembers them for an hour."""


class Failures(Protocol):
    """Flink, as far as failures are concerned."""

    def root_exception(self, job_id: str) -> str:
        """Return the innermost cause of a job's newest failure; empty if it never failed."""
        ...


def last_failure(flink: Failures, job: FlinkJob | None, restarts: int) -> str:
    """Return why a job failed last; empty if it runs and never did, or nobody knows."""
    if job is None or (job.state in ENDED_WELL and not restarts):
        return ""
    return flink.root_exception(job.id)


def refused_jobs(flink: Failures, jobs: Iterable[FlinkJob], featureset: str) -> Mapping[str, str]:
    """Return the jobs of a feature set that the kernel fenced off, and its words.

    Args:
        flink: Asked about those that do not run.
        jobs: All that the cluster remembers, newest first.
        featureset: Whose; jobs of all its generations are looked at.
    """
    own = [job for job in jobs if _is_of(job, featureset) and job.state not in ENDED_WELL]
    causes = {job.id: flink.root_exception(job.id) for job in own[:JOBS_ASKED_MAX]}
    return {job_id: cause for job_id, cause in causes.items() if is_refusal(cause)}


def gave_up(deployed: Snapshot, store_starts_max: int) -> bool:
    """Return whether starting from the store has failed so often that a person is needed."""
    return sum(item.start == "store" for item in deployed.tried) >= store_starts_max


def is_refusal(cause: str) -> bool:
    """Return whether a failure's cause is that the kernel fenced a job off."""
    return any(refusal in cause.partition(": ")[0] for refusal in REFUSALS)


def _is_of(job: FlinkJob, featureset: str) -> bool:
    name, _, generation = job.name.rpartition("_g")
    return name == featureset and generation.isdigit()
