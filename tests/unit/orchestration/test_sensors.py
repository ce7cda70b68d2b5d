"""The sensor as Dagster runs it: observations, words, and runs that restart."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, cast

import dagster as dg
import pytest
from dagster._core.definitions.sensor_definition import SensorExecutionData

from feature_platform.deploy import world as deploy_world
from feature_platform.deploy.metrics import JobMetrics
from feature_platform.errors import (
    FeaturePlatformError,
    GitError,
    Problem,
    SettingsError,
    StoreUnavailableError,
)
from feature_platform.orchestration import metadata, resources
from feature_platform.orchestration.assets import FEATURE_SET_TAG, broken_key
from feature_platform.orchestration.health import Health
from feature_platform.orchestration.push import Memory, Pushed, Wanted
from feature_platform.orchestration.push_record import read_record
from feature_platform.orchestration.push_sensor import (
    COMMIT_TAG,
    deploy_commit,
    git_push,
    judge_commit,
)
from feature_platform.orchestration.resources import Deployment, Platform
from feature_platform.orchestration.sensors import (
    RESTART_TAG,
    jobs_sensor,
    restart_deployed,
    start_again,
)
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.memory import MemoryRegistry
from feature_platform.settings import load_settings
from feature_platform.store.memory import MemoryTiles
from feature_platform.testing.clock import ManualClock


def _health(job_state: str) -> Health:
    return Health(
        featureset="engagement",
        wanted="running",
        generation=1,
        job_id="j1",
        job_state=job_state,
        restarts=0,
        attempt=1,
        lag=5,
        checkpoint=None,
        cut=None,
        rows_written=7,
        dead_letters={"not_json": 2},
    )


class World(Protocol):
    """See conftest."""

    healths: list[Health]
    calls: list[tuple[str, str]]
    told: tuple[str, ...]
    pushed: Pushed | FeaturePlatformError | None
    broken: dict[str, Sequence[Problem]]
    keeps: Exception | None
    tells_pending: bool

    @property
    def resource(self) -> Platform:
        """The platform to hand to Dagster."""
        ...


def _tick(
    world: World,
    *healths: Health,
    cursor: str | None = None,
    instance: dg.DagsterInstance | None = None,
) -> SensorExecutionData:
    world.healths = list(healths)
    context = dg.build_sensor_context(
        cursor=cursor,
        resources={"platform": world.resource},
        instance=instance or dg.DagsterInstance.ephemeral(),
    )
    return jobs_sensor.evaluate_tick(context)


def test_a_healthy_job_is_observed(world: World) -> None:
    """Numbers are numbers, so that the page can plot them."""
    observation, _ = _tick(world, _health("RUNNING")).asset_events
    assert observation.asset_key == dg.AssetKey(["live", "engagement"])
    assert observation.metadata["lag"] == dg.MetadataValue.int(5)
    assert observation.metadata["dead_letters"] == dg.MetadataValue.int(2)


def test_what_a_job_tells_is_plotted(world: World) -> None:
    """Each of its metrics that is there, beside what is known without them."""
    told = JobMetrics({"fenced": 1.0, "state_hits": 3.0, "state_misses": 1.0, "dead_letters": 9.0})
    observation, _ = _tick(world, replace(_health("RUNNING"), metrics=told)).asset_events
    assert observation.metadata["fenced"] == dg.MetadataValue.float(1.0)
    assert observation.metadata["hot"] == dg.MetadataValue.float(0.75)
    assert observation.metadata["dead_letters"] == dg.MetadataValue.int(2)
    assert "recovered" not in observation.metadata


def test_a_failure_and_a_refused_job_are_shown(world: World) -> None:
    """The metric of a fenced job ends with it."""
    health = replace(_health("RUNNING"), last_failure="a.b: boom", refused={"j0": "fenced"})
    observation, _ = _tick(world, health).asset_events
    assert observation.metadata["last_failure"] == dg.MetadataValue.text("a.b: boom")
    assert observation.metadata["refused_jobs"] == dg.MetadataValue.json({"j0": "fenced"})
    (request,) = _tick(world, replace(health, job_state="FAILED")).run_requests or ()
    assert "should run; it failed with a.b: boom" in request.tags[RESTART_TAG]


def _made(tick: SensorExecutionData) -> list[dg.AssetMaterialization]:
    return [each for each in tick.asset_events if isinstance(each, dg.AssetMaterialization)]


def test_what_was_deployed_outside_of_dagster_is_recorded_once(world: World) -> None:
    """`stream/<fs>` of what `fp apply` has deployed said that it was never materialised."""
    first = _tick(world, _health("RUNNING"))
    (made,) = _made(first)
    assert made.asset_key == dg.AssetKey(["stream", "engagement"])
    assert "/j1/" in str(made.metadata["job"].value)
    assert _made(_tick(world, _health("RUNNING"), cursor=first.cursor)) == []


def test_what_dagster_has_deployed_is_not_recorded_again(world: World) -> None:
    """Its run has done so."""
    instance = dg.DagsterInstance.ephemeral()
    instance.report_runless_asset_event(
        dg.AssetMaterialization(
            dg.AssetKey(["stream", "engagement"]),
            metadata={"job": dg.MetadataValue.url("http://x/#/job/running/j1/overview")},
        )
    )
    assert _made(_tick(world, _health("RUNNING"), instance=instance)) == []
    other = replace(_health("RUNNING"), job_id="j2")
    assert len(_made(_tick(world, other, instance=instance))) == 1


@pytest.mark.parametrize(
    "health",
    [
        replace(_health("RUNNING"), changed_by="fp apply"),
        replace(_health("FINISHED"), wanted="stopped"),
        _health("FAILED"),
    ],
)
def test_what_does_not_run_is_no_deployment(world: World, health: Health) -> None:
    """Nor what is just being replaced."""
    assert _made(_tick(world, health)) == []


def test_a_deployment_that_cannot_be_recorded_loses_no_restart(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sensor that raises loses what it had yielded."""

    def fail(*_: object) -> Deployment:
        msg = "no store"
        raise StoreUnavailableError(msg)

    monkeypatch.setattr(type(world.resource), "deployed", fail)
    dead = replace(_health("FAILED"), featureset="users", job_id="j3")
    tick = _tick(world, _health("RUNNING"), dead)
    assert [request.tags[FEATURE_SET_TAG] for request in tick.run_requests or ()] == ["users"]
    assert _made(tick) == []


