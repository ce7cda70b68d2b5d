"""How long a feature set's last upgrade stopped its rows, as the registry remembers it."""

from itertools import pairwise

from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.base import Attempt, RegistryReader

ATTEMPTS_LOOKED_AT = 8
UPGRADE_MS_MAX = 300_000
"""A longer gap was no upgrade: somebody had stopped the job, or servers were down."""


def measured_downtime_ms(registry: RegistryReader, deployed: Snapshot) -> int | None:
    """Return how long its newest upgrade took; None if none is known any more.

    From the cut at the barrier of the old job's savepoint, after which it wrote nothing, until the
    new deployment claimed its attempt; its first rows come one flush later.
    """
    name, generation = deployed.featureset, deployed.generation
    attempts = registry.attempts(name, generation)[-ATTEMPTS_LOOKED_AT:]
    for before, attempt in reversed(list(pairwise(attempts))):
        if not _is_upgrade(before, attempt):
            continue
        cut = registry.cut(name, generation, *attempt.restore_point)
        took_ms = attempt.claimed_ms - cut.recorded_ms if cut else 0
        if 0 < took_ms <= UPGRADE_MS_MAX:
            flush_ms = deployed.job.settings.flush_interval_ms
            return took_ms + flush_ms
    return None


def _is_upgrade(before: Attempt, attempt: Attempt) -> bool:
    """Return whether one job continued where another stopped: no crash, no rollback, no repair."""
    are_jobs = before.kind == attempt.kind == "stream"
    return are_jobs and attempt.clean and attempt.deployment != before.deployment
