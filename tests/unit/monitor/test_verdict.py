"""Each thing is healthy, degraded or down, in one line, with what to do."""

from dataclasses import replace

import pytest

from feature_platform.engines.flink import FlinkJob
from feature_platform.engines.flink_metrics import JobMetrics
from feature_platform.local.last_done import LastDone
from feature_platform.local.status import ServerStatus
from feature_platform.local.supervisor import Revived
from feature_platform.monitor.health import Health
from feature_platform.monitor.status import SILENT, UNKNOWN
from feature_platform.monitor.verdict import (
    LAG_MAX_MS,
    REVIVED_SHOWN_MS,
    STALE_CHECK_MS,
    Verdict,
    of_begun,
    of_event_log,
    of_health,
    of_push,
    of_server,
    of_supervisor,
    overall,
    span,
)
from feature_platform.plan.snapshot import Tried
from feature_platform.pushes.push_record import PushRecord
from feature_platform.registry.base import Cut

NOW_MS = 1_000_000_000
HEALTH = Health(
    featureset="posts",
    wanted="running",
    generation=1,
    job_id="a" * 32,
    job_state="RUNNING",
    restarts=0,
    attempt=1,
    lag=0,
    checkpoint=None,
    cut=Cut(attempt=1, checkpoint_id=1, positions={}, recorded_ms=NOW_MS - 12_000),
    rows_written=1,
    dead_letters={},
    metrics=JobMetrics({}),
)
UP = ServerStatus(
    name="flink",
    state="up",
    address="http://127.0.0.1:8081",
    pid=7,
    resident_bytes=3 * 1024**2,
    uptime_ms=180_000,
)
CHECKED = LastDone(at_ms=NOW_MS - 7_200_000, facts={"red": []})


def _judged(health: Health, checked: LastDone | None = CHECKED) -> Verdict:
    return of_health(health, checked, NOW_MS)


def test_a_job_that_keeps_up_is_healthy() -> None:
    """With lag, newest cut and last check; nothing is to be done."""
    assert _judged(HEALTH).to_json() == {
        "kind": "feature set",
        "name": "posts",
        "level": "healthy",
        "words": (
            "running, no events waiting, newest cut 12 seconds ago; checked 2 hours ago, all passed"
        ),
        "next": "",
    }


def test_lag_is_told_in_events_and_in_time() -> None:
    """Late is what has waited for five minutes, however many events that are."""
    waiting = replace(HEALTH, lag=60_000, waiting_since_ms=NOW_MS - 61_000)
    assert "60,000 events behind, the oldest for 1 minute" in _judged(waiting).words
    assert _judged(waiting).level == "healthy"
    late = replace(waiting, lag=1, waiting_since_ms=NOW_MS - LAG_MAX_MS - 1)
    assert _judged(late).level == "degraded"
    assert "fp wait posts" in _judged(late).next_step
    assert "lag unknown: Kafka does not respond" in _judged(replace(HEALTH, lag=None)).words
    assert "no cut yet" in _judged(replace(HEALTH, lag=None, cut=None)).words


