"""What the sensor does: it writes down what changed, and starts again what should run."""

import json
from dataclasses import replace

from feature_platform.monitor.health import Health
from feature_platform.monitor.watch import WatchTick, watch
from feature_platform.orchestration.metadata import live
from feature_platform.plan.snapshot import State, Tried
from feature_platform.registry.base import Cut

NOON_MS = 43_200_000


def _health(
    *,
    job_state: str = "RUNNING",
    wanted: State = "running",
    job_id: str = "j1",
    consumed: int = 0,
    rows: int = 0,
    changed_by: str = "",
) -> Health:
    return Health(
        featureset="posts",
        wanted=wanted,
        generation=1,
        job_id=job_id,
        job_state=job_state,
        restarts=0,
        attempt=1,
        lag=3,
        checkpoint=None,
        cut=Cut(attempt=1, checkpoint_id=1, positions={"posts/0": consumed}, recorded_ms=NOON_MS),
        rows_written=rows,
        dead_letters={},
        changed_by=changed_by,
    )


def _tick(health: Health, before: WatchTick | None = None, *, after_s: float = 0) -> WatchTick:
    return watch([health], before.cursor if before else None, NOON_MS + round(after_s * 1000))


def test_a_healthy_job_is_written_down_once_a_minute() -> None:
    """The event log is never pruned, so what did not change is told rarely."""
    first = _tick(_health())
    second = _tick(_health(), first, after_s=30)
    third = _tick(_health(), second, after_s=60)
    assert [len(tick.observations) for tick in (first, second, third)] == [1, 0, 1]


def test_a_changed_job_is_written_down_at_once() -> None:
    """A job that falls into restarting is told at the next tick."""
    first = _tick(_health())
    assert len(_tick(_health(job_state="RESTARTING"), first, after_s=15).observations) == 1


def test_rates_are_what_came_since_the_observation_before() -> None:
    """Ticks in between, which wrote nothing down, do not shorten the time."""
    first = _tick(_health())
    second = _tick(_health(consumed=100, rows=10), first, after_s=30)
    third = _tick(_health(consumed=600, rows=120), second, after_s=60)
    (seen,) = third.observations
    assert (seen.events_per_second, seen.rows_per_second) == (10.0, 2.0)


def test_rates_of_another_job_start_from_zero() -> None:
    """Counters of a new job say nothing together with those of the old one."""
    first = _tick(_health(rows=500))
    (seen,) = _tick(_health(job_id="j2", rows=10), first, after_s=60).observations
    assert seen.rows_per_second == 0.0


def test_an_idle_tick_says_how_everything_is() -> None:
    """A person reads on the sensor's page why nothing was done."""
    assert _tick(_health()).words == "posts: running, 3 events behind"
    assert watch([], None, NOON_MS).words.startswith("nothing is deployed")


def test_a_dead_job_is_started_again_at_once() -> None:
    """It should run, Flink says that it failed, and nobody is at it."""
    (restart,) = _tick(_health(job_state="FAILED")).restarts
    assert restart.run_key == "restart:posts:j1:1"


def test_tries_are_farther_and_farther_apart() -> None:
    """After the first try 30 s pass, then 60: tries at 0, 30 and 90 s."""
    tick, tried = None, []
    for second in range(0, 120, 15):
        tick = _tick(_health(job_state="FAILED"), tick, after_s=second)
        tried += [second for _ in tick.restarts]
    assert tried == [0, 30, 90]


def test_a_job_that_flink_does_not_know_is_waited_for() -> None:
    """A new job manager may have yet to recover it; a second one would be started beside it."""
    first = _tick(_health(job_state="UNKNOWN"))
    assert first.restarts == ()
    assert first.words.endswith("should be running; posts: next try at 1970-01-01T12:00:10Z")
    again = _tick(_health(job_state="UNKNOWN"), first, after_s=3)
    assert again.restarts == ()
    (restart,) = _tick(_health(job_state="UNKNOWN"), again, after_s=15).restarts
    assert restart.run_key == "restart:posts:j1:1"


def test_a_job_that_flink_knows_again_was_recovered() -> None:
    """What was missing before does not count later, nor for another job."""
    missing = _tick(_health(job_state="UNKNOWN"))
    found = _tick(_health(), missing, after_s=15)
    assert _tick(_health(job_state="UNKNOWN"), found, after_s=600).restarts == ()
    other = _health(job_state="UNKNOWN", job_id="j2")
    assert _tick(other, missing, after_s=15).restarts == ()


def test_every_try_has_a_run_key_of_its_own() -> None:
    """Dagster starts nothing twice for one key, not even what failed."""
    first = _tick(_health(job_state="FAILED"))
    second = _tick(_health(job_state="FAILED"), first, after_s=30)
    assert [restart.run_key[-1] for tick in (first, second) for restart in tick.restarts] == [
        "1",
        "2",
    ]


def test_a_new_job_that_dies_is_tried_at_once_again() -> None:
    """Waiting is for a job that cannot be started, not for one that was."""
    first = _tick(_health(job_state="FAILED"))
    assert len(_tick(_health(job_state="FAILED", job_id="j2"), first, after_s=1).restarts) == 1


def test_what_was_stopped_or_is_being_changed_stays_as_it_is() -> None:
    """A stop on purpose and a deployment under way are no deaths."""
    stopped = _tick(_health(job_state="FINISHED", wanted="stopped"))
    changed = _tick(_health(job_state="UNKNOWN", changed_by="fp apply"))
    assert (stopped.restarts, changed.restarts) == ((), ())
    assert changed.words == "posts: being changed by fp apply"


def test_a_job_that_was_given_up_is_told_and_not_tried() -> None:
    """The words say what was tried and what a person can do; so does the asset's observation."""
    tried = (Tried(start="store", at_ms=NOON_MS, error="boom"),)
    tick = _tick(replace(_health(job_state="FAILED"), tried=tried, gave_up=True))
    assert tick.restarts == ()
    assert tick.words == (
        "posts failed to start and automatic retries are off: fix the cause, then fp recover "
        "posts. Attempts to start: 1970-01-01T12:00:00Z from store: boom"
    )
    (seen,) = tick.observations
    described = live(seen.health, events_per_second=0.0, rows_per_second=0.0)
    assert described["alert"].value == tick.words
    facts = seen.health.to_json()
    assert (facts["state"], facts["needs_person"]) == ("failed", True)
    assert facts["tried"] == [{"from": "store", "at": "1970-01-01T12:00:00Z", "error": "boom"}]


def test_a_sweep_that_was_broken_off_is_finished() -> None:
    """Its job runs, so only the sensor's run can do it; nobody else may be at it."""
    assert len(_tick(replace(_health(), unswept=True)).restarts) == 1
    busy = replace(_health(changed_by="fp rollback"), unswept=True)
    assert _tick(busy).restarts == ()


def test_the_cursor_forgets_what_is_no_longer_deployed() -> None:
    """It stays as small as what there is."""
    first = _tick(_health())
    assert json.loads(watch([], first.cursor, NOON_MS).cursor) == {}
