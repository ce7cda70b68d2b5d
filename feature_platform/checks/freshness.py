"""Whether a job counts its events soon. Looked at once, when a check begins: that may take long.

An old cut of a topic without new events is fresh: nothing is missing from the rows.
"""

from feature_platform.checks.result import CheckResult, Findings
from feature_platform.engines.reads import Reads
from feature_platform.lineage.attempts import behind, newest
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.base import Cut
from feature_platform.tiles.grid import format_duration
from feature_platform.words import counted, verb

FRESH_MS = 600_000
"""Events wait no longer than this to be counted, or than this number of checkpoint intervals."""
FRESH_INTERVALS = 10


def freshness(reads: Reads, snapshot: Snapshot, cut: Cut) -> CheckResult:
    """Judge how far the newest cut is, now.

    Args:
        reads: Asked for the topic's ends and for attempts.
        snapshot: What is deployed.
        cut: The newest.

    Raises:
        WorldError: A server did not answer.
    """
    name, found = snapshot.featureset, Findings()
    lag = behind(cut.positions, reads.topics.end_offsets(snapshot.topic))
    age_ms = max(reads.clock.now_ms() - cut.recorded_ms, 0)
    said = f"its newest cut is {age_ms // 1000} s old, {counted(lag, 'event')} behind the topic"
    if snapshot.state != "running":
        said = f"it is {snapshot.state}; {said}"
        return CheckResult(featureset=name, check="freshness", status="skipped", summary=said)
    limit_ms = _limit_ms(snapshot)
    if lag and age_ms > limit_ms:
        found.add([f"{said}; they should be counted within {format_duration(limit_ms)}"])
    elif left := _left(reads, snapshot, cut, limit_ms):
        since = f"since its job started, more than {format_duration(limit_ms)} ago"
        found.add([f"{said}; {left:,} of them {verb(left, 'has', 'have')} waited {since}"])
    return found.result(name, "freshness", said, f"fp status {name}, or fp recover {name}")


def _limit_ms(snapshot: Snapshot) -> int:
    interval_ms = snapshot.job.settings.checkpoint_interval_ms
    return max(FRESH_MS, FRESH_INTERVALS * interval_ms)


def _left(reads: Reads, snapshot: Snapshot, cut: Cut, limit_ms: int) -> int:
    """Return how many events are not counted that have been there for longer than a limit.

    The instant at which a topic ended somewhere is known of the starts of jobs alone: records
    carry the time that their producer says.
    """
    last = newest(reads.registry.attempts(snapshot.featureset, snapshot.generation))
    if last is None or reads.clock.now_ms() - last.claimed_ms <= limit_ms:
        return 0
    return behind(cut.positions, last.end_offsets)
