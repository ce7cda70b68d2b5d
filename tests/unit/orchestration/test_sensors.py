"""The sensor as Dagster runs it: observations, words, and runs that restart."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import dagster as dg
import pytest
from dagster._core.definitions.sensor_definition import SensorExecutionData

from feature_platform.engines import world as deploy_world
from feature_platform.engines.flink_metrics import JobMetrics
from feature_platform.errors import (
    StoreUnavailableError,
)
from feature_platform.monitor.health import Health
from feature_platform.orchestration import metadata, resources
from feature_platform.orchestration.assets import FEATURE_SET_TAG
from feature_platform.orchestration.resources import Deployment, Platform
from feature_platform.orchestration.sensors import (
    RESTART_TAG,
    jobs_sensor,
    old_tables_sensor,
    restart_deployed,
    start_again,
)
from feature_platform.plan.snapshot import Snapshot
from feature_platform.registry.memory import MemoryRegistry
from feature_platform.settings import load_settings
from feature_platform.store.memory import MemoryTiles
from feature_platform.testing.clock import ManualClock
from tests.unit.orchestration.fake import World


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
    assert "should be running; it failed with a.b: boom" in request.tags[RESTART_TAG]


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
    assert "is FAILED but should be running" in request.tags[RESTART_TAG]
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
    world.told = ("posts: dropped tiles_posts_g1: its grace time is over",)
    said: list[str] = []
    context = dg.build_sensor_context(
        resources={"platform": world.resource}, instance=dg.DagsterInstance.ephemeral()
    )
    monkeypatch.setattr(context.log, "info", said.append)
    jobs_sensor.evaluate_tick(context)
    assert said[0] == world.told[0]


def test_a_look_drops_nothing(world: World) -> None:
    """What is dropped is another sensor's, which says so."""
    _tick(world, _health("RUNNING"))
    assert ("drop", "") not in world.calls
    world.calls.clear()
    context = dg.build_sensor_context(resources={"platform": world.resource})
    skipped = old_tables_sensor.evaluate_tick(context)
    assert world.calls == [("drop", "")]
    assert skipped.skip_message == "engagement: an old table was dropped"


def test_tables_that_nobody_goes_back_to_are_dropped(
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
    platform = Platform(project=str(folder))
    assert platform.observe(said.append) == []
    assert tiles.tables == {"tiles_engagement_g1"}
    platform.drop_old_tables(said.append)
    assert said == ["engagement: dropped tiles_engagement_g1: its grace time is over"]
    assert tiles.tables == set()
