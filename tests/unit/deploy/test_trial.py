"""Trials: what runs beside the deployed feature set, and that nothing of it is left."""

from collections.abc import Callable

import pytest

from feature_platform.deploy.control import delete
from feature_platform.deploy.trial import Trial, _begin, clear_trial, trial
from feature_platform.errors import JobFailedError, LeaseHeldError, UnknownFeatureError
from feature_platform.monitor.status import statuses
from feature_platform.plan.snapshot import Snapshot
from feature_platform.plan.trial import sample_limit, trial_name
from feature_platform.registry.base import LEASE_TTL_S
from feature_platform.report import silent
from tests.unit.stage import Stage

EDIT = ("action = 'view'", "action = 'play'")
PAST_MS = 600_000


def run(
    stage: Stage, *edits: tuple[str, str], share: float = 1.0, look: Callable[[Trial], None]
) -> None:
    """Try the definition with some texts replaced."""
    wanted = stage.define(*edits).featuresets["posts"]
    with trial(stage.world, wanted, past_ms=PAST_MS, report=silent, share=share) as running:
        look(running)


def kill(stage: Stage) -> Trial:
    """Begin a trial and do nothing more; the lease of one that died has run out."""
    wanted = stage.define(EDIT).featuresets["posts"]
    return _begin(stage.world, wanted, stage.clock.now_ms() - PAST_MS, 1.0, silent)


def untouched(stage: Stage, before: Snapshot | None) -> None:
    """Make sure that there is nothing but what was deployed."""
    name = trial_name("posts")
    assert stage.registry.snapshot("posts") == before
    assert stage.flink.running == ([before.job_id] if before else [])
    assert stage.tiles.tables == ({before.table} if before else set())
    assert stage.registry.generations(name) == []
    assert (stage.registry.progress(name), stage.registry.lease(name)) == ("", None)
    assert [topic for topic in stage.topics.created if ".try" in topic] == []


@pytest.fixture
def deployed(stage: Stage) -> Snapshot:
    """A feature set that runs, with events in its topic."""
    stage.topics.ends = {"post_events/0": 10, "post_events/1": 4}
    snapshot = stage.apply().snapshot
    assert snapshot is not None
    return snapshot


def test_a_trial_runs_beside_and_is_removed(stage: Stage, deployed: Snapshot) -> None:
    """A job, a table, an owner of its own; it reads the last minutes, from the beginning of R."""

    def look(running: Trial) -> None:
        scratch = running.snapshot
        assert set(stage.flink.running) == {deployed.job_id, scratch.job_id}
        assert stage.flink.known[scratch.job_id].name.startswith("posts.try_g")
        assert stage.tiles.tables == {deployed.table, scratch.table}
        assert stage.registry.owner("posts.try", scratch.generation) == scratch.deployment
        assert running.from_ms == stage.clock.now_ms() - PAST_MS
        spec = stage.flink.specs[-1]
        assert spec.start.offsets == {"post_events/0": 5, "post_events/1": 2}
        assert spec.start.start == "earliest"
        assert "play" in spec.job.sql
        assert (spec.job.featureset, spec.trial, spec.sample) == ("posts.try", True, "")
        assert spec.job.dead_letter_topic == "posts.try.dead_letters"
        assert spec.job.layout == deployed.layout

    run(stage, EDIT, look=look)
    untouched(stage, deployed)


def test_readers_and_status_do_not_see_it(stage: Stage, deployed: Snapshot) -> None:
    """It is no deployment, and its ids are not allocated."""
    ids = stage.registry.feature_ids("posts")
    added = (
        ("AS views", "AS views, MAX(watch_ms) AS top"),
        ("features:", "features:\n  top: {windows: [2h]}"),
    )

    def look(running: Trial) -> None:
        assert running.snapshot.layout.column("top").id == 2
        assert stage.registry.snapshots() == [deployed]
        assert [status.snapshot for status in statuses(stage.world)] == [deployed]
        assert stage.registry.feature_ids("posts") == ids

    run(stage, *added, look=look)
    assert stage.apply().change == "none"