@pytest.mark.parametrize(
    ("changes", "level", "state", "words", "next_step"),
    [
        ({"job_state": "RESTARTING"}, "degraded", "restarting", "restarting", "wait"),
        ({"job_state": "FAILING"}, "degraded", "restarting", "restarting", "wait"),
        (
            {"restarts": 3, "tasks_waiting": 2, "last_failure": "x.Y: boom"},
            *("degraded", "restarting"),
            "restarting, 2 tasks not running yet, no events waiting; last failure: x.Y: boom",
            "flink-taskmanager.log",
        ),
        ({"tasks_waiting": 1}, "healthy", "starting", "starting, 1 task not running yet", "wait"),
        ({"job_state": "INITIALIZING"}, "healthy", "starting", "starting", "wait"),
        ({"job_state": "FAILED"}, "down", "failed", "failed: its job ended", "fp recover posts"),
        ({"job_state": UNKNOWN}, "down", "failed", "Flink does not know its job", "fp recover"),
        (
            {
                "job_state": "FAILED",
                "gave_up": True,
                "tried": (Tried(start="store", at_ms=1, error="e"),),
            },
            *("down", "failed", "automatic retries are off", "fix the cause, then fp recover"),
        ),
        ({"job_state": SILENT}, "degraded", "unknown", "Flink does not respond", "flink above"),
        ({"wanted": "stopped", "job_state": "FINISHED"}, "healthy", "stopped", "stopped", "apply"),
        ({"changed_by": "me"}, "healthy", "deploying", "deploying: being changed by me", ""),
        (
            {"wanted": "deploying", "job_state": "FAILED", "changed_by": "me"},
            *("healthy", "deploying", "being changed by me", ""),
        ),
        ({"wanted": "deploying"}, "degraded", "interrupted", "interrupted", "fp apply posts"),
        ({"refused": {"j": "x"}}, "healthy", "running", "was fenced off", ""),
        ({"dead_letters": {"not_json": 2}}, "healthy", "running", "; 2 dead letters;", ""),
        (
            {"dead_letters": {"not_json": 2}, "letters_lost": 1},
            *("healthy", "running", "2 dead letters, 1 of them counted only", ""),
        ),
    ],
)
def test_every_state_has_a_line(
    changes: dict[str, object], level: str, state: str, words: str, next_step: str
) -> None:
    """A job that Flink restarts is not running, whatever is wanted."""
    health = replace(HEALTH, **changes)  # type: ignore[arg-type]
    found = _judged(health)
    assert (found.level, health.state, health.to_json()["state"]) == (level, state, state)
    assert words in found.words
    assert next_step in found.next_step
    assert bool(found.next_step) == bool(next_step)
    assert "\n" not in found.words


def test_a_red_check_is_no_health() -> None:
    """Until the next one is not."""
    red = LastDone(at_ms=NOW_MS - 1_000, facts={"red": ["count", "parity"]})
    found = _judged(HEALTH, red)
    assert (found.level, found.next_step) == ("degraded", "fp check posts")
    assert found.words.endswith("checked 1 second ago, failed: count, parity")
    assert _judged(HEALTH, None).level == "healthy"
    assert "never checked from this project" in _judged(HEALTH, None).words


def test_a_running_job_with_waiting_tasks_is_asked_of_flink() -> None:
    """Flink calls a job running whose tasks wait for a task manager."""
    job = FlinkJob(id="a", name="posts_g1", state="RUNNING", started_ms=1, tasks_waiting=3)
    assert job.lives
    assert replace(HEALTH, restarts=1, tasks_waiting=job.tasks_waiting).state == "restarting"


@pytest.mark.parametrize(
    ("server", "level", "words", "next_step"),
    [
        (UP, "healthy", "up at http://127.0.0.1:8081, 3 MiB, up for 3 minutes", ""),
        (
            replace(UP, state="silent", problem="does not respond within 1.5 s"),
            *("down", "does not respond within 1.5 s", "fp down, then fp up"),
        ),
        (
            replace(UP, state="dead", dead=("flink-taskmanager",)),
            *("degraded", "flink-taskmanager died", "fp up"),
        ),
        (
            replace(UP, state="dead", dead=("flink-jobmanager",), problem="nothing listens"),
            *("down", "flink-jobmanager died", "fp up"),
        ),
        (replace(UP, state="dead", pid=None, dead=("a", "b")), "down", "a, b died", "fp up"),
        (replace(UP, state="down", pid=None), "down", "not started", "fp up flink"),
        (replace(UP, state="elsewhere", pid=None), "healthy", "on another machine", ""),
    ],
)
def test_every_server_has_a_line(
    server: ServerStatus, level: str, words: str, next_step: str
) -> None:
    """A process that died is named."""
    found = of_server(server, None, NOW_MS)
    assert (found.level, found.name) == (level, "flink")
    assert words in found.words
    assert next_step in found.next_step
    assert bool(found.next_step) == bool(next_step)


