"""What is known about a deployed feature set and what to do about it. Pure: asks no server."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from feature_platform.clock import to_iso
from feature_platform.engines.flink import LIVING, Checkpoint
from feature_platform.engines.flink_metrics import JobMetrics
from feature_platform.monitor.failures import gave_up
from feature_platform.monitor.status import SILENT, FeatureSetStatus
from feature_platform.plan.snapshot import State, Tried
from feature_platform.registry.base import Cut
from feature_platform.words import counted

RUNNING = "RUNNING"
"""Flink's word for a job whose tasks run, or are about to."""
RESTARTS = ("RESTARTING", "FAILING", "RECONCILING")
"""Its words for a job that has failed and is going to run again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """One deployed feature set as the servers know it at one moment."""

    featureset: str
    wanted: State
    generation: int
    job_id: str
    job_state: str
    """Flink's word, or UNKNOWN."""
    restarts: int
    attempt: int
    """The newest; 0 before the first."""
    lag: int | None
    """Events of the topic that the last cut does not hold; None before the first cut."""
    checkpoint: Checkpoint | None
    cut: Cut | None
    rows_written: int
    """By its job since that started."""
    dead_letters: Mapping[str, int]
    """Events that it could not count up to its last cut, by reason."""
    letters_lost: int = 0
    """Of how many of them no letter could be written."""
    changed_by: str = ""
    """Who is changing it right now."""
    metrics: JobMetrics = field(default_factory=lambda: JobMetrics({}))
    """What its job reports about itself."""
    tried: tuple[Tried, ...] = ()
    """Starts that failed since its job died."""
    gave_up: bool = False
    """Whether it is not started any more without a person."""
    unswept: bool = False
    """Whether rows are still to be written back after an interrupted rollback."""
    last_failure: str = ""
    """Why its job failed last."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Jobs that the kernel fenced off, such as replaced ones: id and why."""
    tasks_waiting: int = 0
    """Tasks of its job that do not run yet, or again."""
    source: str = ""
    waiting_since_ms: int = 0
    """When the oldest event came that the last cut does not hold; 0 if none waits."""

    @classmethod
    def of(cls, status: FeatureSetStatus, *, gave_up: bool = False) -> Self:
        """Put together what registry and servers said."""
        return cls(
            featureset=status.snapshot.featureset,
            wanted=status.snapshot.state,
            generation=status.snapshot.generation,
            job_id=status.snapshot.job_id,
            job_state=status.job_state,
            restarts=status.restarts,
            attempt=status.attempt,
            lag=sum(status.lag.values()) if status.cut and status.ends is not None else None,
            checkpoint=status.checkpoint,
            cut=status.cut,
            rows_written=status.metrics.whole("written_rows") or 0,
            dead_letters=status.dead_letters,
            letters_lost=status.letters_lost,
            changed_by=status.changed_by,
            metrics=status.metrics,
            tried=status.snapshot.tried,
            gave_up=gave_up,
            unswept=status.snapshot.unswept,
            last_failure=status.last_failure,
            refused=dict(status.refused),
            tasks_waiting=status.tasks_waiting,
            source=status.snapshot.source,
            waiting_since_ms=status.waiting_since_ms,
        )

    @property
    def state(self) -> str:
        """Say in a word what it is doing; `unknown` while Flink does not answer."""
        words = {
            "deploying": bool(self.changed_by),
            "stopped": self.wanted == "stopped",
            "unknown": self.job_state == SILENT,
            "failed": self.died,
            "interrupted": self.wanted == "deploying",
            "running": self.job_state == RUNNING and not self.tasks_waiting,
            "restarting": self.restarts > 0 or self.job_state in RESTARTS,
        }
        return next((word for word, holds in words.items() if holds), "starting")

    @property
    def died(self) -> bool:
        """Return whether its job should run and does not, and nobody is about to change that."""
        should_run = self.wanted != "stopped" and not self.changed_by
        return should_run and self.job_state not in (*LIVING, SILENT)

    @property
    def is_deployed(self) -> bool:
        """Return whether its job runs, and nobody is just replacing it."""
        return self.wanted == "running" and self.job_state in LIVING and not self.changed_by

    @property
    def wants_start(self) -> bool:
        """Return whether something can be done about it without a person."""
        is_left = self.unswept and self.wanted == "running" and not self.changed_by
        return (self.died and not self.gave_up) or (is_left and not self.died)

    @property
    def alert(self) -> str:
        """Say what a person must know, and what was tried; empty if nothing."""
        if not (self.died and self.gave_up):
            return ""
        tries = "; ".join(
            f"{to_iso(item.at_ms)} from {item.start}: {item.error}" for item in self.tried
        )
        return (
            f"{self.featureset} failed to start and automatic retries are off: fix the cause, then "
            f"fp recover {self.featureset}. Attempts to start: {tries}"
        )

    @property
    def consumed(self) -> int:
        """How far the last cut is, as a number that only grows: the sum of its positions."""
        return sum(self.cut.positions.values()) if self.cut else 0

    def to_json(self) -> dict[str, Any]:
        """Return the form that `fp status --json` prints."""
        return {
            "featureset": self.featureset,
            "state": self.state,
            "generation": self.generation,
            "job": {
                "id": self.job_id,
                "state": self.job_state,
                "restarts": self.restarts,
                "last_failure": self.last_failure,
            },
            "refused_jobs": dict(self.refused),
            "attempt": self.attempt,
            "lag": self.lag,
            "waiting_since": to_iso(self.waiting_since_ms) if self.waiting_since_ms else None,
            "rows_written": self.rows_written,
            "last_checkpoint": self.checkpoint
            and {"id": self.checkpoint.id, "completed": to_iso(self.checkpoint.completed_ms)},
            "last_cut": self.cut
            and {
                "attempt": self.cut.attempt,
                "checkpoint_id": self.cut.checkpoint_id,
                "recorded": to_iso(self.cut.recorded_ms),
                "positions": dict(sorted(self.cut.positions.items())),
            },
            "dead_letters": sum(self.dead_letters.values()),
            "dead_letter_reasons": dict(sorted(self.dead_letters.items())),
            "dead_letters_lost": self.letters_lost,
            "changed_by": self.changed_by,
            "metrics": self.metrics.to_json(),
            "tried": [
                {"from": item.start, "at": to_iso(item.at_ms), "error": item.error}
                for item in self.tried
            ],
            "needs_person": self.died and self.gave_up,
        }


def healths_of(statuses: Iterable[FeatureSetStatus], starts_max: int) -> list[Health]:
    """Put together what is known of feature sets.

    Args:
        statuses: What registry and servers said of each.
        starts_max: `flink.store_starts_max`.
    """
    return [Health.of(status, gave_up=gave_up(status.snapshot, starts_max)) for status in statuses]


def in_words(health: Health) -> str:
    """Say how a feature set is, as a person would."""
    name = health.featureset
    if health.changed_by:
        return f"{name}: being changed by {health.changed_by}"
    if health.alert:
        return health.alert
    if health.died:
        why = f"; it failed with {health.last_failure}" if health.last_failure else ""
        return (
            f"{name}: job {health.job_id or '(none)'} is {health.job_state} but should be "
            f"running{why}"
        )
    if health.wanted != "running":
        return f"{name}: {health.wanted}"
    behind = "no cut yet" if health.lag is None else f"{counted(health.lag, 'event')} behind"
    return f"{name}: {health.job_state.lower()}, {behind}"
