"""How far plans were walked: what was interrupted, what still runs, and what finishes it."""

from collections.abc import Mapping, Sequence

from feature_platform.cli.output import message
from feature_platform.plan.planner import Plan
from feature_platform.plan.stages import (
    AwaitCheckpoint,
    Backfill,
    OwnGeneration,
    RecordDeployed,
    Repair,
    Stage,
    StopJob,
    StopWithSavepoint,
    SubmitJob,
    Sweep,
)
from feature_platform.words import names_of

_LEFT: Mapping[type[Stage], str] = {
    StopWithSavepoint: "its job may have been stopped; the savepoint is kept",
    StopJob: "its job may have been stopped",
    OwnGeneration: "no new job is running yet",
    Backfill: "no new job is running yet; rows written so far are not served",
    SubmitJob: "the new job may have been submitted and may be running in Flink",
    AwaitCheckpoint: "the new job is running in Flink but is not recorded as deployed yet",
    RecordDeployed: "the new job is running in Flink and is being served",
    Repair: "its job is stopped; some rows may have been corrected",
    Sweep: "the job is running; some rows are not written back yet",
}
"""What is left behind from this stage on."""


class Walked:
    """How far plans were walked, for whoever breaks it off (mutable)."""

    def __init__(self, command: str, options: str = "") -> None:
        """Begin before there is a plan.

        Args:
            command: What finishes it, such as `fp apply`; the feature set's name follows.
            options: What it must be repeated with.
        """
        self._command, self._options = command, options
        self._waiting: list[Plan] = []
        self._done: list[str] = []
        self._plan: Plan | None = None
        self._stages: list[Stage] = []

    def expect(self, plans: Sequence[Plan]) -> None:
        """Note what is going to be walked, one after the other."""
        self._waiting = [plan for plan in plans if plan.stages]

    def begin(self, plan: Plan) -> None:
        """Note that a plan is walked from here on."""
        self._waiting = [waiting for waiting in self._waiting if waiting is not plan]
        self._plan, self._stages = plan, []

    def report(self, text: str) -> None:
        """Note a stage, then report it: whoever reads of it and interrupts, means it."""
        rest = self._plan.stages[len(self._stages) :] if self._plan else ()
        if rest and rest[0].words in text:
            self._stages.append(rest[0])
        message(f"  {text}")

    def end(self) -> None:
        """Note that the plan was walked."""
        if self._plan and self._plan.stages:
            self._done.append(self._plan.featureset)
        self._plan = None

    def in_words(self) -> str:
        """Return what was done, what was interrupted and where, and what was not started."""
        parts = [f"done: {names_of(self._done)}"] if self._done else []
        names = []
        if self._plan and self._plan.stages:
            names.append(self._plan.featureset)
            parts.append(f"{self._plan.featureset} was interrupted: {self._left()}")
        if self._waiting:
            waiting = [plan.featureset for plan in self._waiting]
            names += waiting
            parts.append(f"not started: {names_of(waiting)}")
        if not names:
            return "; ".join(parts) or "nothing was changed"
        command = f"{self._command} {' '.join(names)} {self._options}".rstrip()
        return f"{'; '.join(parts)}\nto finish: {command}"

    def _left(self) -> str:
        if not self._stages:
            return "nothing was changed"
        at = f"at the stage `{self._stages[-1].words}`"
        for stage in reversed(self._stages):
            if type(stage) in _LEFT:
                return f"{at}; {_LEFT[type(stage)]}"
        return f"{at}; no running job was affected"