def test_what_the_supervisor_did_is_told_for_a_day() -> None:
    """A server that was restarted is healthy, and yet it is worth knowing."""
    done = Revived(died=("flink-taskmanager",), died_ms=43_260_000, restarts_ms=(43_261_000,))
    now_ms = done.died_ms + 1_000
    found = of_server(UP, done, now_ms)
    told = "flink-taskmanager died at 1970-01-01T12:01:00Z, restarted once"
    assert (found.level, found.words.endswith(f"; {told}")) == ("healthy", True)
    assert told not in of_server(UP, done, done.died_ms + REVIVED_SHOWN_MS).words
    dead = replace(UP, state="dead", dead=("flink-taskmanager",))
    assert "the supervisor restarts it" in of_server(dead, done, now_ms).next_step
    given_up = replace(done, gave_up=True)
    assert of_server(dead, given_up, now_ms).next_step == "fp up"


def test_a_dead_supervisor_is_told() -> None:
    """While there is something to watch over; one that was never started is no fault."""
    found = of_supervisor("dead", [UP])
    assert found is not None
    assert (found.level, found.next_step) == ("degraded", "fp up")
    assert of_supervisor("dead", [replace(UP, state="down")]) is None
    assert of_supervisor("up", [UP]) is None
    assert of_supervisor("down", [UP]) is None


def test_all_in_all_is_the_worst() -> None:
    """A server that nobody started beside others does not count; nothing started is down."""
    good, bad = _judged(HEALTH), _judged(replace(HEALTH, job_state="FAILED"))
    restarting = _judged(replace(HEALTH, job_state="RESTARTING"))
    down = of_server(replace(UP, state="down", pid=None), None, NOW_MS)
    assert overall([good, down]) == "healthy"
    assert overall([good, restarting]) == "degraded"
    assert overall([bad, restarting, good]) == "down"
    assert overall([down, down]) == overall([]) == "down"


def test_a_first_deployment_is_told() -> None:
    """Under way, or broken off."""
    assert of_begun("posts", "process 7 on a").level == "healthy"
    broken = of_begun("posts", "")
    assert (broken.level, broken.next_step) == ("degraded", "fp apply posts finishes it")


def test_when_the_log_was_archived_is_told() -> None:
    """Never is no fault, but worth a command."""
    never = of_event_log("clicks", None, NOW_MS)
    assert (never.level, never.next_step) == ("healthy", "fp archive clicks")
    lately = of_event_log("clicks", LastDone(at_ms=NOW_MS - 60_000, facts={}), NOW_MS)
    assert (lately.words, lately.next_step) == ("archived 1 minute ago", "")
    old = LastDone(at_ms=NOW_MS - STALE_CHECK_MS - 1, facts={})
    assert "before Kafka's retention" in of_event_log("clicks", old, NOW_MS).next_step


@pytest.mark.parametrize(
    ("state", "level", "words", "next_step"),
    [
        ("success", "healthy", "abc1234 add shares is deployed; checked 5 seconds ago", ""),
        ("pending", "healthy", "is being deployed", ""),
        ("failure", "degraded", "abc1234 add shares failed: x.yaml: a tab", "push again"),
        ("unknown", "degraded", "has an unknown state", ""),
    ],
)
def test_a_push_that_failed_is_told(state: str, level: str, words: str, next_step: str) -> None:
    """Its author looks here, and not at a sensor's page."""
    record = PushRecord(
        commit="abc",
        words="abc1234 add shares",
        state=state,  # type: ignore[arg-type]
        text="" if state == "success" else "x.yaml: a tab",
        at_ms=NOW_MS - 5_000,
    )
    found = of_push(record, "main", NOW_MS)
    assert (found.kind, found.name, found.level) == ("pushes", "main", level)
    assert words in found.words
    assert next_step in found.next_step
    assert of_push(None, "main", NOW_MS).level == "healthy"


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        (-5, "0 seconds"),
        (1_000, "1 second"),
        (59_999, "59 seconds"),
        (60_000, "1 minute"),
        (7_200_000, "2 hours"),
        (172_800_000, "2 days"),
    ],
)
def test_spans_are_short(ms: int, words: str) -> None:
    """In their largest unit."""
    assert span(ms) == words