def test_an_observation_that_cannot_be_shown_loses_no_restart(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of whatever a job may tell about itself."""

    def fail(*_: object, **__: object) -> None:
        msg = "not a number"
        raise ValueError(msg)

    monkeypatch.setattr(metadata, "live", fail)
    dead = replace(_health("FAILED"), featureset="users", job_id="j3")
    tick = _tick(world, _health("RUNNING"), dead)
    assert len(tick.run_requests or ()) == 1


@pytest.mark.parametrize("cursor", ["{", "[]", '{"engagement": {"nobody": 1}}', '"x"'])
def test_a_cursor_of_another_version_is_none(world: World, cursor: str) -> None:
    """A tick that fails over it would fail for ever."""
    assert len(_tick(world, _health("FAILED"), cursor=cursor).run_requests or ()) == 1


def test_an_idle_tick_says_why(world: World) -> None:
    """The words stand on the sensor's page."""
    assert (_tick(world).skip_message or "").startswith("nothing is deployed")
    tick = _tick(world, _health("RUNNING"))
    assert tick.skip_message == "engagement: running, 5 events behind"


def test_a_dead_job_is_started_again(world: World) -> None:
    """As it was deployed, whatever its file says by now; the run is tagged with the reason."""
    (request,) = _tick(world, _health("FAILED")).run_requests or ()
    assert "is FAILED but should run" in request.tags[RESTART_TAG]
    done = restart_deployed.execute_in_process(
        run_config=request.run_config, resources={"platform": world.resource}
    )
    assert world.calls == [("restart", "engagement")]
    (made,) = done.asset_materializations_for_node(start_again.name)
    assert made.asset_key == dg.AssetKey(["stream", "engagement"])


def test_the_next_tick_remembers(world: World) -> None:
    """A job that was just tried is left alone for a while, and the words say until when."""
    first = _tick(world, _health("FAILED"))
    second = _tick(world, _health("FAILED"), cursor=first.cursor)
    assert second.run_requests == []
    assert "next try at" in (second.skip_message or "")


def test_what_is_dropped_on_the_way_stands_in_the_log(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tables that went, or could not."""
    world.told = ("posts: tiles_posts_g1 was dropped, its grace time is over",)
    said: list[str] = []
    context = dg.build_sensor_context(
        resources={"platform": world.resource}, instance=dg.DagsterInstance.ephemeral()
    )
    monkeypatch.setattr(context.log, "info", said.append)
    jobs_sensor.evaluate_tick(context)
    assert said[0] == world.told[0]


def test_whoever_observes_drops_what_nobody_goes_back_to(
    folder: Path, snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without waiting for the next apply, which of a deleted feature set never comes."""
    clock = ManualClock(5)
    registry, tiles = MemoryRegistry(clock), MemoryTiles(clock)
    tiles.create_table("tiles_engagement_g1")
    registry.save(replace(snapshot, state="deleted"))
    registry.add_generation("engagement", 1, "tiles_engagement_g1", 1)
    registry.expire_generation("engagement", 1, 5)
    settings, nothing = load_settings(folder, {}), cast("Any", None)
    servers = deploy_world.World(
        settings=settings,
        registry=registry,
        tables=tiles,
        tiles=tiles,
        topics=nothing,
        cluster=nothing,
        submitter=nothing,
        backfiller=nothing,
        recounter=nothing,
        clock=clock,
        holder="a test",
    )
    monkeypatch.setattr(resources, "open_world", lambda _: nullcontext(servers))
    said: list[str] = []
    assert Platform(project=str(folder)).observe(said.append) == []
    assert said == ["engagement: tiles_engagement_g1 was dropped, its grace time is over"]
    assert tiles.tables == set()


def _push_tick(world: World, cursor: str | None = None) -> SensorExecutionData:
    context = dg.build_sensor_context(
        cursor=cursor,
        resources={"platform": world.resource},
        instance=dg.DagsterInstance.ephemeral(),
    )
    return git_push.evaluate_tick(context)


def test_a_push_launches_a_run_that_deploys_the_commit(world: World) -> None:
    """The run takes the definition as it was committed, and shows up as the stream's."""
    change = Wanted(featureset="engagement", kind="forward", fingerprint="f", attempt=1)
    world.pushed = Pushed(
        commit="abc", words="abc (x)", problems=(), wanted=(change,), undefined=()
    )
    tick = _push_tick(world)
    (request,) = tick.run_requests or []
    assert request.job_name == "deploy_commit"
    assert request.tags[COMMIT_TAG] == "abc"
    assert Memory.read(tick.cursor).tries["engagement"].tries == 1
    resources = {"platform": world.resource}
    run = deploy_commit.execute_in_process(run_config=request.run_config, resources=resources)
    assert world.calls[-1] == ("deploy abc", "engagement")
    (event,) = [each for each in run.all_events if each.is_step_materialization]
    assert event.asset_key == dg.AssetKey(["stream", "engagement"])


@pytest.mark.parametrize("kind", [SettingsError, StoreUnavailableError, GitError])
def test_a_push_tick_that_cannot_look_says_why_and_forgets_nothing(
    world: World, kind: type[FeaturePlatformError]
) -> None:
    """Settings that are being edited, a store that is down."""
    world.pushed = kind("it is so")
    cursor = Memory(commit="abc", done="").write()
    tick = _push_tick(world, cursor)
    assert (tick.skip_message, tick.cursor) == ("it is so", cursor)


def _pushed(*problems: str) -> Pushed:
    change = Wanted(featureset="engagement", kind="forward", fingerprint="f", attempt=1)
    return Pushed(commit="abc", words="abc (x)", problems=problems, wanted=(change,), undefined=())


def test_a_push_with_a_mistake_is_a_run_that_fails(world: World) -> None:
    """Beside that which deploys what is right; the broken file's check is red."""
    problem = Problem(file="featuresets/x.yaml", line=7, column=3, message="no column")
    world.pushed, world.broken = _pushed(str(problem)), {"x": [problem]}
    tick = _push_tick(world)
    deploys, judges = tick.run_requests or []
    assert (deploys.job_name, judges.job_name) == ("deploy_commit", "judge_commit")
    assert ("keep", "failure") in world.calls
    instance = dg.DagsterInstance.ephemeral()
    run = judge_commit.execute_in_process(
        run_config=judges.run_config,
        resources={"platform": world.resource},
        instance=instance,
        raise_on_error=False,
    )
    assert not run.success
    assert world.calls[-1] == ("announce failure", "abc")
    key = dg.AssetCheckKey(broken_key("x"), "loads")
    (record,) = instance.event_log_storage.get_asset_check_execution_history(key, limit=5)
    assert record.status.value == "FAILED"
    again = _push_tick(world, tick.cursor)
    assert "judge_commit" not in [each.job_name for each in again.run_requests or []]


def test_a_push_that_is_done_is_a_run_that_succeeds(world: World) -> None:
    """It makes the page read the definitions again, and tells the commit's status."""
    world.pushed = replace(_pushed(), wanted=())
    (request,) = _push_tick(world).run_requests or []
    run = judge_commit.execute_in_process(
        run_config=request.run_config, resources={"platform": world.resource}
    )
    assert run.success
    assert world.calls[-1] == ("announce success", "abc")


@pytest.mark.parametrize("tells", [False, True])
def test_a_push_that_is_under_way_is_told_if_anybody_wants_to_know(
    world: World, *, tells: bool
) -> None:
    """A run of its own takes seconds, which a deployment would wait for."""
    world.pushed, world.tells_pending = _pushed(), tells
    jobs = [request.job_name for request in _push_tick(world).run_requests or []]
    assert jobs == ["deploy_commit", *(["judge_commit"] if tells else [])]


@pytest.mark.parametrize("error", [OSError("disk full"), SettingsError("half written")])
def test_a_verdict_that_cannot_be_kept_loses_no_launch(world: World, error: Exception) -> None:
    """A sensor that raises loses what it had launched."""
    world.pushed, world.keeps = _pushed("a mistake"), error
    jobs = [request.job_name for request in _push_tick(world).run_requests or []]
    assert jobs == ["deploy_commit", "judge_commit"]


def test_a_branch_that_cannot_be_read_is_kept_for_fp_status(world: World) -> None:
    """A tick that says so is read by nobody."""
    world.pushed = GitError("the branch is gone")
    assert _push_tick(world).run_requests == []
    assert world.calls[-1] == ("keep", "the branch is gone")


def test_a_repository_that_is_set_later_is_noticed(folder: Path) -> None:
    """The sensor runs in any case, and reads the settings at every tick."""
    assert git_push.default_status is dg.DefaultSensorStatus.RUNNING
    platform = Platform(project=str(folder))
    with pytest.raises(GitError, match=r"git\.repository is not set"):
        platform.pushed(Memory())
    (folder / "feature_platform.toml").write_text('[git]\nrepository = "later.git"\n')
    with pytest.raises(GitError, match=r"later\.git"):
        platform.pushed(Memory())


def test_only_a_watched_branch_leaves_a_record(folder: Path) -> None:
    """`fp status` of a project without one has nothing to say of pushes."""
    platform = Platform(project=str(folder))
    platform.keep_verdict(None, "git.repository is not set")
    assert read_record(folder / ".fp") is None
    (folder / "feature_platform.toml").write_text('[git]\nrepository = "later.git"\n')
    platform.keep_verdict(None, "there is no such repository")
    record = read_record(folder / ".fp")
    assert record is not None
    assert record.state == "unknown"


def test_an_idle_push_tick_says_why(world: World) -> None:
    """Nothing is watched, nothing new came, or the branch cannot be read."""
    world.pushed = GitError("git.repository is not set")
    assert "git.repository is not set" in (_push_tick(world).skip_message or "")
    world.pushed = None
    cursor = Memory(commit="abc", done="commit abc (x)").write()
    tick = _push_tick(world, cursor)
    assert tick.skip_message == "nothing new was pushed since commit abc (x)"
    assert tick.cursor == cursor
