"""What the sensor does at a tick: what to write down, what to start again, and why. Pure.

A dead job is started again at once, then after 30 s, then each time after twice as long, at most
half an hour; one that a person must look at is not started, and its words say why. A job that
Flink does not know may be one that a new job manager has yet to recover: it is dead only once it
was not known for a while.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from feature_platform.clock import to_iso
from feature_platform.monitor.health import Health, in_words
from feature_platform.monitor.status import UNKNOWN

OBSERVE_EVERY_MS = 60_000
MISSING_MS = 10_000
"""Less than the time between two ticks: the second one that finds no job starts it."""
FIRST_RETRY_MS = 30_000
LAST_RETRY_MS = 1_800_000
DOUBLINGS_MAX = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the sensor remembers of a feature set from one tick to the next."""

    observed_ms: int
    consumed: int
    rows: int
    job_id: str
    job_state: str
    tries: int = 0
    """How often this job, found dead, was started again."""
    tried_ms: int = 0
    missing_ms: int = 0
    """Since when Flink does not know the job; 0 if it does."""
    recorded: str = ""
    """The job that is known to be recorded as a materialisation of `stream/<fs>`."""

    @property
    def retry_ms(self) -> int:
        """The earliest instant of the next try."""
        if not self.tries:
            return 0
        return self.tried_ms + min(
            FIRST_RETRY_MS << min(self.tries - 1, DOUBLINGS_MAX), LAST_RETRY_MS
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A line for the event log."""

    health: Health
    events_per_second: float
    rows_per_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """A job to be started again; `run_key` is another one at every try."""

    featureset: str
    run_key: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchTick:
    """What comes of one tick."""

    observations: tuple[Observation, ...]
    restarts: tuple[Restart, ...]
    deployed: tuple[Health, ...]
    """Feature sets whose job is another one than was recorded, whoever deployed it."""
    words: str
    """How everything is, for the sensor's page."""
    cursor: str


def watch(healths: Sequence[Health], cursor: str | None, now_ms: int) -> WatchTick:
    """Decide what to do.

    Args:
        healths: All deployed feature sets as they are now.
        cursor: What the tick before returned.
        now_ms: The present.
    """
    before = read_cursor(cursor)
    after: dict[str, Seen] = {}
    observations: list[Observation] = []
    restarts: list[Restart] = []
    deployed: list[Health] = []
    words: list[str] = []
    for health in healths:
        seen = before.get(health.featureset)
        observation = _observe(health, seen, now_ms)
        if observation:
            observations.append(observation)
        present = _seen(health, seen, now_ms if observation else None)
        present = replace(
            present,
            missing_ms=_missing_ms(health, seen, now_ms),
            recorded=seen.recorded if seen else "",
        )
        if health.is_deployed and health.job_id != present.recorded:
            present = replace(present, recorded=health.job_id)
            deployed.append(health)
        words.append(in_words(health))
        next_try_ms = _next_try_ms(present)
        if health.wants_start and now_ms < next_try_ms:
            words.append(f"{health.featureset}: next try at {to_iso(next_try_ms)}")
        elif health.wants_start:
            present = _tried(present, now_ms)
            restarts.append(_restart(health, present))
        after[health.featureset] = present
    return WatchTick(
        observations=tuple(observations),
        restarts=tuple(restarts),
        deployed=tuple(deployed),
        words="; ".join(words)
        or "nothing is deployed; materialise an asset of group `stream` to deploy one",
        cursor=json.dumps({name: asdict(seen) for name, seen in after.items()}),
    )


def read_cursor(cursor: str | None) -> Mapping[str, Seen]:
    """Read what `watch` returned the tick before; one of another version counts for nothing."""
    try:
        return {name: Seen(**seen) for name, seen in json.loads(cursor or "{}").items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def _observe(health: Health, seen: Seen | None, now_ms: int) -> Observation | None:
    """Write down what changed, and once a minute what did not: the event log is never pruned."""
    if seen is None or seen.job_id != health.job_id:
        return Observation(health=health, events_per_second=0.0, rows_per_second=0.0)
    passed_ms = now_ms - seen.observed_ms
    if passed_ms < OBSERVE_EVERY_MS and seen.job_state == health.job_state:
        return None
    seconds = max(passed_ms, 1) / 1000
    return Observation(
        health=health,
        events_per_second=max(health.consumed - seen.consumed, 0) / seconds,
        rows_per_second=max(health.rows_written - seen.rows, 0) / seconds,
    )


def _seen(health: Health, seen: Seen | None, observed_ms: int | None) -> Seen:
    same_job = seen is not None and seen.job_id == health.job_id
    if seen is not None and same_job and observed_ms is None:
        return seen
    return Seen(
        observed_ms=observed_ms or 0,
        consumed=health.consumed,
        rows=health.rows_written,
        job_id=health.job_id,
        job_state=health.job_state,
        tries=seen.tries if seen and same_job else 0,
        tried_ms=seen.tried_ms if seen and same_job else 0,
    )


def _missing_ms(health: Health, seen: Seen | None, now_ms: int) -> int:
    if health.job_state != UNKNOWN:
        return 0
    same_job = seen is not None and seen.job_id == health.job_id
    return (seen.missing_ms if seen and same_job else 0) or now_ms


def _next_try_ms(seen: Seen) -> int:
    sure_ms = seen.missing_ms + MISSING_MS if seen.missing_ms else 0
    return max(seen.retry_ms, sure_ms)


def _tried(seen: Seen, now_ms: int) -> Seen:
    return replace(seen, tries=seen.tries + 1, tried_ms=now_ms)


def _restart(health: Health, seen: Seen) -> Restart:
    return Restart(
        featureset=health.featureset,
        run_key=f"restart:{health.featureset}:{health.job_id}:{seen.tries}",
        reason=f"{in_words(health)}; try {seen.tries}",
    )