@pytest.mark.parametrize("error", [KeyboardInterrupt, JobFailedError, SystemExit])
def test_an_interrupted_trial_is_removed(
    stage: Stage, deployed: Snapshot, error: type[BaseException]
) -> None:
    """Whatever ends it."""

    def look(_: Trial) -> None:
        raise error

    with pytest.raises(error):
        run(stage, EDIT, look=look)
    untouched(stage, deployed)


def test_a_trial_that_cannot_be_submitted_is_removed(stage: Stage, deployed: Snapshot) -> None:
    """The error is the submission's."""
    stage.flink.refused = True
    with pytest.raises(JobFailedError, match="refused"):
        run(stage, EDIT, look=lambda _: None)
    untouched(stage, deployed)


def test_the_next_trial_removes_what_a_killed_one_left(stage: Stage, deployed: Snapshot) -> None:
    """Its job, its table, its topic, its entries."""
    left = kill(stage).snapshot
    assert left.job_id in stage.flink.running
    stage.clock.advance(1_000)

    def look(running: Trial) -> None:
        assert set(stage.flink.running) == {deployed.job_id, running.snapshot.job_id}
        assert stage.tiles.tables == {deployed.table, running.snapshot.table}
        assert running.snapshot.table != left.table

    run(stage, EDIT, look=look)
    untouched(stage, deployed)


def test_a_delete_removes_what_a_killed_trial_left(stage: Stage, deployed: Snapshot) -> None:
    """The feature set's own table stays for its grace time."""
    assert kill(stage).snapshot.job_id in stage.flink.running
    delete(stage.world, "posts")
    assert stage.flink.running == []
    assert stage.tiles.tables == {deployed.table}
    assert stage.registry.progress(trial_name("posts")) == ""


def test_two_trials_of_one_feature_set_exclude_each_other(stage: Stage, deployed: Snapshot) -> None:
    """The second is told who is at it; a delete leaves the first alone."""

    def look(running: Trial) -> None:
        with pytest.raises(LeaseHeldError, match=r"posts\.try has been in use"):
            run(stage, look=lambda _: None)
        clear_trial(stage.world, "posts", silent)
        assert running.snapshot.job_id in stage.flink.running

    run(stage, EDIT, look=look)
    untouched(stage, deployed)


def test_a_new_definition_can_be_tried(stage: Stage) -> None:
    """Nothing needs to be deployed, but its topic must be there."""
    with pytest.raises(UnknownFeatureError, match="topic post_events does not exist"):
        run(stage, look=lambda _: None)
    stage.topics.ends = {"post_events/0": 10}
    seen: list[Trial] = []
    run(stage, look=seen.append)
    assert len(seen) == 1
    untouched(stage, None)


def test_a_sample_is_a_share_of_the_hashes(stage: Stage, deployed: Snapshot) -> None:
    """The job is told below which hash an entity must be."""

    def look(_: Trial) -> None:
        assert stage.flink.specs[-1].sample == "028f5c29"

    run(stage, EDIT, share=0.01, look=look)
    assert [sample_limit(share) for share in (0.5, 1e-12)] == ["80000000", "00000001"]
    untouched(stage, deployed)


def test_only_trials_are_forgotten(stage: Stage, deployed: Snapshot) -> None:
    """What is known of a feature set's attempts and generations is kept for ever."""
    assert deployed.featureset == "posts"
    with pytest.raises(ValueError, match="posts is not a shadow run"):
        stage.registry.forget("posts")


def test_a_lease_of_a_killed_trial_runs_out(stage: Stage, deployed: Snapshot) -> None:
    """Whoever comes a minute later may remove it."""
    stage.registry.take_lease(trial_name("posts"), "a dead process", stage.clock.now_ms())
    stage.clock.advance(LEASE_TTL_S * 1000 + 1)
    run(stage, EDIT, look=lambda _: None)
    untouched(stage, deployed)
