"""What a person must know of each thing: healthy, degraded or down, in one line. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from feature_platform.local.last_done import LastDone
from feature_platform.local.process import State
from feature_platform.local.status import ServerStatus
from feature_platform.local.supervisor import Revived
from feature_platform.monitor.health import Health
from feature_platform.monitor.status import UNKNOWN
from feature_platform.pushes.push_record import PushRecord
from feature_platform.words import counted

Level = Literal["healthy", "degraded", "down"]

LAG_MAX_MS = 300_000
"""An event that waits longer than this is late."""
REVIVED_SHOWN_MS = 86_400_000
"""How long a restart by the supervisor is reported."""
STALE_CHECK_MS = 3 * 86_400_000
"""After this time without a check, or without an archive, the verdict says so."""
_LEVELS: Sequence[Level] = ("healthy", "degraded", "down")
_PUSH_WORDS = {
    "pending": "is being deployed",
    "success": "is deployed",
    "failure": "failed",
    "unknown": "has an unknown state",
}
_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One line of `fp status`."""

    kind: Literal["server", "supervisor", "feature set", "event log", "pushes"]
    name: str
    level: Level
    words: str
    next_step: str = ""
    """What to do; empty if nothing is to be done."""
    counts: bool = True
    """Whether all in all depends on it: not on a server that nobody started beside others."""

    def to_json(self) -> dict[str, Any]:
        """Return the form that `fp status --json` prints."""
        return {
            "kind": self.kind,
            "name": self.name,
            "level": self.level,
            "words": self.words,
            "next": self.next_step,
        }


def overall(verdicts: Sequence[Verdict]) -> Level:
    """Return how everything is: as the worst of what counts."""
    levels = [_LEVELS.index(verdict.level) for verdict in verdicts if verdict.counts]
    return _LEVELS[max(levels, default=_LEVELS.index("down"))]


def of_server(server: ServerStatus, revived: Revived | None, now_ms: int) -> Verdict:
    """Judge one server of the embedded stack."""
    told = ""
    if revived and now_ms - revived.died_ms < REVIVED_SHOWN_MS:
        told = revived.in_words()
    size = f"{server.resident_bytes / 1024**2:,.0f} MiB, up for {span(server.uptime_ms)}"
    level: Level = "healthy"
    next_step = ""
    match server.state:
        case "up":
            words = f"up at {server.address}, {size}"
        case "elsewhere":
            words = f"on another machine, {server.address}"
        case "silent":
            level, words = "down", f"started at {server.address}, but {server.problem}"
            next_step = "see its log in .fp/logs; if it hangs, fp down, then fp up"
        case "dead":
            level = "degraded" if server.pid and not server.problem else "down"
            words = f"{', '.join(server.dead)} died"
            waits = revived is not None and not revived.gave_up
            next_step = "the supervisor restarts it; otherwise: fp up" if waits else "fp up"
        case "down":
            level, words, next_step = "down", "not started", f"fp up {server.name}"
    words = "; ".join(filter(None, (words, told)))
    return Verdict(
        kind="server",
        name=server.name,
        level=level,
        words=words,
        next_step=next_step,
        counts=server.state != "down",
    )


def of_supervisor(state: State, servers: Sequence[ServerStatus]) -> Verdict | None:
    """Judge the supervisor; None where there is none and nothing is said about it."""
    if state == "dead" and any(server.state == "up" for server in servers):
        return Verdict(
            kind="supervisor",
            name="supervisor",
            level="degraded",
            words="died; servers that die from now on are not restarted",
            next_step="fp up",
        )
    return None


def of_health(health: Health, checked: LastDone | None, now_ms: int) -> Verdict:
    """Judge one feature set."""
    level, words, next_step = _of_job(health, now_ms)
    red = checked.facts.get("red") if checked else None
    if red and level == "healthy":
        level, next_step = "degraded", f"fp check {health.featureset}"
    letters = sum(health.dead_letters.values())
    parts = [
        words,
        f"{counted(letters, 'dead letter')}{_lost(health)}" if letters else "",
        _of_check(checked, now_ms) if health.state != "stopped" else "",
    ]
    return Verdict(
        kind="feature set",
        name=health.featureset,
        level=level,
        words="; ".join(filter(None, parts)),
        next_step=next_step,
    )


def _lost(health: Health) -> str:
    """Say how many events are in no topic of dead letters; the count never falls again."""
    if not health.letters_lost:
        return ""
    return f", {health.letters_lost:,} of them counted only: see .fp/logs/flink-taskmanager.log"


def _of_job(health: Health, now_ms: int) -> tuple[Level, str, str]:
    name, lag = health.featureset, _lag(health, now_ms)
    why = f"; last failure: {health.last_failure}" if health.last_failure else ""
    fixed: dict[str, tuple[Level, str, str]] = {
        "deploying": ("healthy", f"deploying: being changed by {health.changed_by}", ""),
        "stopped": ("healthy", "stopped deliberately", f"fp apply {name} starts it"),
        "unknown": ("degraded", f"unknown: Flink does not respond{lag}", "see flink above"),
        "interrupted": (
            "degraded",
            f"a deployment was interrupted{lag}",
            f"fp apply {name} finishes it",
        ),
        "failed": _failed(health, why),
    }
    if health.state in fixed:
        return fixed[health.state]
    if health.state != "running":
        tasks = counted(health.tasks_waiting, "task")
        waits = f", {tasks} not running yet" if health.tasks_waiting else ""
        is_new = health.state == "starting"
        words = f"{health.state}{waits}{lag}{'' if is_new else why}"
        step = "wait; if this persists, see .fp/logs/flink-taskmanager.log"
        return "healthy" if is_new else "degraded", words, step
    refused = "; one of its jobs was fenced off: fp status --verbose" if health.refused else ""
    words = f"running{lag}{_cut(health, now_ms)}{refused}"
    if health.waiting_since_ms and now_ms - health.waiting_since_ms > LAG_MAX_MS:
        step = f"it is catching up or needs a higher `parallelism`; to wait: fp wait {name}"
        return "degraded", words, step
    return "healthy", words, ""


def _failed(health: Health, why: str) -> tuple[Level, str, str]:
    name = health.featureset
    recover = f"fp recover {name}"
    if health.alert:
        words = f"failed, automatic retries are off{why}"
        return "down", words, f"fix the cause, then {recover}"
    known = "Flink does not know its job" if health.job_state == UNKNOWN else "its job ended"
    step = f"the Dagster sensor `jobs` restarts it; without Dagster: {recover}"
    return "down", f"failed: {known}{why}", step


def _lag(health: Health, now_ms: int) -> str:
    if health.lag is None:
        return ", no cut yet" if health.cut is None else ", lag unknown: Kafka does not respond"
    if not health.lag:
        return ", no events waiting"
    behind = f", {counted(health.lag, 'event')} behind"
    if not health.waiting_since_ms:
        return behind
    return f"{behind}, the oldest for {span(now_ms - health.waiting_since_ms)}"


def _cut(health: Health, now_ms: int) -> str:
    return f", newest cut {span(now_ms - health.cut.recorded_ms)} ago" if health.cut else ""


def _of_check(checked: LastDone | None, now_ms: int) -> str:
    if checked is None:
        return "never checked from this project"
    red = checked.facts.get("red") or ()
    found = f"failed: {', '.join(red)}" if red else "all passed"
    return f"checked {span(now_ms - checked.at_ms)} ago, {found}"


def of_event_log(source: str, archived: LastDone | None, now_ms: int) -> Verdict:
    """Say when a source was archived; that it never was is no fault, but worth knowing."""
    if archived is None:
        words, next_step = "never archived from this project", f"fp archive {source}"
    else:
        words, next_step = f"archived {span(now_ms - archived.at_ms)} ago", ""
        if now_ms - archived.at_ms > STALE_CHECK_MS:
            next_step = f"fp archive {source}, before Kafka's retention passes it"
    return Verdict(kind="event log", name=source, level="healthy", words=words, next_step=next_step)


def of_begun(name: str, holder: str) -> Verdict:
    """Judge a first deployment, of which nothing is recorded as deployed yet."""
    if holder:
        words = f"first deployment, by {holder}"
        return Verdict(kind="feature set", name=name, level="healthy", words=words)
    return Verdict(
        kind="feature set",
        name=name,
        level="degraded",
        words="its first deployment was interrupted; its job may be running in Flink",
        next_step=f"fp apply {name} finishes it",
    )


def of_push(push: PushRecord | None, branch: str, now_ms: int) -> Verdict:
    """Judge what became of the newest commit of the watched branch."""
    if push is None:
        return Verdict(
            kind="pushes",
            name=branch,
            level="healthy",
            words="no push seen yet; the Dagster sensor `git_push` looks for pushes",
        )
    text = f": {push.text}" if push.text else ""
    looked = f"; checked {span(now_ms - push.at_ms)} ago"
    words = f"{push.words or 'no commit'} {_PUSH_WORDS[push.state]}{text}{looked}"
    bad = push.state in ("failure", "unknown")
    return Verdict(
        kind="pushes",
        name=branch,
        level="degraded" if bad else "healthy",
        words=words,
        next_step="fix it and push again" if push.state == "failure" else "",
    )


def span(ms: int) -> str:
    """Write how long something lasts, in its largest unit."""
    seconds = max(0, ms) // 1000
    size, unit = next(((size, unit) for size, unit in _UNITS if seconds >= size), _UNITS[-1])
    return counted(seconds // size, unit)
